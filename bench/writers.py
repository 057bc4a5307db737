"""Many processes change the same deals: is a change lost, is there an error, how long does one wait?

    python -m bench.writers [POSTGRES_URL]

Each process reads a deal's value, adds one and moves the deal to another stage, one transaction each. It runs
on a new embedded database and on a new PostgreSQL one; there, for comparison, also serializable with retries.
"""

import multiprocessing
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from decimal import Decimal

from sqlalchemy import create_engine, func, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crm_core import check, clock, history, migrate
from crm_core.database import Database
from crm_core.models import OPEN_STAGES, Opportunity, OpportunityStage, Source
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services.opportunity_service import create_opportunity, move_opportunity

PROCESSES, CHANGES, DEALS, TRIES = 8, 200, 20, 100

Result = tuple[list[float], int, int]
"""Seconds each change took, errors that reached the caller, tries that had to be repeated."""


def change(session: Session, chance: random.Random) -> None:
    """Read, modify, write."""
    deal_id, to = chance.randint(1, DEALS), chance.choice(OPEN_STAGES)
    deal = move_opportunity(session, deal_id, to=to)
    deal.expected_value = (deal.expected_value or Decimal(0)) + 1


def one_at_a_time(url: str, seed: int) -> Result:
    """The product's own way: writers queue."""
    database, chance = Database(url), random.Random(seed)
    waits, errors = [], 0
    for _ in range(CHANGES):
        started = time.perf_counter()
        try:
            with database.write() as session:
                change(session, chance)
        except Exception:  # whatever it is, it is counted
            errors += 1
        waits.append(time.perf_counter() - started)
    return waits, errors, 0


def serializable(url: str, seed: int) -> Result:
    """The other way: everybody at once, and again where PostgreSQL says that it could not be so."""
    engine = create_engine(Database(url).url, isolation_level="SERIALIZABLE")
    chance = random.Random(seed)
    waits, errors, repeated = [], 0, 0
    for _ in range(CHANGES):
        started = time.perf_counter()
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
        waits.append(time.perf_counter() - started)
    return waits, errors, repeated


def measure(name: str, url: str, way: Callable[[str, int], Result]) -> None:
    """Let the processes loose on a new database and print one row of the table."""
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as session:
        for number in range(DEALS):
            draft = OpportunityCreate(
                name=f"Deal {number}", stage=OpportunityStage.DISCOVERY, expected_value=Decimal(0)
            )
            create_opportunity(session, draft)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(abs, range(PROCESSES))  # they have started
        started = time.perf_counter()
        results = pool.starmap(way, [(url, seed) for seed in range(PROCESSES)], chunksize=1)
        seconds = time.perf_counter() - started
    waits = sorted(wait for result in results for wait in result[0])
    errors = sum(result[1] for result in results)
    repeated = sum(result[2] for result in results)
    with database.read() as session:
        kept = int(session.scalars(select(func.sum(Opportunity.expected_value))).one() or 0)
    print(
        f"| {name} | {len(waits) - errors - kept} | {errors} | {repeated} | {len(waits) / seconds:.0f}"
        f" | {waits[len(waits) // 2] * 1000:.0f} ms | {waits[-1]:.2f} s | {len(check.findings(database))} |"
    )
    database.close()


def main() -> None:
    print("| way | lost | errors | repeated | changes/s | median | longest | findings of check |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite, one writer at a time", f"sqlite:///{folder}/crm.db", one_at_a_time)
    server = make_url(sys.argv[1] if len(sys.argv) > 1 else "postgresql://postgres@127.0.0.1:5432/postgres")
    admin = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    for name, way in (
        ("PostgreSQL, one writer at a time", one_at_a_time),
        ("PostgreSQL, serializable with retries", serializable),
    ):
        database = f"crm_bench_{uuid.uuid4().hex[:8]}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {database}"))
        try:
            measure(name, server.set(database=database).render_as_string(hide_password=False), way)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {database} WITH (FORCE)"))


if __name__ == "__main__":
    main()
