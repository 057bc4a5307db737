"""What happens before the first screen."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from crm_core import check, config, demo, migrate, startup
from crm_core.config import Config
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable
from crm_core.models import Opportunity, Team
from crm_core.services import settings_service
from crm_core.services.opportunity_service import count_opportunities
from tests.databases import as_another_process


class Embedded(Config):
    """The default installation, kept in a folder of the test's own."""

    @property
    def is_embedded(self) -> bool:
        return True


def embedded(folder: Path) -> Config:
    return Embedded(database_url=f"sqlite:///{folder / 'new folder' / 'crm.db'}")


def test_the_very_first_start_fills_in_demo_data_and_the_next_one_adds_nothing(tmp_path):
    counts = []
    for _ in range(2):
        database = startup.open_database(embedded(tmp_path))
        with database.read() as session:
            counts.append(session.scalar(select(func.count()).select_from(Opportunity)))
            assert settings_service.get_workspace(session).has_demo_data
        database.close()

    assert counts[0] > 100
    assert counts[0] == counts[1]


def test_a_start_that_was_cut_short_is_made_up_for(tmp_path):
    migrate.upgrade(startup.open_as_it_is(embedded(tmp_path)))

    database = startup.open_database(embedded(tmp_path))

    with database.read() as session:
        assert count_opportunities(session) > 100


def test_three_first_starts_at_once_fill_in_demo_data_once(tmp_path):
    with ThreadPoolExecutor(3) as starts:
        databases = list(starts.map(lambda _: startup.open_database(embedded(tmp_path)), range(3)))

    with databases[0].read() as session:
        assert count_opportunities(session) == demo.DEFAULT_OPPORTUNITIES
    assert check.findings(databases[0]) == []


@pytest.fixture
def hurried(monkeypatch) -> None:
    """Each start has less patience than another one takes."""
    monkeypatch.setattr(startup, "Database", partial(Database, patience=0.05))


def start_beside(config: Config, way_in: str, starts: int) -> list[Database]:
    """So many first starts at once, while another process migrates the database or fills it."""
    other = as_another_process(Database(config.database_url))
    with closing(other), ThreadPoolExecutor(starts) as processes:
        with getattr(other, way_in)():
            started = [processes.submit(startup.open_database, config) for _ in range(starts)]
            time.sleep(0.5)
            assert not any(each.done() for each in started)
        return [each.result() for each in started]


@pytest.mark.parametrize("way_in", ["migration", "write"])
def test_first_starts_wait_for_another_one_however_long_that_takes(tmp_path, hurried, way_in):
    config = embedded(tmp_path)
    opened = startup.open_as_it_is(config)
    if way_in == "write":
        migrate.upgrade(opened)

    databases = start_beside(config, way_in, starts=7)

    with opened.read() as session:
        assert count_opportunities(session) == demo.DEFAULT_OPPORTUNITIES
    assert check.findings(opened) == []
    for database in (opened, *databases):
        database.close()


def test_a_start_does_not_wait_for_who_writes(tmp_path):
    database = startup.open_database(embedded(tmp_path), with_demo=False)
    with database.write() as session:
        session.add(Team(name="North"))

    with database.write():
        startup.open_database(embedded(tmp_path)).close()

    database.close()


def test_another_database_gets_no_demo_data(sqlite_url):
    database = startup.open_database(Config(database_url=sqlite_url))

    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Opportunity)) == 0


def test_another_database_is_not_migrated_by_itself(empty_sqlite_url):
    with pytest.raises(DatabaseUnavailable, match="python -m crm_core migrate"):
        startup.open_database(Config(database_url=empty_sqlite_url))


def test_a_mistyped_path_leaves_no_file_behind(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="is empty"):
        startup.open_database(Config(database_url=f"sqlite:///{tmp_path / 'mistyped.db'}"))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DatabaseUnavailable, match="can't be created"):
        startup.open_database(Embedded(database_url=f"sqlite:///{tmp_path}/file/folder/crm.db"))


def test_the_embedded_database_is_the_default(monkeypatch):
    monkeypatch.delenv("CRM_DATABASE_URL", raising=False)

    assert Config().is_embedded
    assert Config().database_url.endswith(str(config.EMBEDDED))
