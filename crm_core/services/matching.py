"""Which company and which contact a lead means, and why.

The rules, first come first served: the e-mail address, its domain unless many share it, the last ten digits
of the phone number, the names. Of several that match, the oldest is meant.
"""

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_core import permissions
from crm_core.columns import lowered, same_text
from crm_core.models import Company, Contact, Lead, Record
from crm_core.public_mail_domains import is_public_mail_domain
from crm_core.schemas.conversion import MatchRule

R = TypeVar("R", bound=Record)

DIGITS_COMPARED = 10
FEWEST_DIGITS = 7
"""Fewer are an extension, not a number."""


@dataclass(frozen=True)
class Match:
    """A record, and the rule by which it was found."""

    record: Company | Contact
    rule: MatchRule


def company_domain(email: str | None) -> str | None:
    """The domain of an e-mail address, unless everybody can have an address there."""
    domain = (email or "").rpartition("@")[2].strip().lower()
    return domain if domain and not is_public_mail_domain(domain) else None


def find_contact(session: Session, lead: Lead, company_id: int | None) -> Match | None:
    """The contact that the lead is, known by e-mail, phone, or by name at that company."""
    if found := _by_email(session, lead):
        return Match(found, MatchRule.EMAIL)
    if found := _by_phone(session, lead):
        return Match(found, MatchRule.PHONE)
    if company_id is not None:
        at_company = same_text(Contact.name, lead.name), Contact.company_id == company_id
        if found := _oldest(session, Contact, *at_company):
            return Match(found, MatchRule.NAME_AND_COMPANY)
    return None


def find_company(session: Session, lead: Lead) -> Match | None:
    """The company that the lead works at: the known contact's, the one with the domain, or of that name."""
    if found := _company_of(session, _by_email(session, lead)):
        return Match(found, MatchRule.EMAIL)
    domain = company_domain(lead.email)
    if domain and (found := _oldest(session, Company, lowered(Company.domain) == domain)):
        return Match(found, MatchRule.EMAIL_DOMAIN)
    if found := _company_of(session, _by_phone(session, lead)):
        return Match(found, MatchRule.PHONE)
    if lead.company_name and (found := _oldest(session, Company, same_text(Company.name, lead.company_name))):
        return Match(found, MatchRule.COMPANY_NAME)
    return None


def _by_email(session: Session, lead: Lead) -> Contact | None:
    if not lead.email:
        return None
    return _oldest(session, Contact, same_text(Contact.email, lead.email))


def _by_phone(session: Session, lead: Lead) -> Contact | None:
    """Of several with one number, the namesake; without one nobody, for it may be a switchboard's."""
    wanted = digits_of(lead.phone)
    if len(wanted) < FEWEST_DIGITS:
        return None
    chosen = _readable(session, Contact).where(has_digits(Contact.phone, wanted)).order_by(Contact.id)
    found = [contact for contact in session.scalars(chosen) if digits_of(contact.phone) == wanted]
    namesakes = [contact for contact in found if contact.name.strip().lower() == lead.name.strip().lower()]
    if namesakes or len(found) == 1:
        return (namesakes or found)[0]
    return None


def digits_of(phone: str | None) -> str:
    """The last ten digits of a phone number: what is left of it however it is written."""
    return "".join(character for character in phone or "" if character in "0123456789")[-DIGITS_COMPARED:]


def has_digits(phone: InstrumentedAttribute[str | None], wanted: str) -> ColumnElement[bool]:
    """SQL: the number has these digits in this order; hardly any other does, but `digits_of` decides."""
    return phone.like("%" + "%".join(wanted) + "%")


def _company_of(session: Session, contact: Contact | None) -> Company | None:
    if contact is None or contact.company_id is None:
        return None
    return _oldest(session, Company, Company.id == contact.company_id)


def _oldest(session: Session, model: type[R], *conditions: ColumnElement[bool]) -> R | None:
    return session.scalar(_readable(session, model).where(*conditions).order_by(model.id).limit(1))


def _readable(session: Session, model: type[R]) -> Select[R]:
    return select(model).where(model.deleted_at.is_(None), *permissions.readable(session, model))
