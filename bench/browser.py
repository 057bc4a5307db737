"""A real browser, with a clock in its pages that tells how long somebody waits."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
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

Region = Literal["page", "table", "drawer"]


@dataclass(frozen=True)
class Waited:
    """Milliseconds from the click to the last paint and to the server's last message, and what that sent."""

    painted: float
    answered: float
    bytes: int


class Visitor:
    """Somebody at a screen of their own."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.context = browser.new_context(viewport=SIZE, locale="en-US")  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(path=CLOCK)
        self.page: Page = self.context.new_page()

    def go(self, path: str) -> None:
        """Open an address as if it was typed, and wait until the screen is drawn."""
        self.page.goto(f"{self.address}/{path}")
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        self.page.wait_for_timeout(500)

    def wait(self, act: Callable[[], object], region: Region, shows: str = "") -> Waited:
        """Do something; how long it takes until that region of the page is painted for the last time.

        The clock starts at the last click or key. Where a text is given, a table has to show it.
        """
        self.page.evaluate("clock.arm()")
        act()
        told = self.page.evaluate("([region, text]) => clock.stop(region, text)", [region, shows])
        return Waited(told["painted"], told["answered"], told["bytes"])

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
