"""Whole lists as files: what the list shows, in words, and all of it."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest

from crm_core.errors import InvalidInput
from crm_core.exporting import ExportFormat
from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, OpportunityFilter
from crm_core.models import Lead, LeadStatus, OpportunityStage, Settings
from crm_core.services.export_service import COLUMNS, NoSuchColumn, export
from crm_core.sorting import CompanySort, ContactSort, LeadSort, OpportunitySort
from tests import workbooks
from tests.builders import Make, reason_id
from tests.conftest import NOW

LISTS = {
    "Opportunities": (OpportunityFilter(), OpportunitySort.NAME),
    "Leads": (LeadFilter(), LeadSort.NAME),
    "Companies": (CompanyFilter(), CompanySort.NAME),
    "Contacts": (ContactFilter(), ContactSort.NAME),
}


@pytest.fixture
def sold(session, make):
    """A deal that was lost, with everything that belongs to it, and one about which little is known."""
    session.get_one(Settings, 1).time_zone = "Asia/Tokyo"
    rita = make.user("Rita Rep").id
    acme = make.company("Acme", owner_id=rita, website="https://acme.example").id
    ada = make.contact("Ada", company_id=acme, email="ada@acme.example").id
    make.lead("Grace", status=LeadStatus.UNQUALIFIED, estimated_value=Decimal(5), phone="+41 79 123 45 67")
    make.lost(
        "12.50",
        name="Roof",
        company_id=acme,
        contact_id=ada,
        owner_id=rita,
        close_reason_id=reason_id(session, "Competitor"),
        close_note="=HYPERLINK(1)",
        created_at=NOW,
        expected_close_date=date(2026, 4, 1),
    )
    make.opportunity(name="Wind park", created_at=NOW)


def as_csv(session, where, sort, **options):
    file = io.BytesIO()
    count = export(session, where, sort, file, format=ExportFormat.CSV, **options)
    found = list(csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline="")))
    assert len(found) == count
    return found


def as_excel(session, where, sort, **options):
    file = io.BytesIO()
    export(session, where, sort, file, format=ExportFormat.EXCEL, **options)
    return workbooks.read(file)


def test_a_deal_is_told_in_words(session, sold):
    lost, won = as_csv(session, *LISTS["Opportunities"])

    assert lost == {
        "Name": "Roof",
        "Company": "Acme",
        "Contact": "Ada",
        "Owner": "Rita Rep",
        "Stage": "Closed lost",
        "Value (USD)": "12.50",
        "Probability": "0%",
        "Expected close": "2026-04-01",
        "Next step": "",
        "Next step on": "",
        "Source": "",
        "Closed on": "2026-03-18",
        "Close reason": "Competitor",
        "Close note": "'=HYPERLINK(1)",
        "Description": "",
        "In stage since": "2026-03-18",
        "Created on": "2026-03-18",
        "Created (Asia/Tokyo)": "2026-03-18 21:00:00",
        "Changed (Asia/Tokyo)": "2026-03-18 21:00:00",
        "ID": "1",
    }
    assert (won["Stage"], won["Owner"], won["Close reason"]) == ("Qualification", "", "")


@pytest.mark.parametrize("title", LISTS)
def test_each_list_becomes_a_sheet(session, sold, title):
    (name, sheet), *others = as_excel(session, *LISTS[title]).items()

    assert (name, others) == (title, [])
    heads = [column.heading for column in COLUMNS[LISTS[title][0].model].values()]
    assert [shown.partition(" (")[0] for shown in sheet.values[0]] == heads
    assert sheet.is_head_frozen


def test_a_lead_is_told_in_words(session, sold):
    (sheet,) = as_excel(
        session, *LISTS["Leads"], columns=["name", "status", "phone", "estimated_value"]
    ).values()

    assert sheet.values == [
        ["Name", "Status", "Phone", "Estimated value (USD)"],
        ["Grace", "Unqualified", "+41 79 123 45 67", 5.0],
    ]


def test_several_addresses_stand_in_one_cell(session, make):
    make.contact("Ada", other_emails=("a@a.example", "b@a.example"), other_phones=("+41 79 1",))
    make.contact("Bob")
    several = {"columns": ["name", "other_emails", "other_phones"]}

    rows = as_csv(session, *LISTS["Contacts"], **several)
    (sheet,) = as_excel(session, *LISTS["Contacts"], **several).values()

    heads = ["Name", "Other e-mails", "Other phones"]
    ada = ["Ada", "a@a.example; b@a.example", "+41 79 1"]
    assert [list(row.values()) for row in rows] == [ada, ["Bob", "", ""]]
    assert sheet.values == [heads, ada, ["Bob"]]


def test_the_filter_the_order_and_the_columns_are_the_lists(session, make):
    for name, value in (("Low", 1), ("High", 3), ("Middle", 2), ("Won", 9)):
        stage = OpportunityStage.CLOSED_WON if name == "Won" else OpportunityStage.PROPOSAL
        make.opportunity(name=name, expected_value=Decimal(value), stage=stage)

    rows = as_csv(
        session,
        OpportunityFilter(stages={OpportunityStage.PROPOSAL}),
        OpportunitySort.VALUE_DESCENDING,
        columns=["expected_value", "name"],
    )

    assert [list(row.items()) for row in rows] == [
        [("Value (USD)", "3.00"), ("Name", "High")],
        [("Value (USD)", "2.00"), ("Name", "Middle")],
        [("Value (USD)", "1.00"), ("Name", "Low")],
    ]


def test_a_list_is_exported_as_it_was(database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(name="Before")
    with database.write() as session:
        session.merge(deal).name = "After"

    with database.read() as session:
        (then,) = as_csv(session, OpportunityFilter(as_of=NOW), OpportunitySort.NAME)
        (now,) = as_csv(session, OpportunityFilter(), OpportunitySort.NAME)
    assert (then["Name"], now["Name"]) == ("Before", "After")


@pytest.mark.parametrize("title", LISTS)
def test_a_column_that_no_list_has_is_refused(session, title):
    with pytest.raises(NoSuchColumn, match="no column “bonus”"):
        as_csv(session, *LISTS[title], columns=["name", "bonus"])
    assert issubclass(NoSuchColumn, InvalidInput)


@pytest.mark.parametrize("file_format", ExportFormat)
def test_an_empty_list_is_a_head(session, file_format):
    file, told = io.BytesIO(), []

    count = export(
        session,
        *LISTS["Leads"],
        file,
        format=file_format,
        progress=lambda written, total: told.append((written, total)),
    )

    assert count == 0
    assert told == [(0, 0)]
    assert file.getvalue()


def test_how_far_it_is_is_told(session):
    session.add_all(Lead(name=f"Lead {number}") for number in range(2_500))
    session.flush()
    told = []

    as_csv(session, *LISTS["Leads"], progress=lambda written, total: told.append((written, total)))

    assert told == [(0, 2500), (1000, 2500), (2000, 2500), (2500, 2500)]
