"""Migrations build what the models say, once, and touch nothing that is not theirs."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text

from crm_core import check, history, migrate
from crm_core.analytics.metrics import MetricName, measure
from crm_core.config import PROJECT
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable
from crm_core.migrate import SchemaState
from crm_core.models import (
    LOCAL_USER_ID,
    SEARCHED,
    Assumed,
    Base,
    CloseReason,
    Company,
    Contact,
    Note,
    Opportunity,
    OpportunityStage,
    OpportunityVersion,
    Outcome,
    Source,
    Transaction,
    User,
)
from crm_core.schemas.company import CompanyUpdate
from crm_core.services import (
    company_service,
    contact_service,
    lead_service,
    opportunity_service,
    settings_service,
    target_service,
    undo_service,
)
from crm_core.services.undo_service import MergeStays
from crm_core.sorting import LeadSort, OpportunitySort
from tests.builders import Make, reason_id
from tests.conftest import NOW, Discard
from tests.databases import as_another_process

pytestmark = pytest.mark.both_databases

A_DAY = timedelta(days=1)

NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade() -> None:
    op.create_table("novelties", sa.Column("id", sa.Integer(), primary_key=True))
"""

INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > '' AND tbl_name = :table",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table",
}


ONLY_ON = {
    "ix_opportunities_falling_value": "postgresql",
    "ix_opportunities_newest": "postgresql",
    "ix_opportunities_created_on_id": "sqlite",
    **{f"ix_{model.__tablename__}_search": "postgresql" for model in SEARCHED},
}
SEARCH_TABLES = tuple(table.name for table in SEARCHED.values())
"""Tables on SQLite that the models don't know as such, each with some of SQLite's own beside it."""


def is_meant_for(connection: Connection) -> Callable[..., bool]:
    """Alembic does not know by itself what the models have for one kind of database."""
    here = connection.dialect.name
    return lambda _thing, name, *_more: ONLY_ON.get(name, here) == here and not is_for_search(name)


def is_for_search(table: str | None) -> bool:
    return bool(table) and table.startswith(SEARCH_TABLES)


def tables(database: Database) -> set[str]:
    return {name for name in inspect(database.engine).get_table_names() if not is_for_search(name)}


def test_up_builds_every_table(empty_database):
    before = migrate.upgrade(empty_database)

    assert before is SchemaState.EMPTY
    assert migrate.state(empty_database) is SchemaState.CURRENT
    assert tables(empty_database) == {*Base.metadata.tables, "alembic_version"}


def test_down_removes_every_table(empty_database):
    migrate.upgrade(empty_database)

    migrate.downgrade(empty_database)

    assert tables(empty_database) == {"alembic_version"}
    assert migrate.state(empty_database) is SchemaState.EMPTY


def test_up_again_after_down(empty_database):
    migrate.upgrade(empty_database)
    migrate.downgrade(empty_database)

    migrate.upgrade(empty_database)

    assert migrate.state(empty_database) is SchemaState.CURRENT


def test_up_twice_does_nothing(database):
    with database.write(at=NOW) as session:
        Make(session).opportunity()

    assert migrate.upgrade(database) is SchemaState.CURRENT
    with database.read() as session:
        assert session.get(Opportunity, 1) is not None


def test_a_new_workspace_has_what_deals_need(database):
    with database.read() as session:
        chances = [settings_service.default_probability(session, stage) for stage in OpportunityStage]
        assert chances == [10, 25, 50, 75, 100, 0]
        assert settings_service.get_workspace(session).currency == "USD"
        for outcome in Outcome:
            assert any(reason.needs_note for reason in settings_service.get_close_reasons(session, outcome))
        assert session.get_one(User, LOCAL_USER_ID).name == "Local user"
        assert session.query(CloseReason).filter_by(counts=False).one().label == "Duplicate or test"


