"""Figures by day of three real files, recounted from their rows, in several time zones."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean, median

import pytest
from sqlalchemy.orm import Session

from crm_core.analytics.metrics import Figure, MetricName, measure
from crm_core.database import Database
from crm_core.filters import OpportunityFilter
from crm_core.importing import Mapping, find_mapping, import_opportunities
from crm_core.periods import Period
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests.crm_core.importing.conftest import PORTUGUESE

pytestmark = pytest.mark.both_databases

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles")

Row = dict[str, str]


@dataclass(frozen=True)
class Deal:
    """What a file says of a deal; the days that it tells."""

    created: date
    value: Decimal | None
    outcome: str
    closed: date | None

    def took(self) -> int:
        assert self.closed is not None
        return (self.closed - self.created).days


@dataclass(frozen=True)
class RealFile:
    """Where it lies, how it is imported and what a row of it means; None for a row that tells no day."""

    path: str
    mapping: Callable[[Path], Mapping]
    deal: Callable[[Row], Deal | None]


def american(text: str) -> date:
    return datetime.strptime(text, "%m/%d/%y").replace(tzinfo=UTC).date()


def of_maven(row: Row) -> Deal | None:
    if not row["engage_date"]:
        return None
    closed = date.fromisoformat(row["close_date"]) if row["close_date"] else None
    value = Decimal(row["close_value"]) if row["close_value"] not in ("", "0") else None
    outcome = {"Won": "won", "Lost": "lost"}.get(row["deal_stage"], "open")
    return Deal(date.fromisoformat(row["engage_date"]), value, outcome, closed)


def of_salesforce(row: Row) -> Deal:
    """A deal that was closed before it was created began on the day of its close, as the mapping says."""
    outcome = {"Closed Won": "won", "Closed Lost": "lost"}.get(row["StageName"], "open")
    created = american(row["Opp Creation Date_Simulated"] or row["CreatedDate"])
    closed = None
    if outcome != "open":
        closed = american(row["Opp Close Date_Simulated"] or row["CloseDate"])
        created = min(created, closed)
    return Deal(created, Decimal(row["Amount"]) if row["Amount"] else None, outcome, closed)


def of_brazil(row: Row) -> Deal | None:
    day = date.fromisoformat(row["data"])
    is_closed = row["estagio"] == "Closed"
    return Deal(day, Decimal(row["valor"]), "won" if is_closed else "open", day if is_closed else None)


def salesforce(file: Path) -> Mapping:
    shipped = find_mapping("salesforce", file).model_dump(mode="python")
    own = {
        "created": ["Opp Creation Date_Simulated", "CreatedDate"],
        "closed": ["Opp Close Date_Simulated", "CloseDate"],
        "name": "Name",
        "external_id": "Id",
        "stage": "StageName",
        "expected_value": "Amount",
    }
    return Mapping.model_validate(
        {
            "source": "sf",
            "columns": own,
            "stages": shipped["stages"],
            "date_formats": ["%m/%d/%y"],
            "start_no_later_than_close": True,
        }
    )


FILES = {
    "maven": RealFile(
        "maven_crm_sales/sales_pipeline.csv", lambda file: find_mapping("maven", file), of_maven
    ),
    "salesforce": RealFile("salesforce_dev_edition/Opportunity.csv", salesforce, of_salesforce),
    "brazil": RealFile("ptbr_commercial_pipeline/oportunidades.csv", lambda _: PORTUGUESE, of_brazil),
}


def rows_of(file: Path) -> list[Row]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def move(database: Database, zone: str, hours: int) -> None:
    with database.write(at=AT + timedelta(hours=hours)) as session:
        settings_service.update_settings(session, SettingsUpdate(time_zone=zone))


@pytest.mark.parametrize("name", FILES)
def test_months_are_those_of_the_file(database, shared_data, name):
    real = FILES[name]
    file = shared_data / real.path
    import_opportunities(database, file, real.mapping(file), at=AT)
    deals = [deal for row in rows_of(file) if (deal := real.deal(row)) is not None]
    first, last = min(deal.created for deal in deals), max(deal.closed or deal.created for deal in deals)
    months = [*Period(first, last + timedelta(days=1)).cut_by_month().values()]

    for hours, zone in enumerate(ZONES, start=1):
        move(database, zone, hours)
        with database.read(at=AT + timedelta(hours=9)) as session:
            for month in months:
                assert told(session, month) == recounted(deals, month), (zone, month)


def told(session: Session, month: Period) -> list[object]:
    def figure(name: MetricName) -> Figure:
        return measure(session, name, period=month).figure

    won, lost, cycle = figure(MetricName.WON), figure(MetricName.LOST), figure(MetricName.SALES_CYCLE)
    closed = OpportunityFilter(closed_from=month.start, closed_to=month.last_day)
    created = OpportunityFilter(created_from=month.start, created_to=month.last_day)
    return [
        (won.counted.count + won.left_out["without_value"].count, won.counted.value),
        (lost.counted.count + lost.left_out["without_value"].count, lost.counted.value),
        (cycle.value, cycle.details["mean"], cycle.details["lost_median"]),
        opportunity_service.count_opportunities(session, closed),
        opportunity_service.count_opportunities(session, created),
        figure(MetricName.CREATED).counted.value,
    ]


def recounted(deals: Sequence[Deal], month: Period) -> list[object]:
    def closed_as(outcome: str) -> list[Deal]:
        inside = [deal for deal in deals if deal.closed and month.start <= deal.closed < month.end]
        return [deal for deal in inside if deal.outcome == outcome]

    won, lost = closed_as("won"), closed_as("lost")
    took, took_lost = [deal.took() for deal in won], [deal.took() for deal in lost]
    created = [deal for deal in deals if month.start <= deal.created < month.end]
    return [
        (len(won), worth(won)),
        (len(lost), worth(lost)),
        (
            median(took) if took else None,
            pytest.approx(fmean(took)) if took else None,
            median(took_lost) if took_lost else None,
        ),
        len(won + lost),
        len(created),
        worth(created),
    ]


def worth(deals: Sequence[Deal]) -> Decimal:
    return sum((deal.value or Decimal(0) for deal in deals), Decimal(0))


def test_the_sales_cycle_of_maven_is_in_whole_days(database, shared_data):
    file = shared_data / FILES["maven"].path
    import_opportunities(database, file, find_mapping("maven", file), at=AT)

    with database.read(at=AT) as session:
        cycle = measure(session, MetricName.SALES_CYCLE).figure

    assert (cycle.value, round(cycle.details["mean"], 3)) == (57, 51.782)
    assert (cycle.details["lost_median"], round(cycle.details["lost_mean"], 3)) == (14, 41.479)


def test_a_file_with_a_column_of_its_own_for_the_days_agrees(database, shared_data):
    file = shared_data / FILES["salesforce"].path
    import_opportunities(database, file, salesforce(file), at=AT)
    days = [
        int(row["Opportunity Lifecycle (Days)"]) for row in rows_of(file) if row["StageName"] == "Closed Won"
    ]

    with database.read(at=AT) as session:
        cycle = measure(session, MetricName.SALES_CYCLE).figure

    assert (cycle.value, cycle.n) == (median(days), len(days))
    assert cycle.details["mean"] == pytest.approx(fmean(days))
