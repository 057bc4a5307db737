"""The health endpoint tells whether this server is fit to work."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event, text
from sqlalchemy.pool import Pool
from starlette.testclient import TestClient

from api import door, health
from api.main import api
from crm_core import __version__, check, damage, migrate
from crm_core.database import Database
from crm_core.engines import plain
from tests.api.conftest import HERE, THIS_MACHINE
from tests.damaged import overwrite_a_page_of

HEALTH = "/api/health"
FULL = {"check": "full"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Somebody at this machine; each test names the database."""
    with TestClient(api, base_url=HERE, client=THIS_MACHINE) as client:
        yield client
    door.database.cache_clear()


@pytest.fixture
def serve(client, monkeypatch):
    """Let the client's server work with that database."""

    def serve(database: Database) -> TestClient:
        monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))
        return client

    return serve


def test_says_what_it_works_with(client, database, monkeypatch):
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))

    answer = client.get("/api/health")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "version": __version__,
        "database": database.kind,
        "migration": "current",
    }


def test_a_database_without_tables_is_not_fit(client, empty_database, monkeypatch):
    monkeypatch.setenv("CRM_DATABASE_URL", empty_database.url.render_as_string(hide_password=False))

    answer = client.get("/api/health")

    assert (answer.status_code, answer.json()["migration"]) == (503, "empty")


def test_what_is_to_be_migrated_is_said(serve, empty_database):
    client = serve(empty_database)
    migrate.upgrade(empty_database, "0008")

    answer = client.get(HEALTH)

    assert (answer.status_code, answer.json()["migration"]) == (503, "behind")
    assert answer.json()["detail"] == (
        "The database is older than this program. Make a backup, then run `python -m crm_core migrate`."
    )


@pytest.mark.both_databases
def test_asking_often_opens_nothing_and_reads_no_migration_anew(serve, database, monkeypatch):
    client = serve(database)
    client.get(HEALTH)
    opened: list[object] = []
    event.listen(Pool, "connect", note := lambda *_: opened.append(1))
    monkeypatch.setattr(migrate.ScriptDirectory, "from_config", None)
    monkeypatch.setattr(migrate, "inspect", None)

    answers = [client.get(HEALTH) for _ in range(20)]

    event.remove(Pool, "connect", note)
    assert {answer.status_code for answer in answers} == {200}
    assert opened == []


@pytest.mark.parametrize("parameters", [{}, FULL], ids=["by the check at start", "by a full one"])
def test_a_damaged_page_is_found_without_anybody_looking(filled, monkeypatch, caplog, parameters):
    monkeypatch.setenv("CRM_DATABASE_URL", filled.url.render_as_string(hide_password=False))
    if not parameters:
        overwrite_a_page_of(filled)
    with TestClient(api, base_url=HERE, client=("127.0.0.1", 50_000)) as client:
        if parameters:
            assert client.get(HEALTH, params=parameters).status_code == 200
            overwrite_a_page_of(filled)
        check.begin(filled, whole=False).result(timeout=60)  # the one that goes on since the start
        answers = [client.get(HEALTH, params=parameters) for _ in range(3)]
    door.database.cache_clear()

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.json()["detail"] for answer in answers} == {
        "The database is damaged. Stop the CRM and restore a backup; the server's log says what was found."
    }
    errors = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert len(errors) == 1, errors


def test_damage_that_a_call_meets_makes_the_server_unfit(serve, filled, caplog):
    client = serve(filled)
    assert client.get(HEALTH).status_code == 200
    overwrite_a_page_of(filled, "opportunities")

    refused = client.get("/api/opportunities")

    assert (refused.status_code, refused.json()["type"]) == (503, "urn:crm:database-damaged")
    assert refused.json()["detail"] == client.get(HEALTH).json()["detail"]
    assert client.get(HEALTH).status_code == 503
    assert len([entry for entry in caplog.records if entry.levelno >= logging.ERROR]) == 1


def test_whether_damage_has_passed_is_looked_at_once_a_minute(serve, filled, monkeypatch):
    client = serve(filled)
    looks = []
    monkeypatch.setattr(check, "_look_through", lambda _database, whole: looks.append(whole))
    damage.note(plain(filled.url), filled.url.database, "disk I/O error", may_pass=True)

    for _ in range(20):
        assert client.get(HEALTH).status_code == 503
        check.begin(filled, whole=False).result(timeout=60)  # which waits for the whole one
    assert looks.count(True) == 1

    monkeypatch.setattr(health, "BETWEEN_CHECKS", 0.0)
    client.get(HEALTH)
    check.begin(filled, whole=True).result(timeout=60)
    assert looks.count(True) >= 2


@pytest.mark.parametrize("replacement", [None, b"another database"])
def test_a_file_that_was_moved_deleted_or_replaced_is_noticed(serve, sqlite_url, tmp_path, replacement):
    file, elsewhere = tmp_path / "crm.db", tmp_path / "elsewhere.db"
    with closing(Database(sqlite_url)) as database:
        client = serve(database)
    assert client.get(HEALTH).status_code == 200
    file.rename(elsewhere)
    if replacement:
        file.write_bytes(replacement)

    for parameters in ({}, FULL):
        answer = client.get(HEALTH, params=parameters)
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert str(tmp_path) not in answer.text
    assert file.exists() == bool(replacement)

    elsewhere.replace(file)
    assert client.get(HEALTH).status_code == 200


def test_a_server_that_is_there_again_is_noticed(serve, postgres_url, server):
    name = postgres_url.rpartition("/")[2].partition("?")[0]
    with closing(Database(postgres_url)) as database:
        client = serve(database)
        assert client.get(HEALTH).status_code == 200

        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(ended), {"name": name})
            assert client.get(HEALTH).status_code == 503

            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
            assert client.get(HEALTH).status_code == 200


def test_however_many_ask_for_a_full_check_one_goes_on_and_others_are_served(serve, database, monkeypatch):
    serve(database)
    looks, goes_on = [], threading.Event()

    def slow(_database: Database, whole: bool) -> None:
        looks.append(whole)
        goes_on.wait(60)

    monkeypatch.setattr(check, "_look_through", slow)

    async def ask() -> tuple[list[int], int]:
        transport = ASGITransport(api, client=("127.0.0.1", 50_000))
        async with AsyncClient(transport=transport, base_url=HERE) as client:
            waiting = [asyncio.ensure_future(client.get(HEALTH, params=FULL)) for _ in range(100)]
            while not looks:
                await asyncio.sleep(0.01)
            meanwhile = await client.get("/api/opportunities")
            goes_on.set()
            return [(await each).status_code for each in waiting], meanwhile.status_code

    assert asyncio.run(ask()) == ([200] * 100, 200)
    assert looks == [True]


@pytest.mark.on_sqlite
def test_a_full_check_is_for_those_who_are_let_in(serve, database):
    client, foreign_page = serve(database), {"Sec-Fetch-Site": "cross-site"}

    assert client.get(HEALTH, headers=foreign_page).status_code == 200
    assert client.get(HEALTH, headers=foreign_page, params=FULL).status_code == 401
    assert client.get(HEALTH, params={"check": "some"}).status_code == 422


def test_the_documentation_works_without_internet(client):
    page = client.get("/docs").text

    assert "https://" not in page
    assert client.get("/api/openapi.json").status_code == 200