def shape(connection: Connection) -> dict[str, Any]:
    """Everything the database knows about its own tables."""
    looked_at = inspect(connection)
    dialect = connection.dialect
    return {
        table: {
            "columns": {
                column["name"]: (column["type"].compile(dialect), column["nullable"], column["default"])
                for column in looked_at.get_columns(table)
            },
            "primary key": looked_at.get_pk_constraint(table),
            "foreign keys": by_column(looked_at.get_foreign_keys(table), dialect.name),
            "unique": by_name(looked_at.get_unique_constraints(table)),
            "checks": by_name(looked_at.get_check_constraints(table)),
            "indexes": sorted(map(tuple, connection.execute(text(INDEXES[dialect.name]), {"table": table}))),
        }
        for table in looked_at.get_table_names()
        if table != "alembic_version" and not is_for_search(table)
    } | {"for search": searched(connection)}


def searched(connection: Connection) -> list[Any]:
    """The tables that a search looks into."""
    if connection.dialect.name != "sqlite":
        return []
    made = "SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name"
    return list(map(tuple, connection.execute(text(made))))


def by_name(found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda each: str(each["name"]))


def by_column(keys: list[Any], dialect: str) -> list[Any]:
    """Foreign keys; SQLAlchemy does not find the name of one that SQLite got with its column."""
    known = [{**key, "name": None} if dialect == "sqlite" else key for key in keys]
    return sorted(known, key=lambda key: key["constrained_columns"])


def test_migrations_build_what_the_models_say(database, request):
    other = Database(
        request.getfixturevalue(f"empty_{'sqlite' if database.kind == 'sqlite' else 'postgres'}_url")
    )
    with other.migration() as connection:
        Base.metadata.create_all(connection)
        from_models = shape(connection)
    other.close()

    with database.migration() as connection:
        from_migrations = shape(connection)

    assert from_migrations == from_models
    assert len(from_models) == len(Base.metadata.tables) + 1
    assert len(from_models["for search"]) == (len(SEARCHED) if database.kind == "sqlite" else 0)


def test_alembic_sees_no_difference(database):
    with database.migration() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": is_meant_for(connection)}
        )
        assert compare_metadata(context, Base.metadata) == []


CIRCLES = [("teams", "manager_id", "users"), ("leads", "opportunity_id", "opportunities")]


@pytest.mark.parametrize(("table", "column", "target"), CIRCLES)
def test_foreign_keys_that_close_a_circle_exist(database, table, column, target):
    keys = inspect(database.engine).get_foreign_keys(table)

    assert (target, [column]) in [(key["referred_table"], key["constrained_columns"]) for key in keys]


