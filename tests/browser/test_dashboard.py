"""The dashboard in a real browser: what is clicked opens exactly the deals that were counted."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.parts import go

BAR = "path[aria-roledescription='bar']"
CHARTS = 7
WORTH = re.compile(r"([\d,]+) deals? · worth")


def listed(seen) -> int:
    """How many deals the list says it has."""
    expect(seen.page.get_by_role("heading", name="Opportunities", exact=True)).to_be_visible()
    seen.settle()
    return int(WORTH.search(seen.page.get_by_test_id("stMain").inner_text())[1].replace(",", ""))


def test_links_rows_and_bars_open_what_they_count(look, demo_address):
    seen = look(demo_address)
    seen.open("opportunities?deals_search=nothing+like+it")  # what was set before is not to matter

    seen.page.get_by_role("link", name="Dashboard").click()
    overdue = seen.page.get_by_role("link", name=re.compile(r"overdue deals"))
    said = int(re.search(r"[\d,]+", overdue.inner_text())[0].replace(",", ""))
    overdue.click()
    assert listed(seen) == said
    assert "deals_only=overdue" in seen.page.url
    assert "exactly" not in seen.page.url

    seen.page.get_by_role("link", name="Dashboard").click()
    seen.settle()
    numbers = seen.page.get_by_role("button", name="Numbers").first
    numbers.click()
    row = seen.page.get_by_role("row", name=re.compile("^Proposal"))
    said = int(re.search(r"Proposal\s+([\d,]+)", row.inner_text())[1].replace(",", ""))
    row.get_by_role("button").click()
    assert listed(seen) == said

    seen.page.get_by_role("link", name="Dashboard").click()
    seen.settle()
    seen.page.locator("path[aria-label*='Group: Proposal']").first.click()
    assert listed(seen) == said
    assert (seen.complaints, seen.foreign) == ([], [])


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_period_that_is_over_leads_to_the_deals_of_its_end(look, demo_address, size):
    seen = look(demo_address, size=size)
    go(seen, "?dashboard_period=last_quarter", "Dashboard")
    expect(
        seen.page.get_by_text(re.compile(r"; what is open, as of \w+ \d+, \d+, compared with"))
    ).to_be_visible()
    expect(seen.page.get_by_text(re.compile(r"^Open deals as of"))).to_have_count(3)
    seen.screenshot(f"dashboard-last-quarter-{size[0]}")
    seen.page.get_by_text("Needs attention").scroll_into_view_if_needed()
    seen.settle()
    seen.screenshot(f"dashboard-last-quarter-attention-{size[0]}")

    overdue = seen.page.get_by_role("link", name=re.compile(r"overdue deals?$"))
    said = int(re.search(r"[\d,]+", overdue.inner_text())[0].replace(",", ""))
    overdue.click()
    assert listed(seen) == said > 0
    assert "deals_as_of=" in seen.page.url
    expect(seen.page.get_by_text("Deals as they were at the end of")).to_be_visible()
    expect(seen.page.get_by_text("Edit in the table")).to_have_count(0)
    assert (seen.complaints, seen.foreign) == ([], [])


COUNTED = re.compile(r"(?:Deals|Closed): ([\d,]+)")


def bars(seen, number: int) -> list[Locator]:
    """The bars of one chart to click on: none of no deal, nor of deals without a value, which are flat."""
    charts = seen.page.get_by_test_id("stVegaLiteChart").filter(has=seen.page.locator(BAR))
    expect(charts).to_have_count(CHARTS)
    return [bar for bar in charts.nth(number).locator(BAR).all() if said_by(bar) and bar.is_visible()]


def said_by(bar: Locator) -> int:
    return int(COUNTED.search(bar.get_attribute("aria-label"))[1].replace(",", ""))


def test_a_bar_of_each_chart_opens_its_deals(look, demo_address):
    seen = look(demo_address)
    for number in range(CHARTS):
        go(seen, "?dashboard_period=last_year", "Dashboard")
        expect(seen.page.get_by_role("combobox", name="Period")).to_have_value("Last year")
        bar = bars(seen, number)[0 if number % 2 else -1]
        said = said_by(bar)
        bar.click()
        assert (number, listed(seen)) == (number, said)
    assert (seen.complaints, seen.foreign) == ([], [])
