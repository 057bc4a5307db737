"""Writes the made-up business into a database."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.bulk import insert_rows
from crm_core.database import Database, instant
from crm_core.demo import people, quotas, teams
from crm_core.demo.chapters import Plan, chapters
from crm_core.demo.closing import closing
from crm_core.demo.companies import customers
from crm_core.demo.deals import Business
from crm_core.demo.ledger import Ledger
from crm_core.demo.stories import Chapter, Life
from crm_core.demo.workdays import Beginnings, Workdays
from crm_core.errors import Conflict, RuleBroken
from crm_core.models import (
    Company,
    Contact,
    Lead,
    Note,
    Opportunity,
    OpportunityStage,
    Target,
    Transaction,
    User,
)
from crm_core.services import settings_service, workspace_service

DEFAULT_OPPORTUNITIES = 400
DEFAULT_SEED = 1

TWO_YEARS = relativedelta(years=2)
BEFORE_THE_FIRST_DEAL = relativedelta(weeks=5)

INSTANTS_OF_DEALS, INSTANTS_OF_LEADS = ("closed_at",), ("converted_at",)


class NotEmpty(RuleBroken):
    def __init__(self) -> None:
        super().__init__(
            "This database is in use already, so demo data would mix with data of your own."
            " Point CRM_DATABASE_URL to an empty one."
        )


class ChangedMeanwhile(Conflict):
    def __init__(self) -> None:
        super().__init__("Somebody changed the database while the demo data was made up. Try again.")


@dataclass(frozen=True)
class DemoSummary:
    """How much was made up."""

    opportunities: int = 0
    companies: int = 0
    contacts: int = 0
    leads: int = 0

    def with_(self, chapter: Chapter) -> "DemoSummary":
        """The same, and what is in that chapter."""
        return DemoSummary(
            self.opportunities + len(chapter.deals),
            self.companies + len(chapter.companies),
            self.contacts + len(chapter.contacts),
            self.leads + len(chapter.leads),
        )

    def __str__(self) -> str:
        return (
            f"The demo data is ready, with two years of history: opportunities {self.opportunities:,},"
            f" leads {self.leads:,}, companies {self.companies:,}, contacts {self.contacts:,}."
        )


def fill(
    database: Database,
    *,
    opportunities: int,
    seed: int,
    at: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    patience: float | None = None,
) -> DemoSummary:
    """Fill an empty database with two years of business up to `at`, by default now; all or nothing.

    The same seed and the same instant give the same rows on both databases. Everything is made up twice:
    once to bring all actions into one order, outside a transaction, and once to write it; so memory does
    not grow with the rows. `progress` is told how many more deals are written. `patience` is how many seconds
    to wait for a turn to write, by default as long as the database's.

    Raises `NotEmpty` if there is any company, contact, lead or opportunity, or if anything else was
    changed in those two years: the log could not be in order then. Raises `ChangedMeanwhile`.
    """
    with database.read(at=at) as session:
        at = instant(session)
        plan = _plan(session, opportunities, seed, at)
        first_action_id = history.next_id(session, Transaction)
        _require_empty(session, since=plan.business.workdays.begin)
    won = quotas.Winnings()
    workdays, staff = plan.business.workdays, plan.business.staff
    with _without_search_for_cycles():
        ledger = Ledger(workdays, quotas.counting(chapters(plan), won, workdays), first_id=first_action_id)
    with (
        _without_search_for_cycles(),
        database.write(at=at, note=workspace_service.DEMO, patience=patience) as session,
    ):
        if history.next_id(session, Transaction) != first_action_id:
            raise ChangedMeanwhile
        history.log_as(session, ledger.next_id)
        settings_service.get_settings(session).has_demo_data = True
        team_ids = teams.write(session, staff)
        insert_rows(session, Target.__table__, quotas.targets(won, staff, team_ids, workdays))
        summary = DemoSummary()
        for chapter in chapters(plan):
            ledger.settle(chapter.actions)
            _write(session, chapter)
            summary = summary.with_(chapter)
            if progress is not None:
                progress(len(chapter.deals))
        history.catch_up_sequence(session, Transaction.__table__)
    return summary


@contextmanager
def _without_search_for_cycles() -> Iterator[None]:
    """Nothing made up here refers to itself in a circle; searching for that takes a fifth of the time."""
    was_searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_searching:
            gc.enable()


def _require_empty(session: Session, *, since: datetime) -> None:
    used = [exists().where(model.id.is_not(None)) for model in (Company, Contact, Lead, Opportunity)]
    if session.scalar(select(or_(*used, exists().where(Transaction.at >= since)))):
        raise NotEmpty


def _plan(session: Session, opportunities: int, seed: int, at: datetime) -> Plan:
    """Everything that the records depend on, read from the database or drawn from the seed."""
    calendar = settings_service.get_calendar(session)
    first_deal_on = calendar.day_of(at) - TWO_YEARS
    workdays = Workdays(calendar, first_deal_on - BEFORE_THE_FIRST_DEAL, at)
    beginnings = Beginnings(workdays, workdays.position_of(first_deal_on))
    known, chance = people.names(seed), Random(f"staff and companies of {seed}")
    staff = people.staff(known, chance, first_id=history.next_id(session, User), now=workdays.now)
    probabilities = {
        stage: settings_service.default_probability(session, stage) for stage in OpportunityStage
    }
    return Plan(
        seed=seed,
        deals=opportunities,
        names=known,
        business=Business(workdays, staff, closing(session), probabilities),
        customers=customers(
            known,
            staff,
            beginnings,
            chance,
            deals=opportunities,
            first_id=history.next_id(session, Company),
            first_contact_id=history.next_id(session, Contact),
        ),
        beginnings=beginnings,
        first_deal_id=history.next_id(session, Opportunity),
        first_lead_id=history.next_id(session, Lead),
    )


def _write(session: Session, chapter: Chapter) -> None:
    """Write a chapter's records with their past, and the actions and notes that belong to them."""
    insert_rows(session, Transaction.__table__, _actions(chapter))
    history.insert_with_past(session, Company, map(_states, chapter.companies))
    history.insert_with_past(session, Contact, map(_states, chapter.contacts))
    deals = (_states(deal, INSTANTS_OF_DEALS) for deal in chapter.deals)
    history.insert_with_past(session, Opportunity, deals, later="lead_id")
    leads = (_states(lead, INSTANTS_OF_LEADS) for lead in chapter.leads)
    history.insert_with_past(session, Lead, leads)
    _link_leads(session, chapter)
    insert_rows(session, Note.__table__, _notes(chapter))


