"""A writer that is killed in the middle of a change loses nothing that it has told, and leaves no half."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.database import Database
from crm_core.models import VERSIONS, Company, Contact, LeadStatus, Opportunity, Outcome
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.lead import LeadCreate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import settings_service
from crm_core.services.company_service import merge_companies, update_company
from crm_core.services.lead_service import create_lead
from crm_core.services.opportunity_service import (
    close_opportunities,
    convert_lead_to_opportunity,
    create_opportunity,
    update_opportunities,
)
from tests import forms
from tests.reliability.workers import PROCESSES, address, opened, orphans

KILLS = forms.either(5, 30)
LOOK_AFTER = 5
"""Kills, after which everything is looked at. Nothing repairs itself meanwhile: history is only added to."""

LONGEST_LIFE = 0.1
"""Seconds that a writer may go on after its first change."""

DEALS = range(1, 21)
"""The deals that are edited all at once; those that come later are closed."""

Change = Callable[[Session, str, random.Random], object]


def create_several(session: Session, mark: str, _chance: random.Random) -> None:
    for _ in range(3):
        create_opportunity(session, OpportunityCreate(name=mark))


def edit_many(session: Session, mark: str, _chance: random.Random) -> None:
    update_opportunities(session, DEALS, OpportunityUpdate(description=mark))


def convert_a_lead(session: Session, mark: str, _chance: random.Random) -> None:
    """Lead, company, contact and deal are all named after the mark."""
    draft = LeadCreate(name=mark, company_name=mark, status=LeadStatus.QUALIFIED)
    convert_lead_to_opportunity(session, create_lead(session, draft).id)


def close_several(session: Session, mark: str, chance: random.Random) -> None:
    later_ones = select(Opportunity.id).where(Opportunity.is_open, Opportunity.id > max(DEALS))
    ids = chance.sample(session.scalars(later_ones.order_by(Opportunity.id)).all(), 3)
    update_opportunities(session, ids, OpportunityUpdate(description=mark))
    reason = settings_service.get_close_reasons(session, Outcome.LOST)[0]
    close_opportunities(session, ids, outcome=Outcome.LOST, reason_id=reason.id, note=mark)


def merge_two_companies(session: Session, mark: str, chance: random.Random) -> None:
    live = select(Company.id).where(Company.deleted_at.is_(None)).order_by(Company.id)
    kept_id, merged_id = chance.sample(session.scalars(live).all(), 2)
    merge_companies(session, kept_id, merged_id)
    update_company(session, kept_id, CompanyUpdate(description=mark))


CHANGES: dict[str, tuple[Change, int]] = {
    change.__name__: (change, marked)
    for change, marked in {
        create_several: 3,
        edit_many: len(DEALS),
        convert_a_lead: 4,
        close_several: 3,
        merge_two_companies: 1,
    }.items()
}
"""Each kind of change, and on how many records it leaves its mark."""

OFTEN = {"create_several": 2, "convert_a_lead": 2}
"""More comes than is closed and merged, so that there is always enough."""


@dataclass
class Life:
    """What a writer told before it was killed: the marks of the changes it began, and of those it saved."""

    begun: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)

    @property
    def was_cut_short(self) -> bool:
        """Killed inside a change."""
        return len(self.begun) > len(self.saved)


def keep_changing(url: str, number: int, tell: Connection) -> None:
    """Tell that a change begins, make it, tell that it is saved, and so on until the process is killed."""
    chance = random.Random(number)
    names = [name for name in CHANGES for _ in range(OFTEN.get(name, 1))]
    with opened(url) as database:
        for change_number in count():
            name = chance.choice(names)
            mark = f"{name} {number}.{change_number}"
            tell.send(("begun", mark))
            with database.write() as session:
                change, _ = CHANGES[name]
                change(session, mark, chance)
            tell.send(("saved", mark))


def live_and_be_killed(url: str, number: int, moment: float) -> Life:
    """Start a writer and kill it that many seconds after its first change; what it has told outlives it."""
    life = Life()
    listen, tell = PROCESSES.Pipe(duplex=False)
    writer = PROCESSES.Process(target=keep_changing, args=(url, number, tell))
    writer.start()
    tell.close()
    try:
        while not life.saved:
            hear(life, listen)
        time.sleep(moment)
        writer.kill()
        while True:
            hear(life, listen)
    except EOFError:
        writer.join()
    assert writer.exitcode == -signal.SIGKILL
    return life


def hear(life: Life, listen: Connection) -> None:
    what, mark = listen.recv()
    getattr(life, what).append(mark)


@pytest.fixture
def deals(database: Database) -> Database:
    """A database with the deals to edit, and enough of everything for each kind of change."""
    with database.write() as session:
        for key in DEALS:
            assert create_opportunity(session, OpportunityCreate(name=f"Deal {key}")).id == key
        for number in range(20):
            create_several(session, f"create_several before.{number}", random.Random())
            convert_a_lead(session, f"convert_a_lead before.{number}", random.Random())
    database.close()  # who opens it after a kill shall be the only one, and have to recover it
    return database


def test_a_killed_writer_loses_nothing_and_leaves_no_half(deals):
    chance, url, lives = random.Random(0), address(deals), []

    for number in range(KILLS):
        lives.append(live_and_be_killed(url, number, chance.uniform(0, LONGEST_LIFE)))

        if len(lives) % LOOK_AFTER == 0:
            with opened(url) as database:
                assert_whole(database, {mark for life in lives for mark in life.saved})
    assert sum(life.was_cut_short for life in lives) > KILLS // 2


def assert_whole(database: Database, saved: set[str]) -> None:
    assert check.findings(database) == []
    with database.read() as session:
        marked = records_by_mark(session)
        assert orphans(session) == []
        assert companies_that_lack_a_part(session) == []
    assert marked == {mark: CHANGES[mark.split()[0]][1] for mark in marked}
    assert saved <= marked.keys()


def records_by_mark(session: Session) -> Counter[str]:
    """How many records bear each mark, or once did, in their name or their description."""
    found = Counter[str]()
    for versions in VERSIONS.values():
        for column in (column for column in versions.c if column.name in ("name", "description")):
            each = select(column, func.count(versions.c.id.distinct())).group_by(column)
            found.update(dict(session.execute(each.where(column.contains(".", autoescape=True))).all()))
    return found


def companies_that_lack_a_part(session: Session) -> list[int]:
    """Every company came with one contact and one deal; a merge moves both."""
    parts = [
        select(func.count(part.id)).where(part.company_id == Company.id).correlate(Company).scalar_subquery()
        for part in (Opportunity, Contact)
    ]
    lacking = select(Company.id).where(Company.deleted_at.is_(None), (parts[0] != parts[1]) | (parts[0] == 0))
    return list(session.scalars(lacking))
