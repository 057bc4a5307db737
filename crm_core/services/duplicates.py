"""Which people or companies a new record may be already: by address or number, by name, by domain.

Asked while somebody types, so half an address, or nonsense, finds nothing. Converted leads are found, deleted
records are not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import storable_text
from crm_core.errors import InvalidInput
from crm_core.folding import fold
from crm_core.models import Company, Contact, Lead
from crm_core.schemas.conversion import MatchRule
from crm_core.schemas.fields import host_of
from crm_core.services.matching import has_email, has_number

LONGEST = 254
"""Characters of the longest text that is compared."""

LIKELY = 20
"""Rows that are read of each kind by each rule; a name that more share says little."""

MOST_OTHERS = 10
"""Further e-mails, and phones, that are compared: each takes two statements."""

Kind = Literal["lead", "contact", "company"]


@dataclass(frozen=True)
class Duplicate:
    """A record that may be the same, and by which rule."""

    kind: Kind
    id: int
    name: str
    company_name: str | None
    rule: MatchRule


def find_people(
    session: Session,
    *,
    name: str | None,
    email: str | None,
    phone: str | None,
    company_name: str | None,
    but: tuple[Kind, int | None],
    limit: int,
    other_emails: Iterable[str] = (),
    other_phones: Iterable[str] = (),
) -> list[Duplicate]:
    """Leads and contacts whom the actor may read, each once, the surest first: by e-mail, phone, then names.

    The first e-mail and the others count alike, and so do phones. `but` is the kind and the id of the record
    itself.
    """
    permissions.actor_of(session)
    found: list[Iterator[Duplicate]] = []
    for address in _each(email, other_emails):
        for kind in (Lead, Contact):
            found.append(_people(session, kind, MatchRule.EMAIL, has_email(session, kind, address)))
    for number in _each(phone, other_phones):
        for kind in (Lead, Contact):
            same = has_number(session, kind, number)
            if same is not None:
                found.append(_people(session, kind, MatchRule.PHONE, same))
    called, at = _usable(name), _usable(company_name)
    if called and at:
        for kind, company in ((Lead, Lead.folded_company_name), (Contact, Company.folded_name)):
            both = kind.folded_name == called, company == at
            found.append(_people(session, kind, MatchRule.NAME_AND_COMPANY, *both))
    return _first(found, but, limit)


def find_companies(
    session: Session,
    *,
    name: str | None,
    domain: str | None,
    website: str | None,
    but: int | None,
    limit: int,
) -> list[Duplicate]:
    """Companies that the actor may read, each once, the surest first: by the domain, then by the name."""
    permissions.actor_of(session)
    found = []
    if host := _host(_usable(domain) or _usable(website)):
        found.append(_companies(session, MatchRule.DOMAIN, Company.folded_domain == host))
    if called := _usable(name):
        found.append(_companies(session, MatchRule.COMPANY_NAME, Company.folded_name == called))
    return _first(found, ("company", but), limit)


def _first(found: Iterable[Iterator[Duplicate]], but: tuple[Kind, int | None], limit: int) -> list[Duplicate]:
    """The first `limit` of them, each once; no statement runs that is not needed for that."""
    first: dict[tuple[Kind, int | None], Duplicate] = {}
    for duplicate in (each for together in found for each in together):
        if len(first) >= limit:
            break
        if (duplicate.kind, duplicate.id) != but:
            first.setdefault((duplicate.kind, duplicate.id), duplicate)
    return list(first.values())


def _people(
    session: Session, kind: type[Lead] | type[Contact], rule: MatchRule, *conditions: ColumnElement[bool]
) -> Iterator[Duplicate]:
    """The oldest first."""
    if kind is Lead:
        chosen = select(Lead.id, Lead.name, Lead.company_name)
    else:
        chosen = select(Contact.id, Contact.name, Company.name)
        chosen = chosen.outerjoin(Company, Company.id == Contact.company_id)
    may_read = permissions.readable(session, kind)
    chosen = chosen.where(kind.deleted_at.is_(None), *may_read, *conditions).order_by(kind.id)
    for record_id, name, company_name in session.execute(chosen.limit(LIKELY)):
        yield Duplicate("lead" if kind is Lead else "contact", record_id, name, company_name, rule)


def _companies(session: Session, rule: MatchRule, *conditions: ColumnElement[bool]) -> Iterator[Duplicate]:
    """The oldest first."""
    may_read = permissions.readable(session, Company)
    chosen = select(Company.id, Company.name).where(Company.deleted_at.is_(None), *may_read, *conditions)
    for record_id, name in session.execute(chosen.order_by(Company.id).limit(LIKELY)):
        yield Duplicate("company", record_id, name, None, rule)


def _each(first: str | None, others: Iterable[str]) -> Iterable[str]:
    """Those that can be somebody's, each once, the first one first."""
    texts = map(_usable, (first, *islice(others, MOST_OTHERS)))
    return dict.fromkeys(filter(None, texts))


def _usable(text: str | None) -> str:
    """The text as it is compared; empty where it can't be anybody's."""
    try:
        return fold(storable_text((text or "").strip(), LONGEST))
    except InvalidInput:
        return ""


def _host(address: str) -> str:
    """The domain as it would be saved of what is typed for one, or for a website; empty for half of it."""
    try:
        return host_of(address)
    except ValueError:
        return ""
