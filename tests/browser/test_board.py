"""The board in a real browser: dragged by mouse, touch and keyboard; refused, closed, and by two at once."""

import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from crm_core.database import Database
from crm_core.models import Opportunity, OpportunityStage
from crm_core.services import opportunity_service
from tests.browser.conftest import PHONE, WIDE, Look
from tests.builders import Make
from ui import board, outbox

HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"
SAVED = 5_000

WATCH = """() => {
    window.moves = []
    const hosts = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    const { shadowRoot } = hosts.find(each => each.shadowRoot.querySelector('.board'))
    const cards = () => [...shadowRoot.querySelectorAll('.cards .card')]
    const places = () => String(cards().map(card => card.parentElement.dataset.column))
    const before = places()
    const watch = () => places() === before || window.moves.push(places())
    new MutationObserver(watch).observe(shadowRoot, { childList: true, subtree: true })
}"""
"""Tells in `moves` where the cards stand whenever they do no longer stand in the columns they are in now."""


@pytest.fixture
def deals(database) -> dict[str, int]:
    """Six deals in two stages, by name."""
    now = datetime.now(UTC)
    with database.write() as session:
        make = Make(session)
        made = [
            make.opportunity(
                name=f"{stage.label} {number}",
                stage=stage,
                expected_value=Decimal(1_000 * number),
                expected_close_date=(now + timedelta(days=400 + number)).date(),
            )
            for stage in (OpportunityStage.DISCOVERY, OpportunityStage.NEGOTIATION)
            for number in (1, 2, 3)
        ]
        return {each.name: each.id for each in made}


def stage_of(database: Database, deal_id: int) -> OpportunityStage:
    with database.read() as session:
        return session.get_one(Opportunity, deal_id).stage


def column(seen: Look, label: str) -> Locator:
    return seen.page.locator("section.column").filter(has=seen.page.locator(".badge", has_text=label))


def card(seen: Look, name: str) -> Locator:
    return seen.page.locator("li.card").filter(has_text=re.compile(f"{re.escape(name)}(?!\\d)"))


def open_board(seen: Look) -> None:
    seen.open("pipeline")
    seen.page.locator("li.card").first.wait_for()


def drag(seen: Look, what: Locator, to: Locator, *, steps: int = 15, drop: bool = True) -> None:
    """By mouse, from the middle of one to the upper part of the other."""
    start, end = what.bounding_box(), to.bounding_box()
    mouse = seen.page.mouse
    mouse.move(start["x"] + 30, start["y"] + 12)
    mouse.down()
    mouse.move(end["x"] + min(60, end["width"] / 2), end["y"] + 120, steps=steps)
    if drop:
        mouse.up()


def test_cards_are_dragged_by_mouse(look, address, database, deals):
    with database.write() as session:
        Make(session).opportunity(name=HOSTILE, stage=OpportunityStage.QUALIFICATION)
    seen = look(address)
    seen.page.on("dialog", lambda dialog: pytest.fail(f"A name ran as a script: {dialog.message}"))
    open_board(seen)

    the_first_cards_are_level(seen)
    escape_cancels_a_drag(seen, database, deals)
    the_closed_column_asks(seen, database, deals)
    the_heads_follow_a_drop_and_its_undo(seen, database, deals)
    only_the_last_drop_can_be_taken_back(seen, database, deals)
    a_hostile_name_is_only_text(seen)
    a_click_opens_the_deal(seen, deals)
    assert (seen.complaints, seen.foreign) == ([], [])


def the_first_cards_are_level(seen) -> None:
    for width, height in (PHONE, WIDE):
        seen.page.set_viewport_size({"width": width, "height": height})
        seen.settle()
        lists = seen.page.locator("section.column:not(.folded) .cards")
        tops = [each.bounding_box()["y"] for each in lists.all()]
        assert len(tops) == 4
        assert max(tops) - min(tops) < 1, tops


