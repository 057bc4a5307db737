"""The log of user actions that changed anything."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, stored_enum
from crm_core.models.base import Base


class Source(StrEnum):
    """Where a change came from."""

    UI = "ui"
    API = "api"
    IMPORT = "import"
    SYSTEM = "system"


class Transaction(Base):
    """One user action: when, who, from where, and one line on what it was.

    `at` is later than every earlier transaction's. Its highest id is the data's revision.
    """

    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    source: Mapped[Source] = mapped_column(stored_enum(Source, "source"))
    note: Mapped[str | None] = mapped_column(Line(500))
