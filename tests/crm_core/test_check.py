"""Whatever is damaged behind the program's back is found and named."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from crm_core import check, history
from crm_core.database import Database
from crm_core.engines import embedded_sqlite
from crm_core.models import Opportunity, OpportunityStage, Outcome, Source
from crm_core.services.company_service import merge_companies
from crm_core.services.opportunity_service import close_opportunity, move_opportunity
from tests.builders import Make
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def worked(database: Database) -> Database:
    """A database with a deal in three versions, another in one, and a company, a contact and a lead."""
    with database.write(at=NOW) as session:
        make = Make(session)
        company = make.company()
        make.contact(company_id=company.id)
        make.lead()
        make.opportunity(company_id=company.id)
        make.opportunity()
    with database.write(at=NOW + AN_HOUR) as session:
        move_opportunity(session, 1, to=OpportunityStage.PROPOSAL)
    with database.write(at=NOW + 2 * AN_HOUR) as session:
        close_opportunity(session, 1, outcome=Outcome.WON)
    return database


def damage(database: Database, statement: str) -> None:
    """Change something behind the program's back, foreign keys unheeded."""
    if database.kind == "sqlite":
        with closing(embedded_sqlite.connect(str(database.url.database))) as raw:
            raw.execute(statement)
            raw.commit()
        return
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))


def test_finds_nothing_where_nothing_is_wrong(worked):
    found = check.findings(worked)

    assert found == []
    assert check.verdict(found) == "The history adds up: as of now it equals the live tables."


DAMAGES = {
    "UPDATE opportunities SET name = 'Other', expected_value = 5 WHERE id = 1": [
        "opportunities 1: its current version differs in name, expected_value.",
    ],
    "UPDATE companies SET version = 2 WHERE id = 1": [
        "companies 1: its current version differs in version.",
    ],
    "DELETE FROM contact_versions WHERE id = 1": [
        "contacts 1: it has no current version.",
    ],
    "DELETE FROM leads WHERE id = 1": [
        "lead_versions 1 version 1: there is no such record.",
    ],
    "UPDATE opportunity_versions SET valid_to = '2026-03-19 12:00:00.000000' WHERE id = 2": [
        "opportunities 2: it has no current version.",
    ],
    "DELETE FROM opportunity_versions WHERE id = 1 AND version = 1": [
        "opportunity_versions 1 version 2: in line it is number 1.",
        "opportunity_versions 1 version 3: in line it is number 2.",
    ],
    "DELETE FROM opportunity_versions WHERE id = 1 AND version = 2": [
        "opportunity_versions 1 version 3: in line it is number 2.",
    ],
    "DELETE FROM opportunity_versions WHERE id = 1 AND version = 3": [
        "opportunities 1: it has no current version.",
    ],
    "UPDATE opportunity_versions SET valid_to = '2026-03-18 12:30:00.000000' WHERE id = 1 AND version = 1": [
        "opportunity_versions 1 version 2: there is a gap before it.",
    ],
    "UPDATE opportunity_versions SET valid_to = '2026-03-18 13:30:00.000000' WHERE id = 1 AND version = 1": [
        "opportunity_versions 1 version 2: it overlaps the one before it.",
    ],
    "UPDATE opportunity_versions SET version = 7 WHERE id = 1 AND version = 2": [
        "opportunity_versions 1 version 7: in line it is number 2.",
    ],
    "UPDATE opportunity_versions SET updated_at = '2026-03-18 12:30:00.000000' WHERE version = 2": [
        "opportunity_versions 1 version 2: it does not begin when its record was changed.",
    ],
    "UPDATE transactions SET at = '2026-03-18 12:59:00.000000' WHERE id = 2": [
        "opportunity_versions 1 version 2: it begins after the transaction that wrote it.",
    ],
    "UPDATE transactions SET at = '2026-03-18 14:30:00.000000' WHERE id = 2": [
        "transactions 3: it is not later than the transaction before it.",
    ],
    "DELETE FROM transactions WHERE id = 2": [
        "opportunity_versions 1 version 2: its transaction_id leads to no row of transactions.",
    ],
    "DELETE FROM stage_settings": [],
}


