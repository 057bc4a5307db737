"""The order in which processes get to write to the same SQLite file; SQLite itself decides who may.

Beside the database lies an empty file. Who waits locks the byte in it whose number is the moment at which it
asked, and is first if nobody has a lock before that. The system unlocks what a process had when it ends.
"""

import os
import stat
import time
from types import TracebackType
from typing import Self

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


TRIES = 10
"""Several processes of one machine may ask in the same microsecond, but not so often."""


class Place:
    """One's place in line, as long as it is entered. Where there is no line, everybody is first."""

    def __init__(self, database: str) -> None:
        self._database, self._name = database, f"{database}-line"
        self._line: int | None = None

    def __enter__(self) -> Self:
        if fcntl is None or self._name.startswith("file:"):  # which is no file's name
            return self
        try:
            self._line = os.open(self._name, os.O_RDWR | os.O_CREAT, self._mode)
            for _ in range(TRIES):
                self._moment = _now()
                if _locks(self._line, 1, self._moment):
                    return self
            self._leave()  # clocks of several machines: here the moments tell no order
        except OSError:  # a folder or a network drive that has no such thing
            self._leave()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def _mode(self) -> int:
        """Whoever may open the database may stand in line, and nobody else."""
        return stat.S_IMODE(os.stat(self._database).st_mode)

    @property
    def is_in_line(self) -> bool:
        return self._line is not None

    def is_first(self) -> bool:
        """Whether nobody asked before; it stays so."""
        try:
            return self._line is None or _locks(self._line, self._moment, 0)
        except OSError:
            self._leave()
            return True

    def _leave(self) -> None:
        if self._line is not None:
            os.close(self._line)
            self._line = None


def _locks(line: int, how_many: int, start: int) -> bool:
    try:
        fcntl.lockf(line, fcntl.LOCK_EX | fcntl.LOCK_NB, how_many, start)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _now() -> int:
    """In microseconds since the machine started, by which all of its processes count."""
    return time.monotonic_ns() // 1000
