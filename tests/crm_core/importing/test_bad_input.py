"""What can't be imported is refused in a sentence that names row and column, and nothing is written."""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.folding import fold
from crm_core.importing import ImportReport, find_mapping, import_opportunities
from crm_core.importing.mapping import MissingColumns
from crm_core.importing.table import LARGEST_FILE, UnreadableFile
from crm_core.models import Company, User
from crm_core.schemas.fields import trimmed
from tests.crm_core.importing.conftest import (
    AT,
    GOOD,
    HEADER,
    ImportLines,
    all_deals,
    as_file,
    every_row,
    names_of,
    small_mapping,
    with_columns,
)


@pytest.fixture
def embedded(sqlite_url: str) -> Iterator[Database]:
    """For what never gets as far as the database: one kind is enough."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("1,A,,,Open,,31/02/2020,", "from", "This is not a date of the calendar, written like 2026-12-31."),
        ("1,A,,,Open,,2020-02-31,", "from", "not a date"),
        ("1,A,,,Open,,1020-02-11,", "from", "The year is not between 1900 and 2200."),
        ("1,A,,,Open,,2027-01-01,", "from", "future"),
        ("1,A,,,Won,,,2026-11-23", "to", "future"),
        ("1,A,,,Won,,2024-01-02,", "to", "needs the day it was closed"),
        ("1,A,,,Won,,2024-01-02,soon", "to", "not a date"),
        ("1,A,,,Lost,,2024-01-02,2024-01-01", "to", "closed before it started"),
        ("1,A,,,Open,1e400,,", "worth", "This is not an amount written like 1234.50."),
        ("1,A,,,Open,-5,,", "worth", "can't be negative"),
        ("1,A,,,Open,NaN,,", "worth", "not an amount"),
        ("1,A,,,Open,inf,,", "worth", "not an amount"),
        ("1,A,,,Open,1e3,,", "worth", "not an amount"),
        ('1,A,,,Open,"1,23",,', "worth", "not an amount"),
        ("1,A,,,Open,1 23,,", "worth", "not an amount"),
        ("1,A,,,Open,٣,,", "worth", "not an amount"),
        ("1,A,,,Open,€5,,", "worth", "not in USD"),
        ("1,A,,,Open,10000000000000,,", "worth", "can't be more than 9,999,999,999,999.99"),
        (f"1,A,,,Open,{'9' * 99_999},,", "worth", "can't be more than"),
        (f"1,{'A' * 10_000},,,Open,,,", "title", "It is 10,000 characters long; at most 200 fit."),
        (f"1,A,{'A' * 201},,Open,,,", "customer", "201 characters"),
        (f"1,A,,{'A' * 201},Open,,,", "seller", "201 characters"),
        (f"{'1' * 201},A,,,Open,,,", "key", "201 characters"),
        (f"1,{'A' * 140_000},,,Open,,,", "", "A cell has more than 131,072 characters."),
        ("1,,,,Open,,,", "title", "needs a name"),
        ("1,\u200b,,,Open,,,", "title", "visible character"),
        ("1,A\0B,,,Open,,,", "title", "NUL"),
        ("1,A,A\0B,,Open,,,", "customer", "NUL"),
        ("1,A,,,Opne,,,", "state", "The mapping does not know this stage. It knows Open, Won, Lost."),
        ("1,A,,,,,,", "state", "Every deal is in a stage."),
        (",A,,,Open,,,", "key", "Every row needs its own key"),
        ("G1,A,,,Open,,,", "key", "Row 2 has the same key."),
        ("1,A,,,Open,,", "", "It has 7 cells; the header has 8."),
        ("1,A,,,Open,,,,", "", "It has 9 cells; the header has 8."),
        ('1,"A" B,,,Open,,,', "", "write it twice"),
        ('1,"A,,,Open,,,', "", "never closed"),
    ],
)
def test_one_bad_row_and_nothing_is_written(embedded: Database, line: str, column: str, reason: str) -> None:
    before = every_row(embedded)

    report = import_opportunities(embedded, as_file(GOOD, line), small_mapping(), at=AT)

    (refusal, *rest) = report.refusals
    assert (refusal.row, refusal.column, rest) == (3, column, [])
    assert reason in refusal.reason
    assert len(refusal.value) <= 41
    assert "Row 3" in str(report)
    assert "1 row is refused, so nothing was imported" in str(report)
    assert every_row(embedded) == before


def test_every_bad_row_is_named_with_everything_that_is_wrong(import_lines: ImportLines) -> None:
    report = import_lines(
        GOOD,
        "2,,,,Opne,-1,31/02/2020,",
        "",
        '5,"two\nlines",,,Open,,,',
        "6,A,,,Open,x,,",
        ",,,,,,,",
        "8,A,,,Won,,,",
    )

    assert sorted((refusal.row, refusal.column) for refusal in report.refusals) == [
        (3, "from"),
        (3, "state"),
        (3, "title"),
        (3, "worth"),
        (6, "worth"),
        (8, "to"),
    ]


def test_several_columns_of_one_answer_are_named(import_lines: ImportLines) -> None:
    report = import_lines(
        f"1,{'A' * 150},{'B' * 150},,Open,,,", mapping=with_columns(name=["{title} for {customer}", "title"])
    )

    assert [str(refusal) for refusal in report.refusals] == [
        f"Row 2, title, customer, “{'A' * 40}…”: It is 305 characters long; at most 200 fit."
    ]


def test_below_a_quote_that_is_never_closed_nothing_can_be_read(import_lines: ImportLines) -> None:
    report = import_lines('1,"A,,,Open,,,', "2,B,,,Open,,,", "3,C,,,Nonsense,,,")

    assert [refusal.reason for refusal in report.refusals] == [
        "A quotation mark is opened and never closed.",
        "This row and all below it were not read, because of that.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty"),
        (b"\xef\xbb\xbf", "has a blank row 1"),
        (b"\n\n", "has a blank row 1"),
        (b"PK\x03\x04rest", "a spreadsheet or a zip archive, not CSV"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel workbook"),
        (HEADER.encode("utf-16"), "UTF-16 text, not CSV"),
        (HEADER.encode("utf-16-le"), "contains NUL characters"),
        (as_file("1,Käse,,,Open,,,").decode().encode("cp1252"), "not UTF-8 text"),
        (HEADER.replace(",", "|").encode(), "lacks the column “key”, .*It has key|title"),
        (HEADER.replace("worth", "value").encode(), "lacks the column “worth” that the mapping old needs"),
        (HEADER.replace("worth", "from").encode(), "two columns named “from”"),
        ((HEADER + ",x" * 500).encode(), "508 columns"),
        ((HEADER + "\n" + "," * 1_000_001).encode(), "line 2 is longer than"),
        (b'"' + HEADER.encode(), "no header in row 1: A quotation mark is opened"),
    ],
)
def test_what_is_no_table_of_deals_is_refused_as_a_whole(
    embedded: Database, content: bytes, sentence: str
) -> None:
    with pytest.raises(UnreadableFile, match=sentence) as refusal:
        import_opportunities(embedded, content, small_mapping(), at=AT)

    assert "\n" not in str(refusal.value)


def test_what_is_no_file_is_refused(embedded: Database, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)

    for path, sentence in (
        (tmp_path / "none.csv", "There is no file none.csv"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "There is no file zero"),
        (tmp_path / ("a" * 300), "can't be opened"),
        (tmp_path / "a\0b", "There is no file"),
        (tmp_path / "caf\udce9.csv", "There is no file"),
        (huge, "at most 40 can be imported"),
    ):
        with pytest.raises(UnreadableFile, match=sentence):
            import_opportunities(embedded, path, small_mapping(), at=AT)


def test_a_missing_column_is_an_error_of_its_own(embedded: Database) -> None:
    with pytest.raises(MissingColumns):
        import_opportunities(embedded, b"a,b\n", small_mapping(), at=AT)


@pytest.mark.parametrize("file", [as_file(GOOD).replace(b",", b";"), as_file(GOOD).replace(b",", b"\t")])
def test_other_delimiters_are_recognised(embedded: Database, file: bytes) -> None:
    assert import_opportunities(embedded, file, small_mapping(), at=AT).created == 1


@pytest.mark.parametrize("beginning", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_byte_order_mark_and_line_ends_make_no_difference(
    embedded: Database, beginning: bytes, newline: bytes
) -> None:
    file = beginning + as_file('1,"Käse\tund, ""Brot""",,,Open,,,').replace(b"\n", newline)

    import_opportunities(embedded, file, small_mapping(), at=AT)

    assert [deal.name for deal in all_deals(embedded)] == ['Käse\tund, "Brot"']