@pytest.mark.parametrize(("statement", "expected"), DAMAGES.items())
def test_names_what_is_wrong(worked, statement, expected):
    damage(worked, statement)

    found = check.findings(worked)

    assert found == expected


@pytest.mark.parametrize(("version", "assumed"), [(1, "stage"), (1, "entry"), (2, "stage"), (3, "entry")])
def test_what_nobody_can_have_assumed_is_named(worked, version, assumed):
    """No version of the deal is from an import."""
    wrong = f"WHERE id = 1 AND version = {version}"
    damage(worked, f"UPDATE opportunity_versions SET assumed = '{assumed}' {wrong}")

    found = check.findings(worked)

    problem = "only the open state that an import begins a closed deal with can be assumed"
    assert found == [f"opportunity_versions 1 version {version}: {problem}."]


@pytest.mark.parametrize(
    ("rows", "right"), [("version = 1", True), ("version = 2", False), ("id = 2", False)]
)
def test_of_an_import_the_first_state_of_a_closed_deal_may_be_assumed(database, rows, right):
    """The second deal is open still."""
    with database.write(at=NOW, source=Source.IMPORT) as session:
        histories = []
        for deal_id in (1, 2):
            deal = {"id": deal_id, "name": "Deal", "created_at": NOW - AN_HOUR}
            was_open = deal | {"stage": OpportunityStage.PROPOSAL, "probability": 50}
            lost = deal | {"stage": OpportunityStage.CLOSED_LOST, "probability": 0}
            lost |= {"closed_at": NOW, "actual_close_date": NOW.date()}
            histories.append([(NOW - AN_HOUR, was_open), (NOW, lost)][: 3 - deal_id])
        history.insert_with_past(session, Opportunity, histories)

    which = rows if "id" in rows else f"{rows} AND id = 1"
    damage(database, f"UPDATE opportunity_versions SET assumed = 'stage' WHERE {which}")

    assert (check.findings(database) == []) is right


@pytest.fixture
def merged(database: Database) -> Database:
    """Companies 1, 2 and 3: each was merged into the next one; the last is there."""
    with database.write(at=NOW) as session:
        ids = [Make(session).company().id for _ in range(3)]
    for kept, gone in ((ids[1], ids[0]), (ids[2], ids[1])):
        with database.write(at=NOW + gone * AN_HOUR) as session:
            merge_companies(session, kept, gone)
    return database


def merge_behind_the_back(database: Database, into: int | str, which: int) -> None:
    for table, where in (("companies", ""), ("company_versions", " AND valid_to IS NULL")):
        damage(database, f"UPDATE {table} SET merged_into_id = {into} WHERE id = {which}{where}")


@pytest.mark.parametrize("into", [1, 99])
def test_what_was_merged_into_nothing_that_stands_for_it_is_named(merged, into):
    assert check.findings(merged) == []

    merge_behind_the_back(merged, into, which=2)

    problem = "no record stands for it, though it was merged"
    expected = [f"companies {number}: {problem}." for number in (1, 2)]
    assert check.findings(merged)[:2] == expected


def test_what_was_merged_and_is_there_is_named(merged):
    """Neither database lets anybody write it, so the rule is taken away for a while."""
    rule = "ck_companies_merged_into_another"
    if merged.kind == "sqlite":
        with closing(embedded_sqlite.connect(str(merged.url.database))) as raw:
            raw.execute("PRAGMA ignore_check_constraints = ON")
            raw.execute("UPDATE companies SET merged_into_id = 2 WHERE id = 3")
            raw.commit()
        assert "CHECK constraint failed in companies" in check.findings(merged)[0]
        return
    damage(merged, f"ALTER TABLE companies DROP CONSTRAINT {rule}")
    merge_behind_the_back(merged, into=1, which=3)

    found = check.findings(merged)

    merge_behind_the_back(merged, "NULL", which=3)
    is_right = "merged_into_id IS NULL OR deleted_at IS NOT NULL AND merged_into_id != id"
    damage(merged, f"ALTER TABLE companies ADD CONSTRAINT {rule} CHECK ({is_right})")
    assert "companies 3: it was merged, but is not deleted." in found


