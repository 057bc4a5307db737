"""Amounts of two currencies are never added: a deal in another one is refused, or left out and counted."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_core.currency import Currency
from crm_core.exporting import ExportFormat
from crm_core.filters import EVERYTHING
from crm_core.importing import Mapping, import_opportunities
from crm_core.importing.report import OtherCurrency
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from crm_core.services.export_service import export
from crm_core.sorting import OpportunitySort
from tests import workbooks
from tests.crm_core.importing.conftest import AT, HEADER, all_deals, with_columns

pytestmark = pytest.mark.both_databases

WITH_CURRENCY = with_columns(currency="money")
OURS = "1,Pump,Acme,Rita Rep,Open,100,2024-01-02,,{}"
THEIRS = ("2,Valve,Acme,Rita Rep,Open,1000000,2024-01-02,,JPY", "3,Pipe,Acme,Rita Rep,Open,,2024-01-02,,jpy")


@pytest.fixture
def import_money(database, import_lines):
    with database.write(at=AT - timedelta(days=1)) as session:
        settings_service.update_settings(session, SettingsUpdate(currency="EUR"))

    def import_money(*lines, **options):
        return import_lines(*lines, mapping=WITH_CURRENCY, header=f"{HEADER},money", **options)

    return import_money


@pytest.mark.parametrize("written", ["EUR", "eur", " EUR ", "\u20ac", ""])
def test_a_deal_in_the_workspaces_currency_is_imported(database, import_money, written):
    report = import_money(OURS.format(written))

    assert (report.created, report.refusals, report.other_currencies) == (1, [], {})
    assert [deal.expected_value for deal in all_deals(database)] == [100]


def test_a_deal_in_another_currency_is_refused_by_name(database, import_money):
    report = import_money(OURS.format("EUR"), *THEIRS)

    assert [(one.row, one.column, one.value) for one in report.refusals] == [
        (3, "money", "JPY"),
        (4, "money", "jpy"),
    ]
    assert "This is not in EUR. Convert the amount" in report.refusals[0].reason
    assert report.other_currencies == {"JPY": OtherCurrency(2, Decimal(1_000_000))}
    assert "2 deals are in another currency and refused: JPY 1,000,000." in str(report)
    assert all_deals(database) == []


def test_deals_in_other_currencies_are_left_out_on_request_and_counted(database, import_money):
    wrong_too = "4,,Acme,Rita Rep,Nowhere,x,soon,,USD"  # a row that is passed over stops nobody

    report = import_money(OURS.format("EUR"), *THEIRS, wrong_too, leave_out_other_currencies=True)

    assert (report.created, report.refusals) == (1, [])
    assert report.other_currencies == {"JPY": OtherCurrency(2, Decimal(1_000_000)), "USD": OtherCurrency(1)}
    assert "2 deals are in another currency and left out: JPY 1,000,000.\n1 deal is in" in str(report)
    assert [deal.expected_value for deal in all_deals(database)] == [100]


def test_what_is_no_currency_is_refused(import_money):
    report = import_money(OURS.format("Taler"), leave_out_other_currencies=True)

    assert [one.reason for one in report.refusals] == ["This is no currency. Write its code, such as EUR."]


def test_a_file_without_the_column_says_what_its_amounts_are_taken_for(import_lines):
    mapping = with_columns(currency="money").model_copy(update={"optional": frozenset({"currency"})})

    report = import_lines("1,Pump,Acme,Rita Rep,Open,100,2024-01-02,", mapping=mapping)

    assert "The file names no currency: its amounts are taken as USD." in report.warnings


def test_amounts_with_more_than_two_decimals_are_rounded_and_counted(database, import_money):
    lines = [
        f"{number},Pump,Acme,Rita Rep,Open,{amount},2024-01-02,,EUR"
        for number, amount in enumerate(["19567.719999999998", "1234.5678", "10.50", "10.5000"], start=1)
    ]

    report = import_money(*lines)

    assert (
        "Amounts with more decimals than EUR has, now rounded to two decimals: 2 (row 2, 3)."
        in report.warnings
    )
    assert [deal.expected_value for deal in all_deals(database)] == [
        Decimal("19567.72"),
        Decimal("1234.57"),
        Decimal("10.50"),
        Decimal("10.50"),
    ]


@pytest.mark.parametrize(
    ("code", "stored", "sentence"),
    [
        ("JPY", ["1", "13", "1234"], "than JPY has, now rounded to no decimals: 2 (row 2, 3)."),
        ("USD", ["0.50", "12.75", "1234.00"], None),
        ("KWD", ["0.500", "12.750", "1234.000"], None),
    ],
)
def test_an_amount_has_the_decimals_of_the_currency(database, import_in, code, stored, sentence):
    report = import_in(code, "0.5", "12.75", "1234")

    assert list(map(str, amounts(database))) == stored
    assert [warning for warning in report.warnings if "rounded" in warning] == (
        [f"Amounts with more decimals {sentence}"] if sentence else []
    )


def test_three_decimals_are_no_thousands_where_the_currency_has_them(database, import_in):
    report = import_in("KWD", "1.234", "0.005", "12.345", "0.0005", "1,234.5")

    assert amounts(database) == list(map(Decimal, ("1.234", "0.005", "12.345", "0.001", "1234.5")))
    assert (
        "Amounts with more decimals than KWD has, now rounded to three decimals: 1 (row 5)."
        in report.warnings
    )


@pytest.mark.parametrize("code", ["JPY", "USD"])
def test_what_may_be_thousands_is_refused(import_in, code):
    (refusal,) = import_in(code, "1.234").refusals

    assert "write the amount with no more decimals than the currency has" in refusal.reason


@pytest.mark.parametrize("kind", ExportFormat)
@pytest.mark.parametrize("code", ["JPY", "USD", "KWD"])
def test_what_was_exported_is_imported_as_the_same(database, import_in, code, kind):
    """Excel's numbers come back as well: a sheet is saved as CSV before."""
    unit = Currency(code).unit
    exact = [Decimal(0), unit, 1234 * unit, Decimal(1234), Decimal(9_999_999_999), 123_456_789 * unit]
    import_in(code, *map(str, exact))

    report = import_opportunities(database, exported(database, kind), of_our_export(code), at=AT)

    assert (report.refusals, [each for each in report.warnings if "rounded" in each]) == ([], [])
    assert amounts(database) == exact + exact


