"""People who might become opportunities."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, Money, digits_from, folded_from, stored_enum
from crm_core.models.base import Record, linked

if TYPE_CHECKING:
    from crm_core.models.opportunity import Opportunity
    from crm_core.models.user import User


class LeadStatus(StrEnum):
    """How far we know a lead."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    UNQUALIFIED = "unqualified"
    CONVERTED = "converted"

    @property
    def label(self) -> str:
        return self.value.capitalize()


class Lead(Record):
    """A person who showed interest; a qualified one converts into exactly one opportunity.

    `conversion` is what the conversion did, as `schemas.conversion.Conversion` tells it.
    """

    __tablename__ = "leads"
    __table_args__ = (
        *Record.__table_args__,
        CheckConstraint("estimated_value >= 0", "estimated_value_is_not_negative"),
        CheckConstraint("(status = 'converted') = (converted_at IS NOT NULL)", "converted_has_its_instant"),
        CheckConstraint("(converted_at IS NULL) = (opportunity_id IS NULL)", "converted_has_its_opportunity"),
    )

    company_name: Mapped[str | None] = mapped_column(Line(200))
    email: Mapped[str | None] = mapped_column(Line(254))
    phone: Mapped[str | None] = mapped_column(Line(50))
    job_title: Mapped[str | None] = mapped_column(Line(200))
    source: Mapped[str | None] = mapped_column(Line(100))
    status: Mapped[LeadStatus] = mapped_column(
        stored_enum(LeadStatus, "status"), default=LeadStatus.NEW, index=True
    )
    estimated_value: Mapped[Money | None]
    description: Mapped[str | None]
    converted_at: Mapped[datetime | None]
    opportunity_id: Mapped[int | None] = mapped_column(
        ForeignKey("opportunities.id", use_alter=True), index=True
    )
    conversion: Mapped[dict[str, Any] | None]

    folded_company_name: Mapped[str | None] = folded_from("company_name", index=True)
    folded_email: Mapped[str | None] = folded_from("email", index=True)
    phone_digits: Mapped[str | None] = digits_from("phone", index=True)
    folded_source: Mapped[str | None] = folded_from("source")

    owner: Mapped["User | None"] = linked()
    opportunity: Mapped["Opportunity | None"] = linked(foreign_keys=[opportunity_id])
