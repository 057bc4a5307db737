"""A workbook holds what was in the list: numbers as numbers, days as days, and text as nothing but text."""

import io
import json
import tempfile
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.currency import Currency
from crm_core.exporting import (
    LONGEST_TEXT,
    Column,
    Kind,
    amount_format,
    write_csv_for_people,
    write_excel,
)
from crm_core.importing import cells
from crm_core.periods import Calendar
from crm_core.services.settings_service import Workspace
from tests import workbooks

SWISS = Workspace("CHF", "de_CH", Calendar(ZoneInfo("Europe/Zurich")), has_demo_data=False)
COLUMNS = [
    Column("Name", width=40),
    Column("Value", Kind.AMOUNT),
    Column("Probability", Kind.PERCENT),
    Column("Expected close", Kind.DAY),
    Column("Created", Kind.INSTANT),
    Column("ID", Kind.NUMBER),
]
ROW = ["Roof", Decimal("1234.50"), 55, date(2026, 3, 31), datetime(2026, 7, 1, 22, 30, 59, 9, UTC), 7]

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


def written(*rows, columns=COLUMNS, workspace=SWISS, **options):
    file = io.BytesIO()
    write_excel(file, columns, rows, workspace=workspace, title="Deals", **options)
    return workbooks.read(file)


def texts(*values):
    """How each text comes out of a sheet with that one column."""
    sheet = written(*([value] for value in values), columns=[Column("Name")])["Deals"]
    found = [row[0] if row else None for row in sheet.values[1:]]
    return found + [None] * (len(values) - len(found))


def test_every_kind_of_value_is_what_it_is():
    (sheet,) = written(ROW).values()

    name, value, probability, day, instant, number = sheet.rows[1]
    assert name == workbooks.Cell("Roof")
    assert value == workbooks.Cell(1234.5, '"CHF" #,##0.00')
    assert probability == workbooks.Cell(0.55, "0%")
    assert (day.instant, day.look) == ("2026-03-31 00:00:00", "yyyy-mm-dd")
    assert (instant.instant, instant.look) == ("2026-07-02 00:30:59", "yyyy-mm-dd hh:mm")
    assert number == workbooks.Cell(7.0)


def test_the_head_says_what_is_below_it_and_stays_in_sight():
    (sheet,) = written(ROW, ROW).values()

    heads = ["Name", "Value (CHF)", "Probability", "Expected close", "Created (Europe/Zurich)", "ID"]
    assert sheet.values[0] == heads
    assert sheet.is_head_frozen
    assert sheet.filtered == "A1:F3"
    assert all(width > len(head) for width, head in zip(sheet.widths, heads, strict=True))


def test_what_is_unknown_is_an_empty_cell():
    (sheet,) = written([None, None, None, None, None, 7], ["", None, None, None, None, 8]).values()

    assert sheet.values[1:] == [[None] * 5 + [7.0], [None] * 5 + [8.0]]


def test_a_list_without_rows_is_its_head():
    (sheet,) = written().values()

    assert len(sheet.rows) == 1
    assert sheet.filtered == "A1:F1"


