"""Counts in a second snapshot what is asked for later: databases answer two questions at once, screens don't.

Both snapshots are of the same state of the data, so what one was answered is kept for the other as well.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from sqlalchemy.orm import Session

from crm_core import history
from crm_core.database import instant
from crm_core.kept import COUNT_AHEAD

log = logging.getLogger(__name__)

HELPERS = max(0, min(4, (os.cpu_count() or 1) - 1))
"""Threads of a process that count ahead: fewer than there are processors, and than there are connections."""

LAST_ANSWER = 2.0
"""Seconds that a screen waits for the answer that a helper is still at."""

_free = threading.BoundedSemaphore(HELPERS)

Question = Callable[[Session], object]


@contextmanager
def counted_ahead(session: Session, questions: Iterable[Question]) -> Iterator[None]:
    """Another thread answers these one by one meanwhile; whichever the session comes to by then is known.

    It begins when the session has to count anything, and not at all where all helpers are busy.
    """
    helper = _Helper(session, questions)
    session.info[COUNT_AHEAD] = helper.begin
    try:
        yield
    finally:
        session.info.pop(COUNT_AHEAD, None)
        helper.end()


class _Helper:
    """Answers questions in a second snapshot, for all who ask the same of that state of the data."""

    def __init__(self, session: Session, questions: Iterable[Question]) -> None:
        self._session = session
        self._questions = questions
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if _free.acquire(blocking=False):
            twin = partial(self._session.info["twin"], at=instant(self._session))
            self._thread = threading.Thread(target=self._answer, args=(twin, history.newest(self._session)))
            self._thread.start()

    def end(self) -> None:
        """Let it answer no further question, and wait a while until it holds no connection any more."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(LAST_ANSWER)

    def _answer(self, twin: Callable[[], AbstractContextManager[Session]], state: object) -> None:
        try:
            with twin() as session:
                for question in self._questions:
                    if self._is_over.is_set() or history.newest(session) != state:
                        break
                    question(session)
        except Exception:  # who asks the same is told, too
            log.debug("Nothing more is counted ahead.", exc_info=True)
        finally:
            _free.release()
