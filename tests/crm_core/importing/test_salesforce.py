"""36 deals of a Salesforce developer org."""

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crm_core.database import Database
from crm_core.importing import find_mapping, import_opportunities
from crm_core.importing.report import Count
from crm_core.models import Company, OpportunityStage
from tests.crm_core.importing.conftest import AT, all_deals, names_of


@pytest.fixture
def file(shared_data: Path) -> Path:
    return shared_data / "salesforce_dev_edition" / "Opportunity.csv"


def test_takes_the_simulated_dates_and_the_accounts_names(database: Database, file: Path) -> None:
    report = import_opportunities(database, file, find_mapping(None, file), at=AT)

    accounts = names_of(database, Company)
    deals = all_deals(database)
    stages = [deal.stage for deal in deals]
    generator = next(deal for deal in deals if deal.name == "Express Logistics Standby Generator")
    still_open = next(deal for deal in deals if deal.name == "Dickenson Mobile Generators")

    assert (len(deals), stages.count(OpportunityStage.CLOSED_WON)) == (36, 12)
    assert stages.count(OpportunityStage.CLOSED_LOST) == 8
    assert report.companies == Count(created=len(accounts))
    assert accounts[generator.company_id] == "Express Logistics and Transport"
    assert generator.created_at == datetime(2024, 2, 20, tzinfo=UTC)
    assert generator.closed_at == datetime(2024, 3, 7, 23, 59, 59, tzinfo=UTC)
    assert generator.expected_close_date is None
    assert (still_open.probability, still_open.expected_close_date) == (10, date(2024, 2, 3))
    assert report.warnings == [
        "The file names no currency: its amounts are taken as USD.",
        "The file has no column for owner.",
        "Deals closed before they were created, which now start on the day of their close: 1.",
    ]


def test_again_has_nothing_new_to_say(database: Database, file: Path) -> None:
    first, again = (import_opportunities(database, file, find_mapping(None, file), at=AT) for _ in range(2))

    assert (again.created, again.already_there, again.warnings) == (0, 36, first.warnings)


def test_an_ordinary_export_has_no_simulated_dates(database: Database, file: Path) -> None:
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    ordinary = io.StringIO(newline="")
    csv.writer(ordinary).writerows([row[:14] for row in rows if row[4] != "Closed Lost"])
    ordinary_file = ordinary.getvalue().encode()

    report = import_opportunities(database, ordinary_file, find_mapping(None, ordinary_file), at=AT)

    assert (report.created, report.refusals) == (28, [])
    assert "Account.csv is not beside the imported file: 28 deals have no company." in report.warnings
