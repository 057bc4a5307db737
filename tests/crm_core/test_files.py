"""The files of an embedded database: who may read them, and what happens when one disappears."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from crm_core import engines, migrate, startup
from crm_core.config import PROJECT
from crm_core.database import Database
from crm_core.engines import embedded_sqlite
from crm_core.errors import DatabaseUnavailable
from crm_core.migrate import SchemaState
from tests.builders import Make
from tests.crm_core.test_startup import embedded

FOR_ITS_OWNER = 0o600


@pytest.fixture(params=[0o000, 0o077], ids=oct)
def umask(request) -> Iterator[None]:
    """What a new file's mode would leave out by itself."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.mark.usefixtures("umask")
def test_a_new_installation_is_for_its_owner_alone(tmp_path):
    with (
        closing(startup.open_database(embedded(tmp_path), with_demo=False)) as database,
        database.write() as session,
    ):
        Make(session).opportunity()
        session.flush()
        database.back_up("copy")

        found = modes(tmp_path / "new folder")

    names = {"crm.db", "crm.db-wal", "crm.db-shm", "crm.db-line", "crm.copy-1.db"}
    assert found == dict.fromkeys(names, FOR_ITS_OWNER)


@pytest.mark.usefixtures("umask")
def test_a_file_is_for_its_owner_alone_from_its_first_moment(tmp_path, monkeypatch):
    seen, connect = [], embedded_sqlite.connect

    def seeing(file: str, *args, **kwargs):
        seen.append(Path(file).stat().st_mode & 0o777)
        return connect(file, *args, **kwargs)

    monkeypatch.setattr(embedded_sqlite, "connect", seeing)
    with closing(Database(f"sqlite:///{tmp_path / 'named.db'}")) as database:
        migrate.upgrade(database)

    assert seen
    assert set(seen) == {FOR_ITS_OWNER}


@pytest.mark.usefixtures("umask")
def test_where_a_link_leads_the_new_file_is_for_its_owner_alone(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "crm.db").symlink_to(tmp_path / "elsewhere" / "real.db")

    with closing(Database(f"sqlite:///{tmp_path / 'crm.db'}")) as database:
        migrate.upgrade(database)

    assert set(modes(tmp_path / "elsewhere").values()) == {FOR_ITS_OWNER}


@pytest.mark.usefixtures("umask")
def test_the_mode_of_a_file_that_is_there_is_left_alone(sqlite_url, tmp_path):
    (tmp_path / "crm.db").chmod(0o640)

    with closing(Database(sqlite_url)) as database, database.write() as session:
        Make(session).opportunity()
        session.flush()

        found = modes(tmp_path)
        assert found.pop("crm.db-line") & ~0o640 == 0  # it is made anew, so the umask counts
        assert {*found.values()} == {0o640}


@pytest.mark.usefixtures("umask")
def test_processes_that_start_at_once_make_one_file_for_its_owner(tmp_path):
    line = (
        "from crm_core import migrate; from crm_core.database import Database;"
        f"migrate.upgrade(Database('sqlite:///{tmp_path / 'crm.db'}'))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", line], cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    assert [process.communicate(timeout=120)[1] for process in started] == [""] * 3
    assert modes(tmp_path) == {"crm.db": FOR_ITS_OWNER, "crm.db-line": FOR_ITS_OWNER}


def test_asking_for_the_state_makes_no_file(tmp_path):
    with closing(Database(f"sqlite:///{tmp_path / 'crm.db'}")) as database:
        assert migrate.state(database) is SchemaState.EMPTY

    assert modes(tmp_path) == {}


def test_no_part_of_a_backup_stays_behind(sqlite_url, tmp_path, monkeypatch):
    def full(_file: str, **_options):
        raise embedded_sqlite.OperationalError("database or disk is full")

    with closing(Database(sqlite_url)) as database:
        monkeypatch.setattr(engines.embedded_sqlite, "connect", full)
        with pytest.raises(DatabaseUnavailable, match="is the disk full"):
            database.back_up("copy")

    assert list(tmp_path.glob("crm.copy*")) == []


@pytest.mark.parametrize("way_in", ["read", "write"])
def test_no_connection_makes_a_deleted_file_anew(sqlite_url, tmp_path, way_in):
    """Neither one that is open, nor one that is opened now."""
    with closing(Database(sqlite_url)) as database:
        with database.read():
            (tmp_path / "crm.db").rename(tmp_path / "elsewhere.db")
            for use in (lambda: begun(database, way_in), lambda: migrate.state(database)):
                with pytest.raises(DatabaseUnavailable, match="moved or replaced"):
                    in_another_thread(use)
        with pytest.raises(DatabaseUnavailable, match="moved or replaced"):
            migrate.state(database)

        assert not (tmp_path / "crm.db").exists()

        (tmp_path / "elsewhere.db").rename(tmp_path / "crm.db")
        begun(database, way_in)
        assert migrate.state(database) is SchemaState.CURRENT


def test_a_database_that_was_closed_opens_what_is_there_now(sqlite_url, tmp_path):
    with closing(Database(sqlite_url)) as database:
        begun(database, "write")
        database.close()
        shutil.copy(tmp_path / "crm.db", tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(tmp_path / "crm.db")

        begun(database, "write")


def begun(database: Database, way_in: str) -> None:
    with getattr(database, way_in)():
        pass


def in_another_thread(use: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as other:
        other.submit(use).result()
