"""What an import will write: which deals are new, and which companies and people they name are."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.database import instant
from crm_core.folding import fold
from crm_core.importing.cells import numbered
from crm_core.importing.deals import ROWS_NAMED, ImportedDeal, Reading, Since
from crm_core.importing.report import Count
from crm_core.models import CloseReason, Company, Contact, Opportunity, OpportunityStage, Outcome, User
from crm_core.schemas.fields import trimmed
from crm_core.services import settings_service


@dataclass
class Newcomer:
    """A record to be made, known from the first deal that names it."""

    id: int
    name: str
    since: Since
    company_id: int | None = None


class Register:
    """Finds records by what people call them, and plans those that are missing."""

    def __init__(self, known: Iterable[tuple[Hashable, int]], next_id: int) -> None:
        self.newcomers: dict[Hashable, Newcomer] = {}
        self._known: dict[Hashable, int] = {}
        self._matched: set[int] = set()
        self._next_id = next_id
        for key, record_id in known:
            self._known.setdefault(key, record_id)

    @property
    def count(self) -> Count:
        return Count(created=len(self.newcomers), matched=len(self._matched))

    def id_of(self, name: str, since: Since, company_id: int | None = None) -> int:
        """The id of the record with that name, within a company if one is given; it is there since then."""
        key = (company_id, fold(name))
        if key in self._known:
            self._matched.add(self._known[key])
            return self._known[key]
        newcomer = self.newcomers.get(key)
        if newcomer is None:
            newcomer = Newcomer(self._next_id + len(self.newcomers), name, since, company_id)
            self.newcomers[key] = newcomer
        newcomer.since = min(newcomer.since, since, key=lambda each: each.at)
        return newcomer.id


@dataclass(frozen=True, slots=True)
class PlannedDeal:
    """A new deal, with the ids of what it names."""

    deal: ImportedDeal
    start: Since
    company_id: int | None
    contact_id: int | None
    owner_id: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a deal that is there already stands in the CRM now."""

    stage: OpportunityStage
    value: Decimal | None
    closed_on: date | None
    is_deleted: bool

    def differs_from(self, deal: ImportedDeal, *, by_value: bool) -> bool:
        """Whether the file tells another story; of values only if it speaks of them."""
        return (
            self.is_deleted
            or self.stage != deal.draft.stage
            or self.closed_on != deal.span.closed_on
            or (by_value and self.value != deal.draft.expected_value)
        )


class Reasons:
    """The workspace's close reasons, and those that the file has besides."""

    def __init__(self, known: Iterable[CloseReason]) -> None:
        self.unknown = Counter[tuple[Outcome, str]]()
        """How many deals were closed for each, by the outcome and the file's words."""
        self.lost_without = 0
        self._known = {(reason.outcome, fold(reason.label)) for reason in known}
        self._words: dict[tuple[Outcome, str], str] = {}

    def count(self, deal: ImportedDeal) -> None:
        """Note for what a closed deal was closed."""
        outcome = deal.draft.stage.outcome
        if outcome is None:
            return
        key = outcome, fold(deal.close_reason or "")
        if deal.close_reason is None:
            self.lost_without += outcome is Outcome.LOST
        elif key not in self._known:
            self.unknown[outcome, self._words.setdefault(key, trimmed(deal.close_reason))] += 1


@dataclass
class Plan:
    """Everything that an import will write, and the deals it passes over because they are there.

    `differing_rows` are those of the file that tell something else of such a deal than the CRM.
    """

    companies: Register
    contacts: Register
    owners: Register
    reasons: Reasons
    deals: list[PlannedDeal] = field(default_factory=list)
    already_there: int = 0
    differing_rows: list[int] = field(default_factory=list)

    @property
    def closed_without_stage(self) -> int:
        """How many deals are closed without a word on the stage they were closed in."""
        stages = ((planned.deal.draft.stage, planned.deal.closed_in) for planned in self.deals)
        return sum(stage.is_closed and closed_in is None for stage, closed_in in stages)

    def warnings(self) -> Iterator[str]:
        """What somebody who takes a newer file for an update should know."""
        if rows := self.differing_rows:
            yield (
                "Rows that say another stage, value or closing day than the CRM does now, or whose deal was"
                f" deleted there: {numbered(rows, ROWS_NAMED)} ({len(rows):,} in all); an import leaves such"
                " deals as they are, so change them in the CRM if the file is right."
            )


def make_plan(session: Session, source: str, reading: Reading) -> Plan:
    """Hold the deals against the database. Writes nothing."""
    there = _deals_there(session, source)
    plan = Plan(_companies(session), _contacts(session), _owners(session), _reasons(session))
    for deal in reading.deals:
        standing = there.get(deal.external_id)
        if standing is None:
            plan.deals.append(_planned(plan, deal, deal.span.start or Since(instant(session))))
            plan.reasons.count(deal)
            continue
        plan.already_there += 1
        if standing.differs_from(deal, by_value=reading.tells_values):
            plan.differing_rows.append(deal.row)
    return plan


def _deals_there(session: Session, source: str) -> dict[str | None, Standing]:
    """The source's deals by their keys, deleted ones too."""
    found = session.execute(
        select(
            Opportunity.external_id,
            Opportunity.stage,
            Opportunity.expected_value,
            Opportunity.actual_close_date,
            Opportunity.deleted_at.is_not(None),
        ).where(Opportunity.external_source == source)
    )
    return {
        key: Standing(stage, value, closed_on, is_deleted)
        for key, stage, value, closed_on, is_deleted in found
    }


def _planned(plan: Plan, deal: ImportedDeal, start: Since) -> PlannedDeal:
    company_id = plan.companies.id_of(deal.company, start) if deal.company else None
    contact_id = plan.contacts.id_of(deal.contact, start, company_id) if deal.contact else None
    owner_id = plan.owners.id_of(deal.owner, start) if deal.owner else None
    return PlannedDeal(deal, start, company_id, contact_id, owner_id)


def _companies(session: Session) -> Register:
    found = session.execute(
        select(Company.id, Company.folded_name).where(Company.deleted_at.is_(None)).order_by(Company.id)
    )
    return Register(
        (((None, name), company_id) for company_id, name in found), history.next_id(session, Company)
    )


def _contacts(session: Session) -> Register:
    found = session.execute(
        select(Contact.id, Contact.folded_name, Contact.company_id)
        .where(Contact.deleted_at.is_(None))
        .order_by(Contact.id)
    )
    return Register(
        (((company_id, name), contact_id) for contact_id, name, company_id in found),
        history.next_id(session, Contact),
    )


def _reasons(session: Session) -> Reasons:
    every = [settings_service.get_close_reasons(session, outcome, with_inactive=True) for outcome in Outcome]
    return Reasons(chain(*every))


def _owners(session: Session) -> Register:
    """Users by name and by e-mail address; of several with one name, the active and older one."""
    found = session.execute(
        select(User.id, User.folded_name, User.folded_email).order_by(User.is_active.desc(), User.id)
    ).all()
    known = [
        ((None, called), user_id) for user_id, name, email in found for called in (email, name) if called
    ]
    return Register(known, history.next_id(session, User))
