"""A list as CSV: the whole of it, as of one instant, for a spreadsheet and for the importer."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from api import door
from crm_core import clock, listing
from crm_core.importing.cells import unescaped
from crm_core.models import Company, Opportunity, OpportunityStage, Settings, Visibility
from crm_core.schemas.company import CompanyResponse
from crm_core.schemas.contact import ContactResponse
from crm_core.schemas.lead import LeadResponse
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import opportunity_service
from tests.api.conftest import fields_of, problem_of

DEALS = "/api/opportunities"
CSV = {"Accept": "text/csv"}
RESPONSES = {
    "opportunities": OpportunityResponse,
    "leads": LeadResponse,
    "companies": CompanyResponse,
    "contacts": ContactResponse,
}
FORMULAS = (
    "=1+1",
    "+1+2",
    "-1",
    "@SUM(1)",
    "\tx",
    "\rx",
    "\nx",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b\u2060 -1",
)
QUOTED = ("'quoted'", "''twice", "'", "'=1")
PLAIN = (
    'say "hi"',
    "a,b;c",
    "two\r\nlines",
    "Ä😀",
    "1=1",
    "x-1",
    " padded ",
    "+41 79 123 45 67",
    "+41791234567",
)


@pytest.fixture
def small_batches(monkeypatch) -> None:
    """Several of them in a list of a dozen."""
    monkeypatch.setattr(listing, "BATCH", 3)


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text[1:], newline="")))


def told(row: dict[str, Any]) -> dict[str, str]:
    """A row of JSON as its cells have to be read."""
    texts = {name: "; ".join(value) for name, value in row.items() if isinstance(value, list)}
    return {name: "" if value is None else str(value) for name, value in (row | texts).items()}


@pytest.mark.parametrize("noun", RESPONSES)
def test_the_whole_list_is_told_in_its_order(client, given, small_batches, noun):
    with given() as make:
        build = {
            "opportunities": make.opportunity,
            "leads": make.lead,
            "companies": make.company,
            "contacts": make.contact,
        }[noun]
        owners = [None, make.user("Rita").id, make.user("Nora").id]
        for number in range(10):
            several = (
                {"other_emails": ("a@a.example", "b@a.example")[: number % 3]} if noun == "contacts" else {}
            )
            build(name=f"{noun} {number % 3}", owner_id=owners[number % 3], **several)
    query = {"sort": "-name", "text": "S", "created_from": f"{(clock.now() - timedelta(days=2)).date()}"}

    rows = rows_of(client.get(f"/api/{noun}", params=query | {"limit": 2}, headers=CSV))

    page = client.get(f"/api/{noun}", params=query).json()
    assert len(page["items"]) == 10
    assert rows == [told(row) for row in page["items"]]
    assert list(rows[0]) == list(RESPONSES[noun].model_fields)
    assert rows_of(client.get(f"/api/{noun}", params={"text": "nothing"}, headers=CSV)) == []


def test_a_list_can_be_saved(client):
    headers = client.get(DEALS, headers=CSV).headers

    assert headers["Content-Disposition"] == 'attachment; filename="opportunities.csv"'
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.on_sqlite
def test_who_does_not_ask_for_csv_gets_json(client):
    for accept in (
        "*/*",
        "application/json",
        "text/html",
        "text/csv, application/json",
        "text/csvx",
        "text/csv;q=0, */*",
    ):
        assert client.get(DEALS, headers={"Accept": accept}).json()["total"] == 0
    for accept in ("text/csv", "Text/CSV", "text/csv; charset=utf-8", "text/plain, text/csv;q=0.5"):
        assert rows_of(client.get(DEALS, headers={"Accept": accept})) == []


def test_nothing_becomes_a_formula_and_everything_is_read_back(client, given):
    texts = [*FORMULAS, *QUOTED, *PLAIN]
    with given() as make:
        for text in texts:
            make.opportunity(name=f"x{text}", source=text, description=text, next_step=text)

    rows = rows_of(client.get(DEALS, params={"sort": "created"}, headers=CSV))

    for field in ("source", "description", "next_step"):
        assert [unescaped(row[field]) for row in rows] == texts
        escaped = [text for row, text in zip(rows, texts, strict=True) if row[field] != text]
        assert escaped == [*FORMULAS, *QUOTED]
    raw = client.get(DEALS, headers=CSV).text
    assert not [start for start in FORMULAS if f'"{start}' in raw]


def test_names_of_others_are_no_formulas_either(client, given):
    with given() as make:
        company = make.company("=HYPERLINK(1)").id
        contact = make.contact("@x").id
        make.opportunity(company_id=company, contact_id=contact, owner_id=make.user("-1+1").id)

    row = rows_of(client.get(DEALS, headers=CSV))[0]

    assert (row["company_name"], row["contact_name"], row["owner_name"]) == ("'=HYPERLINK(1)", "'@x", "'-1+1")


def test_numbers_days_and_instants_are_plain(client, given):
    with given() as make:
        make.opportunity(
            stage=OpportunityStage.DISCOVERY,
            expected_value=Decimal("1234567.5"),
            expected_close_date=clock.now().date(),
        )
        make.won("0.07")

    deal, won = rows_of(client.get(DEALS, headers=CSV))

    assert (deal["expected_value"], deal["probability"], deal["stage"]) == ("1234567.50", "25", "discovery")
    assert deal["expected_close_date"] == f"{clock.now().date()}"
    assert deal["created_at"].endswith("Z")
    assert (deal["closed_at"], deal["company_id"]) == ("", "")
    assert (won["expected_value"], won["actual_close_date"]) == ("0.07", won["closed_at"][:10])


def test_a_long_list_is_sent_whole(client, given):
    with given() as make:
        for number in range(15):
            make.opportunity(name=f"Deal {number}", description=f"{number}" * 50_000)

    rows = rows_of(client.get(DEALS, params={"sort": "created"}, headers=CSV))

    assert [(row["name"], len(row["description"])) for row in rows] == [
        (f"Deal {number}", len(f"{number}") * 50_000) for number in range(15)
    ]


def test_what_changes_meanwhile_is_not_in_it(client, database, given, small_batches):
    with given() as make:
        make.company("Acme")
        ids = [make.opportunity(name=f"Deal {number}", company_id=1).id for number in range(10)]
    before = rows_of(client.get(DEALS, params={"sort": "name"}, headers=CSV))
    engine = door.database(database.url.render_as_string(hide_password=False)).engine
    reads = []

    def interfere(_connection, _cursor, statement, *_more):
        if "FROM opportunities" not in statement:
            return
        reads.append(statement)
        with database.write() as session:
            opportunity_service.delete_opportunity(session, ids[len(reads)])
            session.get_one(Opportunity, ids[-1]).name = f"Aaa {len(reads)}"
            session.get_one(Company, 1).name = f"Zoo {len(reads)}"
            session.add(Opportunity(name="Deal 5b", stage=OpportunityStage.DISCOVERY, probability=1))

    event.listen(engine, "after_cursor_execute", interfere)
    try:
        during = rows_of(client.get(DEALS, params={"sort": "name"}, headers=CSV))
    finally:
        event.remove(engine, "after_cursor_execute", interfere)

    assert len(reads) == 4
    assert during == before
    after = rows_of(client.get(DEALS, params={"sort": "name"}, headers=CSV))
    assert (len(after), after[0]["name"], after[-1]["company_name"]) == (10, "Aaa 4", "Zoo 4")


@pytest.mark.on_sqlite
def test_a_wrong_list_is_refused_as_ever(client):
    assert fields_of(client.get(DEALS, params={"sort": "x", "limit": 0}, headers=CSV)) == ["limit", "sort"]
    assert problem_of(client.get(DEALS, headers=CSV | {"Origin": "https://evil.example"}), 401)
    assert problem_of(client.get(DEALS, headers=CSV | {"Host": "crm.example.com"}), 403)


@pytest.mark.on_sqlite
def test_only_what_may_be_read_is_exported(client, world, token_of, given):
    with given() as make:
        make.session.get_one(Settings, 1).visibility = Visibility.OWN

    assert rows_of(client.get(DEALS, headers=CSV | token_of(world.otto))) == []
    assert len(rows_of(client.get(DEALS, headers=CSV | token_of(world.rita)))) == 4
