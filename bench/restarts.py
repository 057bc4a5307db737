"""How long until a server that was killed answers again, and how long does it usually take to start?

    python -m bench.restarts [--deals 100000] [--times 5] [--postgres URL]

Each time it is started after a regular end, killed while four clients create deals, and started again; both
starts last from the command to the first answer of `/api/health`, seconds apart on the same machine.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException

from bench.api import Http, embedded, free_port, on_server, wait_for
from crm_core.config import PROJECT

APPLICATION = "app:app"
"""Screens and API, as the README starts them."""

CLIENTS = 4
UNDER_LOAD = 1.0
"""Seconds for which the clients create deals before the server is killed."""

GOAL = 2.0
"""How many times its usual start a server may take after it was killed."""


@contextlib.contextmanager
def started(url: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """The server, and the seconds until it answered."""
    command = [sys.executable, "-m", "uvicorn", APPLICATION, "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    began = time.perf_counter()
    server = subprocess.Popen(command, env=os.environ | {"CRM_DATABASE_URL": url}, cwd=PROJECT)
    try:
        wait_for(server, port)
        yield server, time.perf_counter() - began
    finally:
        server.terminate()
        server.wait()


def keep_creating(port: int, is_over: threading.Event) -> None:
    """Until the server is gone."""
    http = Http(port)
    with contextlib.suppress(OSError, HTTPException):
        while not is_over.is_set():
            http.create()


def kill_under_load(server: subprocess.Popen[bytes], port: int) -> None:
    is_over = threading.Event()
    clients = [threading.Thread(target=keep_creating, args=(port, is_over)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(UNDER_LOAD)
    server.kill()
    server.wait()
    is_over.set()
    for client in clients:
        client.join()


def measure(name: str, url: str, times: int) -> None:
    """Print a row: the middle of both kinds of start, and how they compare."""
    usual, after_kill = [], []
    port = free_port()
    for _ in range(times):
        with started(url, port) as (server, seconds):
            usual.append(seconds)
            kill_under_load(server, port)
        with started(url, port) as (_, seconds):
            after_kill.append(seconds)
    before, after = statistics.median(usual), statistics.median(after_kill)
    verdict = "reached" if after <= GOAL * before else "not reached"
    cells = (name, f"{before:.2f} s", f"{after:.2f} s", f"{after / before:.2f}", f"{GOAL:.0f}: {verdict}")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, default=100_000, help="how many; by default 100,000")
    parser.add_argument("--times", type=int, default=5, help="how often it is killed; by default 5 times")
    parser.add_argument("--postgres", metavar="URL", help="measure on this server, too")
    asked = parser.parse_args()
    print("| database | usual start | after a kill | ratio | goal |")
    print("|---|---|---|---|---|")
    with embedded(asked.deals) as url:
        measure("SQLite", url, asked.times)
    if asked.postgres:
        with on_server(asked.postgres, asked.deals) as url:
            measure("PostgreSQL", url, asked.times)


if __name__ == "__main__":
    main()
