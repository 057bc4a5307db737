"""The dashboard of two past days of a real company, recounted from its own file."""

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crm_core import importing
from crm_core.analytics import dashboard
from crm_core.analytics.breakdowns import LOST, PENDING, WENT_ON, WON_AT_LAST
from crm_core.analytics.dashboard import Overview
from crm_core.database import Database
from crm_core.filters import EVERYTHING
from crm_core.models import OpportunityStage
from crm_core.periods import PeriodChoice
from crm_core.services import opportunity_service, settings_service
from tests.databases import InTurn

Row = dict[str, str]

DAYS = {date(2017, 5, 14): date(2017, 4, 1), date(2017, 9, 30): date(2017, 7, 1)}
"""Asked for, and the first day of that quarter."""


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "maven_crm_sales" / "sales_pipeline.csv"


@pytest.fixture(scope="module")
def imported(module_in_turn: InTurn, file: Path) -> Database:
    database = module_in_turn.database
    importing.import_opportunities(
        database, file, importing.find_mapping("maven", file), at=datetime.now(UTC)
    )
    return database


@pytest.fixture(scope="module")
def engaged(file: Path) -> list[Row]:
    """Deals with a day of their own: the others were there first when the file was read."""
    with file.open(encoding="utf-8", newline="") as text:
        return [row for row in csv.DictReader(text) if row["engage_date"]]


def closed(rows: Iterable[Row], outcome: str, first: date, last: date) -> list[Row]:
    return [
        row
        for row in rows
        if row["deal_stage"] == outcome and first.isoformat() <= row["close_date"] <= last.isoformat()
    ]


def worth(rows: Iterable[Row]) -> Decimal:
    return sum((Decimal(row["close_value"] or 0) for row in rows), Decimal(0))


@pytest.mark.parametrize("day", DAYS)
def test_a_past_day_is_what_the_file_says(imported, engaged, day):
    first = DAYS[day]
    there = [row for row in engaged if row["engage_date"] <= day.isoformat()]
    still_open = [row for row in there if not row["close_date"] or row["close_date"] > day.isoformat()]
    won, lost = (closed(there, outcome, first, day) for outcome in ("Won", "Lost"))
    with imported.read() as session:
        at = settings_service.get_calendar(session).end_of(day)
        board = dashboard.overview(session, PeriodChoice.THIS_QUARTER, EVERYTHING, as_of=at)

        assert (board.period.start, board.moment.today) == (first, day)
        assert board.open.deals == len(still_open) > 0
        assert [segment.deals for segment in board.stages] == [0, len(still_open), 0, 0]
        assert (board.closed.won, board.closed.won_value) == (len(won), worth(won))
        assert (board.closed.lost, board.closed.lost_without_value) == (len(lost), len(lost))
        assert_owners(board, won, lost)
        assert_months(board, there)
        assert_funnel(board, [row for row in there if row["engage_date"] >= first.isoformat()], day)
        shown = (*board.tiles, *board.stages, *board.expected, *board.reasons, *board.funnel.segments)
        for part in (*shown, board.funnel.path_unknown, board.times.path_unknown):
            assert opportunity_service.count_opportunities(session, part.where) == part.deals


def assert_owners(board: Overview, won: list[Row], lost: list[Row]) -> None:
    hits = Counter(row["sales_agent"] for row in won)
    every = hits + Counter(row["sales_agent"] for row in lost)
    assert {each.label: (each.rate.hits, each.rate.n) for each in board.owners} == {
        owner: (hits[owner], count) for owner, count in every.items()
    }


def assert_months(board: Overview, there: list[Row]) -> None:
    for month, pair in board.months.items():
        for outcome, segment in zip(("Won", "Lost"), pair, strict=True):
            inside = [
                row
                for row in there
                if row["deal_stage"] == outcome
                and row["close_date"][:7] == month[:7]
                and row["close_date"] <= board.moment.today.isoformat()
            ]
            assert segment.deals == len(inside)
            if outcome == "Won" and inside:
                assert segment.value == worth(inside)


def assert_funnel(board: Overview, created: list[Row], day: date) -> None:
    """The open ones came to Discovery, where the file has them engaged; of the others it says no stage."""
    ends = Counter(
        row["deal_stage"] if row["close_date"] and row["close_date"] <= day.isoformat() else "open"
        for row in created
    )
    found = {(each.label, each.part): each.deals for each in board.funnel.segments}
    discovery, negotiation = OpportunityStage.DISCOVERY.label, OpportunityStage.NEGOTIATION.label
    assert found[discovery, PENDING] == ends["open"]
    assert found[discovery, LOST] == found[discovery, WENT_ON] == found[negotiation, WENT_ON] == 0
    assert found["Won", WON_AT_LAST] == 0
    assert board.funnel.path_unknown.deals == ends["Lost"] + ends["Won"] > 0
    assert board.times.path_unknown.deals == ends["Lost"] + ends["Won"]