def escape_cancels_a_drag(seen, database, deals) -> None:
    drag(seen, card(seen, "Discovery 1"), column(seen, "Proposal"), drop=False)
    assert column(seen, "Proposal").locator("li.card").count() == 1
    seen.page.keyboard.press("Escape")
    assert column(seen, "Proposal").locator("li.card").count() == 0
    seen.page.mouse.up()
    seen.settle()

    assert column(seen, "Discovery").locator("li.card").count() == 3
    assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.DISCOVERY
    assert "opportunity=" not in seen.page.url


def the_closed_column_asks(seen, database, deals) -> None:
    drag(seen, card(seen, "Negotiation 1"), column(seen, "Closed"))
    expect(seen.page.get_by_role("dialog")).to_contain_text("Negotiation 1")
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)
    expect(column(seen, "Negotiation").locator("li.card")).to_have_count(3)
    assert stage_of(database, deals["Negotiation 1"]) is OpportunityStage.NEGOTIATION

    drag(seen, card(seen, "Negotiation 1"), column(seen, "Closed"))
    seen.page.get_by_role("dialog").get_by_role("button", name="Close as won").click()
    expect(seen.page.get_by_role("dialog")).to_have_count(0, timeout=SAVED)
    expect(column(seen, "Negotiation").locator("li.card")).to_have_count(2)
    assert stage_of(database, deals["Negotiation 1"]) is OpportunityStage.CLOSED_WON


def the_heads_follow_a_drop_and_its_undo(seen, database, deals) -> None:
    drag(seen, card(seen, "Discovery 1"), column(seen, "Proposal"))

    expect(column(seen, "Proposal").locator("li.card")).to_have_count(1, timeout=SAVED)
    expect(column(seen, "Proposal").locator(".worth")).to_have_text("$1,000")
    expect(column(seen, "Discovery").locator(".worth")).to_have_text("$5,000")
    expect(column(seen, "Discovery").locator(".count")).to_have_text("2")
    expect(seen.page.locator(".said")).to_have_text("Discovery 1 is in Proposal.")
    assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.PROPOSAL

    seen.page.get_by_role("button", name="Undo").click()
    expect(column(seen, "Discovery").locator("li.card")).to_have_count(3)
    assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.DISCOVERY


def only_the_last_drop_can_be_taken_back(seen, database, deals) -> None:
    drag(seen, card(seen, "Discovery 1"), column(seen, "Proposal"))
    expect(seen.page.get_by_text("Moved to Proposal.")).to_be_visible()
    seen.settle()
    drag(seen, card(seen, "Discovery 2"), column(seen, "Negotiation"))

    expect(seen.page.get_by_text("Moved to Negotiation.")).to_be_visible()
    expect(seen.page.get_by_role("button", name="Undo")).to_have_count(1)
    seen.page.get_by_role("button", name="Dismiss").click()
    expect(seen.page.get_by_role("button", name="Undo")).to_have_count(0)
    assert stage_of(database, deals["Discovery 2"]) is OpportunityStage.NEGOTIATION


def a_hostile_name_is_only_text(seen) -> None:
    assert column(seen, "Qualification").locator(".name").inner_text() == HOSTILE
    drag(seen, column(seen, "Qualification").locator("li.card"), column(seen, "Discovery"))
    expect(column(seen, "Discovery").locator("li.card")).to_have_count(2, timeout=SAVED)
    expect(seen.page.locator(".said")).to_have_text(f"{HOSTILE} is in Discovery.")


def a_click_opens_the_deal(seen, deals) -> None:
    card(seen, "Negotiation 2").click()

    expect(seen.page).to_have_url(re.compile(f"opportunity={deals['Negotiation 2']}"))
    expect(seen.page.get_by_role("dialog").get_by_label("Name")).to_have_value("Negotiation 2")


