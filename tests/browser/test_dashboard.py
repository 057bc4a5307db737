"""The dashboard in a real browser: what is clicked opens exactly the deals that were counted."""

import re

from playwright.sync_api import Locator, expect

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
    assert "deals_only=Overdue" in seen.page.url
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
        go(seen, "?dashboard_period=Last+year", "Dashboard")
        expect(seen.page.get_by_role("combobox", name="Period")).to_have_value("Last year")
        bar = bars(seen, number)[0 if number % 2 else -1]
        said = said_by(bar)
        bar.click()
        assert (number, listed(seen)) == (number, said)
    assert (seen.complaints, seen.foreign) == ([], [])
