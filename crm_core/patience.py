"""How long a transaction waits: for its turn, and then for each answer of a database server."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

PATIENCE = 15.0
"""Seconds that a transaction waits for its turn, a connection and a lock before it is refused."""

WHILE_SET_UP = 600.0
"""Seconds that a start waits while another process migrates the database, or fills it for the first time."""

GRACE = 3.0
"""Seconds beyond these in which the server has to answer: so each call ends within 20 seconds."""

LONG = 600.0
"""Seconds for an answer where nobody waits at a screen, or all records are changed at once."""

SERVER_IS_FIRST = 0.5
"""Seconds by which the server's own limit ends before ours: only the server knows why it took so long."""

SHORTEST = 0.01
"""Seconds: a limit of nothing is none to a server."""


@dataclass
class Patience:
    """Of one transaction. What it needs for its turn is no longer left for the answers after that."""

    seconds: float
    grace: float = GRACE
    asked_at: float = field(default_factory=time.monotonic)
    is_committing: bool = False
    _silence: float | None = None
    _behind: float = 0.0

    @property
    def waited(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self.asked_at

    @property
    def left(self) -> float:
        """Seconds that it still waits for its turn."""
        return max(0.0, self.seconds - self.waited)

    @property
    def silence(self) -> float:
        """Seconds that the server may take for an answer that is asked for now."""
        if self._silence is None:
            return self.seconds + min(self.grace, GRACE) - self.waited
        return self._silence - self._behind

    def turn_has_come(self) -> None:
        """From now on each answer has as long as the first one."""
        self._silence = self.seconds + self.grace - self.waited

    def allow(self, seconds: float) -> None:
        """From now on an answer may take so long."""
        self._silence = seconds

    @property
    def is_used_up(self) -> bool:
        """Whether most of the time for an answer went by behind another thread, which did not find it."""
        return self._behind > self.silence

    @property
    def server_limits(self) -> tuple[str, str]:
        """How long a statement may take as the server counts it, and how long of that wait for a lock."""
        limit = max(SHORTEST, self.silence - SERVER_IS_FIRST)
        return _as_setting(limit), _as_setting(0.9 * limit)

    @property
    def lock_limit(self) -> str:
        """How long it may wait for its turn on the server, as a setting of the server's."""
        return _as_setting(max(SHORTEST, self.left))

    @contextlib.contextmanager
    def behind(self, turn: threading.Lock) -> Iterator[None]:
        """Wait while another thread asks the server the same; so much less time is left to ask it."""
        began = time.monotonic()
        is_bounded = self._silence is not None and self._silence < math.inf
        is_ours = turn.acquire(timeout=max(0.0, self.silence) if is_bounded else -1)
        self._behind = time.monotonic() - began
        try:
            yield
        finally:
            self._behind = 0.0
            if is_ours:
                turn.release()


def _as_setting(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


current = ContextVar[Patience | None]("patience", default=None)
"""Of the transaction that is about to get a connection in this thread."""


@contextlib.contextmanager
def applied(patience: Patience) -> Iterator[None]:
    """Whatever is opened within has to be there in time."""
    token = current.set(patience)
    try:
        yield
    finally:
        current.reset(token)
