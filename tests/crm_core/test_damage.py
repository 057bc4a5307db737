"""Damage is found without anybody looking for it, said once, and forgotten with the file that had it."""

import logging
import shutil
import threading
from contextlib import closing, suppress

import pytest
from sqlalchemy import func, select, text

from crm_core import check, damage
from crm_core.database import Database
from crm_core.engines import embedded_sqlite, plain
from crm_core.errors import DatabaseDamaged, SearchIndexDamaged
from crm_core.models import Opportunity
from crm_core.search import ids_called
from tests.builders import Make
from tests.damaged import overwrite_a_page_of


def read_all(database: Database) -> None:
    with database.read() as session:
        session.scalars(select(Opportunity.name, Opportunity.description)).all()


def looked_through(database: Database, *, whole: bool) -> None:
    check.begin(database, whole=whole).result(timeout=60)


def test_a_sound_database_is_not_damaged(filled):
    for whole in (False, True):
        looked_through(filled, whole=whole)

    assert filled.damage is None


@pytest.mark.parametrize("whole", [False, True])
def test_a_check_finds_a_damaged_page_and_the_log_says_so_once(filled, caplog, whole):
    read_all(filled)  # and so has pages in memory, as they were
    overwrite_a_page_of(filled)

    for _ in range(3):
        looked_through(filled, whole=whole)

    assert filled.damage is not None
    (said,) = caplog.records
    assert (said.levelno, said.name) == (logging.ERROR, "crm_core.damage")
    assert "crm.db is damaged: " in said.getMessage()
    assert "restore a backup" in said.getMessage()


def test_any_statement_that_meets_a_damaged_page_makes_it_known(filled, caplog):
    overwrite_a_page_of(filled, "opportunities")

    for _ in range(3):
        with pytest.raises(DatabaseDamaged, match=r"damaged\. Restore a backup"):
            read_all(filled)

    assert filled.damage is not None
    assert len(caplog.records) == 1


def test_only_the_whole_check_finds_an_index_that_lies(filled, tmp_path):
    file = tmp_path / "crm.db"
    written = file.read_bytes()
    file.write_bytes(written.replace(b"acme solar roofs", b"xxxx solar roofs", 1))

    looked_through(filled, whole=False)
    assert filled.damage is None

    looked_through(filled, whole=True)
    assert "missing from index" in filled.damage.complaint


def test_a_backup_in_its_place_is_sound(filled, tmp_path):
    shutil.copy(tmp_path / "crm.db", tmp_path / "backup.db")
    overwrite_a_page_of(filled)
    looked_through(filled, whole=False)
    assert filled.damage is not None

    (tmp_path / "backup.db").replace(tmp_path / "crm.db")

    assert filled.damage is None
    looked_through(filled, whole=True)
    assert filled.damage is None


def test_the_whole_check_takes_back_what_has_passed(filled):
    damage.note(plain(filled.url), filled.url.database, "disk I/O error", may_pass=True)

    looked_through(filled, whole=False)
    assert filled.damage is not None
    looked_through(filled, whole=True)
    assert filled.damage is None


BLOCKS = {
    "a list of places": "UPDATE opportunity_search_data SET block = zeroblob(40) WHERE id > 10",
    "an empty list": "UPDATE opportunity_search_data SET block = x'00' WHERE id > 10",
    "noise": "UPDATE opportunity_search_data SET block = randomblob(length(block)) WHERE id > 10",
    "the table of contents": "UPDATE opportunity_search_data SET block = x'ffffffffffffffff' WHERE id = 10",
    "nothing left": "DELETE FROM opportunity_search_data",
}