def test_a_version_that_never_ended_is_named(worked):
    damage(worked, "DROP INDEX uq_opportunity_versions_current")
    damage(worked, "UPDATE opportunity_versions SET valid_to = NULL WHERE id = 1 AND version = 2")

    found = check.findings(worked)

    assert "opportunity_versions 1 version 3: the one before it never ended." in found


def test_a_pointer_to_nothing_is_named(worked):
    damage(worked, "UPDATE companies SET owner_id = 99")
    damage(worked, "UPDATE company_versions SET owner_id = 99")

    found = check.findings(worked)

    assert found == ["companies 1: its owner_id leads to no row of users."]


def test_a_text_that_is_compared_by_something_else_is_named_and_mended(worked):
    damage(worked, "UPDATE lead_versions SET folded_name = 'wrong' WHERE id = 1")
    damage(worked, "UPDATE leads SET folded_name = 'wrong' WHERE id = 1")
    sentence = (
        "{}: folded_name does not follow from name everywhere, which"
        " `python -m crm_core check --repair` mends."
    )

    assert check.findings(worked) == [sentence.format("leads"), sentence.format("lead_versions")]

    check.repair(worked)
    assert check.findings(worked) == []


def test_many_of_a_kind_are_counted(worked):
    with worked.write(at=NOW + 3 * AN_HOUR) as session:
        session.add_all([Opportunity(name="Deal", probability=10) for _ in range(1_200)])
    damage(worked, "UPDATE opportunities SET name = 'Other'")

    found = check.findings(worked)

    assert len(found) == check.LISTED + 1
    assert found[-1] == "opportunities: and 1,152 more like the last one."


def test_findings_make_a_verdict_that_says_what_now():
    verdict = check.verdict(["opportunities 1: it has no current version."])

    assert verdict == "The history does not add up. Restore a backup, or repair what is listed above."


def test_checking_changes_nothing(sqlite_url, tmp_path):
    check.findings(Database(sqlite_url))
    before = (tmp_path / "crm.db").read_bytes()

    check.findings(Database(sqlite_url))

    assert (tmp_path / "crm.db").read_bytes() == before


def test_what_another_process_wrote_meanwhile_is_no_damage(sqlite_url):
    with closing(Database(sqlite_url, pool_size=1)) as one, closing(Database(sqlite_url)) as other:
        for database in (one, other):
            with database.write() as session:
                Make(session).lead("Ada Lovelace")
            assert check.findings(one) == []


def test_a_damaged_page_is_found(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    with database.write(at=NOW) as session:
        session.add_all([Opportunity(name=f"Deal {number}", probability=10) for number in range(2_000)])
    copy = database.back_up("copy")
    overwrite(copy, at=copy.stat().st_size // 2, size=4_096)

    found = check.findings(Database(f"sqlite:///{copy}"))

    assert found
    assert all(sentence.startswith("The database ") for sentence in found)


def test_an_index_that_lies_is_found(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    with database.write(at=NOW) as session:
        Make(session).company("Acme Solar Roofs")
    copy = database.back_up("copy")
    overwrite(copy, at=copy.read_bytes().index(b"acme solar roofs"), size=4)

    found = check.findings(Database(f"sqlite:///{copy}"))

    assert found == ["The database file is damaged: row 1 missing from index ix_companies_folded_name_name."]


def overwrite(file: Path, *, at: int, size: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"x" * size)


def test_says_which_program_runs(database):
    said = check.engine(database)

    assert said.startswith("Runs on PostgreSQL 1" if database.kind == "postgresql" else "Runs on SQLite 3.")


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 44, 5), (3, 50, 6), (3, 51, 2)])
def test_warns_of_a_sqlite_that_can_damage_files(version):
    assert check.about_sqlite(version).startswith("Warning: ")


@pytest.mark.parametrize("version", [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 53, 0), (4, 0, 0)])
def test_does_not_warn_of_one_that_was_mended(version):
    assert check.about_sqlite(version) == f"Runs on SQLite {'.'.join(map(str, version))}."
