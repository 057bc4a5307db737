"""A value may be in another column for each status, and 0 may mean that it is unknown."""

from decimal import Decimal

import pytest

from crm_core.importing import cells
from tests.crm_core.importing.conftest import HEADER, SMALL, all_deals, small_mapping, with_columns

WITH_FINAL = f"{HEADER},final"
BY_STATUS = with_columns(expected_value={"won": "final", "lost": "worth", "open": ["final", "worth"]})


def row(number, stage, worth, final):
    closed = "" if stage == "Open" else "2024-03-01"
    return f'{number},Pump,Acme,Rita Rep,{stage},"{worth}",2024-01-02,{closed},"{final}"'


def values(database):
    return [deal.expected_value for deal in all_deals(database)]


@pytest.mark.both_databases
def test_each_status_has_a_column_of_its_own(database, import_lines):
    import_lines(
        row(1, "Won", 10, 11),
        row(2, "Won", 10, ""),
        row(3, "Lost", 20, 21),
        row(4, "Open", 30, ""),
        row(5, "Open", 30, 31),
        mapping=BY_STATUS,
        header=WITH_FINAL,
    )

    assert values(database) == [11, None, 20, 30, 31]


def test_the_status_column_decides_which_value_is_meant(database, import_lines):
    mapping = small_mapping(
        columns=SMALL["columns"]
        | {"status": "status", "expected_value": {"won": "final", "lost": "worth", "open": "worth"}},
        statuses={"Open": "open", "Won": "won", "Lost": "lost"},
    )
    lines = [f"{row(1, 'Open', 10, 11)},Won", f"{row(2, 'Open', 10, 11)},Lost"]
    lines = [line.replace("2024-01-02,,", "2024-01-02,2024-03-01,") for line in lines]

    import_lines(*lines, mapping=mapping, header=f"{WITH_FINAL},status")

    assert values(database) == [11, 10]


def test_what_can_not_be_read_is_refused_by_the_column_it_is_in(import_lines):
    report = import_lines(
        row(1, "Won", 10, "much"), row(2, "Lost", "more", 5), mapping=BY_STATUS, header=WITH_FINAL
    )

    assert [(each.row, each.column) for each in report.refusals] == [(2, "final"), (3, "worth")]


def test_the_column_of_each_status_must_be_there(database, import_lines):
    with pytest.raises(Exception, match="lacks the column “final” that the mapping old needs"):
        import_lines(row(1, "Won", 10, 11), mapping=BY_STATUS, header=HEADER + ",other")

    optional = BY_STATUS.model_copy(update={"optional": frozenset({"expected_value"})})
    report = import_lines(row(1, "Won", 10, 11), mapping=optional, header=HEADER + ",other")

    assert report.warnings == ["The file has no column for expected_value of won deals."]
    assert values(database) == [None]


@pytest.mark.parametrize("zero", ["0", "0.00", "0,00 €", "€ 0", "-0.00", "(0.00)", "$0", "0 USD", ".0", "0K"])
def test_every_zero_is_the_same(zero):
    assert cells.is_zero(f" {zero} ")


@pytest.mark.parametrize("other", ["", "-", "0.01", "10", "0 apples", "zero", "0/0", "1,000", "O"])
def test_nothing_else_is_zero(other):
    assert not cells.is_zero(other)


ZEROS = ("0", "0.00", "0,00 €")


def test_a_column_says_that_its_zeros_are_unknown(database, import_lines):
    mapping = with_columns(expected_value=["final", "worth"]).model_copy(
        update={"zero_is_unknown": frozenset({"final"})}
    )
    unknown = [row(number, "Won", "7", zero) for number, zero in enumerate(ZEROS)]
    known = [row(number, "Won", "0.00", zero) for number, zero in enumerate(ZEROS, start=10)]

    import_lines(*unknown, *known, mapping=mapping, header=WITH_FINAL)

    assert values(database) == [7] * 3 + [Decimal(0)] * 3


def test_a_zero_among_the_unknown_words_is_every_zero(database, import_lines):
    lines = [row(number, "Won", zero, "") for number, zero in enumerate(ZEROS)]

    import_lines(*lines, mapping=small_mapping(unknown={"expected_value": ["0"]}), header=WITH_FINAL)

    assert values(database) == [None, None, None]


def test_a_zero_is_a_value_unless_something_else_is_said(database, import_lines):
    import_lines(row(1, "Won", "0", ""), row(2, "Won", "$0.00", ""), header=WITH_FINAL)

    assert values(database) == [0, 0]
