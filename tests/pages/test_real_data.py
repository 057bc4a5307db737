"""Real deals that nobody here made up, imported and read off the screens."""

from datetime import UTC, datetime

import pytest

from crm_core import importing
from tests.pages import boards
from tests.pages.test_dashboard import figures, notes

FILES = {
    "maven_crm_sales/sales_pipeline.csv": {
        "Total pipeline value": "–",
        "Weighted value": "–",
        "Win rate": "63.15%",
        "Won in the period": "$10,005,534",
    },
    "salesforce_dev_edition/Opportunity.csv": {
        "Total pipeline value": "$2,115,000",
        "Weighted value": "$1,094,500",
        "Win rate": "60%",
        "Won in the period": "$2,815,000",
    },
}


@pytest.mark.parametrize("file", FILES)
def test_the_dashboard_of_a_real_company(open_page, database, shared_data, file):
    path = shared_data / file
    importing.import_opportunities(database, path, importing.find_mapping(None, path), at=datetime.now(UTC))

    page = open_page("pages/insight/dashboard.py", dashboard_period="all_time")

    shown = figures(page)
    assert {name: shown[name] for name in FILES[file]} == FILES[file]


def test_the_stages_of_maven(open_page, database, shared_data):
    path = shared_data / "maven_crm_sales" / "sales_pipeline.csv"
    importing.import_opportunities(
        database, path, importing.find_mapping("maven", path), at=datetime.now(UTC)
    )

    pipeline = open_page("pages/sales/pipeline.py")
    opportunities = open_page("pages/sales/opportunities.py")

    counts = {column["label"]: column["count"] for column in boards.columns(pipeline).values()}
    assert (counts["Qualification"], counts["Discovery"]) == ("500", "1,589")
    assert "1–50 of 8,800 deals" in notes(opportunities)