def test_another_encoding_is_read_when_the_mapping_says_so(embedded: Database) -> None:
    file = as_file("1,Käse,,,Open,,,").decode().encode("cp1252")

    import_opportunities(embedded, file, small_mapping(encoding="cp1252"), at=AT)

    assert [deal.name for deal in all_deals(embedded)] == ["Käse"]


def test_a_lookup_that_can_not_be_read_is_refused(embedded: Database, tmp_path: Path) -> None:
    lookups = small_mapping(lookups={"company": {"file": "who.csv", "key": "Id", "value": "Name"}})
    deals = tmp_path / "deals.csv"
    deals.write_bytes(as_file("1,A,7,,Open,,,", "2,B,8,,Open,,,"))

    for content, sentence in (("Id,Nmae\n", "who.csv lacks the column “Name”"), ("Id,Name\n1\n", "Row 2 of")):
        (tmp_path / "who.csv").write_text(content)
        with pytest.raises(UnreadableFile, match=sentence):
            import_opportunities(embedded, deals, lookups, at=AT)

    (tmp_path / "who.csv").write_text("Id,Name\n7,Acme\n")
    report = import_opportunities(embedded, deals, lookups, at=AT)
    assert report.warnings == ["who.csv does not know the company of rows 3: those deals have none."]