@pytest.fixture
def newer_program(tmp_path: Path) -> Path:
    """A copy of the program that has one migration more."""
    program = tmp_path / "newer"
    for folder in ("crm_core", "migrations"):
        shutil.copytree(PROJECT / folder, program / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (program / "migrations/versions/9999_next.py").write_text(NEXT_MIGRATION.format(head=migrate.head()))
    return program


def run(program: Path, database: Database, line: str) -> subprocess.CompletedProcess[str]:
    """Let another program work on the database."""
    url = database.url.render_as_string(hide_password=False)
    start = (
        f"from crm_core import migrate; from crm_core.database import Database; database = Database({url!r})"
    )
    command = [sys.executable, "-c", f"{start}\n{line}"]
    return subprocess.run(command, cwd=program, capture_output=True, text=True, check=False, timeout=60)


def test_an_older_database_is_refused_then_migrated(database, newer_program):
    refused = run(newer_program, database, "migrate.require_current(database)")
    assert "is older than this program. Make a backup, then run" in refused.stderr
    assert migrate.state(database) is SchemaState.CURRENT

    migrated = run(newer_program, database, "print(migrate.upgrade(database).value)")
    assert (migrated.stdout, migrated.stderr) == ("behind\n", "")
    assert "novelties" in tables(database)


def test_a_newer_database_is_refused_and_left_as_it_is(database, newer_program):
    run(newer_program, database, "migrate.upgrade(database)")
    before = tables(database)

    for refused in (migrate.require_current, migrate.upgrade):
        with pytest.raises(DatabaseUnavailable, match=r"written by a newer version .* Update the program"):
            refused(database)

    assert migrate.state(database) is SchemaState.AHEAD
    assert tables(database) == before


def test_an_empty_database_is_refused_and_left_as_it_is(empty_database):
    with pytest.raises(DatabaseUnavailable, match=r"is empty\. Run `python -m crm_core migrate`"):
        migrate.require_current(empty_database)

    assert tables(empty_database) == set()


def test_a_foreign_database_is_refused_and_left_as_it_is(empty_database):
    with empty_database.migration() as connection:
        connection.execute(text("CREATE TABLE recipes (id INTEGER)"))

    for refused in (migrate.require_current, migrate.upgrade):
        with pytest.raises(DatabaseUnavailable, match="holds tables that are not the CRM's"):
            refused(empty_database)

    assert tables(empty_database) == {"recipes"}


def test_not_a_byte_of_a_foreign_file_is_changed(tmp_path):
    file = tmp_path / "recipes.db"
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("CREATE TABLE recipes (id INTEGER)")
    before = file.read_bytes()

    with pytest.raises(DatabaseUnavailable):
        migrate.upgrade(Database(f"sqlite:///{file}"))

    assert file.read_bytes() == before


def test_the_embedded_database_is_backed_up_before_it_is_migrated(sqlite_url, newer_program, tmp_path):
    database = Database(sqlite_url)
    with database.write(at=NOW) as session:
        Make(session).opportunity(name="Solar roof")

    run(newer_program, database, "migrate.upgrade(database)")

    (backup,) = tmp_path.glob("crm.before-*.db")
    copy = Database(f"sqlite:///{backup}")
    assert migrate.state(copy) is SchemaState.CURRENT
    with copy.read() as session:
        assert session.get_one(Opportunity, 1).name == "Solar roof"


def test_a_backup_never_takes_the_place_of_another(sqlite_url, newer_program, tmp_path):
    first, second = (tmp_path / f"crm.before-migrating-{migrate.head()}-{number}.db" for number in (1, 2))
    first.write_text("an earlier backup")

    run(newer_program, Database(sqlite_url), "migrate.upgrade(database)")

    assert first.read_text() == "an earlier backup"
    assert second.stat().st_size > 0


def test_the_stage_entries_of_an_older_database_are_found_in_its_history(empty_database):
    migrate.upgrade(empty_database)
    with empty_database.write(at=NOW) as session:
        Make(session).opportunity(stage=OpportunityStage.DISCOVERY)
    for days, change in enumerate(({"name": "Wind park"}, {"stage": "proposal"}, {"stage": "discovery"}), 1):
        with empty_database.write(at=NOW + timedelta(days)) as session:
            deal = session.get_one(Opportunity, 1)
            for field, value in change.items():
                setattr(deal, field, OpportunityStage(value) if field == "stage" else value)
    migrate.downgrade(empty_database, "0001")

    migrate.upgrade(empty_database)

    entered = select(OpportunityVersion.stage_entered_at).order_by(OpportunityVersion.valid_from)
    with empty_database.read() as session:
        days = [(at - NOW).days for at in session.scalars(entered)]
        assert (days, (session.get_one(Opportunity, 1).stage_entered_at - NOW).days) == ([0, 0, 2, 3], 3)
    assert check.findings(empty_database) == []


def test_what_earlier_imports_assumed_is_found_in_the_history(empty_database):
    """Of their closed deals they knew no stage; what people did in the program is as it was."""
    migrate.upgrade(empty_database)
    with empty_database.write(at=NOW, source=Source.IMPORT) as session:
        lost, still_open, only_closed = (
            {"id": number, "name": "Deal", "created_at": NOW - A_DAY} for number in (1, 2, 3)
        )
        was_open = {"stage": OpportunityStage.DISCOVERY, "probability": 25}
        was_lost = {"stage": OpportunityStage.CLOSED_LOST, "probability": 0}
        was_lost |= {"closed_at": NOW, "actual_close_date": NOW.date()}
        states = [(NOW - A_DAY, lost | was_open), (NOW, lost | was_lost)]
        others = [(NOW - A_DAY, still_open | was_open)], [(NOW, only_closed | was_lost)]
        history.insert_with_past(session, Opportunity, [states, *others])
    with empty_database.write(at=NOW + A_DAY) as session:
        closed_here = Make(session).opportunity(stage=OpportunityStage.DISCOVERY).id
    for deal_id in (2, closed_here):
        with empty_database.write(at=NOW + (deal_id + 1) * A_DAY) as session:
            reason = {"reason_id": reason_id(session, "Price")}
            opportunity_service.close_opportunity(session, deal_id, outcome=Outcome.LOST, **reason)
    with empty_database.write(at=NOW + 9 * A_DAY) as session:
        opportunity_service.reopen_opportunity(session, 1, to=OpportunityStage.PROPOSAL)
    migrate.downgrade(empty_database, "0008")

    migrate.upgrade(empty_database)

    versions = OpportunityVersion.__table__.c
    chosen = select(versions.id, versions.version, versions.assumed).where(versions.assumed.is_not(None))
    with empty_database.read() as session:
        assert session.execute(chosen).all() == [(1, 1, Assumed.STAGE)]
    assert check.findings(empty_database) == []


def test_earlier_merges_are_found_and_later_ones_lose_their_trace_with_their_notes_moved(empty_database):
    """Down and up again, a merge is one of an earlier program: its notes are on the record that was kept."""
    migrate.upgrade(empty_database)
    words = "Merged “Ads” into “Sales”"
    with empty_database.write(at=NOW, note=words) as session:
        make = Make(session)
        first, second, third = (make.company(name).id for name in ("One", "Two", "Three"))
        note = make.note(company_id=first).id
        contacts = [make.contact(email=email).id for email in ("a@a.example", "b@a.example")]
    for kept, gone in ((second, first), (third, second)):
        with empty_database.write(at=NOW + gone * A_DAY) as session:
            company_service.merge_companies(session, kept, gone)
    with empty_database.write(at=NOW + 8 * A_DAY) as session:
        contact_service.merge_contacts(session, *contacts)
    with empty_database.write(at=NOW + 9 * A_DAY) as session:
        company_service.update_company(session, third, CompanyUpdate(name="Four"))
    migrate.downgrade(empty_database, "0012")

    migrate.upgrade(empty_database)

    with empty_database.read() as session:
        marked = session.scalars(select(Transaction.id).where(Transaction.is_merge).order_by(Transaction.id))
        assert list(marked) == [2, 3, 4]
        assert session.get_one(Note, note).company_id == third
        assert [session.get_one(Company, each).merged_into_id for each in (first, second)] == [None, None]
        assert session.get_one(Contact, contacts[0]).other_emails == ()
    for merge in (2, 3, 4):
        with empty_database.write() as session, pytest.raises(MergeStays):
            undo_service.undo(session, merge)
    assert check.findings(empty_database) == []


def test_a_new_database_is_not_backed_up(tmp_path):
    migrate.upgrade(Database(f"sqlite:///{tmp_path / 'new.db'}"))

    assert [file.name for file in tmp_path.glob("*.db")] == ["new.db"]


def test_who_finds_another_program_migrating_waits_for_it(empty_database):
    """However long it takes, longer than a writer waits for its turn."""
    hurried = as_another_process(empty_database, patience=0.05)
    with closing(hurried), ThreadPoolExecutor(1) as thread:
        with empty_database.migration():
            second = thread.submit(migrate.upgrade, hurried)
            time.sleep(0.5)
            assert not second.done()
        assert second.result() is SchemaState.EMPTY
    assert migrate.state(empty_database) is SchemaState.CURRENT


def test_an_older_program_refuses_what_a_newer_one_has_made_of_it_meanwhile(database, monkeypatch):
    """It looked before, and waited for the newer one."""
    seen = iter([SchemaState.BEHIND, SchemaState.AHEAD])
    monkeypatch.setattr(migrate, "_state", lambda _connection: next(seen))

    with pytest.raises(DatabaseUnavailable, match="was written by a newer version"):
        migrate.upgrade(database)


def test_two_programs_that_start_at_once_set_up_once(empty_database):
    line = "migrate.upgrade(database); print(migrate.state(database).value)"

    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: run(PROJECT, empty_database, line), range(2)))

    assert [(each.stdout, each.stderr) for each in runs] == [("current\n", "")] * 2
    with empty_database.read() as session:
        assert session.query(User).count() == 1


