"""Who a new lead may be already: leads and contacts with the same address, number, or name and company."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import same_text, storable_text
from crm_core.errors import InvalidInput
from crm_core.models import Company, Contact, Lead
from crm_core.schemas.conversion import MatchRule
from crm_core.services.matching import FEWEST_DIGITS, digits_of, has_digits

LONGEST = 254
"""Characters of the longest text that is compared."""

LIKELY = 20
"""Rows that are read of each kind by each rule; a name that more share says little."""


@dataclass(frozen=True)
class Duplicate:
    """A lead or a contact that may be the same person, and by which rule."""

    kind: Literal["lead", "contact"]
    id: int
    name: str
    company_name: str | None
    rule: MatchRule


@dataclass(frozen=True)
class Typed:
    """What is known of a person so far, perhaps half of it; empty where it can't be anybody's."""

    name: str
    email: str
    phone: str
    company_name: str

    @classmethod
    def of(cls, *texts: str | None) -> "Typed":
        return cls(*map(_usable, texts))


def find(session: Session, typed: Typed, *, but: int | None, limit: int) -> list[Duplicate]:
    """Those that the actor may read and that were not deleted, each once, by the surest rule first."""
    permissions.actor_of(session)
    found: dict[tuple[str, int], Duplicate] = {}
    for duplicate in _found(session, typed, but):
        if len(found) >= limit:
            break
        found.setdefault((duplicate.kind, duplicate.id), duplicate)
    return list(found.values())


def _found(session: Session, typed: Typed, but: int | None) -> Iterator[Duplicate]:
    if typed.email:
        for kind in (Lead, Contact):
            yield from _those(session, kind, MatchRule.EMAIL, but, same_text(kind.email, typed.email))
    digits = digits_of(typed.phone)
    if len(digits) >= FEWEST_DIGITS:
        for kind in (Lead, Contact):
            alike = _those(session, kind, MatchRule.PHONE, but, has_digits(kind.phone, digits), digits=digits)
            yield from alike
    if typed.name and typed.company_name:
        for kind, company in ((Lead, Lead.company_name), (Contact, Company.name)):
            both = same_text(kind.name, typed.name), same_text(company, typed.company_name)
            yield from _those(session, kind, MatchRule.NAME_AND_COMPANY, but, *both)


def _those(
    session: Session,
    kind: type[Lead] | type[Contact],
    rule: MatchRule,
    but: int | None,
    *conditions: ColumnElement[bool],
    digits: str | None = None,
) -> Iterator[Duplicate]:
    """The oldest first. With digits only those whose number ends in them."""
    rows = _leads(but) if kind is Lead else _contacts()
    chosen = rows.where(kind.deleted_at.is_(None), *permissions.readable(session, kind), *conditions)
    for record_id, name, company_name, phone in session.execute(chosen.order_by(kind.id).limit(LIKELY)):
        if digits is None or digits_of(phone) == digits:
            yield Duplicate("lead" if kind is Lead else "contact", record_id, name, company_name, rule)


def _leads(but: int | None) -> Select[*tuple[Any, ...]]:
    return select(Lead.id, Lead.name, Lead.company_name, Lead.phone).where(Lead.id.is_distinct_from(but))


def _contacts() -> Select[*tuple[Any, ...]]:
    chosen = select(Contact.id, Contact.name, Company.name, Contact.phone)
    return chosen.outerjoin(Company, Company.id == Contact.company_id)


def _usable(text: str | None) -> str:
    """The text without blanks around it, if a database could hold it."""
    try:
        return storable_text((text or "").strip(), LONGEST)
    except InvalidInput:
        return ""
