"""A connection to PostgreSQL that gives up a server which no longer answers.

A server that is stopped, or cut off, heeds none of its own limits, and the system at its end, or a proxy
between, may go on acknowledging what is sent. So the client has to look at the clock itself.
"""

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn

from crm_core.patience import Patience, current

Result = TypeVar("Result")


class ServerConnection(psycopg.Connection[Any]):
    """psycopg waits in short intervals, and after each of them the steps that it takes get to know of it."""

    patience: Patience | None = None
    """Of the transaction that uses the connection; without one it waits without a limit."""

    _longest_silence = math.inf

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "ServerConnection":
        """One more attempt for each host that the address names; all share what is left of the patience."""
        connection = super().connect(*args, **kwargs)
        connection.patience = current.get()
        return connection

    @classmethod
    def _connect_gen(cls, *args: Any, **kwargs: Any) -> PQGenConn[Any]:
        return (yield from _in_time(super()._connect_gen(*args, **kwargs), current.get()))

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Take the driver's steps. A connection that is given up is closed, so nothing waits for it again."""
        try:
            in_time = _in_time(gen, self.patience, self._longest_silence)
            result: Result = super().wait(in_time, *args, **kwargs)
        except _Silent:
            self.close()
            raise
        return result

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """However much patience there is, the server has no longer than this."""
        self._longest_silence = seconds
        try:
            yield
        finally:
            self._longest_silence = math.inf


class _Silent(psycopg.OperationalError):
    """The server took longer than the transaction has patience for."""


def _in_time(
    steps: Generator[Any, Any, Result], patience: Patience | None, longest: float = math.inf
) -> Generator[Any, Any, Result]:
    """The same steps, unless nothing comes for too long; with anything that comes the time starts anew."""
    if patience is None:
        return (yield from steps)
    heard_at, limit = time.monotonic(), patience.silence
    try:
        step = next(steps)
        while True:
            if ready := (yield step):
                heard_at, limit = time.monotonic(), patience.silence
            elif time.monotonic() > heard_at + min(limit, longest):
                raise _Silent("The server does not answer.")
            step = steps.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result
