"""How long does the library take for what people wait for, and how long the same by hand?

    python -m bench.library [--deals 10000 100000] [--postgres URL] [--json FILE] [--check]

By hand is SQL through the bare driver, on the same database with the same indexes and settings, with nothing
done with the answer; aggregates are asked in DuckDB, too, of a copy of what they need. Each is asked in turn
with the library, so that all meet the same machine. What the library has counted before is forgotten before
each question, but not for “again”, where nothing was changed since, nor “after a move” of one deal. `--check`
fails where a ratio is more than twice the one that bench/ratios.json has. Databases are filled once and kept,
as bench.api does it; every run works on a copy.
"""

import argparse
import contextlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench import raw
from bench.api import embedded, middle, on_server, opened
from bench.duck import Duck
from bench.raw import STAGES, Raw
from crm_core import clock
from crm_core.analytics import dashboard, metrics, pipeline
from crm_core.analytics.board import board
from crm_core.analytics.metrics import MetricName
from crm_core.database import Database
from crm_core.exporting import ExportFormat
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.importing import find_mapping, import_opportunities
from crm_core.kept import Kept
from crm_core.models import Opportunity, OpportunityStage, Outcome, User
from crm_core.moment import moment_of
from crm_core.periods import Calendar, PeriodChoice
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services import export_service, opportunity_service, settings_service
from crm_core.sorting import OpportunitySort
from ui import warm_up

SIZES = (10_000, 100_000)
RATIOS = Path(__file__).parent / "ratios.json"
AT_MOST = 2.0
"""How many times the ratio of RATIOS a ratio may be."""

TRIES = 3
"""Only what is slower each time fails the check: the machine may have had more to do."""

SECONDS, FEWEST, MOST = 2.0, 5, 40
"""Each is asked for so long, but at least and at most so many times."""

READ, WRITE = 1.5, 3.0
"""Goals: how many times what it takes by hand."""

BULK = 1000
BROUGHT_IN = 10_000

NEW_DEALS = "Id,Name,AccountId,StageName,Amount,CloseDate,CreatedDate"
"""The columns of an export of Salesforce's; its mapping is used."""

Doing = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """Something that people wait for: with the library, and by hand where there is anything to compare with;
    `columns` is the same in DuckDB.

    The goal is a ratio, or of what has none, milliseconds. `again` is with what was counted before; so is
    `after` something else was done, which is not measured.
    """

    name: str
    ours: Doing
    by_hand: Doing | None = None
    ratio: float | None = None
    milliseconds: float | None = None
    again: bool = False
    after: Doing | None = None
    columns: Doing | None = None


@dataclass(frozen=True)
class Row:
    """What was measured of a case, in milliseconds."""

    database: str
    deals: int
    name: str
    p50: float
    p95: float
    by_hand: float | None
    columns: float | None
    goal: str

    @property
    def ratio(self) -> float | None:
        return None if self.by_hand is None else self.p50 / self.by_hand


