"""How people arrange what they look at."""

from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, folded_from
from crm_core.models.base import Base, filled


class SavedView(Base):
    """A named filter with its sort order and columns, private or shared."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "screen", "name"), filled("name", 100))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    screen: Mapped[str] = mapped_column(Line(50))
    name: Mapped[str] = mapped_column(Line(100))
    folded_name: Mapped[str] = folded_from("name")
    definition: Mapped[dict[str, Any]]
    is_shared: Mapped[bool] = mapped_column(default=False)
    is_default: Mapped[bool] = mapped_column(default=False)


class Preference(Base):
    """One arrangement of one user: which columns a table shows, which fields a card."""

    __tablename__ = "preferences"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    name: Mapped[str] = mapped_column(Line(100), primary_key=True)
    value: Mapped[dict[str, Any]]
