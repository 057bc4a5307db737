"""The log of user actions that changed anything."""

from datetime import datetime
from enum import IntEnum, StrEnum

from sqlalchemy import ForeignKey, Index, SmallInteger, false, text
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, stored_enum
from crm_core.models.base import Base


class Source(StrEnum):
    """Where a change came from."""

    UI = "ui"
    API = "api"
    IMPORT = "import"
    SYSTEM = "system"


class Reach(IntEnum):
    """The most that a transaction touched; answers about anything beyond are still so after it."""

    OPEN = 1
    """Open deals, leads, and what no figure of closed deals looks at, like notes."""
    CLOSED = 2
    """A deal that was closed before or is so now."""
    ANYTHING = 3
    """People, reasons, companies, settings: whatever else there is now."""
    PAST = 4
    """It brought states from before itself, or took some away; all others leave the past as it was."""


class Transaction(Base):
    """One user action: when, who, from where, and one line on what it was.

    `at` is later than every earlier transaction's. Its highest id is the data's revision. One that takes back
    another names it in `undoes_id`; from then on no figure of stays, moves or touches counts either.
    `is_merge` marks one that made one record of two.
    """

    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    source: Mapped[Source] = mapped_column(stored_enum(Source, "source"))
    note: Mapped[str | None] = mapped_column(Line(500))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("transactions.id"))
    reach: Mapped[int] = mapped_column(SmallInteger, default=Reach.OPEN, server_default="1")
    is_merge: Mapped[bool] = mapped_column(default=False, server_default=false())


Index(
    "ix_transactions_reach",
    Transaction.reach,
    Transaction.at,
    sqlite_where=text("reach > 1"),
    postgresql_where=text("reach > 1"),
)
"""Most transactions reach no further than open deals."""

Index(
    "ix_transactions_undoes",
    Transaction.undoes_id,
    Transaction.at,
    sqlite_where=text("undoes_id IS NOT NULL"),
    postgresql_where=text("undoes_id IS NOT NULL"),
)