def test_naughty_strings_are_taken_as_names_or_refused_by_row(database: Database, shared_data: Path) -> None:
    naughty = json.loads((shared_data / "naughty_strings" / "blns.json").read_text("utf-8"))
    rows = {
        number: [text.encode("utf-8", "replace").decode()] * 3 for number, text in enumerate(naughty, start=2)
    }

    def import_rows(numbers: list[int]) -> ImportReport:
        lines = (
            f"{number}," + ",".join('"' + text.replace('"', '""') + '"' for text in rows[number]) + ",Open,,,"
            for number in numbers
        )
        return import_opportunities(database, as_file(*lines), small_mapping(), at=AT)

    refused = {refusal.row for refusal in import_rows(list(rows)).refusals}
    assert all_deals(database) == []
    for row in refused:
        text = rows[row][0]
        assert len(text) > 200 or "\0" in text or not any(map(is_visible, text))
    kept = [number for number in rows if number not in refused]

    assert import_rows(kept).refusals == []

    assert {int(deal.external_id): deal.name for deal in all_deals(database)} == {
        number: trimmed(rows[number][0]) for number in kept
    }
    companies, owners = names_of(database, Company), names_of(database, User)
    written = {trimmed(rows[number][0]) for number in kept}
    assert set(companies.values()) <= written
    for deal in all_deals(database):
        for name in (companies[deal.company_id], owners[deal.owner_id]):
            assert fold(name) == fold(deal.name)


def test_names_lose_what_was_pasted_around_them_and_find_their_records(
    database: Database, import_lines: ImportLines
) -> None:
    reason = {"header": f"{HEADER},why", "mapping": with_columns(close_reason="why")}

    report = import_lines(
        "\u200b1\u00a0,\u2060Roof ,Acme\u200b,\ufeffRita Rep,Open,,,,",
        "2,Boat,\u00a0Acme,Rita Rep\u00a0\u200b,Lost,,,2024-01-02,\u200bPrice\u2060",
        **reason,
    )
    again = import_lines("1,Roof,Acme,Rita Rep,Open,,,,", **reason)

    assert (report.refusals, report.close_reason_lines()) == ([], [])
    assert [(deal.external_id, deal.name) for deal in all_deals(database)] == [("1", "Roof"), ("2", "Boat")]
    assert list(names_of(database, Company).values()) == ["Acme"]
    assert [name for name in names_of(database, User).values() if name.startswith("R")] == ["Rita Rep"]
    assert again.already_there == 1


def is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"


CELLS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet='",;\n\r\t\0\x1b0123456789-/.$€ ', max_size=12),
    st.sampled_from(["Open", "Won", "Lost", "2024-01-02", "9999-12-31", "0001-01-01", "10", "1e400", "Acme"]),
)


@given(content=st.binary(max_size=200), is_beginning=st.booleans())
def test_random_bytes_never_end_in_a_traceback(
    embedded: Database, content: bytes, is_beginning: bool
) -> None:
    file = content if is_beginning else as_file(GOOD) + content

    with suppress(InvalidInput):
        import_opportunities(embedded, file, find_mapping(None, file), at=AT, dry_run=True)
    with suppress(InvalidInput):
        import_opportunities(embedded, file, small_mapping(), at=AT, dry_run=True)


@given(rows=st.lists(st.lists(CELLS, min_size=8, max_size=8), max_size=4), is_quoted=st.booleans())
def test_random_cells_are_imported_whole_or_refused_by_row(
    embedded: Database, rows: list[list[str]], is_quoted: bool
) -> None:
    lines = [
        ",".join('"' + cell.replace('"', '""') + '"' if is_quoted else cell for cell in row) for row in rows
    ]
    file = "\n".join([HEADER, *lines]).encode("utf-8", "replace")
    before = len(all_deals(embedded))

    try:
        report = import_opportunities(embedded, file, small_mapping(), at=AT)
    except UnreadableFile:
        report = None

    written = len(all_deals(embedded)) - before
    assert written == (0 if report is None or report.refusals else report.created)
