"""A text finds what Python finds, whoever wrote the names, and however many have it."""

import re
import unicodedata
import uuid
from contextlib import closing, suppress
from datetime import timedelta
from weakref import WeakKeyDictionary

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import make_url, select
from sqlalchemy import text as sql
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
from crm_core.folding import fold
from crm_core.listing import every_row
from crm_core.models import (
    LOCAL_USER_ID,
    SEARCHED,
    Company,
    LeadStatus,
    Opportunity,
    Settings,
    Transaction,
)
from crm_core.schemas.company import CompanyResponse
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.scope import scope_of
from crm_core.services import company_service, opportunity_service, undo_service
from crm_core.services.duplicates import LIKELY
from crm_core.services.opportunity_service import count_opportunities, preview_conversion
from crm_core.sorting import CompanySort, OpportunitySort
from tests.builders import Make
from tests.conftest import NOW, Discard

pytestmark = pytest.mark.both_databases

AWKWARD = (
    "aAbBiIkKsS %_\\/'\"()*{}:^-+~.,0\t\u00a0"
    "\u0130\u0131\u017f\u212aéÉßẞæłŽžЖжΣσά\u0301\u0307\u200d\u200f\u2019\u2013"
    "中文かが\u3099\U0001f600\U0001f468\ufb01\ufffd\U0010ffff"
)
"""Without the two that are no characters: SQLite's index takes them for U+FFFD."""
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


def decomposed(text):
    return unicodedata.normalize("NFD", text)


def composed(text):
    return unicodedata.normalize("NFC", text)


def spaced(text):
    """With other blanks, and one that nobody sees."""
    return f" \u200b{text.replace(' ', '  ').replace(chr(9), chr(0xA0))}\u2003"


def bare(text):
    """Without accents, as somebody types it whose keyboard has none."""
    return re.sub("([a-zA-Zα])[\u0301\u0307\u030c]+", r"\1", unicodedata.normalize("NFD", text))


def words(text):
    """What is looked for; what stands between words only where there is nothing else."""
    return re.sub('[,;"<>]', " ", fold(text)).split() or fold(text).split()


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
@example(names=("Solar roof.", "Acme.", "Zoë."), wanted="acme zoe roof", cut=None)
def test_a_text_finds_what_python_finds(session, make, many, names, wanted, cut):
    """Each word of it, in one of the three names; those of a cut are what the record is called."""
    deal, company, contact = names
    key = make.opportunity(
        name=deal, company_id=make.company(company).id, contact_id=make.contact(contact).id
    ).id
    texts = [wanted]
    if cut is not None:
        name = cut.draw(st.sampled_from(names))
        begin = cut.draw(st.integers(0, len(name) - 1))
        texts.append(name[begin : cut.draw(st.integers(begin + 1, len(name)))].upper())
        texts.append(" ".join(cut.draw(st.permutations(names))))

    called = CALLED.setdefault(session, {})
    called[key] = [fold(name) for name in names]
    for each in filter(fold, texts):
        where = OpportunityFilter(text=each)
        expected = {
            key
            for key, names in called.items()
            if all(any(word in name for name in names) for word in words(each))
        }
        in_order = every_row(session, where, OpportunitySort.CREATED_DESCENDING, OpportunityResponse)
        assert found(session, where) == {row.id for row in in_order} == expected


@given(
    name=NAMES, vary=st.sampled_from([str.upper, str.lower, str.title, decomposed, composed, spaced, bare])
)
def test_a_name_and_its_variation_are_one_to_everything_that_compares(session, make, name, vary):
    """In a search, in hints while typing, as a lead's company, and beside each other in a list."""
    company, other = make.company(name).id, make.company(vary(name)).id
    lead = make.lead(status=LeadStatus.QUALIFIED, company_name=vary(name))

    named = CompanyFilter(text=vary(name))
    assert {company, other} <= found(session, named)
    hinted = company_service.find_duplicates(session, name=vary(name), limit=10_000)
    oldest = min(each.id for each in hinted)
    assert {company, other} <= {each.id for each in hinted} or len(hinted) == LIKELY
    assert preview_conversion(session, lead.id, ConversionChoice()).company.id == oldest
    in_order = [row.id for row in every_row(session, named, CompanySort.NAME, CompanyResponse)]
    same = {row.id for row in session.scalars(select(Company).where(Company.folded_name == fold(name)))}
    places = [place for place, key in enumerate(in_order) if key in same]
    assert places == list(range(min(places), max(places) + 1))


def test_words_are_found_in_any_order_each_anywhere(session, make, many):
    acme = make.company("Acme Industrial").id
    ada = make.contact("Ada Example", company_id=acme, email="ada@acme.example").id
    deal = make.opportunity(name="Solar roof", company_id=acme, contact_id=ada).id
    make.opportunity(name="Solar panel", company_id=make.company("Globex").id)

    for text in ("solar acme", "roof solar", "solar  roof", "ACME ada roof", "olar dustri", "in roo"):
        assert found(session, OpportunityFilter(text=text)) == {deal}, text
    for text in ("solar acme wind", "globex roof"):
        assert found(session, OpportunityFilter(text=text)) == set(), text
    for text in (
        *("Example Ada", "Example, Ada", "ada; acme", "Ada  Example", "industrial ada@acme"),
        *("Example,Ada", "EXAMPLE，Ada", "Example、Ada", '"Ada Example" <ada@acme.example>', "“Example” Ada"),
    ):
        assert found(session, ContactFilter(text=text)) == {ada}, text


