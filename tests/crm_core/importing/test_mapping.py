"""The mapping file: found by name, by path or by the file's columns; refused in one sentence."""

from pathlib import Path
from typing import Any

import pytest

from crm_core.importing import find_mapping
from crm_core.importing.mapping import UnusableMapping, read_mapping, shipped_names
from tests.crm_core.importing.conftest import GOOD, as_file

HUBSPOT = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Pipeline,Create Date"

PIPEDRIVE = ",".join(
    f"Deal - {column}"
    for column in (
        "ID",
        "Title",
        "Owner",
        "Value",
        "Currency of Value",
        "Probability",
        "Organization",
        "Contact person",
        "Stage",
        "Status",
        "Deal created",
        "Won time",
        "Lost time",
        "Lost reason",
        "Expected close date",
    )
)

MINIMAL = 'source = "x"\n[columns]\nname = "title"\nstage = "state"\n[stages]\nOpen = "proposal"\n'


@pytest.mark.parametrize(("header", "source"), [(HUBSPOT, "hubspot"), (PIPEDRIVE, "pipedrive")])
def test_the_columns_tell_the_mapping(header: str, source: str) -> None:
    assert find_mapping(None, as_file(header=header)).source == source


@pytest.mark.parametrize("name", shipped_names())
def test_every_mapping_that_comes_with_the_program_is_found_by_name(name: str) -> None:
    assert find_mapping(name, b"").source == name


def test_unknown_columns_need_a_mapping() -> None:
    with pytest.raises(
        UnusableMapping, match=r"The file fits none of .*hubspot, maven, pipedrive, salesforce"
    ):
        find_mapping(None, as_file(GOOD))


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(MINIMAL)

    assert find_mapping(str(tmp_path / "own.toml"), b"").source == "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("source = ", "is not a TOML file"),
        (b"\xff\xfe", "is not a TOML file"),
        (MINIMAL.replace("source", "sauce"), "lacks the key “source”|the key “sauce”"),
        (MINIMAL + "extra = 1", "stages.extra"),
        ("surprise = 1\n" + MINIMAL, "the key “surprise”, which mappings don't know"),
        (MINIMAL.replace('"proposal"', '"propsal"'), "“stages.Open”: Input should be 'qualification'"),
        (MINIMAL.replace('name = "title"\n', ""), r"\[columns\] must say where to find name"),
        (MINIMAL.replace("name =", "nmae ="), "columns.nmae"),
        (MINIMAL.replace('"title"', "[]"), "“columns.name”: it must be a column's name"),
        (MINIMAL.replace('"title"', "7"), "“columns.name”: it must be a column's name"),
        ('date_formats = ["%Y"]\n' + MINIMAL, "“%Y” is not a format of day, month and year"),
        ('date_formats = ["%"]\n' + MINIMAL, "“%” is not a format"),
        ("date_formats = []\n" + MINIMAL, "date_formats"),
        ('start_stage = "closed_won"\n' + MINIMAL, "a deal starts in an open stage"),
        ('optional = ["owner"]\n' + MINIMAL, "speaks of owner"),
        (
            MINIMAL.replace('name = "title"', 'name = "title"\nstatus = "status"'),
            r"it must have both status in \[columns\] and its words in \[statuses\], or neither",
        ),
        (MINIMAL + '[statuses]\nYes = "won"\n', "it must have both status in"),
        (MINIMAL + '[statuses]\nYes = "sold"\n', "“statuses.Yes”: Input should be 'open', 'won' or 'lost'"),
        (
            MINIMAL + '[columns.expected_value]\nwon = "a"\nlost = "b"\n',
            "“columns.expected_value”: as a table it has a column for each of open, won, lost, and nothing",
        ),
        (
            MINIMAL + '[columns.expected_value]\nopen = "a"\nwon = "a"\nlost = "b"\nelse = "c"\n',
            "“columns.expected_value”: as a table it has a column for each of open, won, lost, and nothing",
        ),
        (
            MINIMAL + '[columns.expected_value]\nopen = "a"\nwon = []\nlost = "b"\n',
            "“columns.expected_value”: it must be a column's name, or a list of them",
        ),
        (
            MINIMAL + '[columns.owner]\nopen = "a"\nwon = "a"\nlost = "b"\n',
            "only expected_value can have a column for each status, not owner",
        ),
        (
            'zero_is_unknown = ["Amuont"]\n' + MINIMAL.replace("name =", 'expected_value = "Amount"\nname ='),
            "zero_is_unknown names “Amuont”, which is no column of expected_value",
        ),
        ('encoding = "rot13"\n' + MINIMAL, "encoding"),
        (
            MINIMAL + '[lookups.name]\nfile = "../secret.csv"\nkey = "a"\nvalue = "b"\n',
            "write its name without a folder",
        ),
    ],
)
def test_says_what_is_wrong_with_it(tmp_path: Path, text: Any, sentence: str) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(UnusableMapping, match=f"own.toml.*(?:{sentence})") as refusal:
        read_mapping(file)

    assert "\n" not in str(refusal.value)


def test_says_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnusableMapping, match=r"There is no mapping mavne. .* hubspot, maven"):
        find_mapping("mavne", b"")
    with pytest.raises(UnusableMapping, match="There is no mapping"):
        find_mapping(str(tmp_path), b"")
    with pytest.raises(UnusableMapping, match="null"):
        find_mapping("a\0b", b"")
