"""Transactions are exclusive, whole, one at a time, and refuse in one clear sentence."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException, StopException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

from crm_core import check, engines
from crm_core.bulk import insert_rows
from crm_core.columns import total_amount
from crm_core.config import PROJECT
from crm_core.database import Database, instant
from crm_core.engines import BUSY
from crm_core.errors import DatabaseUnavailable, TransactionMisuse
from crm_core.models import Opportunity, Preference, Team, Transaction
from tests import forms
from tests.builders import Make
from tests.conftest import NOW
from tests.databases import as_another_process

pytestmark = pytest.mark.both_databases

PROCESSES, CHANGES, DEALS = forms.either(4, 8), 100, 5


@pytest.fixture
def deals(database) -> Database:
    """A database with a few deals worth nothing yet."""
    with database.write(at=NOW) as session:
        for _ in range(DEALS):
            Make(session).opportunity(expected_value=Decimal(0))
    return database


def total(database: Database) -> Decimal:
    with database.read() as session:
        return session.scalars(select(total_amount(Opportunity.expected_value))).one()


def test_a_read_can_not_write(deals):
    with pytest.raises(DBAPIError, match=r"readonly|read-only"), deals.read() as session:
        session.execute(insert(Preference).values(user_id=1, name="board", value={}))


def test_after_a_read_the_same_connection_can_write_again(sqlite_url):
    database = Database(sqlite_url, pool_size=1)
    with database.read() as session:
        session.scalars(select(Opportunity)).all()

    with database.write() as session:
        assert Make(session).opportunity().id == 1


def test_a_read_sees_nothing_that_comes_after_its_instant(deals):
    with deals.read() as session:
        seen_at = instant(session)
        in_a_thread(lambda: add_a_deal(deals))
        assert session.scalars(select(func.count(Opportunity.id))).one() == DEALS

    with deals.read() as session:
        assert session.scalars(select(func.max(Transaction.at))).one() > seen_at


def add_a_deal(database: Database) -> None:
    with database.write() as session:
        Make(session).opportunity()


def in_a_thread(action) -> None:
    with ThreadPoolExecutor(1) as other:
        other.submit(action).result()


@pytest.mark.parametrize("outer", ["read", "write"])
@pytest.mark.parametrize("inner", ["read", "write"])
def test_a_transaction_inside_another_is_refused(database, outer, inner):
    with (
        pytest.raises(TransactionMisuse, match=f"A {inner} transaction inside a {outer}"),
        getattr(database, outer)(),
        getattr(database, inner)(),
    ):
        pass

    with database.write() as session:
        assert Make(session).opportunity().id == 1


def change_and_raise(database: Database, end: BaseException) -> None:
    with database.write() as session:
        session.get_one(Opportunity, 1).expected_value = Decimal(5)
        raise end


@pytest.mark.parametrize("escape", [RerunException(RerunData()), StopException()], ids=["rerun", "stop"])
def test_control_flow_that_escapes_is_undone_and_reported(deals, escape):
    with pytest.raises(TransactionMisuse, match="escaped"):
        change_and_raise(deals, escape)

    assert total(deals) == 0


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ValueError])
def test_whatever_else_ends_a_transaction_undoes_it_and_goes_on(deals, end):
    with pytest.raises(end):
        change_and_raise(deals, end())

    assert total(deals) == 0


def test_processes_lose_no_change(deals):
    url = deals.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.crm_core.writers", url, str(DEALS), str(CHANGES)]
    started = [
        subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]

    errors = [process.communicate(timeout=120)[1] for process in started]

    assert errors == [""] * PROCESSES
    assert total(deals) == PROCESSES * CHANGES
    assert check.findings(deals) == []


def test_threads_lose_no_change(deals):
    def work(_: int) -> None:
        for change in range(25):
            with deals.write() as session:
                session.get_one(Opportunity, change % DEALS + 1).expected_value += 1

    with ThreadPoolExecutor(PROCESSES) as threads:
        list(threads.map(work, range(PROCESSES)))

    assert total(deals) == PROCESSES * 25
    assert check.findings(deals) == []


def test_instants_follow_the_order_of_the_log(deals):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: add_a_deal(deals), range(40)))

    with deals.read() as session:
        instants = session.scalars(select(Transaction.at).order_by(Transaction.id)).all()
    assert instants == sorted(set(instants))


@pytest.fixture
def hurried(deals) -> Iterator[Database]:
    """The same database, opened by somebody with little patience."""
    database = as_another_process(deals, patience=0.2)
    yield database
    database.close()


def test_who_waits_too_long_for_another_process_is_told(deals, hurried):
    entered, told = threading.Event(), threading.Event()

    def keep_busy() -> None:
        with deals.write():
            entered.set()
            told.wait(30)

    with ThreadPoolExecutor(1) as other:
        busy = other.submit(keep_busy)
        entered.wait(30)
        with pytest.raises(DatabaseUnavailable) as write, hurried.write():
            pass
        with pytest.raises(DatabaseUnavailable) as migration, hurried.migration():
            pass
        with hurried.read() as session:
            assert session.get_one(Opportunity, 1).id == 1
        told.set()
        busy.result()

    assert str(write.value) == str(migration.value) == BUSY


def test_two_ways_to_a_database_in_one_process_stand_in_one_line(database):
    """Screens and API have one each; one that leaves the line of processes would end the other's place."""
    url = database.url.render_as_string(hide_password=False)
    screens, api = Database(url), Database(url)

    assert screens._line is api._line
    assert as_another_process(database)._line is not api._line