def amounts(database) -> list[Decimal]:
    with database.read() as session:
        page = opportunity_service.get_rows(session, sort=OpportunitySort.CREATED, limit=200)
    return [deal.expected_value for deal in sorted(page, key=lambda deal: deal.id)]


def of_our_export(code: str) -> Mapping:
    columns = {"name": "Name", "owner": "Owner", "stage": "Stage", "expected_value": f"Value ({code})"}
    return Mapping(source="ours", columns=columns, stages={"Proposal": "proposal"})


def exported(database, kind: ExportFormat) -> bytes:
    """A file in the order of the deals, as CSV."""
    file = io.BytesIO()
    with database.read() as session:
        export(session, EVERYTHING, OpportunitySort.CREATED, file, format=kind)
    if kind is ExportFormat.CSV:
        return file.getvalue()
    (sheet,) = workbooks.read(file).values()
    heads, lines = sheet.values[0], io.StringIO()
    csv.writer(lines).writerows(row + [None] * (len(heads) - len(row)) for row in sheet.values)
    return lines.getvalue().encode()


@pytest.fixture
def import_in(database, import_lines):
    """Imports a deal for each amount into a workspace that has the currency."""

    def import_in(code: str, *written: str):
        with database.write(at=AT - timedelta(days=1)) as session:
            settings_service.update_settings(session, SettingsUpdate(currency=code))
        line = '{0},Deal {0},Acme,Rita Rep,Open,"{1}",2024-01-02,'.format
        return import_lines(*(line(number, amount) for number, amount in enumerate(written, start=1)))

    return import_in


def test_a_column_of_fractions_says_so_by_what_it_has(database, import_lines):
    header, chances = f"{HEADER},chance", with_columns(probability="chance")
    line = "{0},Pump,Acme,Rita Rep,Open,10,2024-01-02,,{1}".format

    import_lines(line("A", "0.65"), line("B", "1"), mapping=chances, header=header)
    import_lines(line("C", "0.65"), line("D", "1"), line("E", "40"), mapping=chances, header=header)

    assert [deal.probability for deal in all_deals(database)] == [65, 100, 65, 1, 40]
