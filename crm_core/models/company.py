"""Companies we sell to."""

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm_core.columns import Line
from crm_core.models.base import Record

if TYPE_CHECKING:
    from crm_core.models.contact import Contact
    from crm_core.models.opportunity import Opportunity
    from crm_core.models.user import User


class Company(Record):
    """An organisation with people and opportunities."""

    __tablename__ = "companies"
    website: Mapped[str | None] = mapped_column(Line(500))
    domain: Mapped[str | None] = mapped_column(Line(253), index=True)
    industry: Mapped[str | None] = mapped_column(Line(100))
    country: Mapped[str | None] = mapped_column(Line(100))
    description: Mapped[str | None]

    owner: Mapped["User | None"] = relationship(lazy="raise")
    contacts: Mapped[list["Contact"]] = relationship(back_populates="company", lazy="raise")
    opportunities: Mapped[list["Opportunity"]] = relationship(back_populates="company", lazy="raise")
