"""A cell of a table is never a formula, and the importer reads back what was in it."""

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from crm_core.exporting import cell, write_csv
from crm_core.importing import cells
from crm_core.models import OpportunityStage

STARTS = st.text(st.sampled_from([*cells.FORMULA_STARTS, *cells.PADDING, "'"]), max_size=4)


class Row(BaseModel):
    text: str | None = None
    amount: Decimal | None = None
    day: date | None = None
    at: datetime | None = None


def written(*rows: Row) -> str:
    to = io.StringIO(newline="")
    write_csv(to, list(Row.model_fields), rows)
    return to.getvalue()


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def would_run(text: str) -> bool:
    """Whether a spreadsheet calculates something: it begins like a formula, and is no phone number."""
    shown = text.replace("\u00a0", " ").strip(" ")
    is_phone_number = shown[:1] == "+" and shown[1:].replace(" ", "").isdigit() and shown.isascii()
    return text.lstrip(cells.PADDING).startswith(cells.FORMULA_STARTS) and not is_phone_number


@given(st.builds(str.__add__, STARTS, st.text(max_size=5) | st.text("+-(). 0123456789", max_size=15)))
@example("'+41 79")
@example("'=1")
@example("''")
@example("' =1")
@example("\r\n")
def test_no_text_is_a_formula_and_every_text_is_read_back(text):
    shown = cell(text)

    assert not would_run(shown)
    assert cells.unescaped(shown) == text
    assert shown == (f"'{text}" if would_run(text) or text.startswith("'") else text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), max_size=5))
def test_every_table_is_read_back(texts):
    lines = read(written(*(Row(text=text) for text in texts)))

    assert lines[0] == list(Row.model_fields)
    assert [cells.unescaped(line[0]) for line in lines[1:]] == texts


@pytest.mark.parametrize("start", [*cells.FORMULA_STARTS, "'"])
@pytest.mark.parametrize("padding", ["", " ", "\u00a0", "\ufeff", "\u200b", "\u2060", "  \u200b"])
def test_what_starts_a_formula_gets_an_apostrophe(start, padding):
    text = f"{padding}{start}x"
    if start == "'" and padding:
        assert cell(text) == text
    else:
        assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["+41 79 123 45 67", "+41791234567", " +1 555 010 0200 ", "+ 41 79", "+41\u00a079\u00a0123", "+0", "+ 1"],
)
def test_a_phone_number_is_no_formula(text):
    assert cell(text) == text
    assert cells.unescaped(f"'{text}") == text  # as earlier versions wrote it


@pytest.mark.parametrize(
    "text",
    [
        "+1+2",
        "+1 +2",
        "++41 79",
        "+1-2",
        "-1+2",
        "-41 79",
        "=1",
        "@x",
        "+",
        "+ ",
        "+A1",
        "+1E5",
        "+1.5",
        "+41 (0)79 123 45 67",
        "+1-555-0100",
        "+41 79\n",
        "+41\t79",
        "\n+41 79",
        "+41 79;x",
        "\uff0b41 79",
        "+\uff14\uff11",
        "+\u0664\u0661",
        "\u200b+41 79",
    ],
)
def test_what_only_looks_like_a_phone_number_gets_an_apostrophe(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("", ""),
        ("Roof", "Roof"),
        ("1-1", "1-1"),
        (0, "0"),
        (-7, "-7"),
        (Decimal("12.50"), "12.50"),
        (Decimal("-0.07"), "-0.07"),
        (date(2026, 3, 18), "2026-03-18"),
        (datetime(2026, 3, 18, 12, 0, tzinfo=UTC), "2026-03-18T12:00:00Z"),
        (datetime(2026, 3, 18, 1, 2, 3, 4, timezone(timedelta(hours=2))), "2026-03-17T23:02:03.000004Z"),
        (OpportunityStage.CLOSED_WON, "closed_won"),
        ((), ""),
        (("+41 79 1",), "+41 79 1"),
        (("a@a.example", "b@a.example"), "a@a.example; b@a.example"),
        (("+41 79 1", "+41 79 2"), "'+41 79 1; +41 79 2"),
        (("=1+1", "2"), "'=1+1; 2"),
    ],
)
def test_each_kind_of_value_has_its_form(value, shown):
    assert cell(value) == shown


def test_a_table_begins_with_its_columns():
    row = Row(text='say "hi", twice\r\n', amount=Decimal("1.00"), day=date(2026, 3, 18))

    assert written() == '\ufeff"text","amount","day","at"\r\n'
    assert written(row) == written() + '"say ""hi"", twice\r\n","1.00","2026-03-18",""\r\n'