def test_two_programs_that_start_at_once_migrate_once(database, newer_program):
    line = "migrate.upgrade(database); print(migrate.state(database).value)"

    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: run(newer_program, database, line), range(2)))

    assert [(each.stdout, each.stderr) for each in runs] == [("current\n", "")] * 2
    if database.kind == "sqlite":
        assert len(list(Path(database.url.database).parent.glob("crm.before-migrating-*.db"))) == 1


def test_a_migration_that_fails_leaves_nothing(empty_database):
    with suppress(Discard), empty_database.migration() as connection:
        connection.execute(text("CREATE TABLE novelties (id INTEGER)"))
        raise Discard

    assert tables(empty_database) == set()


AMOUNTS = {
    "opportunities": "expected_value",
    "opportunity_versions": "expected_value",
    "leads": "estimated_value",
    "lead_versions": "estimated_value",
    "targets": "amount",
}
WORTH = ["0.00", "0.01", "12.50", "429496.73", "9999999999999.99", None]


RECORDS = {
    "opportunities": {
        "stage": "proposal",
        "probability": 50,
        "stage_entered_at": "2026-03-18 12:00:00.000000",
    },
    "leads": {"status": "new"},
}
AT = "2026-03-18 12:00:00.000000"


def write_amounts(connection: Connection) -> None:
    """A deal, a lead and a target for each amount, as a program of revision 0008 wrote them."""
    insert(connection, "transactions", id=1, at=AT, source="ui", reach=1)
    for key, worth in enumerate(WORTH, start=1):
        cents = None if worth is None else int(Decimal(worth) * 100)
        for table, answers in RECORDS.items():
            versions = "opportunity_versions" if table == "opportunities" else "lead_versions"
            row = {"id": key, "name": "Acme", AMOUNTS[table]: cents, "version": 1, **answers}
            row |= {"created_at": AT, "updated_at": AT}
            insert(connection, table, **row)
            insert(connection, versions, **row, valid_from=AT, transaction_id=1)
        if cents is not None:
            month = f"2026-{key:02}-01"
            insert(connection, "targets", id=key, user_id=1, period="month", starts_on=month, amount=cents)


