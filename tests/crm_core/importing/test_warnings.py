"""The report warns of what an import leaves as it is, and of what is counted along with it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from crm_core.database import Database
from crm_core.models import Opportunity
from crm_core.services import opportunity_service, settings_service
from tests.crm_core.importing.conftest import (
    AT,
    GOOD,
    ImportLines,
    all_deals,
    every_row,
    small_mapping,
)

LATER = AT + timedelta(days=1)
OPEN = "1,Pump,Acme,Rita Rep,Open,10,2024-01-02,"
WON = "2,Valve,Acme,Rita Rep,Won,20.5,2024-01-02,2024-03-04"
LOST = "3,Tank,,,Lost,,2024-01-02,2024-03-04"


def differing(rows: str, count: int) -> str:
    return (
        "Rows that say another stage, value or closing day than the CRM does now, or whose deal was deleted"
        f" there: {rows} ({count} in all); an import leaves such deals as they are, so change them in the CRM"
        " if the file is right."
    )


@pytest.mark.parametrize(
    "newer",
    [
        OPEN.replace("Open", "Won") + "2024-05-06",
        OPEN.replace(",10,", ",11,"),
        OPEN.replace(",10,", ",,"),
        WON.replace("Won", "Lost"),
        WON.replace("20.5", "20.51"),
        WON.replace("2024-03-04", "2024-03-05"),
        WON.replace("Won", "Open"),
        LOST.replace("Lost,,", "Lost,0,"),
    ],
)
def test_a_newer_export_is_left_out_with_a_warning(
    database: Database, import_lines: ImportLines, newer: str
) -> None:
    import_lines(OPEN, WON, LOST)
    before = every_row(database)

    report = import_lines(GOOD.replace("G1", newer[0] + "new"), newer, at=LATER, dry_run=True)
    assert (report.created, report.already_there) == (1, 1)
    assert report.warnings == [differing("3", 1)]

    report = import_lines(newer, at=LATER)
    assert report.warnings == [differing("2", 1)]
    assert report.warnings[0] in str(report)
    assert every_row(database) == before


def test_the_same_file_gives_no_warning(import_lines: ImportLines) -> None:
    import_lines(OPEN, WON, LOST)

    assert import_lines(OPEN, WON.replace("20.5", "20.50"), LOST, at=LATER).warnings == []


def test_only_the_first_rows_are_named(import_lines: ImportLines) -> None:
    lines = [f"{key},Pump,,,Open,10,," for key in range(5)]
    import_lines(*lines)

    report = import_lines(*(line.replace("10", "11") for line in lines))

    assert report.warnings == [differing("2, 3, 4, …", 5)]


def test_a_deal_that_was_changed_or_deleted_in_the_crm_differs_too(
    database: Database, import_lines: ImportLines
) -> None:
    import_lines(OPEN, WON, LOST)
    changed, deleted, _ = all_deals(database)
    with database.write(at=AT) as session:
        session.get_one(Opportunity, changed.id).expected_value = Decimal(12)
        opportunity_service.delete_opportunity(session, deleted.id)

    assert import_lines(OPEN, WON, LOST, at=LATER).warnings == [differing("2, 3", 2)]


def test_a_file_without_a_column_for_the_value_says_nothing_about_it(import_lines: ImportLines) -> None:
    import_lines(OPEN, WON)

    report = import_lines(
        "1,Pump,Open,,",
        "2,Valve,Won,,2024-03-04",
        header="key,title,state,from,to",
        mapping=small_mapping(optional=["company", "owner", "expected_value"]),
    )

    assert (report.already_there, report.warnings) == (
        2,
        ["The file has no column for company, owner, expected_value."],
    )


def test_comparing_takes_no_query_per_row(database: Database, import_lines: ImportLines) -> None:
    lines = [f"{key},Pump,Acme,Rita Rep,Open,10,," for key in range(200)]
    import_lines(*lines)

    def statements(*again: str) -> int:
        executed: list[Any] = []
        event.listen(database.engine, "before_cursor_execute", lambda *what: executed.append(what[2]))
        import_lines(*again, dry_run=True)
        return len(executed)

    statements(lines[0])  # what is kept until anything changes is asked for this once
    assert statements(lines[0]) == statements(*lines)


@pytest.mark.parametrize("dry_run", [True, False])
def test_demo_data_is_counted_along(database: Database, import_lines: ImportLines, dry_run: bool) -> None:
    with database.write(at=AT) as session:
        settings_service.get_settings(session).has_demo_data = True

    report = import_lines(GOOD, dry_run=dry_run)

    (warning,) = report.warnings
    assert warning == (
        "The demo deals are still there and are counted along with the imported ones; to have only yours,"
        " start empty in the app and import again."
    )
    assert warning in str(report)
