"""8,800 deals of a hardware seller."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_core import history
from crm_core.database import Database
from crm_core.importing import ImportReport, find_mapping, import_opportunities
from crm_core.importing.report import Count
from crm_core.models import Company, Opportunity, OpportunityStage, Source, Transaction
from crm_core.services.opportunity_service import get_pipeline_stats
from tests.crm_core.importing.conftest import AT, every_row
from tests.databases import InTurn


@pytest.fixture(scope="module")
def file(shared_data: Path) -> Path:
    return shared_data / "maven_crm_sales" / "sales_pipeline.csv"


@pytest.fixture(scope="module")
def database(module_in_turn: InTurn) -> Database:
    """Every test finds the imported deals in it, and leaves them as they are."""
    return module_in_turn.database


@pytest.fixture(scope="module")
def report(database: Database, file: Path) -> ImportReport:
    return import_opportunities(database, file, find_mapping(None, file), at=AT)


def count_and_value(database: Database, *conditions: Any) -> tuple[int, Decimal | None]:
    chosen = select(func.count(), func.sum(Opportunity.expected_value)).where(*conditions)
    with database.read() as session:
        count, value = session.execute(chosen).one()
        return count, value


def test_adds_up_to_what_the_file_says(database: Database, report: ImportReport) -> None:
    won, value = count_and_value(database, Opportunity.is_won)
    lost, value_lost = count_and_value(database, Opportunity.stage == OpportunityStage.CLOSED_LOST)
    still_open, _ = count_and_value(database, Opportunity.is_open)

    assert (won, lost, still_open) == (4238, 2473, 2089)
    assert value == 10_005_534
    assert value_lost is None
    assert round(Decimal(100 * won) / (won + lost), 2) == Decimal("63.15")
    assert (report.created, report.already_there, report.refusals, report.warnings) == (8800, 0, [], [])
    assert report.companies == Count(created=85)
    assert report.owners == Count(created=30)
    with database.read() as session:
        notes = session.scalars(select(Transaction.note).where(Transaction.source == Source.IMPORT)).all()
    assert notes == ["Imported sales_pipeline.csv: 8,800 opportunities"]


def test_the_statistics_say_so_too(database: Database, report: ImportReport) -> None:
    with database.read(at=AT) as session:
        stats = get_pipeline_stats(session)

    assert (stats.closed.won, stats.closed.won_value, stats.closed.won_without_value) == (4238, 10_005_534, 0)
    assert (stats.closed.lost, stats.closed.lost_value, stats.closed.lost_without_value) == (2473, 0, 2473)
    assert (stats.open.deals, stats.open.without_value) == (2089, 2089)
    assert round(100 * stats.win_rate.value, 2) == Decimal("63.15")
    assert stats.wins.average_value == Decimal("2360.91")  # 10,005,534 / 4,238
    assert sum(stage.deals for stage in stats.stages) == 8800


def test_again_changes_nothing(database: Database, file: Path, report: ImportReport) -> None:
    before = every_row(database)

    again = import_opportunities(database, file, find_mapping("maven", file), at=AT)

    assert (again.created, again.already_there, again.warnings) == (0, 8800, [])
    assert every_row(database) == before


def test_a_past_day_shows_what_was_open_then(database: Database, file: Path, report: ImportReport) -> None:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))

    for day in ("2016-10-20", "2017-03-01", "2017-06-01", "2017-12-31"):
        started = [row for row in rows if row["engage_date"] and row["engage_date"] <= day]
        closed = [row for row in started if row["close_date"] and row["close_date"] < day]
        found = as_of_noon(database, datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC))

        assert found == {
            "open": len(started) - len(closed),
            "closed": len(closed),
            "companies": {row["account"] for row in started if row["account"]},
            "deals of a company that was not there": 0,
        }


def as_of_noon(database: Database, noon: datetime) -> dict[str, Any]:
    deal, company = history.as_of(Opportunity, noon), history.as_of(Company, noon)
    there = select(company.id)
    with database.read() as session:
        closed = session.scalars(select(deal.closed_at.is_not(None))).all()
        return {
            "open": closed.count(False),
            "closed": closed.count(True),
            "companies": set(session.scalars(select(company.name))),
            "deals of a company that was not there": session.scalar(
                select(func.count(deal.id)).where(deal.company_id.not_in(there))
            ),
        }
