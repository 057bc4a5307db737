"""Companies we sell to."""

from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, folded_from
from crm_core.models.base import Mergeable, linked

if TYPE_CHECKING:
    from crm_core.models.contact import Contact
    from crm_core.models.opportunity import Opportunity
    from crm_core.models.user import User


class Company(Mergeable):
    """An organisation with people and opportunities."""

    __tablename__ = "companies"
    website: Mapped[str | None] = mapped_column(Line(500))
    domain: Mapped[str | None] = mapped_column(Line(253))
    industry: Mapped[str | None] = mapped_column(Line(100))
    country: Mapped[str | None] = mapped_column(Line(100))
    description: Mapped[str | None]

    folded_domain: Mapped[str | None] = folded_from("domain", index=True)
    folded_industry: Mapped[str | None] = folded_from("industry")
    folded_country: Mapped[str | None] = folded_from("country")

    owner: Mapped["User | None"] = linked()
    contacts: Mapped[list["Contact"]] = linked(back_populates="company")
    opportunities: Mapped[list["Opportunity"]] = linked(back_populates="company")
