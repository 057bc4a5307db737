"""How long does somebody wait at the screens of deals, and how long where a screen does the least?

    python -m bench.ui [--deals 100000] [--times 20] [--part board] [--postgres URL] [--json FILE]

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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import select

from bench.api import Server, embedded, on_server, opened, serving
from bench.bare_table import ROWS
from bench.board import Board
from bench.browser import Visitor, Waited, chromium
from bench.deals import Deals
from bench.raw import STAGES, Raw
from bench.waits import Bare, Wait
from crm_core import clock
from crm_core.config import PROJECT
from crm_core.filters import EVERYTHING
from crm_core.models import Company, Opportunity
from crm_core.services import opportunity_service, settings_service
from crm_core.sorting import OpportunitySort
from ui import opportunity_list
from ui.listing import paging
from ui.listing.table import Column, Row

LOG = PROJECT / "build" / "bench-ui.log"
"""What the servers say."""

AT_FIRST = 5
"""So many servers are started to see the first dashboard of each."""

PARTS = ("list", "board")

SESSIONS = 5
"""So many more people look at the list, to see what each takes of the server's memory."""


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


@dataclass(frozen=True)
class Once:
    """How long somebody waited, the seconds of processor time that the server took for it, and milliseconds
    at the bare screen right after it.
    """

    waited: Waited
    cpu: float
    bare: float

    @classmethod
    def of(cls, server: Server, visitor: Visitor, bare: Bare, wait: Wait, number: int) -> "Once":
        wait.prepare(number)
        before = server.seconds()
        waited = wait.once(visitor, number)
        return cls(waited, server.seconds() - before, wait.least(bare).painted)


def figures(name: str, goal: int | None, measured: Sequence[Once]) -> Figures:
    """The first time is the cold one, and counted as nothing else."""
    each = measured[1:]
    painted = sorted(once.waited.painted for once in each)
    return Figures(
        name=name,
        cold=measured[0].waited.painted,
        p50=statistics.median(painted),
        p95=painted[int(len(painted) * 0.95) - 1 if len(painted) > 1 else 0],
        answered=statistics.median(once.waited.answered for once in each),
        cpu=statistics.mean(once.cpu for once in each),
        bytes=round(statistics.median(once.waited.bytes for once in each)),
        bare=statistics.median(once.bare for once in each),
        goal=goal,
    )


def first_dashboards(url: str, deals: int, browser: Browser, bare: Bare, times: int) -> Figures:
    """Each is the first of a server that has just been started and has counted nothing of it."""
    measured = []
    for number in range(min(times, AT_FIRST) + 1):
        with screens(url) as server:
            newcomer = Deals(browser, server.port)
            newcomer.go("opportunities")
            wait = Wait("", newcomer.open_dashboard, region="page")
            measured.append(Once.of(server, newcomer, bare, wait, number))
            newcomer.context.close()
    return figures("dashboard, nothing counted", 2500 if deals <= 100_000 else 6000, measured)


def all_waits(server: Server, visitors: Sequence[Deals | Board], bare: Bare, times: int) -> Iterator[Figures]:
    """What each visitor does, once more than so many times."""
    for visitor in visitors:
        visitor.go("")
        for wait in visitor.waits():
            measured = [Once.of(server, visitor, bare, wait, number) for number in range(times + 1)]
            yield figures(wait.name, wait.goal, measured)


@dataclass(frozen=True)
class Told:
    """What was measured on one kind of database: the list's raw SQL in milliseconds, memory in bytes."""

    database: str
    times: int
    raw_sql: float
    memory_at_start: int
    memory_of_a_session: int
    waits: list[Figures]


def measure(url: str, *, deals: int, times: int, parts: Collection[str] = PARTS) -> Told:
    """Print the table of a database filled with so many, which is changed by it; returns what it says.

    `parts`: who is measured after the first dashboard, those who work with the list or with the board.
    """
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    raw, moved, stages = Raw(url), deal_to_move(url), cycle(STAGES)
    print(HEAD, flush=True)
    with bare_screen(url) as bare_server, chromium() as browser:
        bare = Bare(browser, bare_server.port)
        bare.go("")
        bare.turn()
        rows = [printed(first_dashboards(url, deals, browser, bare, times))]
        with screens(url) as server:
            started = server.memory()
            words = words_to_search(url, times)
            lister = Deals(browser, server.port, words, change=lambda: raw.move(moved, next(stages)))
            workers: dict[str, Deals | Board] = {"list": lister, "board": Board(browser, server.port)}
            visitors = [workers[part] for part in parts]
            rows += map(printed, all_waits(server, visitors, bare, times))
            each = memory_of_a_session(browser, server, min(times, SESSIONS))
    sql = statistics.median(seconds_of(raw.list_them) for _ in range(times)) * 1000
    print(f"\nThe list's SQL run raw: {sql:.1f} ms. {machine()}")
    print(
        f"Memory: {started / 1e6:.0f} MB at start, {each / 1e6:.1f} MB for each session with the list open."
    )
    return Told(raw.kind, times, sql, started, each, rows)


def printed(row: Figures) -> Figures:
    print(row, flush=True)
    return row


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


def screens(url: str) -> AbstractContextManager[Server]:
    """The program on that database, just started."""
    return logged("app:app", {"CRM_DATABASE_URL": url})


@contextmanager
def bare_screen(url: str) -> Iterator[Server]:
    """One that shows rows of that database from memory."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps(bare_rows(url)))
        file.flush()
        with logged("bench.bare_table:app", {ROWS: file.name}) as server:
            yield server


@contextmanager
def logged(application: str, environment: dict[str, str]) -> Iterator[Server]:
    with LOG.open("ab") as log, serving(application, environment, log) as server:
        yield server


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
    parser.add_argument("--part", choices=PARTS, action="append", help="measure only this; by default both")
    parser.add_argument("--postgres", metavar="URL", help="measure on this server, too")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there, too")
    asked = parser.parse_args()
    told = []
    with embedded(asked.deals) as url:
        told.append(measure(url, deals=asked.deals, times=asked.times, parts=asked.part or PARTS))
    if asked.postgres:
        with on_server(asked.postgres, asked.deals) as url:
            told.append(measure(url, deals=asked.deals, times=asked.times, parts=asked.part or PARTS))
    if asked.json:
        asked.json.write_text(
            json.dumps(
                {"deals": asked.deals, "machine": machine(), "measured": [asdict(each) for each in told]},
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
