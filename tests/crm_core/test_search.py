"""A text finds what Python finds, whoever wrote the names, and however many have it."""

import uuid
from contextlib import closing, suppress
from datetime import timedelta
from weakref import WeakKeyDictionary

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from crm_core import check, demo, migrate
from crm_core.cli import app
from crm_core.database import Database
from crm_core.errors import DatabaseUnavailable
from crm_core.filters import (
    CompanyFilter,
    ContactFilter,
    LeadFilter,
    OpportunityFilter,
)
from crm_core.filters import text as by_text
from crm_core.listing import every_row
from crm_core.models import LOCAL_USER_ID, SEARCHED, Company, Opportunity, Transaction
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.scope import scope_of
from crm_core.services import company_service, opportunity_service, undo_service
from crm_core.services.opportunity_service import count_opportunities
from crm_core.sorting import OpportunitySort
from tests.builders import Make
from tests.conftest import NOW, Discard

pytestmark = pytest.mark.both_databases

AWKWARD = (
    "aAbBiIkKsS %_\\/'\"()*{}:^-+~.,0\t\u00a0"
    "\u0130\u0131\u017f\u212aéÉßẞžŽжЖσΣ\u0301\u0307\u200d\u200f"
    "中文か\U0001f600\U0001f468\ufb01\ufffd\U0010ffff"
)
"""Without the two that are no characters: SQLite's `LIKE` takes them for U+FFFD."""
NAMES = st.text(AWKWARD, min_size=1, max_size=9).map(lambda name: f"{name}.")
"""Never blank, as the database wants it."""

CALLED: WeakKeyDictionary[Session, dict[int, list[str]]] = WeakKeyDictionary()
"""What the examples before have called the deals of a session."""

EVERYWHERE = {
    OpportunityFilter: [("opportunity", "name")],
    CompanyFilter: [("company", "name"), ("company", "domain")],
    ContactFilter: [("contact", "name"), ("contact", "email")],
    LeadFilter: [("lead", "name"), ("lead", "company_name"), ("lead", "email")],
}


def found(session, where):
    scope = scope_of(session, where)
    return set(session.scalars(select(scope.model.id).where(*scope.conditions)))


@pytest.fixture(params=[15_000, 3, 0], ids=["rare", "mixed", "frequent"])
def many(request, monkeypatch):
    """Every text is rare, or every one is frequent, or some are."""
    monkeypatch.setattr(by_text, "MANY", request.param)


@given(names=st.tuples(NAMES, NAMES, NAMES), wanted=st.text(AWKWARD, min_size=1, max_size=5), cut=st.data())
@example(names=("ΑΣ.", "STRİ.", "ﬁne."), wanted="tri", cut=None)
@example(names=("x\ufffdyz.", "x\ufffeyz.", "x\uffffyz."), wanted="x\uffffyz", cut=None)
@example(names=('a"bc.', "{name} : a.", "a*b OR c."), wanted="a*b or", cut=None)
def test_a_text_finds_what_python_finds(session, make, many, names, wanted, cut):
    deal, company, contact = names
    key = make.opportunity(
        name=deal, company_id=make.company(company).id, contact_id=make.contact(contact).id
    ).id
    texts = [wanted]
    if cut is not None:
        name = cut.draw(st.sampled_from(names))
        begin = cut.draw(st.integers(0, len(name) - 1))
        texts.append(name[begin : cut.draw(st.integers(begin + 1, len(name)))].upper())

    called = CALLED.setdefault(session, {})
    called[key] = [name.lower() for name in names]
    for each in filter(str.strip, texts):
        where = OpportunityFilter(text=each)
        expected = {
            key for key, names in called.items() if any(each.strip().lower() in name for name in names)
        }
        in_order = every_row(session, where, OpportunitySort.CREATED_DESCENDING, OpportunityResponse)
        assert found(session, where) == {row.id for row in in_order} == expected


@pytest.mark.parametrize("kind_of_filter", EVERYWHERE)
@pytest.mark.parametrize("wanted", ["sol", "so", "LÄR", "är", "qqq"])
def test_every_list_is_searched_in_all_that_it_calls_a_record(session, make, many, kind_of_filter, wanted):
    expected = set()
    for noun, column in EVERYWHERE[kind_of_filter]:
        for value in ("Solär", "Other", "solAR"):
            record = getattr(make, noun)(**{column: value})
            expected |= {record.id} if wanted.lower() in value.lower() else set()

    assert found(session, kind_of_filter(text=wanted)) == expected


def test_half_a_text_is_refused():
    for broken in ("a\x00b", "\ud800abc"):
        with pytest.raises(ValidationError):
            OpportunityFilter(text=broken)


