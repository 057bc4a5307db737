"""A real server on a port of its own, and a real browser that looks at it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from crm_core import demo
from crm_core.config import PROJECT
from crm_core.database import Database
from tests.serving import served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SCREENSHOTS = PROJECT / "build" / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)


@dataclass
class Look:
    """A page of the app in a browser, with what went wrong behind it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the script has run and everything it sent is drawn."""
        app = self.page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=30_000)
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=10_000)
        self.page.wait_for_timeout(300)

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="session")
def demo_database(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    file = tmp_path_factory.mktemp("demo") / "crm.db"
    shutil.copy(migrated_file, file)
    database = Database(f"sqlite:///{file}")
    demo.fill(database, opportunities=demo.DEFAULT_OPPORTUNITIES, seed=1, at=datetime.now(UTC))
    return database


@pytest.fixture(scope="session")
def demo_address(demo_database: Database) -> Iterator[str]:
    with served(demo_database.url.render_as_string()) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: no browser to look with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Look]]:
    """Opens the app in a fresh browser session: `look(address, size=PHONE, scheme="dark")`."""
    contexts = []

    def open_(address: str, *, size: tuple[int, int] = WIDE, scheme: str = "light") -> Look:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-US"
        )
        contexts.append(context)
        seen = Look(context.new_page(), address)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on(
            "console",
            lambda said: (
                seen.complaints.append(said.text)
                if said.type == "error" and "/_stcore/" not in said.location["url"]  # it tries two places
                else None
            ),
        )
        seen.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:"))
                else seen.foreign.append(request.url)
            ),
        )
        return seen

    yield open_
    for context in contexts:
        context.close()
