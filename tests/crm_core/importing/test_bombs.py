"""Files that would take minutes and gigabytes are refused or cut off early, in a sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_core.database import Database
from crm_core.importing import import_opportunities
from crm_core.importing.deals import MOST_REFUSALS, MOST_ROWS
from crm_core.importing.lookups import MOST_ROWS as MOST_ROWS_OF_A_LOOKUP
from crm_core.importing.mapping import LARGEST_MAPPING, MOST_WAYS, UnusableMapping, read_mapping
from crm_core.importing.opportunities import (
    MOST_NEW_OWNERS,
    MOST_NEW_REASONS,
    TooManyNewOwners,
    TooManyNewReasons,
)
from crm_core.importing.table import LONGEST_ROW, MOST_LINES, PIECE, UnreadableFile, open_table
from tests.crm_core.importing.conftest import (
    AT,
    GOOD,
    HEADER,
    ImportLines,
    all_deals,
    as_file,
    every_row,
    small_mapping,
    with_columns,
)

pytestmark = pytest.mark.on_sqlite

TOO_MANY_ROWS = MOST_ROWS + 1


@pytest.fixture
def embedded(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def below_header(line: str, times: int) -> bytes:
    return f"{HEADER}\n".encode() + line.encode() * times


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (below_header("1\n", TOO_MANY_ROWS), f"more than {MOST_ROWS:,} rows.* Split it"),
        (below_header(",A,,,Open,,,\n", TOO_MANY_ROWS), f"more than {MOST_ROWS:,} rows.* Split it"),
        (below_header("\n", MOST_LINES), f"more than {MOST_LINES:,} lines.* Remove its blank lines"),
        (below_header("\r", MOST_LINES), f"more than {MOST_LINES:,} lines"),
        (below_header("\r\n", MOST_LINES), f"more than {MOST_LINES:,} lines"),
        (below_header('1,A,,,Open,,,"\n\n\n\n"\n', MOST_LINES // 5), f"more than {MOST_LINES:,} lines"),
        (below_header('"\n",', LONGEST_ROW // 3), "its row in line [0-9,]+ is longer than"),
        (b'"\n",' * (LONGEST_ROW // 3), "its row in line [0-9,]+ is longer than"),
    ],
    ids=["short", "deals", "blank", "blank-cr", "blank-crlf", "lines-in-cells", "endless", "endless-header"],
)
def test_what_has_no_end_is_refused_as_a_whole(embedded: Database, file: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFile, match=sentence):
        import_opportunities(embedded, file, small_mapping(), at=AT, dry_run=True)


def test_rows_are_counted_and_blank_ones_are_not() -> None:
    file = b"a,b\n1,2\n,\n\n3\n  ,\n5,6\n"

    with open_table(file) as table:
        assert [row.number for row in table.rows(3)] == [2, 5, 7]
        assert [row.number for row in table.rows(3)] == [2, 5, 7]
        with pytest.raises(UnreadableFile, match="more than 2 rows"):
            list(table.rows(2))


@pytest.mark.parametrize("line", ["1", "x,,,,?,?,?,?", "1,A\0,A\0,A\0,Open,x,,", f"{'é' * 999},A,,,Open,,,"])
def test_reading_stops_after_many_refusals(import_lines: ImportLines, line: str) -> None:
    report = import_lines(*[line] * (MOST_REFUSALS + 50), dry_run=True)

    assert MOST_REFUSALS <= len(report.refusals) < MOST_REFUSALS + 20
    assert report.stopped_at == report.refusals[-1].row
    (stop,) = report.stop_lines()
    assert stop.startswith(f"Reading stopped after {len(report.refusals):,} problems, at row")
    assert str(report).endswith(stop)
    assert "created" not in str(report)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_report_of_a_file_that_was_not_read_to_its_end_counts_nothing(
    import_lines: ImportLines, dry_run: bool
) -> None:
    report = import_lines(
        "1,A,,,Open,5,,,JPY,",
        "2,A,,,Lost,5,,2024-01-02,,Aliens",
        *["x"] * (MOST_REFUSALS + 50),
        header=f"{HEADER},money,why",
        mapping=with_columns(currency="money", close_reason="why"),
        dry_run=dry_run,
    )

    first, *others, stop = str(report).splitlines()
    assert "refused" in first
    assert all(line.startswith("Row ") for line in others)
    assert stop.endswith("The rows below were not read; there may be more problems in them.")


def test_a_file_that_was_read_to_its_end_does_not_say_that_it_was_not(import_lines: ImportLines) -> None:
    report = import_lines(*["1"] * MOST_REFUSALS)

    assert (len(report.refusals), report.stopped_at, report.stop_lines()) == (MOST_REFUSALS, None, [])


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("rows", [0, 1, 1_000, 2 * PIECE // len(GOOD)])
def test_a_byte_that_is_no_text_is_found_before_any_row_is_read(
    embedded: Database, rows: int, newline: bytes
) -> None:
    file = as_file(*[GOOD] * rows).replace(b"\n", newline) + b"2,K\xe4se"

    with pytest.raises(UnreadableFile, match=rf"not UTF-8 text \(in line {rows + 2:,}\)"):
        import_opportunities(embedded, file, with_columns(owner="not there"), at=AT)


def test_a_byte_that_is_no_text_in_the_header_or_cut_off_at_the_end_is_found_too(embedded: Database) -> None:
    for file, line in ((b"k\xff,b\n1,2\n", 1), (as_file(GOOD) + "é".encode()[:1], 3)):
        with pytest.raises(UnreadableFile, match=rf"not UTF-8 text \(in line {line}\)"):
            import_opportunities(embedded, file, small_mapping(), at=AT)


def test_an_amount_in_another_currency_is_no_longer_than_any_other(import_lines: ImportLines) -> None:
    report = import_lines(
        f"1,A,,,Open,{'9' * 99_999},,,JPY",
        "2,B,,,Open,5,,,JPY",
        header=f"{HEADER},money",
        mapping=with_columns(currency="money"),
    )

    assert report.other_currency_lines() == ["2 deals are in another currency and refused: JPY 5."]
    assert "can't be more than" in report.refusals[0].reason


def test_no_more_owners_are_created_than_people_can_choose_from(embedded: Database) -> None:
    lines = [f"{number},A,,Owner {number},Open,,," for number in range(MOST_NEW_OWNERS + 1)]
    before = every_row(embedded)

    for dry_run in (True, False):
        with pytest.raises(TooManyNewOwners, match=f"{MOST_NEW_OWNERS + 1:,} owners"):
            import_opportunities(embedded, as_file(*lines), small_mapping(), at=AT, dry_run=dry_run)

    assert every_row(embedded) == before
    report = import_opportunities(embedded, as_file(*lines[1:]), small_mapping(), at=AT)
    assert report.owners.created == MOST_NEW_OWNERS


def test_no_more_close_reasons_are_created_than_people_can_choose_from(embedded: Database) -> None:
    lines = [f"{number},A,,,Lost,,,2024-01-02,Reason {number}" for number in range(MOST_NEW_REASONS + 1)]
    file, mapping = as_file(*lines, header=f"{HEADER},why"), with_columns(close_reason="why")

    assert import_opportunities(embedded, file, mapping, at=AT, dry_run=True).reasons_to_create == len(lines)
    for dry_run in (True, False):
        with pytest.raises(TooManyNewReasons, match=f"{MOST_NEW_REASONS + 1} close reasons"):
            import_opportunities(embedded, file, mapping, at=AT, dry_run=dry_run, create_close_reasons=True)

    import_opportunities(embedded, file, mapping, at=AT)
    assert len(all_deals(embedded)) == MOST_NEW_REASONS + 1


def test_a_giant_lookup_is_refused(embedded: Database, tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_bytes(as_file(GOOD))
    (tmp_path / "who.csv").write_bytes(b"Id,Name\n" + b"1,A\n" * (MOST_ROWS_OF_A_LOOKUP + 1))
    mapping = small_mapping(lookups={"company": {"file": "who.csv", "key": "Id", "value": "Name"}})

    with pytest.raises(UnreadableFile, match=f"who.csv has more than {MOST_ROWS_OF_A_LOOKUP:,} rows"):
        import_opportunities(embedded, tmp_path / "deals.csv", mapping, at=AT)


MAPPING = 'source = "x"\n[columns]\nname = {name}\nstage = "b"\n[stages]\nOpen = "proposal"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("#" * (LARGEST_MAPPING + 1), f"more than {LARGEST_MAPPING:,} bytes"),
        (f"a = {'[' * 20_000}", "not a TOML file"),
        ('date_formats = ["%Y-%m-%d %Y"]\n' + MAPPING.replace("{name}", '"a"'), "not a format of day"),
        (f'date_formats = ["%Y-%m-%d{"x" * 100}"]\n' + MAPPING.replace("{name}", '"a"'), "100 characters"),
        (f"date_formats = {['%Y-%m-%d'] * 21}\n" + MAPPING.replace("{name}", '"a"'), "20 items"),
        (MAPPING.replace("{name}", str(["a"] * (MOST_WAYS + 1))), "more than 20 columns"),
        (MAPPING.replace("{name}", f'"{"{a}" * (MOST_WAYS + 1)}"'), "more than 20 columns"),
        (MAPPING.replace("{name}", f'"{"a" * 1_001}"'), "more than 1,000 characters"),
    ],
)
def test_a_mapping_without_end_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "own.toml").write_text(text)

    with pytest.raises(UnusableMapping, match=sentence):
        read_mapping(tmp_path / "own.toml")


def test_a_refusal_does_not_name_every_word_of_the_mapping(import_lines: ImportLines) -> None:
    stages = {f"Word {number}": "proposal" for number in range(1_000)}

    (refusal,) = import_lines("1,A,,,Open,,,", mapping=small_mapping(stages=stages)).refusals

    assert refusal.reason.endswith("Word 18, Word 19, ….")