def test_a_new_name_is_found_and_the_old_one_is_not(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        deal = make.opportunity(name="Solar roof", company_id=make.company("Acme").id).id
    with database.write(at=NOW + timedelta(hours=1), actor=LOCAL_USER_ID) as session:
        session.get_one(Opportunity, deal).name = "Wind park"
        assert found(session, OpportunityFilter(text="wind")) == {deal}  # before it is committed, too
        session.get_one(Company, 1).name = "Sun & Sons"

    assert counted(database, "solar", "acme", "wind park", "& sons") == [0, 0, 1, 1]
    with database.write(at=NOW + timedelta(hours=2), actor=LOCAL_USER_ID) as session:
        undo_service.undo(session, session.scalars(select(Transaction.id).order_by(Transaction.id)).all()[-1])
    assert counted(database, "solar", "acme", "wind park", "& sons") == [1, 1, 0, 0]
    assert check.findings(database) == []


def counted(database, *texts):
    with database.read() as session:
        return [count_opportunities(session, OpportunityFilter(text=each)) for each in texts]


def test_what_was_merged_or_deleted_is_found_no_more(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        kept, merged = make.company("Acme").id, make.company("Globex").id
        deal = make.opportunity(name="Roof", company_id=merged).id
    with database.write(at=NOW + timedelta(hours=1)) as session:
        company_service.merge_companies(session, kept, merged)

    assert counted(database, "globex", "acme") == [0, 1]
    with database.write(at=NOW + timedelta(hours=2)) as session:
        opportunity_service.delete_opportunity(session, deal)
    assert counted(database, "roof", "acme") == [0, 0]
    assert check.findings(database) == []


def test_a_change_that_is_not_kept_leaves_the_index_as_it_was(database):
    with database.write(at=NOW) as session:
        Make(session).opportunity(name="Solar roof")
    with suppress(Discard), database.write() as session:
        session.get_one(Opportunity, 1).name = "Wind park"
        session.flush()
        raise Discard

    assert counted(database, "solar", "wind") == [1, 0]
    assert check.findings(database) == []


def test_what_was_brought_in_at_once_is_found(database):
    demo.fill(database, opportunities=300, seed=1, at=NOW)
    with database.read() as session:
        names = session.scalars(select(Opportunity.name).where(Opportunity.deleted_at.is_(None))).all()
        for wanted in ("portal", "hotel", "pilot", "zq"):
            assert count_opportunities(session, OpportunityFilter(text=wanted)) >= sum(
                wanted in name.lower() for name in names
            )
    assert check.findings(database) == []


BROKEN = {
    "UPDATE opportunity_search SET name = 'other' WHERE rowid = 1": (
        "opportunities 1: a search does not find it, which `python -m crm_core check --repair` mends."
    ),
    "DELETE FROM company_search": (
        "companies 1: a search does not find it, which `python -m crm_core check --repair` mends."
    ),
    "INSERT INTO contact_search (rowid, name) VALUES (7, 'nobody')": (
        "contacts 7: a search knows it, but there is none."
    ),
    "UPDATE opportunity_search_data SET block = zeroblob(40) WHERE id > 10": "The database file is damaged: ",
}


@pytest.mark.parametrize(("damage", "told"), BROKEN.items())
def test_a_broken_index_is_found_and_mended(sqlite_url, monkeypatch, damage, told):
    with closing(Database(sqlite_url)) as database:
        with database.write(at=NOW) as session:
            make = Make(session)
            make.opportunity(name="Solar roof", company_id=make.company("Acme").id)
        with database.migration() as connection:
            connection.execute(text(damage))

        assert [each[: len(told)] for each in check.findings(database)][:1] == [told]

    monkeypatch.setenv("CRM_DATABASE_URL", sqlite_url)
    ran = CliRunner().invoke(app, ["check", "--repair"])
    assert (ran.exit_code, ran.output.splitlines()[-1]) == (0, check.verdict([]))


def test_an_older_database_learns_the_names_that_it_has(empty_database):
    migrate.upgrade(empty_database)
    with empty_database.write(at=NOW) as session:
        Make(session).opportunity(name="ÉCLAIR Roof")
    migrate.downgrade(empty_database, "0006")

    migrate.upgrade(empty_database)

    assert counted(empty_database, "éclair", "roo", "moon") == [1, 1, 0]
    assert check.findings(empty_database) == []


def test_a_server_that_allows_no_index_still_finds_everything(postgres_url, monkeypatch, server):
    with closing(Database(postgres_url)) as database:
        with database.write(at=NOW) as session:
            Make(session).opportunity(name="Solar roof")
        with database.engine.begin() as connection:
            connection.execute(text("DROP EXTENSION pg_trgm CASCADE"))

        assert counted(database, "solar", "moon") == [1, 0]
        assert check.advice(database) == [check.SEARCH_IS_SLOW]

        check.repair(database)
        assert check.advice(database) == []
        assert counted(database, "solar", "moon") == [1, 0]


@pytest.fixture
def modest_role(server, empty_postgres_url):
    """Who works on the empty database from now on: it may make tables, but no extension."""
    role, name = f"modest_{uuid.uuid4().hex[:12]}", make_url(empty_postgres_url).database
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE ROLE {role}"))
        connection.execute(text(f"ALTER DATABASE {name} SET role = {role}"))
        with closing(Database(empty_postgres_url)) as database, database.engine.begin() as own:
            own.execute(text(f"SET LOCAL role = NONE; GRANT ALL ON SCHEMA public TO {role}"))
        yield
        with closing(Database(empty_postgres_url)) as database, database.engine.begin() as own:
            own.execute(text(f"SET LOCAL role = NONE; DROP OWNED BY {role} CASCADE"))
        connection.execute(text(f"ALTER DATABASE {name} RESET role"))
        connection.execute(text(f"DROP ROLE {role}"))


def test_a_role_that_may_make_no_extension_migrates_all_the_same(empty_postgres_url, modest_role):
    with closing(Database(empty_postgres_url)) as database:
        migrate.upgrade(database)
        with database.write(at=NOW) as session:
            Make(session).opportunity(name="Solar roof")

        assert counted(database, "solar", "moon") == [1, 0]
        assert check.advice(database) == [check.SEARCH_IS_SLOW]
        with pytest.raises(DatabaseUnavailable, match="pg_trgm"):
            check.repair(database)


def test_every_text_that_is_searched_is_in_the_index():
    for each in EVERYWHERE:
        for model, names in each.searched.values():
            assert set(names) <= set(SEARCHED[model].c.keys())