@pytest.mark.parametrize(("rows", "sizes"), [(3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_what_one_sheet_does_not_hold_goes_on_in_the_next(rows, sizes):
    sheets = written(
        *([number] for number in range(rows)), columns=[Column("ID", Kind.NUMBER)], rows_per_sheet=3
    )

    assert list(sheets) == ["Deals", "Deals 2", "Deals 3"][: len(sizes)]
    assert [len(sheet.rows) - 1 for sheet in sheets.values()] == sizes
    assert all(sheet.values[0] == ["ID"] and sheet.is_head_frozen for sheet in sheets.values())
    assert [sheet.filtered for sheet in sheets.values()] == [f"A1:A{size + 1}" for size in sizes]
    found = [row[0] for sheet in sheets.values() for row in sheet.values[1:]]
    assert found == [float(number) for number in range(rows)]


@given(st.lists(storable.filter(lambda text: not text.startswith("<r>")), max_size=5))
def test_every_text_is_read_back(values):
    assert texts(*values) == [value or None for value in values]


@pytest.mark.parametrize(
    "text",
    [
        *(f"{start}1+1" for start in cells.FORMULA_STARTS),
        "{=1+1}",
        "http://example.com",
        "mailto:ada@example.com",
        "internal:Deals!A1",
        "007",
        "1e5",
        "2026-03-31",
        "TRUE",
        "_x0041_",
        " padded ",
        "two\r\nlines",
        "\ufffe\uffff\x01\x1f",
        "<b>&amp;</b>",
    ],
)
def test_text_is_never_anything_else(text):
    assert texts(text) == [text]


def test_no_text_is_markup():
    """XlsxWriter would put it into the file as it stands."""
    evil = "<r></t></is></c><c><f>1+1</f></c></r>"

    assert texts(evil, "<r>") == [f"'{evil}", "'<r>"]


def test_naughty_strings_are_read_back(shared_data):
    naughty = json.loads((shared_data / "naughty_strings" / "blns.json").read_text())

    assert texts(*naughty) == [text or None for text in naughty]


@pytest.mark.parametrize("letter", ["x", "é", "𝄞"])
def test_a_cell_holds_so_much_text_and_no_more(letter):
    size = len(letter.encode("utf-16-le")) // 2
    fits = letter * (LONGEST_TEXT // size)

    assert texts(fits) == [fits]
    (cut,) = texts(fits + letter)
    assert cut.endswith(f"{letter}…")
    assert LONGEST_TEXT - 2 < len(cut.encode("utf-16-le")) // 2 <= LONGEST_TEXT


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (date(1899, 12, 31), Kind.DAY, "1899-12-31"),
        (date(1, 1, 1), Kind.DAY, "0001-01-01"),
        (datetime(1899, 12, 31, 12, tzinfo=UTC), Kind.INSTANT, "1899-12-31 13:00:00"),
        (datetime.min.replace(tzinfo=UTC), Kind.INSTANT, "0001-01-01 00:34:08"),
    ],
)
def test_days_that_excel_does_not_know_are_text(value, kind, shown):
    (sheet,) = written([value], columns=[Column("Day", kind)]).values()

    assert sheet.values[1] == [shown]


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (date(1900, 3, 1), Kind.DAY, "1900-03-01 00:00:00"),
        (date.max, Kind.DAY, "9999-12-31 00:00:00"),
        (datetime.max.replace(tzinfo=UTC), Kind.INSTANT, "9999-12-31 23:59:59"),
    ],
)
def test_the_days_that_excel_knows_are_days(value, kind, shown):
    (sheet,) = written([value], columns=[Column("Day", kind)]).values()

    assert sheet.rows[1][0].instant == shown


def test_the_largest_amount_is_exact():
    (sheet,) = written([Decimal("9999999999999.99")], columns=[Column("Value", Kind.AMOUNT)]).values()

    assert Decimal(repr(sheet.rows[1][0].value)) == Decimal("9999999999999.99")


@pytest.mark.parametrize(
    ("currency", "locale", "look"),
    [
        ("USD", "en_US", '"$"#,##0.00'),
        ("EUR", "de_DE", '#,##0.00 "€"'),
        ("EUR", "en_US", '"€"#,##0.00'),
        ("CHF", "en_US", '"CHF" #,##0.00'),
        ("JPY", "ja_JP", '"￥"#,##0'),
        ("KWD", "en_US", '"KWD" #,##0.000'),
        ("XXX", "en_US", '"¤"#,##0.00'),
    ],
)
def test_an_amount_looks_as_it_does_at_home(currency, locale, look):
    workspace = Workspace(currency, locale, Calendar(ZoneInfo("UTC")), has_demo_data=False)

    assert amount_format(workspace, Currency(currency).decimals) == look


def test_an_amount_that_is_finer_than_the_currency_is_shown_exactly():
    yen = Workspace("JPY", "ja_JP", Calendar(ZoneInfo("UTC")), has_demo_data=False)
    amounts = [Decimal(1200), Decimal("1.2"), Decimal("1.234")]
    column = Column("Value", Kind.AMOUNT)

    (sheet,) = written(*([amount] for amount in amounts), columns=[column], workspace=yen).values()

    cells = [row[0] for row in sheet.rows[1:]]
    assert [cell.value for cell in cells] == [1200, 1.2, 1.234]
    assert [cell.look for cell in cells] == ['"￥"#,##0', '"￥"#,##0.0', '"￥"#,##0.000']


@pytest.mark.parametrize("write", [write_csv_for_people, partial(write_excel, title="Deals")])
def test_a_long_list_takes_no_more_memory(write):
    """Three thousand rows of 10,000 characters are 30 MB."""
    rows = ([f"{number}" * (10_000 // len(str(number)))] for number in range(3_000))

    with tempfile.TemporaryFile() as file:
        tracemalloc.start()
        write(file, [Column("Name")], rows, workspace=SWISS)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert most < 4_000_000


def test_csv_for_people_says_the_same():
    file = io.BytesIO()
    write_csv_for_people(file, COLUMNS, [ROW, ["=1+1", *[None] * 5]], workspace=SWISS)

    assert file.getvalue().decode().splitlines() == [
        '\ufeff"Name","Value (CHF)","Probability","Expected close","Created (Europe/Zurich)","ID"',
        '"Roof","1234.50","55%","2026-03-31","2026-07-02 00:30:59","7"',
        '"\'=1+1","","","","",""',
    ]
