"""Amounts of two currencies are never added: a deal in another one is refused, or left out and counted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from crm_core.importing.report import OtherCurrency
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import settings_service
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

    assert "Amounts with more than two decimals, now rounded: 2 (row 2, 3)." in report.warnings
    assert [deal.expected_value for deal in all_deals(database)] == [
        Decimal("19567.72"),
        Decimal("1234.57"),
        Decimal("10.50"),
        Decimal("10.50"),
    ]


def test_a_column_of_fractions_says_so_by_what_it_has(database, import_lines):
    header, chances = f"{HEADER},chance", with_columns(probability="chance")
    line = "{0},Pump,Acme,Rita Rep,Open,10,2024-01-02,,{1}".format

    import_lines(line("A", "0.65"), line("B", "1"), mapping=chances, header=header)
    import_lines(line("C", "0.65"), line("D", "1"), line("E", "40"), mapping=chances, header=header)

    assert [deal.probability for deal in all_deals(database)] == [65, 100, 65, 1, 40]