@pytest.mark.parametrize("broken", BLOCKS.values(), ids=BLOCKS)
def test_a_damaged_search_index_is_no_damage_and_is_made_anew(filled, broken, caplog):
    with closing(embedded_sqlite.connect(filled.url.database)) as raw:
        raw.execute(broken)
        raw.execute("UPDATE opportunities SET next_step = 'Call' WHERE id = 2000")
        raw.commit()

    for whole in (False, True):
        looked_through(filled, whole=whole)
    with pytest.raises(SearchIndexDamaged, match=r"your records are not\. .* check --repair"):
        search_and_rename(filled)
    found = check.findings(filled)

    assert (filled.damage, caplog.records) == (None, [])
    assert found == [
        "opportunities 2000: its current version differs in next_step.",
        "The search index is damaged, which `python -m crm_core check --repair` mends.",
    ]
    check.repair(filled)
    search_and_rename(filled)
    (left,) = check.findings(filled)
    assert left.startswith(found[0].rstrip("."))


def search_and_rename(database: Database) -> None:
    with database.write() as session:
        search = select(Opportunity.id).where(Opportunity.id.in_(ids_called(session, Opportunity, *WANTED)))
        first = session.scalars(search).first()
        session.get_one(Opportunity, first).name += " again"


WANTED = (["folded_name"], "deal")


def test_a_search_index_that_cannot_even_be_opened_is_made_anew(filled):
    with closing(embedded_sqlite.connect(filled.url.database)) as raw:
        raw.execute("UPDATE opportunity_search_config SET v = 3 WHERE k = 'version'")
        raw.commit()

    (found,) = check.findings(filled)
    assert "The search index is damaged, your records are not." in found
    assert filled.damage is None

    check.repair(filled)
    assert check.findings(filled) == []


def test_a_page_of_the_search_index_that_is_damaged_is_damage(filled):
    """SQLite can't drop such a table, so it can't be made anew."""
    overwrite_a_page_of(filled, "opportunity_search_data")

    looked_through(filled, whole=False)

    assert filled.damage is not None


def test_a_full_disk_and_a_wrong_question_are_no_damage(filled):
    for statement in ("SELECT json('x')", "SELECT * FROM nowhere", "SELECT 'disk I/O error' + nothing"):
        with suppress(Exception), filled.read() as session:
            session.execute(text(statement))
    assert filled.damage is None


def test_who_asks_while_a_check_goes_on_gets_that_one(filled, monkeypatch):
    begun, goes_on, looks = threading.Event(), threading.Event(), []

    def slow(database: Database, whole: bool) -> None:
        looks.append(whole)
        begun.set()
        goes_on.wait(30)

    monkeypatch.setattr(check, "_look_through", slow)
    quick, first = check.begin(filled, whole=False), check.begin(filled, whole=True)
    begun.wait(30)
    others = {check.begin(filled, whole=True) for _ in range(50)}

    assert others == {first}
    assert len(looks) == 1  # nor do the two kinds go on at the same time
    goes_on.set()
    for one in (quick, first):
        one.result(timeout=30)
    assert sorted(looks) == [False, True]


def test_a_check_makes_no_file(tmp_path):
    looked_through(Database(f"sqlite:///{tmp_path / 'crm.db'}"), whole=True)

    assert list(tmp_path.iterdir()) == []


INVALID_PAGE = """
    CREATE FUNCTION read_a_page() RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'invalid page in block 7 of relation base/16384/2619' USING ERRCODE = 'XX001';
    END $$
"""


def test_a_read_that_fails_on_an_invalid_page_of_a_server_is_damage(postgres_url, caplog):
    with closing(Database(postgres_url)) as database:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(INVALID_PAGE)
        for _ in range(2):
            with (
                pytest.raises(DatabaseDamaged, match=r"is damaged\. Restore a backup"),
                database.read() as session,
            ):
                session.scalar(select(func.read_a_page()))

        assert "invalid page in block 7" in database.damage.complaint
        assert len(caplog.records) == 1

        looked_through(database, whole=True)  # every row can be read
        assert database.damage is None


def test_the_whole_check_of_a_server_reads_every_row(postgres_url):
    """What the server reads of a table is what it scans sequentially; it counts that itself."""
    scanned = "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE seq_tup_read > 0"
    with closing(Database(postgres_url)) as database:
        with database.write() as session:
            Make(session).company("Acme")

        with database.read() as session:
            check._read_every_row(session)
            read = dict(session.execute(text(scanned)).all())

        assert {"companies", "company_versions", "users", "transactions"} <= read.keys()
