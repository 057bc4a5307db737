"""No text of a file or a mapping that gets into a sentence can command the terminal that shows it."""

from pathlib import Path

import pytest

from crm_core.database import Database
from crm_core.importing import Mapping, import_opportunities
from crm_core.importing.mapping import MissingColumns, UnusableMapping, read_mapping
from crm_core.importing.table import UnreadableFile
from tests.crm_core.importing.conftest import (
    AT,
    GOOD,
    HEADER,
    ImportLines,
    as_file,
    small_mapping,
    with_columns,
)

CLEAR_SCREEN = "\x1b[2J"


def assert_harmless(text: str) -> None:
    assert r"\x1b[2J" in text
    assert text.isprintable()


@pytest.mark.parametrize(
    ("header", "mapping"),
    [
        (f"key,{CLEAR_SCREEN}title", small_mapping()),
        (f"{CLEAR_SCREEN},{CLEAR_SCREEN}", small_mapping()),
        ("key,title", with_columns(owner=CLEAR_SCREEN)),
        ("key,title", small_mapping(source=CLEAR_SCREEN)),
    ],
)
def test_a_header_can_not_command_the_terminal(database: Database, header: str, mapping: Mapping) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        import_opportunities(database, as_file(header=header), mapping, at=AT)

    assert isinstance(refusal.value, MissingColumns) or "two columns" in str(refusal.value)
    assert_harmless(str(refusal.value))


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        (with_columns(expected_value=CLEAR_SCREEN), "1,A,,,Open,x,,"),
        (small_mapping(stages={CLEAR_SCREEN: "proposal"}), "1,A,,,Open,,,"),
        (small_mapping(date_formats=[f"%Y-%m-%d{CLEAR_SCREEN}"]), "1,A,,,Open,,soon,"),
        (small_mapping(), f"1,A,,,{CLEAR_SCREEN},,,"),
    ],
)
def test_a_refused_row_can_not_command_the_terminal(
    import_lines: ImportLines, mapping: Mapping, line: str
) -> None:
    header = HEADER if mapping.columns == small_mapping().columns else HEADER.replace("worth", CLEAR_SCREEN)

    (refusal,) = import_lines(line, mapping=mapping, header=header).refusals

    assert_harmless(str(refusal))


def test_a_lookup_can_not_command_the_terminal(import_lines: ImportLines) -> None:
    lookups = {"company": {"file": f"{CLEAR_SCREEN}.csv", "key": "Id", "value": "Name"}}

    (warning,) = import_lines(GOOD, mapping=small_mapping(lookups=lookups)).warnings

    assert_harmless(warning)


@pytest.mark.parametrize("text", ['"\\u001b[2J" = 1', 'date_formats = ["\\u001b[2J"]'])
def test_a_mapping_can_not_command_the_terminal(tmp_path: Path, text: str) -> None:
    mapping = text + '\nsource = "x"\n[columns]\nname = "a"\nstage = "b"\n[stages]\nOpen = "proposal"\n'
    (tmp_path / "own.toml").write_text(mapping)

    with pytest.raises(UnusableMapping) as refusal:
        read_mapping(tmp_path / "own.toml")

    assert_harmless(str(refusal.value))