def test_letters_are_found_without_their_marks_and_signs_without_their_kind(session, make, many):
    names = "Müller GmbH", "Straße & Söhne", "İstanbul Lojistik", "Café René", "Łódź Energia", "O’Brien–Ltd"
    ids = dict(zip(names, (make.company(name).id for name in names), strict=True))

    for text, name in (
        ("Muller", "Müller GmbH"),
        ("strasse", "Straße & Söhne"),
        ("SOHNE STRASSE", "Straße & Söhne"),
        ("istanbul", "İstanbul Lojistik"),
        ("ISTANBUL", "İstanbul Lojistik"),
        ("cafe rene", "Café René"),
        ("lodz", "Łódź Energia"),
        ("o'brien-ltd", "O’Brien–Ltd"),
    ):
        assert found(session, CompanyFilter(text=text)) == {ids[name]}, text


@pytest.mark.parametrize(("noun", "kind_of_filter"), [("contact", ContactFilter), ("lead", LeadFilter)])
def test_a_person_is_found_by_the_phone_number_in_any_notation(session, make, many, noun, kind_of_filter):
    session.get_one(Settings, 1).country = "CH"
    ada = getattr(make, noun)("Ada Example", phone="079 123 45 67").id
    getattr(make, noun)("Bob 12345", phone="+44 20 7946 0958 ext. 12")
    getattr(make, noun)("Nobody")

    for text in (
        *("079 123 45 67", "0791234567", "+41791234567", "0041 (0)79-123-45-67", "123 45 67"),
        *("079123", "Ada 079 123 45 67", "079/123.45.67 example", "tel 079 123 45 67"),
        *("٠٧٩ ١٢٣ ٤٥ ٦٧", "۰۷۹ ۱۲۳", "+41 (0)79 123"),
    ):
        assert found(session, kind_of_filter(text=text)) == {ada}, text
    for text in ("079 123 45 68", "Bob 079 123 45 67", "+44 79 123 45 67"):
        assert found(session, kind_of_filter(text=text)) == set(), text
    for text in ("020 7946 0958", "+44 20 7946 0958", "Bob 12345", "12345 bob"):
        (bob,) = found(session, kind_of_filter(text=text))
        assert bob != ada, text


@pytest.mark.parametrize("kind_of_filter", EVERYWHERE)
@pytest.mark.parametrize("wanted", ["sol", "so", "LÄR", "är", "qqq"])
def test_every_list_is_searched_in_all_that_it_calls_a_record(session, make, many, kind_of_filter, wanted):
    expected = set()
    for noun, column in EVERYWHERE[kind_of_filter]:
        for value in ("Solär", "Other", "solAR"):
            record = getattr(make, noun)(**{column: value})
            expected |= {record.id} if fold(wanted) in fold(value) else set()

    assert found(session, kind_of_filter(text=wanted)) == expected


def test_a_contact_is_found_by_further_addresses_and_numbers(session, make, many):
    ada = make.contact(
        "Ada",
        email="ada@old.example",
        other_emails=("ADA@new.example", "lovelace@new.example"),
        phone="415 555 0101",
        other_phones=("+1 (415) 555-0202", "044 668 18 00"),
    ).id
    make.contact("Bob", email="bob@old.example", phone="415 555 0303")

    for text in (
        "ada@new",
        "lovelace",
        "ada lovelace@new.example",
        "415 555 0202",
        "4155550101",
        "0446681800",
    ):
        assert found(session, ContactFilter(text=text)) == {ada}, text
    assert found(session, ContactFilter(text="415 555 0404")) == set()


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
    "UPDATE opportunity_search SET folded_name = 'other' WHERE rowid = 1": (
        "opportunities 1: a search does not find it, which `python -m crm_core check --repair` mends."
    ),
    "DELETE FROM company_search": (
        "companies 1: a search does not find it, which `python -m crm_core check --repair` mends."
    ),
    "INSERT INTO contact_search (rowid, folded_name) VALUES (7, 'nobody')": (
        "contacts 7: a search knows it, but there is none."
    ),
}


@pytest.mark.parametrize(("damage", "told"), BROKEN.items())
def test_a_broken_index_is_found_and_mended(sqlite_url, monkeypatch, damage, told):
    with closing(Database(sqlite_url)) as database:
        with database.write(at=NOW) as session:
            make = Make(session)
            make.opportunity(name="Solar roof", company_id=make.company("Acme").id)
        with database.migration() as connection:
            connection.execute(sql(damage))

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
            connection.execute(sql("DROP EXTENSION pg_trgm CASCADE"))

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
        connection.execute(sql(f"CREATE ROLE {role}"))
        connection.execute(sql(f"ALTER DATABASE {name} SET role = {role}"))
        with closing(Database(empty_postgres_url)) as database, database.engine.begin() as own:
            own.execute(sql(f"SET LOCAL role = NONE; GRANT ALL ON SCHEMA public TO {role}"))
        yield
        with closing(Database(empty_postgres_url)) as database, database.engine.begin() as own:
            own.execute(sql(f"SET LOCAL role = NONE; DROP OWNED BY {role} CASCADE"))
        connection.execute(sql(f"ALTER DATABASE {name} RESET role"))
        connection.execute(sql(f"DROP ROLE {role}"))


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
        for model, names in (*each.searched.values(), *each.dialed.values()):
            assert set(names) <= set(SEARCHED[model].c.keys())
