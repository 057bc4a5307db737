"""How long do twenty people wait who work at once, and does the server keep what they do?

    python -m bench.sessions [--deals N] [--sessions N] [--minutes M] [--pause S] [--postgres URL]
        [--json FILE]

Each has a session of their own over the server's websocket, as a browser has it, but draws nothing: filters
the list, opens a deal, moves a card on the board and looks at the dashboard, in random order, with a pause
of some seconds in between. A wait lasts from what somebody does to the end of the run that answers it. Every
move that the board took is looked for in the history at the end. Beside each wait stands the same with one
session alone, on the same server, right before. It also tells how long the server took to start, and what it
takes of memory.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.api import Server, embedded, on_server, opened, serving
from bench.sittings import Answer, Component, Sitting, sitting
from bench.ui import LOG, machine
from crm_core.models import OPEN_STAGES, Opportunity, OpportunityVersion, Source, Transaction

GOAL = 1000
"""Milliseconds that a wait may take, nineteen times of twenty."""

ALONE = 5
"""So often one session alone does each."""

CROWD = 100
"""So many sessions are opened to see what each takes of the server's memory."""

SEED = 7

Action = Callable[[], Coroutine[Any, Any, Answer]]


class Worker:
    """Somebody who works with deals; cards are moved by one alone, so that none is refused as stale."""

    def __init__(self, seat: Sitting, deals: range, number: int, workers: int) -> None:
        self.seat, self.deals, self.chance = seat, deals, random.Random(SEED + number)
        self.number, self.workers = number, workers
        self.moved: list[tuple[int, str]] = []
        self.refused = 0

    def actions(self) -> dict[str, Action]:
        return {
            "filter the list": self.filter,
            "open a deal": self.open,
            "come to the board": self.come_to_board,
            "move a card": self.move,
            "dashboard": partial(self.seat.go, ""),
        }

    async def filter(self) -> Answer:
        stages = self.chance.sample([*OPEN_STAGES], 2)
        return await self.seat.go("opportunities", "&".join(f"deals_stage={stage.value}" for stage in stages))

    async def open(self) -> Answer:
        return await self.seat.go("opportunities", f"opportunity={self.chance.choice(self.deals)}")

    async def come_to_board(self) -> Answer:
        return await self.seat.go("pipeline")

    async def move(self) -> Answer:
        """Move a card that is on the board to another column; the board tells whether it is there."""
        await self.come_to_board()
        board = self.seat.components["board"]
        cards = [card for card in board.data["cards"] if self._is_mine(card)]
        if not cards:
            return await self.come_to_board()
        card = self.chance.choice(cards)
        to = self.chance.choice([stage.value for stage in OPEN_STAGES if stage != card["column"]])
        told = {
            "id": card["id"],
            "version": card["version"],
            "from": card["column"],
            "to": to,
            "ids": [card["id"]],
        }
        answer = await self.seat.tell(board, "moved", told | {"ids": [card["id"]]})
        if _shows(self.seat.components["board"], card["id"], card["column"]):
            self.refused += 1
        else:
            self.moved.append((card["id"], to))
        return answer

    def _is_mine(self, card: dict[str, Any]) -> bool:
        return card["column"] in OPEN_STAGES and card["id"] % self.workers == self.number


@dataclass(frozen=True)
class Waits:
    """What was measured of one thing that people do, in milliseconds."""

    name: str
    times: int
    p50: float
    p95: float
    longest: float
    alone: float

    def __str__(self) -> str:
        verdict = "reached" if self.p95 <= GOAL else "not reached"
        return (
            f"| {self.name} | {self.times} | {self.p50:.0f} ms | {self.p95:.0f} ms | {self.longest:.0f} ms"
            f" | {self.alone:.0f} ms | {GOAL} ms: {verdict} |"
        )


@dataclass(frozen=True)
class Told:
    """What came of it; memory in bytes."""

    waits: list[Waits]
    errors: dict[str, int]
    moved: int
    refused: int
    kept: int
    memory: list[int]


HEAD = "| what | times | p50 | p95 | longest | one session alone, p50 | goal |\n|---|---|---|---|---|---|---|"


async def measure(url: str, server: Server, *, sessions: int, minutes: float, pause: float) -> Told:
    """Let them work, and count."""
    first = _last_transaction(url)
    deals = range(1, _deals(url) + 1)
    alone = await _work_alone(server, deals)
    waited: dict[str, list[float]] = defaultdict(list)
    errors: Counter[str] = Counter()
    memory = [server.memory()]
    async with asyncio.TaskGroup() as everybody:
        workers = [
            everybody.create_task(
                _work(
                    server.port,
                    partial(Worker, deals=deals, number=number, workers=sessions),
                    minutes * 60,
                    pause,
                    waited,
                    errors,
                )
            )
            for number in range(sessions)
        ]
        for _ in range(10):
            await asyncio.sleep(minutes * 6)
            memory.append(server.memory())
    done = [worker.result() for worker in workers] + [alone.worker]
    moved = [move for worker in done for move in worker.moved]
    return Told(
        [_waits(name, seconds, alone.waited[name]) for name, seconds in waited.items()],
        dict(errors),
        len(moved),
        sum(worker.refused for worker in done),
        _kept(url, first, moved),
        memory,
    )


