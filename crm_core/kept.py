"""What was counted before, kept until anything changes: the figures of many deals take longest to answer.

The same SQL with the same parameters gives the same rows in every snapshot of the same revision of one
database, whichever process made it; those of the past stay until it is rewritten. So the key is exactly that;
the filter, the day and what the actor may read are parameters
(docs/decisions/0004-what-was-counted-is-kept-until-anything-changes.md).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from sqlalchemy import BindParameter, Select
from sqlalchemy.orm import Session

from crm_core import revisions
from crm_core.engines import TOO_SLOW
from crm_core.errors import DatabaseUnavailable
from crm_core.patience import Patience

T = TypeVar("T")

MOST_SHORT, MOST_LONG = 500, 20
"""Answers: of a few figures each, and of many rows."""

COUNT_AHEAD = "count_ahead"
"""What a session has to be called once anything is to be counted."""


class Shelf:
    """Answers given in any thread; those that were asked for longest ago are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._answers: OrderedDict[Hashable, object] = OrderedDict()
        self._turns: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()

    def find(self, key: Hashable) -> object | None:
        """The answer, if it is still known."""
        with self._guard:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def keep(self, key: Hashable, answer: object) -> None:
        with self._guard:
            self._answers[key] = answer
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def turn(self, key: Hashable) -> threading.Lock:
        """To be held while the answer is counted: who asks the same meanwhile waits, and finds it."""
        with self._guard:
            return self._turns.setdefault(key, threading.Lock())


class Kept:
    """The answers of one database."""

    def __init__(self) -> None:
        self.short, self.long = Shelf(MOST_SHORT), Shelf(MOST_LONG)


def kept(
    session: Session,
    chosen: Select[*tuple[Any, ...]],
    told: Callable[..., T],
    *given: Hashable,
    only_closed: bool = False,
) -> T:
    """`told(rows, *given)`, where `rows` are those that the statement chooses; nobody may change the answer.

    `told` depends on nothing else. `only_closed`: of the deals as they are the statement looks at closed ones
    alone. A transaction that writes sees what nobody else does, and always counts.
    """
    known, asked = known_to(session), Asked.of(chosen, (told, *given))
    if known is None or asked is None:
        return told(session.execute(chosen), *given)
    key = revisions.state_read(session, chosen, asked.parameters, only_closed=only_closed), asked.key
    answer = known.short.find(key)
    if answer is None:
        with behind(session, known.short.turn(key)):
            answer = known.short.find(key)
            if answer is None:
                answer = told(counted(session, chosen), *given)
                known.short.keep(key, answer)
    return cast("T", answer)


def behind(session: Session, turn: threading.Lock) -> AbstractContextManager[None]:
    """Hold the turn to find an answer, as no other thread does meanwhile."""
    patience: Patience = session.info["patience"]
    return patience.behind(turn)


def plain_rows(rows: Iterable[Any]) -> tuple[tuple[Any, ...], ...]:
    """`told` for what is kept as it was answered."""
    return tuple(map(tuple, rows))


@dataclass(frozen=True)
class Asked:
    """A statement's parameters, and what it is known by together with what is made of its rows."""

    parameters: Sequence[BindParameter[Any]]
    key: Hashable

    @classmethod
    def of(cls, chosen: Select[*tuple[Any, ...]], made: Hashable) -> "Asked | None":
        """None for one that SQLAlchemy can't tell by its SQL and its parameters."""
        found = chosen._generate_cache_key()
        if found is None or found.params:
            return None
        values = tuple(_hashable(parameter.effective_value) for parameter in found.bindparams)
        return cls(found.bindparams, (found.key, values, made))


def counted(session: Session, chosen: Select[*tuple[Any, ...]]) -> Iterable[Any]:
    """The rows, as nobody knows the answer yet; nor, most likely, the next ones (see `ahead`).

    Raises `DatabaseUnavailable` where another thread needed all the time to find the same answer.
    """
    patience: Patience | None = session.info.get("patience")
    if patience is not None and patience.is_used_up:
        raise DatabaseUnavailable(TOO_SLOW)
    if begin := session.info.pop(COUNT_AHEAD, None):
        begin()
    return session.execute(chosen)


def known_to(session: Session) -> Kept | None:
    """The answers of the session's database; none to a session that writes."""
    known: Kept | None = session.info.get("kept")
    return known


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else cast("Hashable", value)
