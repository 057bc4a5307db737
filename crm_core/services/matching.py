"""Which company and which contact a lead means, and why.

The rules, first come first served: the e-mail address, its domain unless many share it, the phone number, the
names. Of several that match, the namesake is meant, or else the oldest.
"""

import re
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_, select, union_all
from sqlalchemy.orm import Session

from crm_core import permissions, phones, search
from crm_core.columns import LINE_END, a_line
from crm_core.folding import fold
from crm_core.models import Company, Contact, Lead, Record
from crm_core.public_mail_domains import is_public_mail_domain
from crm_core.schemas.conversion import MatchRule

R = TypeVar("R", bound=Record)
Person = Lead | Contact

WORD = re.compile(r"\w+")

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
        at_company = Contact.folded_name == fold(lead.name), Contact.company_id == company_id
        if found := _oldest(session, Contact, *at_company):
            return Match(found, MatchRule.NAME_AND_COMPANY)
    return None


def find_company(session: Session, lead: Lead) -> Match | None:
    """The company that the lead works at: the known contact's, the one with the domain, or of that name."""
    if found := _company_of(session, _by_email(session, lead)):
        return Match(found, MatchRule.EMAIL)
    domain = company_domain(lead.email)
    if domain and (found := _oldest(session, Company, Company.folded_domain == fold(domain))):
        return Match(found, MatchRule.EMAIL_DOMAIN)
    if found := _company_with_the_number(session, lead):
        return Match(found, MatchRule.PHONE)
    name = fold(lead.company_name or "")
    if name and (found := _oldest(session, Company, Company.folded_name == name)):
        return Match(found, MatchRule.COMPANY_NAME)
    return None


def _by_email(session: Session, lead: Lead) -> Contact | None:
    """Of several who share the address, the namesake, or else the oldest."""
    if not lead.email:
        return None
    same = has_email(session, Contact, fold(lead.email))
    namesake = _oldest(session, Contact, same, Contact.folded_name == fold(lead.name))
    return namesake or _oldest(session, Contact, same)


def _by_phone(session: Session, lead: Lead) -> Contact | None:
    """The namesake with the number, or else the only one who has it, if the names may be one person's.

    A number may be a switchboard's, or a family's. A lead with another name and an e-mail address of its own
    is another person; so is one of several with the number, or with another extension.
    """
    same = has_number(session, Contact, lead.phone)
    if same is None:
        return None
    if namesake := _oldest(session, Contact, same, Contact.folded_name == fold(lead.name)):
        return namesake
    found = session.scalars(_readable(session, Contact).where(same).limit(2)).all()
    own_line = phones.digits_of(lead.phone or "", _country(session))
    is_one_persons = len(found) == 1 and own_line in _lines_of(found[0])
    if not is_one_persons or lead.email or not _may_be_one(lead.name, found[0].name):
        return None
    return found[0]


def _company_with_the_number(session: Session, lead: Lead) -> Company | None:
    """Where everybody works who has the number, unless the lead names another company."""
    same = has_number(session, Contact, lead.phone)
    if same is None:
        return None
    everybody = Contact.deleted_at.is_(None), *permissions.readable(session, Contact)
    companies = select(Contact.company_id).where(same, *everybody).distinct().limit(2)
    where, *others = session.scalars(companies).all() or [None]
    found = None if where is None or others else _oldest(session, Company, Company.id == where)
    return None if found is None or _works_elsewhere(lead, found) else found


def _works_elsewhere(lead: Lead, company: Company) -> bool:
    """Whether the lead has another company's name, or an e-mail address of another company's domain."""
    domain = company_domain(lead.email)
    if domain and company.folded_domain and fold(domain) != company.folded_domain:
        return True
    return bool(lead.company_name) and not _may_be_one(lead.company_name or "", company.name)


def _may_be_one(one: str, other: str) -> bool:
    """Whether one name may be short for the other: “Ada” or “A. Lovelace” for Ada Lovelace, “Acme” for Acme
    AG.
    """
    fewer, more = sorted((WORD.findall(fold(one)), WORD.findall(fold(other))), key=len)
    return all(
        any(word == whole or (1 in (len(word), len(whole)) and word[0] == whole[0]) for whole in more)
        for word in fewer
    )


def has_email(session: Session, model: type[Person], address: str) -> ColumnElement[bool]:
    """SQL: the folded address is the record's first one, or one of a contact's others."""
    own = select(model.id).where(model.folded_email == address)
    return _is_among(session, model, own, "folded_other_emails", a_line(address))


def has_number(session: Session, model: type[Person], phone: str | None) -> ColumnElement[bool] | None:
    """SQL: the record has the number, whatever the notation and the extension; None if it is too short."""
    number = phones.without_extension(phones.digits_of(phone or "", _country(session)) or "")
    if len(number) < FEWEST_DIGITS:
        return None
    extended = f"{number}{phones.EXTENSION}"
    is_own = model.phone_digits == number, model.phone_digits.startswith(extended, autoescape=True)
    own = select(model.id).where(or_(*is_own))
    others = a_line(number), f"{LINE_END}{extended}"
    return _is_among(session, model, own, "other_phone_digits", *others)


def _is_among(
    session: Session, model: type[Person], own: Select[int], column: str, *others: str
) -> ColumnElement[bool]:
    """SQL: one of those, or a contact that has one of the texts in that column; each found by an index."""
    if model is Lead:
        return model.id.in_(own)
    found = [search.ids_called(session, Contact, (column,), text) for text in others]
    return model.id.in_(union_all(own, *found))


def _lines_of(contact: Contact) -> list[str]:
    return [contact.phone_digits or "", *(contact.other_phone_digits or "").split()]


def _country(session: Session) -> str:
    return permissions.settings_of(session).country


def _company_of(session: Session, contact: Contact | None) -> Company | None:
    if contact is None or contact.company_id is None:
        return None
    return _oldest(session, Company, Company.id == contact.company_id)


def _oldest(session: Session, model: type[R], *conditions: ColumnElement[bool]) -> R | None:
    return session.scalar(_readable(session, model).where(*conditions).limit(1))


def _readable(session: Session, model: type[R]) -> Select[R]:
    """The oldest first."""
    may_read = permissions.readable(session, model)
    return select(model).where(model.deleted_at.is_(None), *may_read).order_by(model.id)