def test_cards_are_moved_by_touch(browser, address, database, deals):
    """A tap opens the deal, a short touch scrolls, and after a long press the card is dragged."""
    size = {"width": PHONE[0], "height": PHONE[1]}
    with browser.new_context(viewport=size, has_touch=True, is_mobile=True, locale="en-US") as context:
        seen = Look(context.new_page(), address)
        open_board(seen)

        card(seen, "Discovery 2").tap()
        expect(seen.page).to_have_url(re.compile(f"opportunity={deals['Discovery 2']}"))
        assert stage_of(database, deals["Discovery 2"]) is OpportunityStage.DISCOVERY
        expect(seen.page.get_by_role("dialog").get_by_label("Name")).to_have_value("Discovery 2")
        seen.page.keyboard.press("Escape")
        expect(seen.page.get_by_role("dialog")).to_have_count(0)

        swipe(seen, card(seen, "Discovery 2"), -200, 0)
        expect(seen.page.locator("li.card.dragging")).to_have_count(0)
        expect(seen.page.locator(".board")).not_to_have_js_property("scrollLeft", 0)
        assert "opportunity=" not in seen.page.url

        wide = Look(context.new_page(), address)
        wide.page.set_viewport_size({"width": 900, "height": 844})  # two columns beside each other
        open_board(wide)
        what, to = card(wide, "Discovery 1"), column(wide, "Proposal")
        what.scroll_into_view_if_needed()
        start, end = what.bounding_box(), to.bounding_box()
        swipe(wide, what, end["x"] + 60 - start["x"] - 30, 90, held=400)
        expect(column(wide, "Proposal").locator("li.card")).to_have_count(1, timeout=SAVED)
        wide.settle()
        assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.PROPOSAL


def swipe(seen: Look, what: Locator, right: float, down: float, *, held: int = 0) -> None:
    """With a finger that rests for so many milliseconds before it moves."""
    touch = seen.page.context.new_cdp_session(seen.page)
    start = what.bounding_box()
    x, y = start["x"] + 30, start["y"] + 12

    def send(kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", x, y)
    seen.page.wait_for_timeout(held)
    for step in range(1, 16):
        send("touchMove", x + right * step / 15, y + down * step / 15)
        seen.page.wait_for_timeout(16)
    send("touchEnd", 0, 0)


def test_everything_works_by_keyboard(look, address, database, deals):
    seen = look(address)
    open_board(seen)

    only_one_card_is_a_stop_for_tab(seen)
    arrows_move_the_focus_and_with_alt_the_card(seen, database, deals)
    the_menu_is_reached_and_left(seen, database, deals)
    a_menu_that_was_closed_at_once_leaves_the_next_one_alone(seen, database, deals)


def only_one_card_is_a_stop_for_tab(seen) -> None:
    assert seen.page.locator("li.card[tabindex='0']").count() == 1
    card(seen, "Negotiation 3").focus()
    assert (
        seen.page.locator("li.card[tabindex='0']").inner_text().startswith("⋯")
        or seen.page.locator("li.card[tabindex='0'] .name").inner_text() == "Negotiation 3"
    )


def arrows_move_the_focus_and_with_alt_the_card(seen, database, deals) -> None:
    keyboard = seen.page.keyboard
    card(seen, "Discovery 1").focus()
    keyboard.press("ArrowDown")
    assert card(seen, "Discovery 2").evaluate("each => each.getRootNode().activeElement === each")
    keyboard.press("ArrowRight")
    assert card(seen, "Negotiation 2").evaluate("each => each.getRootNode().activeElement === each")
    keyboard.press("Alt+ArrowLeft")
    expect(column(seen, "Proposal").locator("li.card")).to_have_count(1, timeout=SAVED)
    expect(seen.page.locator(".said")).to_have_text("Negotiation 2 is in Proposal.")
    assert card(seen, "Negotiation 2").evaluate("each => each.getRootNode().activeElement === each")
    assert stage_of(database, deals["Negotiation 2"]) is OpportunityStage.PROPOSAL

    keyboard.press("Enter")
    expect(seen.page.get_by_role("dialog").get_by_label("Name")).to_have_value("Negotiation 2")
    keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)


