"""The benchmark of many sessions runs, and finds what they did; what it measures is no test."""

import asyncio

from bench import sessions
from bench.api import opened, serving
from crm_core import demo
from tests.bench.apart import apart
from tests.conftest import NOW


def test_sessions_work_at_once_and_nothing_is_lost(sqlite_url, monkeypatch):
    monkeypatch.setattr(sessions, "ALONE", 1)
    with opened(sqlite_url) as database:
        demo.fill(database, opportunities=800, seed=1, at=NOW)

    with serving("app:app", {"CRM_DATABASE_URL": sqlite_url}) as server:
        working = sessions.measure(sqlite_url, server, sessions=3, minutes=0.1, pause=0.2)
        told = apart(asyncio.run, working)
        apart(asyncio.run, sessions.memory_of_a_crowd(server, 2))

    assert {wait.name for wait in told.waits} >= {"move a card", "dashboard"}
    assert all(0 < wait.p50 <= wait.p95 <= wait.longest for wait in told.waits)
    assert told.errors == {}
    assert told.kept == told.moved > 0
    assert told.refused == 0


def test_what_is_not_in_the_history_is_not_kept(sqlite_url):
    assert sessions._kept(sqlite_url, 0, [(1, "proposal")]) == 0