def ask(session: Session) -> None:
    session.scalars(select(func.count()).select_from(Transaction)).one()


def add_one(session: Session) -> None:
    session.add(Team(name="West"))
    session.flush()


def add_many(session: Session) -> None:
    insert_rows(session, Team.__table__, [{"name": "East"}, {"name": "South"}])


def be_hung_up_on(database: Database, way_in: str, then: Callable[[Session], object]) -> None:
    with getattr(database, way_in)() as session:
        ask(session)
        if way_in == "write":
            session.add(Team(name="North"))
            session.flush()
        hang_up(database)
        then(session)


def hang_up(database: Database) -> None:
    """End every connection to the database but the one that says so, and wait until they are."""
    others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
    engine = create_engine(database.url)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"{others} AND pid <> pg_backend_pid()")
    engine.dispose()


@pytest.mark.parametrize("then", [ask, add_one, add_many, lambda _: None], ids=["ask", "one", "many", "end"])
def test_a_server_that_hangs_up_is_said_in_one_sentence_and_called_again(postgres_url, then):
    with closing(Database(postgres_url)) as database:
        with pytest.raises(DatabaseUnavailable, match="can't be reached"):
            be_hung_up_on(database, "write", then)
        with pytest.raises(DatabaseUnavailable, match="can't be reached"):
            be_hung_up_on(database, "read", ask)

        with database.write() as session:
            add_many(session)

        with database.read() as session:
            assert session.scalars(select(Team.name).order_by(Team.id)).all() == ["East", "South"]


@pytest.mark.parametrize("way_in", ["read", "write"])
@pytest.mark.parametrize("lately", [0, engines.LATELY])
def test_a_server_that_hung_up_while_nobody_asked_is_called_again(postgres_url, monkeypatch, lately, way_in):
    monkeypatch.setattr(engines, "LATELY", lately)
    with closing(Database(postgres_url)) as database:
        for _ in range(2):
            with database.read():
                in_a_thread(lambda: with_nothing_done(database, "read"))  # two connections at once
            hang_up(database)

            with getattr(database, way_in)() as session:
                ask(session)


def test_waiting_for_a_turn_leaves_the_patience_for_everything_else(sqlite_url):
    database = Database(sqlite_url, pool_size=1)
    hurried = as_another_process(database, pool_size=1, patience=0.2)
    with database.write():
        with pytest.raises(DatabaseUnavailable):
            in_a_thread(lambda: with_nothing_done(hurried, "write"))
        with hurried.read() as session:
            assert session.execute(text("PRAGMA busy_timeout")).scalar() == 200

    with_nothing_done(hurried, "write")

    with hurried.read() as session:
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 200


