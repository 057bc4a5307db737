"""A real server on a port of its own, and a real browser that looks at it."""

import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench.browser import CHROMIUM, FLAGS
from crm_core import demo
from crm_core.config import PROJECT
from crm_core.database import Database
from tests.databases import InTurn
from tests.serving import Server, served

EVERY_ELEMENT = ("streamlit", "run", "tests/browser/every_element.py", "--server.port")
SCREENSHOTS = PROJECT / "build" / "screenshots"
WIDE, PHONE = (1280, 900), (390, 844)

expect.set_options(timeout=20_000)  # the machine may have more to do

FAILED = pytest.StashKey[bool]()

Contexts = Callable[[tuple[int, int], str], BrowserContext]


@dataclass
class Look:
    """A page of the app in a browser, with what went wrong behind it.

    Wait with `expect`: `page.wait_for_function` evaluates text in the page, which its policy forbids.
    """

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
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)
        self.page.wait_for_timeout(300)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="session")
def demo_database(new_sqlite: Callable[[], InTurn]) -> Database:
    """Two years of deals. What is added to it is seen by the tests that come after."""
    database = new_sqlite().database
    demo.fill(database, opportunities=demo.DEFAULT_OPPORTUNITIES, seed=1, at=datetime.now(UTC))
    return database


@pytest.fixture(scope="session")
def demo_address(demo_database: Database) -> Iterator[str]:
    with served(demo_database.url.render_as_string()) as address:
        yield address


@pytest.fixture(scope="session")
def workspaces(new_sqlite: Callable[[], InTurn]) -> Iterator[InTurn]:
    databases = new_sqlite()
    yield databases
    databases.drop()


@pytest.fixture(scope="session")
def address(workspaces: InTurn) -> Iterator[str]:
    """Where `database` is served."""
    with served(workspaces.database.url.render_as_string()) as address:
        yield address


@pytest.fixture
def database(workspaces: InTurn) -> Iterator[Database]:
    """An empty workspace."""
    database = workspaces.database
    yield database
    workspaces.empty()
    assert workspaces.database is database, "Somebody still holds a lock on the workspace."


@pytest.fixture(scope="session")
def elements(new_sqlite: Callable[[], InTurn]) -> Iterator[Server]:
    """A server with screens of every element, on an empty database."""
    server = Server(new_sqlite().database.url.render_as_string(), EVERY_ELEMENT)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: no browser to look with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Try a test in the browser twice, for the machine may have more to do; the first failure is told."""
    if Path(__file__).parent not in item.path.parents:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = [str(report.longrepr) for report in reports if report.failed]
    if failed:
        warnings.warn(f"Failed at first: {item.nodeid}\n{failed[0][-1500:]}", stacklevel=1)
        item._initrequest()  # type: ignore[attr-defined]  # with fixtures of its own
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know whether the test has failed."""
    report = yield
    item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Iterator[Contexts]:
    """A browser session for each look, which loads the app's scripts but once."""
    opened: dict[Any, BrowserContext] = {}

    def context(size: tuple[int, int], scheme: str) -> BrowserContext:
        if (size, scheme) not in opened:
            opened[size, scheme] = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-US"
            )
        return opened[size, scheme]

    yield context
    for each in opened.values():
        each.close()


@pytest.fixture
def look(contexts: Contexts, request: pytest.FixtureRequest) -> Iterator[Callable[..., Look]]:
    """Opens the app in a page of its own: `look(address, size=PHONE, scheme="dark")`."""
    pages: list[Page] = []

    def open_(address: str, *, size: tuple[int, int] = WIDE, scheme: str = "light") -> Look:
        seen = Look(contexts(size, scheme).new_page(), address)
        pages.append(seen.page)
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
    if request.node.stash.get(FAILED, False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(page for page in pages if not page.is_closed()):
            page.screenshot(path=SCREENSHOTS / f"failed-{request.node.name}-{number}.png")
    for page in pages:
        page.close()