def the_menu_is_reached_and_left(seen, database, deals) -> None:
    card(seen, "Discovery 3").locator(".menu").click()
    menu = seen.page.get_by_role("menu")
    expect(menu.get_by_role("menuitem").first).to_be_focused()
    seen.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)

    card(seen, "Discovery 3").locator(".menu").click()
    menu.get_by_role("menuitem", name="Move to Negotiation").click()
    expect(column(seen, "Negotiation").locator("li.card")).to_have_count(3, timeout=SAVED)
    assert stage_of(database, deals["Discovery 3"]) is OpportunityStage.NEGOTIATION


def a_menu_that_was_closed_at_once_leaves_the_next_one_alone(seen, database, deals) -> None:
    card(seen, "Discovery 2").locator(".menu").evaluate("""button => {
        button.click()
        const [item] = button.getRootNode().querySelectorAll('[role=menuitem]')
        item.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
    }""")
    expect(seen.page.get_by_role("menu")).to_have_count(0)
    card(seen, "Discovery 2").locator(".menu").click()
    seen.page.get_by_role("menuitem", name="Move to Negotiation").click()

    expect(column(seen, "Negotiation").locator("li.card")).to_have_count(4, timeout=SAVED)
    assert stage_of(database, deals["Discovery 2"]) is OpportunityStage.NEGOTIATION


def test_each_drop_is_saved_and_a_refused_one_goes_back(look, address, database, deals):
    seen = look(address)
    open_board(seen)

    one_card_is_dropped_again_before_the_first_drop_is_answered(seen, database, deals)
    drops_within_one_answer_are_all_saved_and_stay_where_they_are(seen, database, deals)
    expect(seen.page.get_by_text("was changed meanwhile")).to_have_count(0)
    a_refused_drop_goes_back_with_its_sentence(seen, database, deals)


def one_card_is_dropped_again_before_the_first_drop_is_answered(seen, database, deals) -> None:
    with database.write(actor=1):
        drag(seen, card(seen, "Discovery 1"), column(seen, "Proposal"), steps=4)
        drag(seen, card(seen, "Discovery 1"), column(seen, "Negotiation"), steps=4)

    expect(column(seen, "Negotiation").locator(".count")).to_have_text("4", timeout=SAVED)
    assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.NEGOTIATION
    expect(seen.page.get_by_text("was changed meanwhile")).to_have_count(0)


def drops_within_one_answer_are_all_saved_and_stay_where_they_are(seen, database, deals) -> None:
    names = ("Negotiation 1", "Negotiation 2", "Negotiation 3")
    with database.write(actor=1):  # which keeps the first of them from being saved
        for name in names:
            drag(seen, card(seen, name), column(seen, "Proposal"), steps=4)
        seen.page.evaluate(f"({WATCH})()")
    expect(column(seen, "Proposal").locator(".count")).to_have_text("3", timeout=SAVED)

    assert seen.page.evaluate("moves") == []
    assert {stage_of(database, deals[name]) for name in names} == {OpportunityStage.PROPOSAL}


def a_refused_drop_goes_back_with_its_sentence(seen, database, deals) -> None:
    seen.page.evaluate("document.querySelector('[data-testid=stApp]').dataset.mark = 'same page'")
    what, to = card(seen, "Discovery 2"), column(seen, "Proposal")
    drag(seen, what, to, drop=False)
    with database.write(actor=1) as session:  # while it is in the air
        opportunity_service.move_opportunity(session, deals["Discovery 2"], to=OpportunityStage.QUALIFICATION)
    seen.page.wait_for_timeout(4_000)  # a look at what others changed does not disturb it
    assert seen.page.locator("li.card.dragging").count() == 1
    seen.page.mouse.up()

    expect(column(seen, "Qualification").locator("li.card")).to_have_count(1, timeout=SAVED)
    expect(seen.page.get_by_text("was changed meanwhile").first).to_be_visible()
    expect(seen.page.locator(".said")).to_have_text("Discovery 2 was not moved. It is in Qualification.")
    expect(seen.page.get_by_test_id("stApp")).to_have_attribute("data-mark", "same page")
    assert stage_of(database, deals["Discovery 2"]) is OpportunityStage.QUALIFICATION


