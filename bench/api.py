"""How long does a call of the API take, and how long the same SQL run raw?

    python -m bench.api [--deals 100000] [--calls 200] [--postgres URL]

The server runs in a process of its own, its clients in others, over loopback; so does the raw SQL, through
the bare driver on the same database with the same settings. What is read is measured twice: when nothing was
changed since it was asked for last, and right after each change. Databases are filled once and kept, in
build/ and on the PostgreSQL server; every run works on a copy.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from multiprocessing.pool import Pool
from pathlib import Path
from typing import IO

from fastapi import FastAPI, Response
from sqlalchemy import URL, create_engine, make_url, select, text

from bench.raw import STAGES, Raw
from crm_core import clock, demo, migrate
from crm_core.config import PROJECT
from crm_core.database import Database
from crm_core.models import Opportunity

CLIENTS = (1, 8)
WARM_UP = 10
PATIENCE = 60
"""Seconds that a server may take to start or to answer."""

LIST = "/opportunities?sort=-value&limit=50"

DEAL = '{"name": "Deal", "stage": "proposal", "expected_value": "1250.50"}'

ANSWER = "CRM_BENCH_ANSWER"
"""The variable that names the file with what the bare endpoint answers."""

Timing = tuple[float, float]
"""When a call began and ended, in seconds on the clock that all processes share."""

bare = FastAPI()


@bare.get("/api/health")
def health() -> None:
    """It is up."""


@bare.get("/api/opportunities")
def same_bytes() -> Response:
    """The bytes of a list, without a question to anybody: what the framework itself takes."""
    return Response(Path(os.environ[ANSWER]).read_bytes(), media_type="application/json")


class Http:
    """A program that calls the API again and again over one connection."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def list_them(self) -> None:
        self.ask("GET", LIST)

    def ask_for_stats(self) -> None:
        self.ask("GET", "/opportunities/stats")

    def create(self) -> None:
        self.ask("POST", "/opportunities", DEAL)

    def move(self, deal_id: int, stage: str) -> None:
        self.ask("POST", f"/opportunities/{deal_id}/move", f'{{"to": "{stage}"}}')

    def ask(self, method: str, path: str, body: str | None = None) -> bytes:
        """The answer's body; anything but success ends the run."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, f"/api{path}", body, headers)
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {told.decode()}")
        return told


Way = Http | Raw


@dataclass(frozen=True)
class Measured:
    """A kind of call; `after_changes`: right after a deal was moved, each time."""

    name: str
    after_changes: bool = False

    def __str__(self) -> str:
        return f"{self.name}, after each change" if self.after_changes else self.name


CALLS = (
    Measured("list"),
    Measured("list", after_changes=True),
    Measured("stats"),
    Measured("stats", after_changes=True),
    Measured("create"),
    Measured("move"),
)


@dataclass(frozen=True)
class Order:
    """What one process does, by HTTP on a port or by SQL on a database. The deals are its own to move."""

    to: int | str
    call: Measured
    calls: int
    deals: Sequence[int]
    stage: str


def carry_out(order: Order) -> list[Timing]:
    """In a process of its own; the first calls are not counted."""
    way: Way = Http(order.to) if isinstance(order.to, int) else Raw(order.to)
    calls = {"list": way.list_them, "stats": way.ask_for_stats, "create": way.create}
    timings = []
    for number in range(order.calls + WARM_UP):
        deal_id = order.deals[number % len(order.deals)]
        if order.call.after_changes:
            way.move(deal_id, order.stage)
        began = time.perf_counter()
        calls.get(order.call.name, partial(way.move, deal_id, order.stage))()
        timings.append((began, time.perf_counter()))
    return timings[WARM_UP:]


@dataclass(frozen=True)
class Server:
    """One that runs in a process of its own."""

    port: int
    process_id: int

    def seconds(self) -> float:
        """The processor time that it has taken."""
        told = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes that it has in memory."""
        pages = int(Path(f"/proc/{self.process_id}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


class Bench:
    """A copy of a filled database, the server on it, and the processes that call either."""

    def __init__(self, url: str, server: Server, pool: Pool, calls: int) -> None:
        self.url, self.server, self.pool, self.calls = url, server, pool, calls
        self.stages = cycle(STAGES)
        chosen = select(Opportunity.id).where(Opportunity.is_open, Opportunity.stage.not_in(STAGES))
        with opened(url) as database, database.read() as session:
            self.deals = session.scalars(chosen.order_by(Opportunity.id)).all()

    def row(self, call: Measured, clients: int) -> str:
        """A call of the API beside its SQL."""
        http = self._http(self.server, str(call), call, clients)
        raw = middle(lengths(self._timings(self.url, call, clients, next(self.stages), self.calls)))
        return f"{http.told} | {raw * 1000:.1f} ms | {http.middle / raw:.1f} |"

    def scale(self, clients: int) -> str:
        """The bare endpoint that answers the same bytes as the list."""
        answer = Http(self.server.port).ask("GET", LIST)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "answer.json"
            file.write_bytes(answer)
            with serving("bench.api:bare", {ANSWER: str(file)}) as server:
                http = self._http(server, "bare, the same bytes", CALLS[0], clients)
        return f"{http.told} | – | – |"

    def _http(self, server: Server, name: str, call: Measured, clients: int) -> "Told":
        stage = next(self.stages)
        self._timings(server.port, call, clients, stage, 0)  # the first of all take longer
        before = server.seconds()
        timings = self._timings(server.port, call, clients, stage, self.calls)
        taken = (server.seconds() - before) / (clients * (self.calls + WARM_UP))
        sorted_lengths = lengths(timings)
        late = sorted_lengths[int(len(sorted_lengths) * 0.95)]
        many = len(timings) / (max(end for _, end in timings) - min(began for began, _ in timings))
        only_these = ("–", "–") if call.after_changes else (f"{many:.0f}", f"{taken * 1000:.1f} ms")
        half = middle(sorted_lengths)
        cells = (name, str(clients), f"{half * 1000:.1f} ms", f"{late * 1000:.1f} ms", *only_these)
        return Told(f"| {' | '.join(cells)}", half)

    def _timings(self, to: int | str, call: Measured, clients: int, stage: str, calls: int) -> list[Timing]:
        """Each client has deals of its own, and each time they move to the other stage."""
        each = self.calls + WARM_UP
        orders = [
            Order(to, call, calls, self.deals[first * each : (first + 1) * each] or self.deals, stage)
            for first in range(clients)
        ]
        return [timing for timings in self.pool.map(carry_out, orders, chunksize=1) for timing in timings]


@dataclass(frozen=True)
class Told:
    """The first cells of a row, and the middle of what was measured, in seconds."""

    told: str
    middle: float


def lengths(timings: Sequence[Timing]) -> list[float]:
    """How long the calls took, the shortest first."""
    return sorted(end - began for began, end in timings)


def middle(sorted_lengths: Sequence[float]) -> float:
    return sorted_lengths[len(sorted_lengths) // 2]


def measure(url: str, *, calls: int, clients: Sequence[int] = CLIENTS) -> None:
    """Print the table of a filled database, which is changed by it."""
    print("| call | clients | p50 | p95 | requests/s | server's CPU | raw SQL, p50 | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    processes = multiprocessing.get_context("spawn").Pool(max(clients))
    with processes as pool, serving("api.main:api", {"CRM_DATABASE_URL": url}) as server:
        bench = Bench(url, server, pool, calls)
        for at_once in clients:
            for call in CALLS:
                print(bench.row(call, at_once), flush=True)
            print(bench.scale(at_once), flush=True)


@contextlib.contextmanager
def serving(application: str, environment: dict[str, str], log: IO[bytes] | None = None) -> Iterator[Server]:
    """A server that answers; what it says goes where this program's own does, or into the log."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning"]
    server = subprocess.Popen(command, env=os.environ | environment, cwd=PROJECT, stdout=log, stderr=log)
    try:
        wait_for(server, port)
        yield Server(port, server.pid)
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Until it answers. Raises `RuntimeError` where it has ended, and after a minute."""
    given_up = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < given_up:
        with contextlib.suppress(OSError):
            Http(port).ask("GET", "/health")
            return
        time.sleep(0.1)
    raise RuntimeError("The server did not start.")


@contextlib.contextmanager
def opened(url: str) -> Iterator[Database]:
    with contextlib.closing(Database(url)) as database:
        yield database


def fill(url: str, deals: int) -> None:
    print(f"Filling a database with {deals:,} deals; it is kept for the next run.", file=sys.stderr)
    with opened(url) as database:
        migrate.upgrade(database)
        demo.fill(database, opportunities=deals, seed=demo.DEFAULT_SEED, at=clock.now())


@contextlib.contextmanager
def embedded(deals: int) -> Iterator[str]:
    """The address of a copy of the filled embedded database."""
    kept = PROJECT / "build" / f"bench-{deals}-{migrate.head()}.db"
    kept.parent.mkdir(exist_ok=True)
    if not kept.exists():
        begun = kept.with_suffix(".begun")
        begun.unlink(missing_ok=True)
        fill(f"sqlite:///{begun}", deals)
        begun.rename(kept)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        shutil.copy(kept, f"{folder}/crm.db")
        yield f"sqlite:///{folder}/crm.db"


@contextlib.contextmanager
def on_server(server: str, deals: int) -> Iterator[str]:
    """The address of a copy of the filled database on a PostgreSQL server."""
    address = make_url(server).set(drivername="postgresql+psycopg")
    kept = f"crm_bench_{deals}_{migrate.head()}"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with contextlib.closing(engine.connect()) as admin:
        if admin.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": kept}) is None:
            admin.execute(text(f"DROP DATABASE IF EXISTS {kept}_begun WITH (FORCE)"))
            admin.execute(text(f"CREATE DATABASE {kept}_begun"))
            fill(at(address, f"{kept}_begun"), deals)
            admin.execute(text(f"ALTER DATABASE {kept}_begun RENAME TO {kept}"))
        admin.execute(text(f"DROP DATABASE IF EXISTS {kept}_copy WITH (FORCE)"))  # of a run that was ended
        admin.execute(text(f"CREATE DATABASE {kept}_copy TEMPLATE {kept}"))
        try:
            analyze(at(address, f"{kept}_copy"))
            yield at(address, f"{kept}_copy")
        finally:
            admin.execute(text(f"DROP DATABASE {kept}_copy WITH (FORCE)"))
    engine.dispose()


def at(address: URL, name: str) -> str:
    return address.set(database=name).render_as_string(hide_password=False)


def analyze(url: str) -> None:
    """As the server does by itself a while after so many rows came in."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, default=100_000, help="how many; by default 100,000")
    parser.add_argument("--calls", type=int, default=200, help="of each kind by each client; by default 200")
    parser.add_argument("--postgres", metavar="URL", help="measure on this server, too")
    asked = parser.parse_args()
    with embedded(asked.deals) as url:
        measure(url, calls=asked.calls)
    if asked.postgres:
        with on_server(asked.postgres, asked.deals) as url:
            measure(url, calls=asked.calls)


if __name__ == "__main__":
    main()