@dataclass(frozen=True)
class _Alone:
    worker: Worker
    waited: dict[str, float]


async def _work_alone(server: Server, deals: range) -> _Alone:
    async with sitting(server.port) as seat:
        worker = Worker(seat, deals, 0, 1)
        waited: dict[str, float] = {}
        for name, action in worker.actions().items():
            answers = [await action() for _ in range(ALONE + 1)]
            waited[name] = statistics.median(answer.seconds for answer in answers[1:]) * 1000
        return _Alone(worker, waited)


async def _work(
    port: int,
    sit_down: Callable[[Sitting], Worker],
    seconds: float,
    pause: float,
    waited: dict[str, list[float]],
    errors: Counter[str],
) -> Worker:
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    async with sitting(port) as seat:
        worker = sit_down(seat)
        actions = list(worker.actions().items())
        while True:
            await asyncio.sleep(worker.chance.uniform(0, 2 * pause))
            if clock() > until:
                return worker
            name, action = worker.chance.choice(actions)
            answer = await action()
            waited[name].append(answer.seconds)
            errors.update(answer.errors)


async def memory_of_a_crowd(server: Server, sessions: int) -> int:
    """Bytes that each of so many sessions takes, who look at the list, all there at once."""
    before = server.memory()
    async with AsyncExitStack() as everybody:
        for _ in range(sessions):
            seat = await everybody.enter_async_context(sitting(server.port))
            await seat.go("opportunities")
        return (server.memory() - before) // sessions


def _shows(board: Component, deal_id: int, column: str) -> bool:
    return any(card["id"] == deal_id and card["column"] == column for card in board.data["cards"])


def _waits(name: str, seconds: list[float], alone: float) -> Waits:
    found = sorted(each * 1000 for each in seconds)
    p95 = found[min(int(len(found) * 0.95), len(found) - 1)]
    return Waits(name, len(found), statistics.median(found), p95, found[-1], alone)


def _deals(url: str) -> int:
    with opened(url) as database, database.read() as session:
        return session.scalar(select(func.max(Opportunity.id))) or 0


def _last_transaction(url: str) -> int:
    with opened(url) as database, database.read() as session:
        return session.scalar(select(func.max(Transaction.id))) or 0


def _kept(url: str, first: int, moved: list[tuple[int, str]]) -> int:
    """How many of the moves are in the history, each once."""
    versions = OpportunityVersion.__table__.c
    chosen = (
        select(versions.id, versions.stage, func.count())
        .join(Transaction, Transaction.id == versions.transaction_id)
        .where(Transaction.id > first, Transaction.source == Source.UI)
        .group_by(versions.id, versions.stage)
    )
    with opened(url) as database, database.read() as session:
        written = Counter({(deal, str(stage.value)): times for deal, stage, times in session.execute(chosen)})
    return (written & Counter(moved)).total()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, default=100_000, help="how many; by default 100,000")
    parser.add_argument("--sessions", type=int, default=20, help="how many at once; by default 20")
    parser.add_argument("--minutes", type=float, default=5, help="how long; by default 5")
    parser.add_argument(
        "--pause", type=float, default=5, help="seconds between two things, on average; by default 5"
    )
    parser.add_argument("--postgres", metavar="URL", help="on this server instead of SQLite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    filled = on_server(asked.postgres, asked.deals) if asked.postgres else embedded(asked.deals)
    LOG.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        url, log = stack.enter_context(filled), stack.enter_context(LOG.open("wb"))
        began = time.perf_counter()
        server = stack.enter_context(serving("app:app", {"CRM_DATABASE_URL": url}, log))
        start_up, started = time.perf_counter() - began, server.memory()
        each = asyncio.run(memory_of_a_crowd(server, CROWD))
        told = asyncio.run(
            measure(url, server, sessions=asked.sessions, minutes=asked.minutes, pause=asked.pause)
        )
    print(HEAD, *told.waits, sep="\n")
    print(f"\n{asked.sessions} sessions for {asked.minutes:g} minutes. {machine()}")
    print(f"Moves: {told.moved} taken, of which {told.kept} are in the history; {told.refused} refused.")
    print(f"Errors: {told.errors or 'none'}.")
    steps = ", ".join(f"{memory / 1e6:.0f}" for memory in told.memory)
    print(f"The server answered {start_up:.1f} s after its start, with {started / 1e6:.0f} MB in memory;")
    print(f"each of {CROWD} sessions with the list open took {each / 1e6:.1f} MB.")
    print(f"MB in memory as they began to work, and ten times from then to the end: {steps}.")
    if asked.json:
        asked.json.write_text(json.dumps(asdict(told), indent=2))


if __name__ == "__main__":
    main()