class Bench:
    """A filled database, asked by the library and by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.raw = Raw(database.url.render_as_string(hide_password=False))
        self.duck = Duck(self.raw)
        with database.read() as session:
            today = moment_of(session).today
            self.calendar: Calendar = settings_service.get_calendar(session)
            self.quarter = self.calendar.chosen(PeriodChoice.THIS_QUARTER, today, None)
            deals = select(Opportunity.id).order_by(Opportunity.id)
            self.to_move = cycle(session.scalars(deals.where(Opportunity.stage.in_(STAGES))).all())
            winnable = Opportunity.stage == OpportunityStage.NEGOTIATION
            self.to_close = iter(session.scalars(deals.where(winnable)).all())
            self.owners = cycle(session.scalars(select(User.id).where(User.is_active)).all())
            self.last_id: int = session.scalar(select(func.max(Opportunity.id))) or 0
        self.past = self.calendar.end_of(today - timedelta(days=180))
        self.stages = cycle(STAGES)
        self.names = count()

    def cases(self) -> list[Case]:
        ask, hand, duck = self._asking, self._by_hand, self._in_columns
        services, after_a_move = opportunity_service, partial(Case, after=self._move)
        text, rare = OpportunityFilter(text="portal"), OpportunityFilter(text=raw.RARE)
        in_stage = text.model_copy(update={"stages": frozenset({OpportunityStage.PROPOSAL})})
        since = self._instant(self.calendar.start_of(self.quarter.start))
        then = raw.THEN.format(at=self._instant(self.past))
        funnel = raw.FUNNEL.format(since=self.quarter.start)
        stays = raw.STAYS.format(since=since)
        return [
            Case("50 rows by value", ask(services.get_rows), hand(raw.ONE_PAGE), READ),
            Case("... with totals", ask(services.get_opportunities), hand(raw.ONE_PAGE, raw.TOTALS), READ),
            Case("50 rows with a text", ask(services.get_rows, text), hand(raw.FOUND), READ),
            Case("... of a stage", ask(services.get_rows, in_stage), hand(raw.FOUND_IN_STAGE), READ),
            Case("... that few have", ask(services.get_rows, rare), self.raw.look_up, READ),
            Case("page 200", ask(services.get_rows, offset=9950), hand(raw.PAGE_200), READ),
            Case("board", ask(board), hand(raw.COLUMNS_OF_A_BOARD, raw.CARDS), READ),
            Case("pipeline stats", ask(services.get_pipeline_stats), self.raw.ask_for_stats, READ),
            Case("open totals of a past day", ask(self._then), hand(then), READ, columns=duck(then)),
            Case("funnel", ask(self._figure, MetricName.FUNNEL), hand(funnel), READ, columns=duck(funnel)),
            Case(
                "time in stage",
                ask(self._figure, MetricName.TIME_IN_STAGE),
                hand(stays),
                READ,
                columns=duck(stays),
            ),
            Case("dashboard", ask(self._dashboard), milliseconds=400),
            Case("... again", ask(self._dashboard), milliseconds=300, again=True),
            after_a_move(
                "list after a move", ask(services.get_opportunities), hand(raw.ONE_PAGE, raw.TOTALS)
            ),
            after_a_move("board after a move", ask(board), hand(raw.COLUMNS_OF_A_BOARD, raw.CARDS)),
            after_a_move("stats after a move", ask(services.get_pipeline_stats), self.raw.ask_for_stats),
            after_a_move("dashboard after a move", ask(self._dashboard)),
            Case("create", self._create, self.raw.create, WRITE),
            Case("move", self._move, self._move_by_hand, WRITE),
            Case("close", self._close, self._move_by_hand, WRITE),
            Case(f"assign {BULK:,}", self._assign, self._assign_by_hand),
            Case("export as CSV", self._export, lambda: self.raw.export(io.StringIO())),
            Case(f"import {BROUGHT_IN:,}", self._bring_in, lambda: self.raw.bring_in(self._new_deals())),
        ]

    def measure(self, case: Case) -> tuple[list[float], ...]:
        """The seconds of each time, sorted: with the library, by hand, and in columns."""
        ways = (case.ours, case.by_hand, case.columns)
        measured: tuple[list[float], ...] = ([], [], [])
        given_up = time.perf_counter() + SECONDS
        for number in range(-1, MOST):
            if not (case.again or case.after):
                self.database._kept = Kept()  # as a process has it that was never asked
            if case.after:
                case.after()
            for way, taken in zip(ways, measured, strict=True):
                if way:
                    taken.append(seconds(way))
            if number + 1 >= FEWEST and time.perf_counter() > given_up:
                break
        return tuple(sorted(taken[1:]) for taken in measured)  # the first of all meets cold files

    def row(self, case: Case, deals: int) -> Row:
        ours, by_hand, columns = self.measure(case)
        goal = (
            f"{case.ratio:g} ×" if case.ratio else f"{case.milliseconds:g} ms" if case.milliseconds else "–"
        )
        p95 = ours[min(int(len(ours) * 0.95), len(ours) - 1)]
        hand, duck = (middle(taken) * 1000 if taken else None for taken in (by_hand, columns))
        return Row(self.database.kind, deals, case.name, middle(ours) * 1000, p95 * 1000, hand, duck, goal)

    def _asking(self, question: Callable[..., object], *given: Any, **more: Any) -> Doing:
        def ask() -> object:
            with self.database.read() as session:
                return question(session, *given, **more)

        return ask

    def _instant(self, at: datetime) -> str:
        """As both databases compare it with what they keep."""
        return f"{at:%Y-%m-%d %H:%M:%S.%f}" + ("+00" if self.database.kind == "postgresql" else "")

    def _by_hand(self, *questions: str) -> Doing:
        return partial(self.raw.read, *questions)

    def _in_columns(self, *questions: str) -> Doing:
        return partial(self.duck.read, *questions)

    def _then(self, session: Session) -> object:
        return pipeline.totals(session, as_of=self.past)

    def _figure(self, session: Session, name: MetricName) -> object:
        return metrics.measure(session, name, EVERYTHING, period=self.quarter)

    def _dashboard(self, session: Session) -> object:
        return dashboard.overview(session, PeriodChoice.THIS_QUARTER)

    def _create(self) -> None:
        with self.database.write() as session:
            draft = OpportunityCreate(name=f"Deal {next(self.names)}", stage=OpportunityStage.PROPOSAL)
            opportunity_service.create_opportunity(session, draft)

    def _move(self) -> None:
        with self.database.write() as session:
            to = OpportunityStage(next(self.stages))
            opportunity_service.move_opportunity(session, next(self.to_move), to=to)

    def _move_by_hand(self) -> None:
        self.raw.move(next(self.to_move), next(self.stages))

    def _close(self) -> None:
        with self.database.write() as session:
            opportunity_service.close_opportunity(session, next(self.to_close), outcome=Outcome.WON)

    def _assign(self) -> None:
        chosen = range(self.last_id - BULK + 1, self.last_id + 1)
        with self.database.write() as session:
            opportunity_service.assign_opportunities(session, chosen, owner_id=next(self.owners))

    def _assign_by_hand(self) -> None:
        self.raw.assign(self.last_id - BULK + 1, self.last_id, next(self.owners))

    def _bring_in(self) -> None:
        file = self._new_deals().getvalue().encode()
        report = import_opportunities(self.database, file, find_mapping("salesforce", file), at=clock.now())
        if report.created != BROUGHT_IN:
            raise RuntimeError(f"{report.created:,} deals were imported.")

    def _new_deals(self) -> io.StringIO:
        """A file of deals that are not there yet, each with a key of its own, of a hundred companies."""
        batch = next(self.names)
        lines = (
            f"{batch}-{number},Deal {number},Company {number % 100},Proposal/Price Quote,{number}.50,"
            "2026-12-31,2026-01-15"
            for number in range(BROUGHT_IN)
        )
        return io.StringIO("\n".join((NEW_DEALS, *lines)))

    def _export(self) -> None:
        with self.database.read() as session:
            sort = OpportunitySort.VALUE_DESCENDING
            export_service.export(session, EVERYTHING, sort, io.BytesIO(), format=ExportFormat.CSV)


def seconds(doing: Doing) -> float:
    """How long it takes."""
    began = time.perf_counter()
    doing()
    return time.perf_counter() - began


def measured(url: str, deals: int) -> Iterator[Row]:
    """A row for each case, on a filled database, which is changed by it."""
    with opened(url) as database:
        bench = Bench(database)
        for case in bench.cases():
            yield bench.row(case, deals)


def told(row: Row, smaller: Row | None) -> str:
    """A line of the table; `smaller` is the same case of the size before."""
    by_hand, columns = ("–" if taken is None else f"{taken:.1f} ms" for taken in (row.by_hand, row.columns))
    ratio = "–" if row.ratio is None else f"{row.ratio:.1f}"
    growth = f"{row.p50 / smaller.p50:.1f}" if smaller else "–"
    measured = (f"{row.p50:.1f} ms", f"{row.p95:.1f} ms", by_hand, columns, ratio, growth, row.goal)
    return f"| {' | '.join((row.database, f'{row.deals:,}', row.name, *measured))} |"


def overstepped(rows: Sequence[Row], known: Mapping[str, float]) -> list[str]:
    """What takes more than twice as long, held against what it takes by hand, as is known."""
    return [
        f"{row.name}: {row.ratio:.1f} times what it takes by hand, where {known[row.name]:.1f} is known"
        for row in rows
        if row.ratio is not None and row.name in known and row.ratio > AT_MOST * known[row.name]
    ]


Filled = Callable[[int], contextlib.AbstractContextManager[str]]
"""Gives the address of a filled database of so many deals."""


def print_table(databases: Sequence[Filled], sizes: Sequence[int]) -> list[Row]:
    """Line by line as it is measured."""
    print("| database | deals | what | p50 | p95 | by hand, p50 | DuckDB, p50 | ratio | growth | goal |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows: list[Row] = []
    for filled in databases:
        smaller: dict[str, Row] = {}
        for deals in sizes:
            with filled(deals) as url:
                for row in measured(url, deals):
                    print(told(row, smaller.get(row.name)), flush=True)
                    smaller[row.name] = row
                    rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--deals", type=int, nargs="+", default=SIZES, help="how many; by default 10,000 and 100,000"
    )
    parser.add_argument("--postgres", metavar="URL", help="measure on this server, too")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write what was measured into this file, too"
    )
    parser.add_argument("--check", action="store_true", help="fail where a ratio has more than doubled")
    asked = parser.parse_args()
    warm_up.load()  # as a server does
    databases: list[Filled] = [embedded]
    if asked.postgres:
        databases.append(partial(on_server, asked.postgres))
    for _ in range(TRIES if asked.check else 1):
        rows = print_table(databases, asked.deals)
        slower = overstepped(rows, json.loads(RATIOS.read_text()))
        if not slower:
            break
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=2))
    if asked.check and slower:
        sys.exit("\n".join(slower))


if __name__ == "__main__":
    main()
