"""Processes write in the order in which they asked, and nobody is locked out by the line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from crm_core import engines, process_line
from crm_core.config import PROJECT
from crm_core.database import Database
from crm_core.models import Team
from crm_core.process_line import Place

WAIT = """
import sys
from crm_core.process_line import Place
with Place(sys.argv[1]) as place:
    print(place.is_first(), flush=True)
    sys.stdin.readline()
    print(place.is_first(), flush=True)
    sys.stdin.readline()
"""


class Waiting:
    """Another process that stands in line."""

    def __init__(self, file: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", WAIT, str(file)]
        self.process = subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, text=True)
        self.was_first = self.says()

    def says(self) -> bool:
        return self.process.stdout.readline() == "True\n"

    def is_first_now(self) -> bool:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.says()

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.communicate()


@contextmanager
def in_line(file: Path) -> Iterator[Waiting]:
    waiting = Waiting(file)
    try:
        yield waiting
    finally:
        waiting.end()


def add_team(database: Database) -> None:
    with database.write() as session:
        session.add(Team(name="North"))


def test_who_asked_first_is_first_and_then_the_next(tmp_path):
    file = tmp_path / "crm.db"
    file.touch()
    with in_line(file) as one, in_line(file) as two, in_line(file) as three:
        assert [one.was_first, two.was_first, three.was_first] == [True, False, False]
        one.end()
        assert not three.is_first_now()
        assert two.is_first_now()


def test_who_is_killed_leaves_the_line(tmp_path):
    file = tmp_path / "crm.db"
    file.touch()
    with in_line(file) as one, Place(str(file)) as place:
        assert not place.is_first()
        os.kill(one.process.pid, signal.SIGKILL)
        one.process.wait()
        assert place.is_first()


def test_a_process_that_is_stopped_in_line_locks_nobody_out(sqlite_url):
    database = Database(sqlite_url, patience=3)
    with in_line(Path(str(database.url.database))) as one:
        one.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()

        add_team(database)

        assert time.monotonic() - began >= 1


@pytest.mark.parametrize("missing", ["fcntl", "folder"])
def test_without_a_line_everybody_is_first(tmp_path, monkeypatch, missing):
    if missing == "fcntl":
        monkeypatch.setattr(process_line, "fcntl", None)
    file = tmp_path / ("missing" if missing == "folder" else "") / "crm.db"

    with Place(str(file)) as one, Place(str(file)) as two:
        assert (one.is_first(), two.is_first()) == (True, True)
        assert not one.is_in_line


def test_writers_stand_in_line(sqlite_url):
    """While SQLite would let them write at once."""
    database = Database(sqlite_url, patience=0.9)
    looks: list[bool] = []
    is_first = engines.Place.is_first
    with in_line(Path(str(database.url.database))), pytest.MonkeyPatch.context() as patch, suppress(OSError):
        patch.setattr(Place, "is_first", lambda place: looks.append(is_first(place)) or looks[-1])
        add_team(database)

    assert looks[0] is False
