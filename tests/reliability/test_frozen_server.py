"""A server that is stopped or cut off holds nobody for long, and is used again once it is back."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api import door
from api.main import api
from crm_core import engines, patience
from crm_core.ahead import counted_ahead
from crm_core.bulk import insert_rows
from crm_core.database import Database
from crm_core.engines import BUSY, TOO_SLOW
from crm_core.errors import DatabaseUnavailable, NotKnownWhetherSaved, RuleBroken
from crm_core.kept import kept
from crm_core.models import Team
from tests.reliability.proxy import Proxy

PATIENCE, GRACE = 1.5, 1.0

SOON = PATIENCE + GRACE + 6
"""Seconds in which every call has to end, on a busy machine."""

MANY = 6


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    proxy = Proxy(postgres_url)
    yield proxy
    proxy.close()


@pytest.fixture
def database(proxy: Proxy) -> Iterator[Database]:
    """It has a connection already, and has seen how it works."""
    database = Database(proxy.url, patience=PATIENCE, grace=GRACE)
    add_team(database, "North")
    yield database
    database.close()


def add_team(database: Database, name: str) -> None:
    with database.write() as session:
        session.add(Team(name=name))


def teams(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Team.name).order_by(Team.id)))


def refusal(call: Callable[[], object]) -> tuple[str, float]:
    """What it says, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as refused:
        call()
    return str(refused.value), time.monotonic() - began


