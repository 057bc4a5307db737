"""Many write at the same moment: is a change lost, is there an error, how long and how fairly does one wait?

    python -m bench.writers [POSTGRES_URL]

Each process, or each thread of one process, reads a deal's value, adds one and moves the deal to another
stage, one transaction each. The first change of each, which compiles every statement, is not measured. They
run on a new embedded database and on a new PostgreSQL one; there, for comparison, also serializable with
retries.
"""

import contextlib
import multiprocessing
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from multiprocessing.synchronize import Barrier

from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crm_core import check, clock, history, migrate
from crm_core.columns import total_amount
from crm_core.database import Database
from crm_core.models import OPEN_STAGES, Opportunity, OpportunityStage, Source
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services.opportunity_service import create_opportunity, move_opportunity

PROCESSES, CHANGES_OF_A_PROCESS = 8, 200
THREADS, CHANGES_OF_A_THREAD = 32, 100
DEALS, TRIES = 20, 100

LONGEST_OF_MEDIAN = 10
"""The goal: nobody waits more than so many times as long as half of them do."""

SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"

Wait = tuple[float, float]
"""When a change was asked for and when it was done, in seconds on the clock that all processes share."""

Result = tuple[list[Wait], int, int]
"""Each change, errors that reached the caller, tries that had to be repeated."""

Way = Callable[[Database, int, int], Result]
"""Make so many changes, chosen by the seed."""

Crowd = Callable[[Database, Way], tuple[list[Result], float]]
"""Let many go the same way at once; what came of it, and the seconds that it took."""

_all_are_warm: Barrier
"""Of the processes; each of them gets it when it starts."""


def change(session: Session, chance: random.Random) -> None:
    """Read, modify, write."""
    deal_id, to = chance.randint(1, DEALS), chance.choice(OPEN_STAGES)
    deal = move_opportunity(session, deal_id, to=to)
    deal.expected_value = (deal.expected_value or Decimal(0)) + 1


def one_at_a_time(database: Database, seed: int, changes: int) -> Result:
    """The product's own way: writers queue."""
    chance = random.Random(seed)
    waits, errors = [], 0
    for _ in range(changes):
        asked = time.perf_counter()
        try:
            with database.write() as session:
                change(session, chance)
        except Exception:  # whatever it is, it is counted
            errors += 1
        waits.append((asked, time.perf_counter()))
    return waits, errors, 0


def serializable(database: Database, seed: int, changes: int) -> Result:
    """The other way: everybody at once, and again where PostgreSQL says that it could not be so."""
    engine = create_engine(database.url, isolation_level="SERIALIZABLE")
    chance = random.Random(seed)
    waits, errors, repeated = [], 0, 0
    for _ in range(changes):
        asked = time.perf_counter()
        for attempt in range(TRIES):
            try:
                with Session(engine, expire_on_commit=False) as session:
                    session.info["at"] = clock.now()
                    history.keep(session, actor_id=None, source=Source.SYSTEM, note=None)
                    change(session, chance)
                    session.commit()
                break
            except DBAPIError:
                repeated += 1
                time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 6)))
        else:
            errors += 1
        waits.append((asked, time.perf_counter()))
    return waits, errors, repeated


def in_processes(database: Database, way: Way) -> tuple[list[Result], float]:
    url = database.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, remember, (context.Barrier(PROCESSES),)) as pool:
        results = pool.starmap(in_a_process, [(url, way, seed) for seed in range(PROCESSES)], chunksize=1)
    counted = [wait for waits, _, _ in results for wait in waits[1:]]
    return results, max(done for _, done in counted) - min(asked for asked, _ in counted)


def in_a_process(url: str, way: Way, seed: int) -> Result:
    """The first change, which has to compile every statement, is over in all processes before the others."""
    database = Database(url)
    first, first_errors, first_repeated = way(database, seed, 1)
    _all_are_warm.wait()
    others, errors, repeated = way(database, seed + PROCESSES, CHANGES_OF_A_PROCESS - 1)
    return first + others, first_errors + errors, first_repeated + repeated


def remember(all_are_warm: Barrier) -> None:
    global _all_are_warm
    _all_are_warm = all_are_warm


def in_threads(database: Database, way: Way) -> tuple[list[Result], float]:
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(lambda seed: way(database, seed, CHANGES_OF_A_THREAD), range(THREADS)))
    return results, time.perf_counter() - started


def overtaken(waits: list[Wait]) -> int:
    """How many changes were asked for and done while the unluckiest waited; in a fair queue hardly any."""
    return max(sum(asked < later and sooner < done for later, sooner in waits) for asked, done in waits)


def measure(name: str, url: str, crowd: Crowd, way: Way) -> None:
    """Let the crowd loose on a new database and print one row of the table."""
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as session:
        for number in range(DEALS):
            draft = OpportunityCreate(
                name=f"Deal {number}", stage=OpportunityStage.DISCOVERY, expected_value=Decimal(0)
            )
            create_opportunity(session, draft)
    results, seconds = crowd(database, way)
    waits = [wait for result in results for wait in result[0]]
    counted = [wait for result in results for wait in result[0][1:]]
    lengths = sorted(done - asked for asked, done in counted)
    errors = sum(result[1] for result in results)
    repeated = sum(result[2] for result in results)
    with database.read() as session:
        kept = int(session.scalars(select(total_amount(Opportunity.expected_value))).one() or 0)
    median, longest = lengths[len(lengths) // 2], lengths[-1]
    fairness = f"{longest / median:.1f}, {'reached' if longest <= LONGEST_OF_MEDIAN * median else 'missed'}"
    print(
        f"| {name} | {len(waits) - errors - kept} | {errors} | {repeated} | {len(counted) / seconds:.0f}"
        f" | {median * 1000:.0f} ms | {longest:.2f} s | {fairness} | {overtaken(counted)}"
        f" | {len(check.findings(database))} |",
        flush=True,
    )
    database.close()


@contextlib.contextmanager
def new_embedded_database() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/crm.db"


@contextlib.contextmanager
def new_database_on(server: str) -> Iterator[str]:
    admin = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    name = f"crm_bench_{uuid.uuid4().hex[:8]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def main() -> None:
    server = sys.argv[1] if len(sys.argv) > 1 else SERVER
    print(
        "| way | lost | errors | repeated | changes/s | median | longest"
        f" | longest/median, goal {LONGEST_OF_MEDIAN} | overtaken | findings of check |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for kind, crowd in (("processes", in_processes), ("threads", in_threads)):
        with new_embedded_database() as url:
            measure(f"SQLite, one writer at a time, {kind}", url, crowd, one_at_a_time)
        with new_database_on(server) as url:
            measure(f"PostgreSQL, one writer at a time, {kind}", url, crowd, one_at_a_time)
    with new_database_on(server) as url:
        measure("PostgreSQL, serializable with retries, processes", url, in_processes, serializable)


if __name__ == "__main__":
    main()
