"""How long does somebody wait at the screens of deals, and how long where a screen does the least?

    python -m bench.ui [--deals 100000] [--times 20] [--postgres URL] [--json FILE]

A real browser clicks, types and drags. The clock runs from the click, key or drop, as the browser stamps it,
to the last paint of what it changed: two animation frames after the last change of the table (or the board,
or the drawer), with no script running any more. In a search, 250 ms are Streamlit's pause after the last
key. Nobody waits for a drag: what counts is the processor time of the page's main thread. Beside everything
stands what was measured right after it at a bare screen, which shows fifty such rows in the same table from
memory: a click, or the same moves of the mouse. Busy machines slow both down: compare the ratios. Databases
are filled once and kept, as for `bench.api`; every run works on a copy. What the servers say is in
build/bench-ui.log.
"""

import argparse
import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import select

from bench.api import Server, embedded, on_server, opened, serving
from bench.bare_table import ROWS
from bench.board import Board
from bench.browser import Visitor, Waited, chromium
from bench.raw import STAGES, Raw
from bench.waits import Bare, Wait
from crm_core import clock
from crm_core.config import PROJECT
from crm_core.filters import EVERYTHING
from crm_core.models import Company, Opportunity, OpportunityStage
from crm_core.services import opportunity_service, settings_service
from crm_core.sorting import OpportunitySort
from ui import opportunity_list
from ui.listing import paging
from ui.listing.table import Column, Row

LOG = PROJECT / "build" / "bench-ui.log"
"""What the servers say."""

TYPING = 40
"""Milliseconds between two keys."""

SESSIONS = 5
"""So many more people look at the list, to see what each takes of the server's memory."""

PAGES = 3
"""So far people turn pages before they begin anew; there are more, but not in the smallest of lists."""

ELSEWHERE = (640, 10)
"""A place with nothing to click."""

FILTERED = "opportunities?deals_state=Open"
HEADS = ("name", "value", "expected_close", "owner")


