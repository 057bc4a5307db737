"""What is asked for later is counted meanwhile, once, and is what counting it then would give."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from crm_core import ahead
from crm_core.ahead import counted_ahead
from crm_core.analytics import dashboard, pipeline
from crm_core.kept import kept
from crm_core.models import Opportunity, Visibility
from crm_core.periods import PeriodChoice
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make
from tests.conftest import NOW

PATIENCE = 10.0
"""Seconds until a thread that never comes fails its test."""


@pytest.fixture
def deal(database) -> int:
    with database.write(at=NOW) as session:
        return Make(session).opportunity(expected_value=100).id


@pytest.fixture(autouse=True)
def one_helper(monkeypatch):
    """However many processors there are."""
    monkeypatch.setattr(ahead, "_free", threading.BoundedSemaphore(1))


class Counter:
    """A question whose answers tell in which thread each was counted."""

    def __init__(self, name="deal"):
        self.chosen = select(Opportunity.name).where(Opportunity.name != name)
        self.threads = []
        self.is_counted = threading.Event()

    def __call__(self, session):
        return kept(session, self.chosen, self.told)

    def told(self, rows):
        self.threads.append(threading.current_thread())
        self.is_counted.set()
        return [name for (name,) in rows]


def test_what_is_asked_for_later_is_known_by_then(database, deal):
    first, later = Counter("one"), Counter("another")

    with database.read() as session, counted_ahead(session, [later]):
        assert first(session) == ["Solar roof"]
        assert later.is_counted.wait(PATIENCE)
        assert later(session) == ["Solar roof"]

    assert first.threads == [threading.current_thread()]
    assert len(later.threads) == 1
    assert later.threads != first.threads


def test_nobody_helps_where_all_is_known(database, deal):
    first, later = Counter("one"), Counter("another")
    for _ in range(2):
        with database.read() as session, counted_ahead(session, [later]):
            first(session)
            threads = threading.active_count()

    assert threads == threading.active_count()
    assert len(first.threads) == 1


def test_nobody_helps_where_all_helpers_are_busy(database, deal):
    first, later = Counter("one"), Counter("another")

    with ahead._free, database.read() as session, counted_ahead(session, [later]):
        first(session)
        assert later(session) == ["Solar roof"]

    assert first.threads == later.threads == [threading.current_thread()]


def test_a_change_meanwhile_is_not_counted(database, deal):
    """A second snapshot sees what the first one does not."""
    first, later = Counter("one"), Counter("another")

    with database.read() as session, counted_ahead(session, [later]):
        session.execute(select(1))
        change(database, deal)
        first(session)
        with ahead._free:  # the helper has gone
            assert later(session) == ["Solar roof"]

    assert later.threads == [threading.current_thread()]


def change(database, deal):
    def rename():
        with database.write() as session:
            opportunity_service.get_opportunity(session, deal).name = "Heat pump"

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(rename).result()


def test_a_helper_that_fails_leaves_it_to_the_session(database, deal):
    failed = threading.Event()

    def fail(session):
        failed.set()
        raise RuntimeError

    later = Counter("another")
    for name in ("one", "two"):  # and the next helper can begin
        failed.clear()
        with database.read() as session, counted_ahead(session, [fail, later]):
            Counter(name)(session)
            assert failed.wait(PATIENCE)
            assert later(session) == ["Solar roof"]

    assert later.threads == [threading.current_thread()]


def test_a_helper_sees_no_more_than_the_session(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        make.opportunity(owner_id=people.rita, expected_value=10)
        make.opportunity(owner_id=people.otto, expected_value=5)
        settings_service.get_settings(session).visibility = Visibility.OWN
    seen = []

    def look(session):
        seen.append(pipeline.totals(session).value)
        looked.set()

    for actor in (people.rita, people.otto, None):
        looked = threading.Event()
        with database.read(actor=actor) as session, counted_ahead(session, [look]):
            Counter(f"{actor}")(session)
            assert looked.wait(PATIENCE)
            assert pipeline.totals(session).value == seen[-1]

    assert seen == [10, 5, 15]


def test_it_is_the_same_instant(database, deal):
    with database.read(at=NOW + timedelta(days=3)) as session, counted_ahead(session, [look := Counter("a")]):
        Counter("b")(session)
        assert look.is_counted.wait(PATIENCE)
        look(session)

    assert len(look.threads) == 1


def test_who_asks_the_same_waits_for_the_answer(database, deal):
    """Eight screens that are drawn after a change count once."""
    counting, waited = threading.Event(), threading.Event()
    counted = []

    def slowly(rows):
        counted.append(threading.current_thread())
        counting.set()
        waited.wait(PATIENCE)
        return len(list(rows))

    def ask():
        with database.read() as session:
            return kept(session, select(Opportunity.id), slowly)

    with ThreadPoolExecutor(5) as others:
        first = others.submit(ask)
        assert counting.wait(PATIENCE)
        more = [others.submit(ask) for _ in range(4)]
        waited.set()
        assert [first.result(), *(each.result() for each in more)] == [1] * 5

    assert len(counted) == 1


def test_who_waits_for_one_that_fails_counts(database, deal):
    counting, waited = threading.Event(), threading.Event()
    counted = []

    def fail_at_first(rows):
        counted.append(threading.current_thread())
        if len(counted) == 1:
            counting.set()
            waited.wait(PATIENCE)
            raise RuntimeError("The first one fails.")
        return len(list(rows))

    def ask():
        with database.read() as session:
            return kept(session, select(Opportunity.id), fail_at_first)

    with ThreadPoolExecutor(2) as others:
        first = others.submit(ask)
        assert counting.wait(PATIENCE)
        second = others.submit(ask)
        waited.set()
        with pytest.raises(RuntimeError):
            first.result()
        assert second.result() == 1


def test_a_dashboard_is_the_same_with_a_helper_and_without(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        for value in (10, 20, 30):
            make.opportunity(expected_value=value)
            make.won(value)

    def seen():
        database._kept = type(database._kept)()
        with database.read(at=NOW + timedelta(days=1)) as session:
            return dashboard.overview(session, PeriodChoice.THIS_QUARTER)

    with ahead._free:
        alone = seen()
    assert seen() == alone
