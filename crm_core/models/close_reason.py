"""Why deals are won or lost."""

from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, folded_from, stored_enum
from crm_core.models.base import Base, filled


class Outcome(StrEnum):
    """How a deal ended."""

    WON = "won"
    LOST = "lost"

    @property
    def label(self) -> str:
        return self.value.capitalize()


class CloseReason(Base):
    """A reason to choose from when closing a deal.

    `needs_note` marks a reason that says nothing by itself (“Other”); `counts` is False for one that
    takes a deal out of every denominator (“Duplicate or test”).
    """

    __tablename__ = "close_reasons"
    __table_args__ = (UniqueConstraint("outcome", "label"), filled("label", 100))

    id: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(stored_enum(Outcome, "outcome"))
    label: Mapped[str] = mapped_column(Line(100))
    folded_label: Mapped[str] = folded_from("label")
    needs_note: Mapped[bool] = mapped_column(default=False)
    counts: Mapped[bool] = mapped_column(default=True)
    is_active: Mapped[bool] = mapped_column(default=True)
