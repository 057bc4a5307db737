"""In a real browser: what breaks in a screen is told by its number alone, and the rest stays as it was."""

import re

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.browser.every_element import GONE, SECRET
from tests.browser.parts import go

INCIDENT = re.compile(r"administrator incident (\w{4}-\w{4})\.")
TITLE = "Ways to go wrong"

BROKEN = {"light": ["body", "fragment", "dialog", "action"], "dark": ["dialog"]}
"""What breaks in which scheme; the action comes last, for its toast stays."""


@pytest.mark.parametrize("scheme", BROKEN)
def test_what_breaks_is_told_by_its_number_alone(look, elements, scheme):
    seen = look(elements.address, scheme=scheme)
    received = record(seen.page)
    said = seen.page.get_by_text(INCIDENT)

    for broken in BROKEN[scheme]:
        go(seen, "", TITLE)
        expect(said).to_have_count(0)
        if broken == "dialog":
            seen.press("Open the dialog")
        seen.press(f"Break the {broken}")
        expect(said).to_be_visible()
        seen.settle()

        seen.screenshot(f"incident-{broken}-{scheme}")
        number = INCIDENT.search(said.inner_text()).group(1)
        expect(seen.page.get_by_text("What stands above stays.")).to_be_visible()
        expect(seen.page.get_by_text("The end of the screen.")).to_have_count(0 if broken == "body" else 1)
        assert seen.page.get_by_test_id("stException").count() == 0
        assert not [frame for frame in received if SECRET.encode() in frame or b"Traceback" in frame]
        log = elements.log()
        assert log.count(number) == 1
        told = log.partition(f"Incident {number}\n")[2].partition("\nIncident ")[0]
        assert told.startswith("Traceback (most recent call last):")
        assert f"ZeroDivisionError: {SECRET}" in told
        assert log.count(SECRET) == log.count("\nIncident ")
    assert received


def test_a_refusal_is_its_own_sentence_and_what_was_saved_is_said_beside_an_incident(look, elements):
    seen = look(elements.address)
    go(seen, "", TITLE)
    known = elements.log()

    for name in ("Refuse in the body", "Refuse in the fragment", "Refuse the action"):
        go(seen, "", TITLE)
        expect(seen.page.get_by_text(GONE)).to_have_count(0)
        seen.press(name)
        expect(seen.page.get_by_text(GONE)).to_be_visible()
        expect(seen.page.get_by_text("What stands above stays.")).to_be_visible()
        assert seen.page.get_by_text("Something went wrong").count() == 0
        assert elements.log() == known

    seen.press("Break after saving")
    expect(seen.page.get_by_text(INCIDENT)).to_be_visible()
    expect(seen.page.get_by_text("The deal is saved.")).to_be_visible()


def record(page: Page) -> list[bytes]:
    """Everything that the server tells the page from now on."""
    received: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.append(frame if isinstance(frame, bytes) else b""))

    page.on("websocket", listen)
    return received