def insert(connection: Connection, table: str, **row: Any) -> None:
    marks = ", ".join(f":{column}" for column in row)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"), row)


def amounts_in(connection: Connection) -> dict[str, list[int | None]]:
    return {
        table: list(connection.scalars(text(f"SELECT {amount} FROM {table} ORDER BY id")))
        for table, amount in AMOUNTS.items()
    }


def test_amounts_of_an_older_database_stay_the_same_numbers(empty_database):
    migrate.upgrade(empty_database, "0008")
    with empty_database.migration() as connection:
        write_amounts(connection)

    migrate.upgrade(empty_database)

    known = [Decimal(worth) for worth in WORTH if worth is not None]
    with empty_database.read() as session:
        page = opportunity_service.get_opportunities(session, sort=OpportunitySort.CREATED)
        leads = lead_service.get_leads(session, sort=LeadSort.CREATED)
        begun = list(session.scalars(select(OpportunityVersion.expected_value).order_by("id")))
        assert [str(row.expected_value) for row in page.rows] == list(map(str, WORTH))
        assert [row.estimated_value for row in leads.rows] == begun == [*known, None]
        assert sorted(target.amount for target in target_service.get_targets(session)) == known
        assert page.totals.value == sum(known)
        assert measure(session, MetricName.OPEN_PIPELINE).figure.value == sum(known)
        assert measure(session, MetricName.CREATED).figure.value == sum(known)


def test_amounts_go_back_to_hundredths_rounded_half_up(empty_database):
    migrate.upgrade(empty_database)
    worth = ["1.234", "0.005", "0.0049", "12.345", "9999999999999.99", None]
    with empty_database.write(at=NOW) as session:
        make = Make(session)
        for amount in worth:
            value = None if amount is None else Decimal(amount)
            make.opportunity(expected_value=value)
            make.lead(estimated_value=value)
        make.target("12.345", user_id=LOCAL_USER_ID)

    migrate.downgrade(empty_database, "0008")
    with empty_database.migration() as connection:
        cents = amounts_in(connection)
    migrate.upgrade(empty_database)

    each = [123, 1, 0, 1235, 999_999_999_999_999, None]
    assert cents == {table: [1235] if table == "targets" else each for table in AMOUNTS}
    with empty_database.migration() as connection:
        ten_thousandths = [None if amount is None else amount * 100 for amount in each]
        assert amounts_in(connection)["opportunities"] == ten_thousandths
    assert check.findings(empty_database) == []