def _states(life: Life, instants: tuple[str, ...] = ()) -> list[tuple[datetime, dict[str, Any]]]:
    """A record's states as the history takes them: actions are replaced by their instants."""
    created_at = life.actions[0].at
    states = []
    for action, row in zip(life.actions, life.rows, strict=True):
        settled = {**row, "created_at": created_at, "transaction_id": action.id}
        for column in instants:
            if settled[column] is not None:
                settled[column] = settled[column].at
        states.append((action.at, settled))
    return states


def _actions(chapter: Chapter) -> list[dict[str, Any]]:
    in_order = sorted(chapter.actions, key=lambda action: action.id)
    return [
        {"id": a.id, "at": a.at, "actor_id": a.actor_id, "source": a.source, "note": a.note} for a in in_order
    ]


def _notes(chapter: Chapter) -> list[dict[str, Any]]:
    return [
        {
            "text": remark.text,
            "author_id": remark.action.actor_id,
            "created_at": remark.action.at,
            "opportunity_id": remark.opportunity_id,
        }
        for remark in chapter.remarks
    ]


def _link_leads(session: Session, chapter: Chapter) -> None:
    """A lead and its deal point at each other, so the deal learns its lead when both are there."""
    links = [
        {"deal": deal.row["id"], "lead": deal.row["lead_id"]}
        for deal in chapter.deals
        if deal.row["lead_id"] is not None
    ]
    table = Opportunity.__table__
    learn = update(table).where(table.c.id == bindparam("deal")).values(lead_id=bindparam("lead"))
    if links:
        session.execute(learn, links, execution_options=history.PAST_IS_SEEN_TO)
