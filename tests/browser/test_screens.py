"""The three screens in a real browser: their figures are the database's, nothing goes wrong behind them."""

import json
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from crm_core import demo
from crm_core.database import Database
from crm_core.models import OPEN_STAGES, CloseReason, Opportunity
from tests.browser.parts import go, names
from tests.builders import Make
from tests.serving import served

SCREENS = {"": "Dashboard", "opportunities": "Opportunities", "pipeline": "Pipeline"}
"""Addresses and titles."""

COUNTED = re.compile(r"of \d+ deals?")


def dollars(text: str) -> int:
    """The first whole amount in a text."""
    return int(re.search(r"\$([\d,]+)", text).group(1).replace(",", ""))


@pytest.fixture(scope="module")
def deals(demo_database: Database) -> list[Opportunity]:
    with demo_database.read() as session:
        kept = list(session.scalars(select(Opportunity).where(Opportunity.deleted_at.is_(None))))
        session.expunge_all()
    return kept


@pytest.fixture(scope="module")
def uncounted(demo_database: Database) -> set[int]:
    """The reasons that take a lost deal out of the win rate."""
    with demo_database.read() as session:
        return set(session.scalars(select(CloseReason.id).where(~CloseReason.counts)))


def test_the_figures_of_dashboard_list_and_board_are_the_database_s(look, demo_address, deals, uncounted):
    seen = look(demo_address)

    seen.open("?dashboard_period=all_time")
    shown = {
        card.get_by_test_id("stMetricLabel").inner_text(): card.get_by_test_id("stMetricValue").inner_text()
        for card in seen.page.get_by_test_id("stMetric").all()
    }
    open_ = [deal for deal in deals if deal.is_open]
    won = [deal for deal in deals if deal.is_won]
    assert dollars(shown["Total pipeline value"]) == int(sum(deal.expected_value or 0 for deal in open_))
    assert dollars(shown["Won in the period"]) == int(sum(deal.expected_value or 0 for deal in won))
    weighted = sum((deal.expected_value or 0) * deal.probability for deal in open_) / 100
    assert abs(dollars(shown["Weighted value"]) - weighted) < 1
    lost = [deal for deal in deals if deal.is_lost and deal.close_reason_id not in uncounted]
    rate = 100 * len(won) / (len(won) + len(lost))
    assert float(shown["Win rate"].removesuffix("%")) == pytest.approx(rate, abs=0.005)

    go(seen, "opportunities", "Opportunities")
    assert f"of {len(deals)} deals" in seen.page.get_by_text(COUNTED).inner_text()

    go(seen, "pipeline", "Pipeline")
    seen.page.locator("li.card").first.wait_for()
    for stage in OPEN_STAGES:
        head = seen.page.locator("section.column").filter(
            has=seen.page.locator(".badge", has_text=stage.label)
        )
        inside = [deal for deal in deals if deal.stage is stage]
        value = int(sum(deal.expected_value or 0 for deal in inside))
        assert head.locator(".worth").inner_text() == f"${value:,}"
        assert head.locator(".count").inner_text() == str(len(inside))
    assert (seen.complaints, seen.foreign) == ([], [])


def test_search_order_and_filter_live_in_the_address_and_come_back(look, demo_address, deals):
    seen = look(demo_address)
    seen.open("opportunities")
    search = seen.page.get_by_placeholder("Deal, company or contact")
    every = seen.page.get_by_text(f"of {len(deals)} deals")

    search.press_sequentially(deals[0].name.split()[0], delay=30)
    expect(seen.page).to_have_url(re.compile("deals_search"))
    expect(every).to_have_count(0)
    expect(seen.page.get_by_text(COUNTED)).to_be_visible()
    search.fill("")
    expect(every).to_be_visible()

    click_head_of_names(seen)
    expect(seen.page).to_have_url(re.compile("sort="))
    first = seen.page.url
    seen.settle()
    click_head_of_names(seen)
    expect(seen.page).not_to_have_url(first)
    assert "deals_sort=name" in first
    assert "deals_sort=-name" in seen.page.url

    seen.page.get_by_label("Stage").click()
    seen.page.get_by_role("option", name="Negotiation").click()
    expect(seen.page).to_have_url(re.compile("deals_stage=negotiation"))
    expect(every).to_have_count(0)
    seen.settle()
    address, shown = seen.page.url, seen.page.get_by_text(COUNTED).inner_text()
    assert "deals_sort=-name" in address
    again = look(demo_address)
    again.page.goto(address)
    again.settle()
    assert again.page.get_by_text(COUNTED).inner_text() == shown
    assert names(again.page) == names(seen.page)
    assert (seen.complaints, seen.foreign) == ([], [])


def click_head_of_names(seen) -> None:
    seen.page.get_by_role("columnheader", name="Name").get_by_role("button").click()


def test_hostile_names_are_only_text(look, address, database, shared_data):
    hostile = [
        "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))",
        "![x](http://example.com/x.png)",
        "<script>alert(3)</script>",
        "=cmd|' /C calc'!A0",
    ]
    strings = json.loads((shared_data / "naughty_strings" / "blns.json").read_text())
    with database.write(at=datetime.now(UTC)) as session:
        make = Make(session)
        for name in hostile:
            owner, company = make.user(name[:200]), make.company(name[:200])
            make.opportunity(name=name, owner_id=owner.id, company_id=company.id, expected_value=10**6)
        for name in strings:
            if name.strip() and "\x00" not in name and len(name) <= 200:
                make.opportunity(name=name)
    seen = look(address)
    seen.page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    for path, title in SCREENS.items():
        go(seen, path, title)
        seen.screenshot(f"hostile-{title.lower()}")
        assert seen.page.get_by_test_id("stException").count() == 0
    assert hostile[0] in seen.page.locator("li.card .name").all_inner_texts()
    seen.page.get_by_role("combobox", name="Owner").click()
    options = [option.inner_text() for option in seen.page.get_by_role("option").all()]
    assert hostile[0] in options
    assert (seen.complaints, seen.foreign) == ([], [])


def test_starting_empty_asks_copies_and_then_shows_an_empty_workspace(look, sqlite_url, tmp_path):
    database = Database(sqlite_url)
    demo.fill(database, opportunities=20, seed=1, at=datetime.now(UTC))
    with served(database.url.render_as_string()) as address:
        seen = look(address)
        seen.open("pipeline")  # a deep link, and the first that this server is asked for
        seen.page.get_by_role("button", name="Start empty").click()
        seen.page.get_by_role("button", name="Delete the demo data").click()
        seen.page.get_by_text("The workspace is empty.").wait_for()
        seen.settle()

        assert seen.page.get_by_text("No opportunities yet").is_visible()
        assert seen.page.get_by_text("Demo data.").count() == 0
    assert len(list(tmp_path.glob("crm.before-starting-empty-*.db"))) == 1
