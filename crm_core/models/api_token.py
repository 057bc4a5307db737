"""Keys that programs use: who they are, and which request they already sent."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, stored_enum
from crm_core.models.base import Base


class TokenScope(StrEnum):
    READ = "read"
    WRITE = "write"


class ApiToken(Base):
    """A program's key to the API; only its hash is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(Line(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    scope: Mapped[TokenScope] = mapped_column(stored_enum(TokenScope, "scope"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer to a request that may be sent again."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(Line(255), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    request_hash: Mapped[str] = mapped_column(Line(64))
    status_code: Mapped[int]
    answer: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)
