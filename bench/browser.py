"""A real browser, with a clock in its pages that tells how long somebody waits."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM = Path(shutil.which("chromium-headless-shell") or "/usr/bin/chromium")
"""Without a window it takes half of the processor's time."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CLOCK = Path(__file__).parent / "clock.js"
SIZE = {"width": 1280, "height": 900}
PATIENCE = 60_000
"""Milliseconds that anything may take to appear."""

MOVES = 15
"""Pointer moves of a drag."""

Region = Literal["page", "rows", "drawer"]
"""Rows are those of a table, or the cards of the board."""


@dataclass(frozen=True)
class Waited:
    """Milliseconds from the click to the last paint and to the server's last message, and what that sent.

    Of mere work in the browser: how long it took its main thread.
    """

    painted: float
    answered: float = 0
    bytes: int = 0


class Visitor:
    """Somebody at a screen of their own."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(viewport=SIZE, locale="en-US")  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(path=CLOCK)
        self.page: Page = self.context.new_page()
        self.tools = self.context.new_cdp_session(self.page)
        self.tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def go(self, path: str) -> None:
        """Open an address as if it was typed, and wait until the screen is drawn."""
        self.page.goto(f"{self.address}/{path}")
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        self.page.wait_for_timeout(500)

    def wait(self, act: Callable[[], object], region: Region, shows: str = "") -> Waited:
        """Do something; how long it takes until that region of the page is painted for the last time.

        The clock starts at the last click, key or drop. Where a text is given, the rows have to show it.
        """
        self.page.evaluate("clock.arm()")
        act()
        told = self.page.evaluate("([region, text]) => clock.stop(region, text)", [region, shows])
        return Waited(told["painted"], told["answered"], told["bytes"])

    def work(self, act: Callable[[], object]) -> Waited:
        """Do something; how much of the processor's time the page's main thread takes for it."""
        before = self._seconds_of_work()
        act()
        return Waited((self._seconds_of_work() - before) * 1000)

    def _seconds_of_work(self) -> float:
        told = self.tools.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in told if each["name"] == "TaskDuration")

    def move(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.page.mouse.move(x, y, steps=MOVES)

    def in_menu(self, screen: str) -> Locator:
        return self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=screen)

    def leave_by_menu(self, screen: str) -> None:
        """Go to another screen, and stay there for a moment."""
        self.wait(self.in_menu(screen).click, "page")
        self.page.wait_for_timeout(500)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Raises `FileNotFoundError` where there is none."""
    if not CHROMIUM.exists():
        raise FileNotFoundError(f"{CHROMIUM} is not there: no browser to measure with.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
