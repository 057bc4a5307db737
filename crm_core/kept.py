"""What was counted before, kept until anything changes: the figures of many deals take longest to answer.

The same SQL with the same parameters gives the same rows in every snapshot of the same revision of one
database, whichever process made it. So the key is exactly that; the filter, the day and what the actor may
read are parameters (docs/decisions/0004-what-was-counted-is-kept-until-anything-changes.md).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, cast

from sqlalchemy import Select
from sqlalchemy.orm import Session

from crm_core import history

T = TypeVar("T")

MOST_KEPT = 500
"""Answers; those that were asked for longest ago are forgotten."""


class Kept:
    """The answers of one database, given in any thread."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._answers: OrderedDict[Hashable, object] = OrderedDict()

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


def kept(session: Session, chosen: Select[*tuple[Any, ...]], told: Callable[..., T], *given: Hashable) -> T:
    """`told(rows, *given)`, where `rows` are those that the statement chooses; nobody may change the answer.

    `told` depends on nothing else. A transaction that writes sees what nobody else does, and always counts.
    """
    known: Kept | None = session.info.get("kept")
    asked = _key(chosen)
    if known is None or asked is None:
        return told(session.execute(chosen), *given)
    key = (history.newest(session), asked, told, given)
    answer = known.find(key)
    if answer is None:
        answer = told(session.execute(chosen), *given)
        known.keep(key, answer)
    return cast("T", answer)


def _key(chosen: Select[*tuple[Any, ...]]) -> Hashable | None:
    """What SQLAlchemy knows a statement's SQL by, and its parameters; None for one that it can't tell."""
    found = chosen._generate_cache_key()
    if found is None or found.params:
        return None
    parameters: Iterable[Any] = (parameter.effective_value for parameter in found.bindparams)
    return found.key, tuple(map(_hashable, parameters))


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else cast("Hashable", value)