def refusals(calls: list[Callable[[], object]]) -> list[tuple[str, float]]:
    """All at once."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(refusal, calls))


def open_once(database: Database, way_in: str) -> None:
    with getattr(database, way_in)():
        pass


@pytest.mark.parametrize("way_in", ["read", "write", "migration"])
def test_a_server_that_takes_calls_but_never_answers_is_given_up(proxy, way_in):
    database = Database(proxy.url, patience=PATIENCE, grace=GRACE)
    proxy.freeze()

    sentence, seconds = refusal(partial(open_once, database, way_in))

    assert "can't be reached" in sentence
    assert seconds < SOON
    proxy.thaw()
    open_once(database, way_in)


def test_all_hosts_of_an_address_share_the_patience(proxy, postgres_url):
    proxies = [proxy, *(Proxy(postgres_url) for _ in range(3))]
    for each in proxies:
        each.freeze()
    hosts = [f"127.0.0.1:{each.port}" for each in proxies]
    url = make_url(postgres_url).set(host=None, port=None, query={"host": hosts})
    database = Database(url.render_as_string(hide_password=False), patience=PATIENCE, grace=GRACE)

    sentence, seconds = refusal(partial(teams, database))

    assert "can't be reached" in sentence
    assert seconds < SOON
    for each in proxies:
        each.thaw()
    assert teams(database) == []
    database.close()
    for each in proxies[1:]:
        each.close()


@pytest.mark.parametrize("lately", [0, engines.LATELY])
@pytest.mark.parametrize("way_in", ["read", "write"])
def test_a_connection_that_froze_while_nobody_asked_is_given_up(database, proxy, monkeypatch, way_in, lately):
    monkeypatch.setattr(engines, "LATELY", lately)
    proxy.freeze()

    sentence, seconds = refusal(partial(open_once, database, way_in))

    assert "can't be reached" in sentence
    assert seconds < SOON
    proxy.thaw()
    assert teams(database) == ["North"]


def ask(session: Session) -> None:
    session.scalars(select(Team.name)).all()


def add_one(session: Session) -> None:
    session.add(Team(name="East"))
    session.flush()


def add_many(session: Session) -> None:
    insert_rows(session, Team.__table__, [{"name": f"Team {number}"} for number in range(10_000)])


@pytest.mark.parametrize("action", [ask, add_one, add_many])
def test_a_server_that_freezes_in_the_middle_is_given_up(database, proxy, action):
    def act() -> None:
        with database.write() as session:
            session.add(Team(name="South"))
            session.flush()
            proxy.freeze()
            action(session)

    sentence, seconds = refusal(act)

    assert "can't be reached" in sentence
    assert seconds < SOON
    proxy.thaw()
    add_team(database, "West")
    assert teams(database) == ["North", "West"]


def test_who_queues_behind_a_frozen_writer_or_for_a_connection_waits_no_longer(proxy, postgres_url):
    database = Database(proxy.url, pool_size=1, patience=PATIENCE, grace=GRACE)
    add_team(database, "North")
    all_are_there = Barrier(2 * MANY + 1, timeout=30)

    def freeze() -> None:
        with database.write() as session:
            all_are_there.wait()
            proxy.freeze()
            ask(session)

    def follow(call: Callable[[Database], object]) -> None:
        all_are_there.wait()
        time.sleep(0.1)
        call(database)

    writers = [partial(follow, partial(add_team, name=f"Team {number}")) for number in range(MANY)]
    told = refusals([freeze, *writers, *[partial(follow, teams)] * MANY])

    assert max(seconds for _, seconds in told) < SOON
    assert "can't be reached" in told[0][0]
    assert all(sentence == BUSY or "can't be reached" in sentence for sentence, _ in told)
    proxy.thaw()
    add_team(database, "West")
    assert teams(database) == ["North", "West"]
    database.close()


def test_who_waits_for_the_same_answer_as_another_waits_no_longer(database, proxy):
    """One of them asks, and the others wait for what it gets."""
    all_are_there = Barrier(MANY, action=proxy.freeze, timeout=30)

    def count() -> None:
        with database.read() as session:
            all_are_there.wait()
            kept(session, select(Team.name), list)

    told = refusals([count] * MANY)

    assert max(seconds for _, seconds in told) < SOON
    proxy.thaw()
    assert teams(database) == ["North"]


def test_who_counts_ahead_holds_nobody_either(database, proxy):
    def count(chosen: type[Team] | object, session: Session) -> None:
        proxy.freeze()
        kept(session, chosen, list)

    def look() -> None:
        later = partial(count, select(Team.id))
        with database.read() as session, counted_ahead(session, [later]):
            kept(session, select(Team.id + 1), list)  # begins to count ahead
            count(select(Team.name), session)

    _, seconds = refusal(look)

    assert seconds < SOON
    proxy.thaw()
    assert teams(database) == ["North"]


def test_it_is_not_said_that_nothing_was_saved_where_that_is_not_known(database, proxy):
    proxy.freeze_after(b"COMMIT")

    with pytest.raises(NotKnownWhetherSaved, match="it is not known whether your change was saved"):
        add_team(database, "South")

    proxy.thaw()
    assert teams(database) == ["North", "South"]


def test_a_refusal_stays_one_where_the_server_can_not_undo(database, proxy):
    proxy.freeze_after(b"ROLLBACK")
    began = time.monotonic()

    def be_refused() -> None:
        with database.write() as session:
            add_one(session)
            raise RuleBroken("no more teams")

    with pytest.raises(RuleBroken, match="no more teams"):
        be_refused()

    assert time.monotonic() - began < SOON
    proxy.thaw()
    assert teams(database) == ["North"]


def test_what_was_read_is_an_answer_though_the_server_froze_after_it(database, proxy):
    proxy.freeze_after(b"ROLLBACK")

    assert teams(database) == ["North"]

    proxy.thaw()
    assert teams(database) == ["North"]


def test_a_slow_statement_is_ended_by_the_server_and_said_to_be_slow(database):
    def ask_slowly() -> None:
        with database.read() as session:
            session.execute(text("SELECT pg_sleep(60)"))

    sentence, seconds = refusal(ask_slowly)

    assert sentence == TOO_SLOW
    assert seconds < SOON
    with database.read() as session:
        sleepers = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
        )
        assert session.scalar(text(f"{sleepers} AND datname = current_database()")) == 0


def test_a_lock_on_a_table_is_said_to_be_busy(database, postgres_url):
    with Database(postgres_url).migration() as migrating:
        migrating.exec_driver_sql("LOCK TABLE teams")

        sentence, seconds = refusal(partial(teams, database))

    assert sentence == BUSY
    assert seconds < SOON


def test_long_work_of_many_statements_may_take_longer_than_a_call(database):
    with database.write() as session:
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE + GRACE + 1:
            session.execute(text("SELECT pg_sleep(0.2)"))
        session.add(Team(name="South"))

    assert teams(database) == ["North", "South"]


def test_a_migration_may_take_its_time_over_a_statement(database):
    with database.migration() as connection:
        connection.exec_driver_sql(f"SELECT pg_sleep({PATIENCE + GRACE + 1})")
        connection.exec_driver_sql("CREATE TABLE slow (id int)")
        connection.exec_driver_sql("DROP TABLE slow")


def test_what_a_transaction_waited_for_its_turn_is_not_left_for_its_answers():
    waiting = patience.Patience(10, 2)
    waiting.asked_at -= 9
    waiting.turn_has_come()

    assert waiting.silence == pytest.approx(3, abs=0.5)
    assert waiting.left == pytest.approx(1, abs=0.5)


def test_all_limits_together_end_within_twenty_seconds():
    assert patience.PATIENCE + patience.GRACE <= 19


@pytest.fixture
def client(database: Database, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(door, "database", lambda _url: database)
    return TestClient(api, base_url="http://localhost", client=("127.0.0.1", 1))


@pytest.mark.parametrize("freeze", [Proxy.freeze, partial(Proxy.freeze_after, sign=b"COMMIT")])
def test_the_api_answers_503(database, proxy, client, freeze):
    freeze(proxy)
    began = time.monotonic()

    answer = client.post("/api/companies", json={"name": "Acme"})

    assert time.monotonic() - began < SOON
    assert answer.status_code == 503
