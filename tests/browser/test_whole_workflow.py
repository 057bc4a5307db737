"""From a file to a won deal, in one browser, as a team lives it: every place tells the same to the cent."""

import re
from datetime import timedelta
from decimal import Decimal

from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm_core import clock
from crm_core.database import Database
from crm_core.models import CloseReason, Lead, LeadStatus, Opportunity, OpportunityStage, Outcome
from tests.browser.conftest import Look
from tests.browser.parts import drawer, exported, go, popover, row

A_WHILE_AGO = clock.now().date() - timedelta(days=40)

FILE = f"""\
"Record ID","Deal Name","Deal Stage","Close Date","Deal owner","Amount","Pipeline","Create Date"
1,"Solar roof","Closed Won",{A_WHILE_AGO},"Ada",1200.10,"Sales",{A_WHILE_AGO - timedelta(days=60)}
2,"Heat pump","Closed Lost",{A_WHILE_AGO},"Ada",900,"Sales",{A_WHILE_AGO - timedelta(days=60)}
3,"Wind park","Contract Sent",{A_WHILE_AGO + timedelta(days=90)},"Bob",7000.25,"Sales",{A_WHILE_AGO}
"""


def deals(database: Database) -> list[Opportunity]:
    with database.read() as session:
        found = list(session.scalars(select(Opportunity).order_by(Opportunity.id)))
        session.expunge_all()
    return found


def money(text: str) -> Decimal:
    return Decimal(re.sub(r"[^\d.]", "", text))


def import_deals(seen: Look) -> None:
    seen.open("import")
    seen.page.locator("input[type=file]").set_input_files(
        {"name": "deals.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    seen.page.get_by_role("button", name="Import 3 deals").click()
    expect(seen.page.get_by_text("3 deals imported").first).to_be_attached()
    seen.settle()


def write_down_a_lead(seen: Look) -> None:
    page = seen.page
    go(seen, "leads?lead=new", "Leads")
    for label, text in {"Name": "Grace Hopper", "E-mail": "grace@sun.example", "Company": "Sun"}.items():
        drawer(page).get_by_label(label, exact=True).fill(text)
    drawer(page).get_by_role("button", name="Create lead").click()
    page.wait_for_url(re.compile(r"lead=\d+"))
    expect(row(page, "Grace Hopper")).to_be_visible()
    drawer(page).get_by_role("radio", name="Qualified", exact=True).click()
    expect(row(page, "Grace Hopper")).to_contain_text("Qualified")


def convert(seen: Look) -> None:
    page = seen.page
    drawer(page).get_by_role("button", name="Convert").click()
    popover(page).get_by_label("Deal", exact=True).fill("Roof of the south wing")
    popover(page).get_by_label("Value (USD)").fill("2,500.55")
    page.keyboard.press("Tab")
    expect(popover(page)).to_contain_text("worth $2,500.55")
    popover(page).get_by_role("button", name="Convert to a deal").click()
    page.wait_for_url(re.compile(r"opportunity=\d+"))
    expect(drawer(page)).to_contain_text("Roof of the south wing")


def drag(page: Page, name: str, to: str) -> None:
    """The card into the upper part of the column."""
    card = page.locator("li.card").filter(has_text=name)
    column = page.locator(f"ul.cards[data-column={to}]")
    start, end = card.bounding_box(), column.bounding_box()
    page.mouse.move(start["x"] + 30, start["y"] + 12)
    page.mouse.down()
    page.mouse.move(end["x"] + min(60, end["width"] / 2), end["y"] + 120, steps=15)
    page.mouse.up()


def test_from_a_file_to_a_won_deal(look, address, database, tmp_path):
    seen, manager = look(address), look(address)
    import_deals(seen)
    assert [deal.name for deal in deals(database)] == ["Solar roof", "Heat pump", "Wind park"]
    write_down_a_lead(seen)
    convert(seen)
    manager.open("?dashboard_period=all_time")
    before = figures(manager.page)

    go(seen, "pipeline", "Pipeline")
    seen.page.locator("li.card").first.wait_for()
    for stage in (OpportunityStage.DISCOVERY, OpportunityStage.PROPOSAL):
        drag(seen.page, "Roof of the south wing", stage.value)
        expect(seen.page.get_by_text(f"Moved to {stage.label}").first).to_be_attached()
        seen.settle()
        assert deals(database)[-1].stage is stage

    seen.page.locator("li.card").filter(has_text="Roof of the south wing").click()
    drawer(seen.page).get_by_role("button", name="Close deal").click()
    popover(seen.page).get_by_label("Reason").click()
    seen.page.get_by_role("option", name="Price").click()
    popover(seen.page).get_by_role("button", name="Close as won").click()
    expect(drawer(seen.page)).to_contain_text("Closed won")
    won = deals(database)[-1]
    assert (won.stage, won.expected_value) == (OpportunityStage.CLOSED_WON, Decimal("2500.55"))

    assert_the_same_everywhere(seen, manager, address, database, tmp_path, before)
    assert (seen.complaints, seen.foreign, manager.complaints) == ([], [], [])
    with database.read() as session:
        assert session.scalars(select(Lead)).one().status is LeadStatus.CONVERTED
        assert session.get_one(CloseReason, won.close_reason_id).outcome is Outcome.WON


def figures(page: Page) -> dict[str, Decimal]:
    """What the dashboard says is won and open."""
    shown = {}
    for card in page.get_by_test_id("stMetric").all():
        label = card.get_by_test_id("stMetricLabel").inner_text()
        if label in ("Won in the period", "Total pipeline value"):
            shown[label] = money(card.get_by_test_id("stMetricValue").inner_text())
    return shown


def assert_the_same_everywhere(seen, manager, address, database, folder, before) -> None:
    known = deals(database)
    won = sum(deal.expected_value for deal in known if deal.is_won)
    opened = sum(deal.expected_value for deal in known if deal.is_open)
    assert (won, opened) == (Decimal("3700.65"), Decimal("7000.25"))

    manager.page.get_by_role("link", name="Opportunities").click()  # no reload: the screens follow
    manager.settle()
    manager.page.get_by_role("link", name="Dashboard").click()
    expect(manager.page.get_by_text("$3,700.65").first).to_be_visible()
    now = figures(manager.page)
    assert now == {"Won in the period": won, "Total pipeline value": opened}
    assert now["Won in the period"] - before["Won in the period"] == Decimal("2500.55")

    go(seen, "opportunities?deals_stage=closed_won", "Opportunities")
    expect(seen.page.get_by_text("$3,700.65").first).to_be_visible()
    rows = exported(seen.page, "CSV", folder)
    assert sum(Decimal(str(value)) for _, value in rows) == won

    answer = seen.page.request.get(f"{address}/api/opportunities?outcome=won&limit=200").json()
    assert (Decimal(answer["value"]), answer["total"]) == (won, 2)
    stats = seen.page.request.get(f"{address}/api/opportunities/stats").json()
    assert Decimal(stats["open"]["value"]) == opened

    go(seen, "pipeline", "Pipeline")
    seen.page.locator("li.card").first.wait_for()
    expect(seen.page.get_by_text("$7,000.25").first).to_be_visible()