def test_a_backup_is_whole_and_as_of_now(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    with database.write() as session:
        Make(session).opportunity(name="Solar roof")

    copy = Database(f"sqlite:///{database.back_up('copy')}")

    with copy.read() as session:
        assert session.get_one(Opportunity, 1).name == "Solar roof"
    assert check.findings(copy) == []


IN_ONE_SENTENCE = {
    "": "CRM_DATABASE_URL is not a database address.",
    "crm.db": "CRM_DATABASE_URL is not a database address.",
    "postgresql://host:port/crm": "CRM_DATABASE_URL is not a database address.",
    "mysql://host/crm": "The CRM works on SQLite and PostgreSQL, not on mysql.",
    "sqlite://": "The CRM keeps its data in a file, not in memory.",
    "postgresql://ann:secret@127.0.0.1:1/crm": "ann:***@127.0.0.1:1/crm can't be reached.",
    "postgresql://ann:secret@nowhere.invalid/crm": "ann:***@nowhere.invalid/crm can't be reached.",
    "sqlite:////proc/crm.db": "/proc/crm.db can't be opened for writing.",
    "sqlite:///{folder}/missing/crm.db": "missing/crm.db can't be opened for writing.",
    "sqlite:///{folder}/words.txt/crm.db": "words.txt/crm.db can't be opened for writing.",
    "sqlite:///{folder}": "can't be opened for writing.",
    "sqlite:///{folder}/words.txt": "words.txt is not a CRM database, or it is damaged.",
    "sqlite:///{folder}/broken.db": "broken.db is not a CRM database, or it is damaged.",
}


@pytest.fixture
def folder(tmp_path, migrated_file) -> Path:
    """A folder with a text file and a database whose first page is overwritten."""
    (tmp_path / "words.txt").write_text("Not a database, but long enough to be read as one. " * 100)
    (tmp_path / "broken.db").write_bytes(migrated_file.read_bytes()[:16] + b"x" * 8_176)
    return tmp_path


def with_nothing_done(database: Database, way_in: str) -> None:
    with getattr(database, way_in)():
        pass


@pytest.mark.parametrize("way_in", ["read", "write", "migration"])
@pytest.mark.parametrize(("url", "sentence"), IN_ONE_SENTENCE.items(), ids=IN_ONE_SENTENCE)
def test_what_can_not_be_opened_is_said_in_one_sentence(folder, url, sentence, way_in):
    with (
        pytest.raises(DatabaseUnavailable) as refusal,
        getattr(Database(url.format(folder=folder)), way_in)(),
    ):
        pass

    assert sentence in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


ON_THE_COMMAND_LINE = (
    "crm.db",
    "postgresql://ann:secret@127.0.0.1:1/crm",
    "sqlite:///{folder}/missing/crm.db",
    "sqlite:///{folder}/words.txt",
    "sqlite:///{folder}/broken.db",
)


@pytest.mark.parametrize("url", ON_THE_COMMAND_LINE)
def test_the_command_line_says_it_too(folder, url):
    result = run_check(url.format(folder=folder))

    assert IN_ONE_SENTENCE[url] in result.stderr
    assert "Traceback" not in result.stderr
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)


def test_the_command_line_proves_a_sound_database(deals):
    result = run_check(deals.url.render_as_string(hide_password=False))

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [check.engine(deals), check.verdict([])]


def test_the_command_line_lists_what_is_wrong(deals):
    with deals.engine.begin() as connection:
        connection.execute(text("UPDATE opportunities SET name = 'Other' WHERE id = 2"))

    result = run_check(deals.url.render_as_string(hide_password=False))

    finding = "opportunities 2: its current version differs in name."
    assert result.returncode == 1
    assert result.stdout.splitlines() == [check.engine(deals), finding, check.verdict([finding])]


def run_check(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crm_core", "check"],
        cwd=PROJECT,
        env={**os.environ, "CRM_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("replacement", [None, "another database"])
def test_a_file_that_was_moved_or_replaced_is_not_written_to(sqlite_url, tmp_path, replacement):
    database = Database(sqlite_url)
    with database.write() as session:
        Make(session).opportunity()
    (tmp_path / "crm.db").rename(tmp_path / "elsewhere.db")
    if replacement:
        (tmp_path / "crm.db").write_text(replacement)

    for way_in in ("read", "write"):
        with pytest.raises(DatabaseUnavailable, match="moved or replaced"):
            with_nothing_done(database, way_in)