def test_messages_that_get_lost_or_come_late_do_no_harm(look, address, database, deals):
    seen = look(address)
    deaf = threading.Event()
    deafen(seen, deaf)
    open_board(seen)

    a_drop_that_got_lost_is_sent_again(seen, deaf, database, deals)
    a_drop_that_nobody_answers_goes_back(seen, deaf, database, deals)
    an_older_drawing_that_comes_late_is_passed_over(seen)


def deafen(seen: Look, deaf: threading.Event) -> None:
    """As long as that is set, the server hears nothing from the page."""

    def relay(socket) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda told: None if deaf.is_set() else server.send(told))

    seen.page.route_web_socket(re.compile("_stcore/stream"), relay)


def a_drop_that_got_lost_is_sent_again(seen, deaf, database, deals) -> None:
    deaf.set()
    drag(seen, card(seen, "Discovery 1"), column(seen, "Proposal"))
    seen.page.wait_for_timeout(1_000)
    deaf.clear()

    expect(seen.page.locator(".said")).to_have_text("Discovery 1 is in Proposal.")
    assert stage_of(database, deals["Discovery 1"]) is OpportunityStage.PROPOSAL
    seen.settle()


def a_drop_that_nobody_answers_goes_back(seen, deaf, database, deals) -> None:
    deaf.set()
    drag(seen, card(seen, "Discovery 2"), column(seen, "Proposal"))

    expect(seen.page.locator(".said")).to_contain_text("no answer yet")
    assert column(seen, "Discovery").locator("li.card:not(.saving)").count() == 2
    assert stage_of(database, deals["Discovery 2"]) is OpportunityStage.DISCOVERY


def an_older_drawing_that_comes_late_is_passed_over(seen) -> None:
    """While its script is being loaded, a browser goes on with several drawings in any order."""
    shown = seen.page.evaluate(
        """async script => {
            const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
            const { default: draw } = await import(address)
            const host = document.body.appendChild(document.createElement('div'))
            const parentElement = host.attachShadow({ mode: 'open' })
            parentElement.innerHTML = '<div class="frame"></div>'
            const told = []
            const drawn = drawing => {
                const columns = [{ id: 'a', label: 'A', count: '1', worth: '', actions: [] }]
                const card = { id: 1, version: 1, column: 'a', name: `Drawing ${drawing}` }
                const cards = [{ ...card, lines: [], signs: [] }]
                const data = { label: '', columns, cards, key: 'late', session: 's', drawing, answered: 0 }
                return { data, parentElement, setTriggerValue: (_, events) => told.push(...events) }
            }
            draw(drawn(2))
            const cleanUp = draw(drawn(1))
            cleanUp()
            const element = parentElement.querySelector('.card')
            element.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))
            return [element.querySelector('.name').textContent, told.map(each => each.event)]
        }""",
        outbox.script(Path(board.__file__).parent / "board.js"),
    )

    assert shown == ["Drawing 2", ["opened"]]


def test_two_sessions_see_each_other_within_five_seconds(look, address, database, deals):
    ada, bob = look(address), look(address)
    open_board(ada)
    open_board(bob)

    drag(ada, card(ada, "Discovery 1"), column(ada, "Proposal"))
    expect(column(bob, "Proposal").locator("li.card")).to_have_count(1, timeout=5_000)
    drag(bob, card(bob, "Discovery 2"), column(bob, "Proposal"))
    drag(ada, card(ada, "Discovery 3"), column(ada, "Negotiation"))
    expect(column(ada, "Proposal").locator("li.card")).to_have_count(2, timeout=5_000)
    expect(column(bob, "Negotiation").locator("li.card")).to_have_count(4, timeout=5_000)

    assert [stage_of(database, deals[f"Discovery {number}"]).value for number in (1, 2, 3)] == [
        "proposal",
        "proposal",
        "negotiation",
    ]
