"""People at the companies we sell to."""

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, Lines, digits_from, folded_from
from crm_core.models.base import Mergeable, linked

if TYPE_CHECKING:
    from crm_core.models.company import Company
    from crm_core.models.opportunity import Opportunity
    from crm_core.models.user import User


class Contact(Mergeable):
    """A person we talk to, at most at one company.

    `other_emails` and `other_phones` are those beside the ones to use first.
    """

    __tablename__ = "contacts"
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"), index=True)
    email: Mapped[str | None] = mapped_column(Line(254))
    other_emails: Mapped[tuple[str, ...]] = mapped_column(Lines, nullable=True, default=())
    phone: Mapped[str | None] = mapped_column(Line(50))
    other_phones: Mapped[tuple[str, ...]] = mapped_column(Lines, nullable=True, default=())
    job_title: Mapped[str | None] = mapped_column(Line(200))

    folded_email: Mapped[str | None] = folded_from("email", index=True)
    folded_other_emails: Mapped[str | None] = folded_from("other_emails")
    phone_digits: Mapped[str | None] = digits_from("phone", index=True)
    other_phone_digits: Mapped[str | None] = digits_from("other_phones")
    folded_job_title: Mapped[str | None] = folded_from("job_title")

    owner: Mapped["User | None"] = linked()
    company: Mapped["Company | None"] = linked(back_populates="contacts")
    opportunities: Mapped[list["Opportunity"]] = linked(back_populates="contact")