@dataclass(frozen=True)
class Figures:
    """What was measured of one wait, in milliseconds, seconds of processor time and bytes."""

    name: str
    cold: float
    p50: float
    p95: float
    answered: float
    cpu: float
    bytes: int
    bare: float
    goal: int | None

    @property
    def verdict(self) -> str:
        """Whether the goal was reached nineteen times of twenty, or at least every other time."""
        if self.goal is None:
            return "–"
        reached = (
            "reached"
            if self.p95 <= self.goal
            else "reached at p50 only"
            if self.p50 <= self.goal
            else "not reached"
        )
        return f"{self.goal} ms: {reached}"

    def __str__(self) -> str:
        cells = (
            self.name,
            f"{self.cold:.0f} ms",
            f"{self.p50:.0f} ms",
            f"{self.p95:.0f} ms",
            f"{self.answered:.0f} ms",
            f"{self.cpu * 1000:.0f} ms",
            f"{self.bytes / 1000:.0f} kB",
            f"{self.bare:.0f} ms",
            f"{self.p50 / self.bare:.1f}",
            self.verdict,
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| wait | cold | p50 | p95 | last message | server's CPU | received | bare screen, p50 | ratio | goal |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


class Deals(Visitor):
    """Somebody who works with the list of deals; `number` counts what they do."""

    def __init__(
        self, browser: Browser, port: int, searches: Sequence[str], change: Callable[[], None]
    ) -> None:
        super().__init__(browser, port)
        self.searches = searches
        self.change = change

    def waits(self) -> Iterator[Wait]:
        """In this order, each on the screen as the one before it leaves it."""
        yield Wait("50 rows, after the menu", self.open_list, self.leave, goal=1000)
        yield Wait("filter by stage", self.choose_stage, self.offer_stages, goal=500)
        yield Wait(
            "... after a change elsewhere", self.choose_stage, self.offer_stages_after_a_change, goal=500
        )
        yield Wait("search, from the last key", self.search, self.clear, goal=500)
        yield Wait("sort by a head", self.sort, self.clear_at_first, goal=500)
        yield Wait("next page", self.turn_page, self.begin_again, goal=500)
        yield Wait("drawer of a row", self.open_row, self.close_drawer, goal=400, region="drawer")
        yield Wait("save in the drawer, seen in the table", self.save, self.write, shows=self.next_step)
        yield Wait(
            "dashboard, in a new window", self.open_dashboard, self.open_a_window, goal=2500, region="page"
        )
        yield Wait(
            "dashboard, after the menu", self.open_dashboard, self.leave_dashboard, goal=1000, region="page"
        )
        yield Wait(
            "dashboard, after a change elsewhere",
            self.open_dashboard,
            self.leave_dashboard_and_change,
            goal=1000,
            region="page",
        )

    def open_dashboard(self, number: int) -> None:
        self.in_menu("Dashboard").click()

    def open_a_window(self, number: int) -> None:
        """What draws charts is not in it yet."""
        self.go("opportunities")

    def leave_dashboard(self, number: int) -> None:
        self.leave_by_menu("Opportunities")

    def leave_dashboard_and_change(self, number: int) -> None:
        self.leave_dashboard(number)
        self.change()

    def leave(self, number: int) -> None:
        self.leave_by_menu("Dashboard")

    def open_list(self, number: int) -> None:
        self.in_menu("Opportunities").click()

    def clear(self, number: int) -> None:
        self.page.mouse.click(*ELSEWHERE)  # closes what a field offers
        clear = self.page.locator(".st-key-deals-clear button")
        if clear.count():
            self.wait(clear.click, "rows")

    def offer_stages(self, number: int) -> None:
        self.clear(number)
        self.page.get_by_role("combobox", name="Stage").click()

    def offer_stages_after_a_change(self, number: int) -> None:
        self.offer_stages(number)
        self.change()

    def choose_stage(self, number: int) -> None:
        stages = list(OpportunityStage)
        self.page.get_by_role("option", name=stages[number % len(stages)].label, exact=True).click()

    def search(self, number: int) -> None:
        field_ = self.page.get_by_placeholder("Deal, company or contact")
        field_.press_sequentially(self.searches[number % len(self.searches)], delay=TYPING)

    def clear_at_first(self, number: int) -> None:
        if number == 0:
            self.clear(number)

    def sort(self, number: int) -> None:
        self.page.locator(f"button.sort[data-column={HEADS[number % len(HEADS)]}]").click()

    def begin_again(self, number: int) -> None:
        if number % PAGES == 0:
            self.go("opportunities")

    def turn_page(self, number: int) -> None:
        self.page.get_by_role("button", name="Next page").click()

    def close_drawer(self, number: int) -> None:
        if number == 0:
            self.go(FILTERED)
        close = self.page.locator('[role="dialog"] button[aria-label="Close"]')
        if close.count():
            self.wait(close.click, "page")

    def open_row(self, number: int) -> None:
        self.page.locator("tbody button.open").nth(number % 10).click()

    def write(self, number: int) -> None:
        self.close_drawer(number)
        self.wait(lambda: self.open_row(number), "drawer")
        self.page.get_by_role("dialog").get_by_label("Next step", exact=True).fill(self.next_step(number))

    def save(self, number: int) -> None:
        self.page.locator(".st-key-drawer_save button").click()

    def next_step(self, number: int) -> str:
        return f"Call again {number}"


class Bench:
    """Somebody at a bare screen, and the server of the screens that are measured."""

    def __init__(self, server: Server, bare: Bare, times: int) -> None:
        self.server, self.bare, self.times = server, bare, times

    def measure(self, visitor: Visitor, wait: Wait) -> Figures:
        """The first time is the cold one; each other is followed by the like of it at the bare screen."""
        cold = self._once(visitor, wait, 0)[0]
        pairs = [
            (self._once(visitor, wait, number), wait.least(self.bare)) for number in range(1, self.times + 1)
        ]
        waits = [waited for (waited, _), _ in pairs]
        painted = sorted(waited.painted for waited in waits)
        return Figures(
            name=wait.name,
            cold=cold.painted,
            p50=statistics.median(painted),
            p95=painted[int(len(painted) * 0.95) - 1 if len(painted) > 1 else 0],
            answered=statistics.median(waited.answered for waited in waits),
            cpu=statistics.mean(seconds for (_, seconds), _ in pairs),
            bytes=round(statistics.median(waited.bytes for waited in waits)),
            bare=statistics.median(least.painted for _, least in pairs),
            goal=wait.goal,
        )

    def _once(self, visitor: Visitor, wait: Wait, number: int) -> tuple[Waited, float]:
        """With the processor time that the server took for it."""
        wait.prepare(number)
        before = self.server.seconds()
        waited = wait.once(visitor, number)
        return waited, self.server.seconds() - before


@dataclass(frozen=True)
class Told:
    """What was measured on one kind of database: the list's raw SQL in milliseconds, memory in bytes."""

    database: str
    times: int
    raw_sql: float
    memory_at_start: int
    memory_of_a_session: int
    waits: list[Figures]


def measure(url: str, *, times: int) -> Told:
    """Print the table of a filled database, which is changed by it; returns what it says."""
    raw, searches, moved = Raw(url), words_to_search(url, times), deal_to_move(url)
    stages = cycle(STAGES)
    with screens(url) as (server, bare_server), chromium() as browser:
        started = server.memory()
        deals = Deals(browser, server.port, searches, change=lambda: raw.move(moved, next(stages)))
        bare = Bare(browser, bare_server.port)
        bare.go("")
        bare.turn()
        bench = Bench(server, bare, times)
        print(HEAD, flush=True)
        rows = []
        for visitor in (deals, Board(browser, server.port)):
            visitor.go("")
            for wait in visitor.waits():
                rows.append(bench.measure(visitor, wait))
                print(rows[-1], flush=True)
        seconds = [seconds_of(raw.list_them) for _ in range(times)]
        each = memory_of_a_session(browser, server, min(times, SESSIONS))
    sql = statistics.median(seconds) * 1000
    print(f"\nThe list's SQL run raw: {sql:.1f} ms. {machine()}")
    print(
        f"Memory: {started / 1e6:.0f} MB at start, {each / 1e6:.1f} MB for each session with the list open."
    )
    return Told(raw.kind, times, sql, started, each, rows)


def machine() -> str:
    """Which one this is, and how busy."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "processor")
    return f"{os.cpu_count()} × {processor}; load average {os.getloadavg()[0]:.1f}; {clock.now():%Y-%m-%d}."


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def memory_of_a_session(browser: Browser, server: Server, sessions: int) -> int:
    """What one more session with the list open takes, in bytes."""
    before = server.memory()
    visitors = [Visitor(browser, server.port) for _ in range(sessions)]
    for visitor in visitors:
        visitor.go("opportunities")
    return (server.memory() - before) // sessions


@contextmanager
def screens(url: str) -> Iterator[tuple[Server, Server]]:
    """The program on that database, and the bare screen with rows of it; both just started."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile())
        file.write(pickle.dumps(bare_rows(url)))
        file.flush()
        LOG.parent.mkdir(exist_ok=True)
        log = stack.enter_context(LOG.open("wb"))
        bare = stack.enter_context(serving("bench.bare_table:app", {ROWS: file.name}, log))
        yield stack.enter_context(serving("app:app", {"CRM_DATABASE_URL": url}, log)), bare


def bare_rows(url: str) -> tuple[list[Column], list[list[Row]]]:
    """The columns and the first two pages of the list, as its screen shows them."""
    shown = opportunity_list.OPPORTUNITIES.shown_at_first
    with opened(url) as database, database.read() as session:
        space = settings_service.get_workspace(session)
        deals = opportunity_service.get_rows(
            session, EVERYTHING, sort=OpportunitySort.VALUE_DESCENDING, limit=2 * paging.ROWS
        )
    day = space.calendar.day_of(clock.now())
    rows = [
        Row(
            deal.id,
            deal.version,
            deal.name,
            {name: opportunity_list.cell(name, deal, space, day) for name in shown},
        )
        for deal in deals
    ]
    columns = [Column(name, opportunity_list.COLUMNS[name]) for name in shown]
    return columns, [rows[: paging.ROWS], rows[paging.ROWS :]]


def words_to_search(url: str, times: int) -> list[str]:
    """Names of companies that have deals, each another question."""
    with_deals = select(Opportunity.company_id).where(Opportunity.deleted_at.is_(None))
    names = select(Company.name).where(Company.id.in_(with_deals)).order_by(Company.id).limit(times + 1)
    with opened(url) as database, database.read() as session:
        return [name[:6] for name in session.scalars(names)]


def deal_to_move(url: str) -> int:
    """An open deal, for somebody else to change."""
    with opened(url) as database, database.read() as session:
        return session.scalars(
            select(Opportunity.id).where(Opportunity.is_open, Opportunity.stage.in_(STAGES)).limit(1)
        ).one()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, default=100_000, help="how many; by default 100,000")
    parser.add_argument("--times", type=int, default=20, help="how often each is done; by default 20")
    parser.add_argument("--postgres", metavar="URL", help="measure on this server, too")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there, too")
    asked = parser.parse_args()
    told = []
    with embedded(asked.deals) as url:
        told.append(measure(url, times=asked.times))
    if asked.postgres:
        with on_server(asked.postgres, asked.deals) as url:
            told.append(measure(url, times=asked.times))
    if asked.json:
        asked.json.write_text(
            json.dumps(
                {"deals": asked.deals, "machine": machine(), "measured": [asdict(each) for each in told]},
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
