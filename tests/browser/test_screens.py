"""The three screens in a real browser: their figures are the database's, nothing goes wrong behind them."""

import json
import re
import shutil
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from crm_core import demo
from crm_core.database import Database
from crm_core.models import OPEN_STAGES, CloseReason, Opportunity
from tests.browser.conftest import EVERY_LOOK
from tests.builders import Make
from tests.serving import served

SCREENS = {"dashboard": "", "opportunities": "opportunities", "pipeline": "pipeline"}


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


@EVERY_LOOK
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_draws_without_complaint(look, demo_address, screen, size, scheme):
    seen = look(demo_address, size=size, scheme=scheme)

    seen.open(SCREENS[screen])

    seen.screenshot(f"{screen}-{size[0]}-{scheme}")
    assert seen.page.get_by_test_id("stException").count() == 0
    assert seen.page.get_by_text("Page not found").count() == 0
    assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert (seen.complaints, seen.foreign) == ([], [])


def test_the_dashboard_shows_what_the_database_holds(look, demo_address, deals, uncounted):
    seen = look(demo_address)

    seen.open("?dashboard_period=All+time")

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


def test_the_list_counts_every_deal(look, demo_address, deals):
    seen = look(demo_address)

    seen.open("opportunities")

    assert f"of {len(deals)} deals" in seen.page.get_by_text(re.compile(r"of \d+ deals")).inner_text()


def test_every_column_of_the_pipeline_adds_up(look, demo_address, deals):
    seen = look(demo_address)

    seen.open("pipeline")

    seen.page.locator("li.card").first.wait_for()
    for stage in OPEN_STAGES:
        head = seen.page.locator("section.column").filter(
            has=seen.page.locator(".badge", has_text=stage.label)
        )
        inside = [deal for deal in deals if deal.stage is stage]
        value = int(sum(deal.expected_value or 0 for deal in inside))
        assert head.locator(".worth").inner_text() == f"${value:,}"
        assert head.locator(".count").inner_text() == str(len(inside))


def test_filters_live_in_the_address_and_come_back(look, demo_address):
    seen = look(demo_address)
    seen.open("opportunities")

    seen.page.get_by_label("Stage").click()
    seen.page.get_by_role("option", name="Negotiation").click()
    expect(seen.page).to_have_url(re.compile("deals_stage=Negotiation"))
    expect(seen.page.get_by_text("of 400 deals")).to_have_count(0)
    seen.settle()
    address = seen.page.url
    shown = seen.page.get_by_text(re.compile(r"of \d+ deals")).inner_text()

    again = look(demo_address)
    again.page.goto(address)
    again.settle()
    assert "deals_stage=Negotiation" in address
    assert again.page.get_by_text(re.compile(r"of \d+ deals")).inner_text() == shown


def test_a_search_is_answered_while_typing(look, demo_address, deals):
    seen = look(demo_address)
    seen.open("opportunities")
    word = deals[0].name.split()[0]

    seen.page.get_by_placeholder("Deal, company or contact").press_sequentially(word, delay=30)

    expect(seen.page).to_have_url(re.compile("deals_search"))
    expect(seen.page.get_by_text(f"of {len(deals)} deals")).to_have_count(0)
    expect(seen.page.get_by_text(re.compile(r"of \d+ deals?"))).to_be_visible()


def test_a_click_on_a_head_sorts_the_whole_list(look, demo_address):
    seen = look(demo_address)
    seen.open("opportunities")

    click_head_of_names(seen)
    expect(seen.page).to_have_url(re.compile("sort="))
    first = seen.page.url
    seen.settle()
    click_head_of_names(seen)
    expect(seen.page).not_to_have_url(first)

    assert "Name%2C+A+to+Z" in first
    assert "Name%2C+Z+to+A" in seen.page.url


def click_head_of_names(seen) -> None:
    seen.page.get_by_role("columnheader", name="Name").get_by_role("button").click()


def test_hostile_names_are_only_text(look, migrated_file, tmp_path, shared_data):
    shutil.copy(migrated_file, tmp_path / "crm.db")
    database = Database(f"sqlite:///{tmp_path / 'crm.db'}")
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
    with served(database.url.render_as_string()) as address:
        seen = look(address)
        seen.page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
        for screen, path in SCREENS.items():
            seen.open(path)
            seen.screenshot(f"hostile-{screen}")
            assert seen.page.get_by_test_id("stException").count() == 0
        seen.open("pipeline")
        assert hostile[0] in seen.page.locator("li.card .name").all_inner_texts()
        seen.page.get_by_role("combobox", name="Owner").click()
        options = [
            option.inner_text().replace("\u2060", "") for option in seen.page.get_by_role("option").all()
        ]
    assert hostile[0] in options
    assert (seen.complaints, seen.foreign) == ([], [])


def test_an_empty_workspace_says_what_to_do(look, sqlite_url):
    with served(sqlite_url) as address:
        for scheme in ("light", "dark"):
            seen = look(address, scheme=scheme)
            for screen, path in SCREENS.items():
                seen.open(path)
                seen.screenshot(f"empty-{screen}-{scheme}")
                assert seen.page.get_by_text("No opportunities yet").is_visible()


def test_starting_empty_asks_copies_and_then_shows_an_empty_workspace(look, migrated_file, tmp_path):
    shutil.copy(migrated_file, tmp_path / "crm.db")
    database = Database(f"sqlite:///{tmp_path / 'crm.db'}")
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
