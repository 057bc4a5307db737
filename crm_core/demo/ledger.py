"""Brings all actions into one order, so that the transaction log reads as if it had been written live."""

from array import array
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np

from crm_core.demo.stories import Action, Chapter
from crm_core.demo.workdays import EPOCH, Workdays

Numbers = np.ndarray[Any, np.dtype[Any]]


class Ledger:
    """Gives every action its instant and its number in the log.

    All actions are counted first, chapter by chapter, and then numbered in the same order of chapters;
    12 bytes an action is all that has to be kept.
    """

    def __init__(self, workdays: Workdays, chapters: Iterable[Chapter], *, first_id: int) -> None:
        instants = array("q")
        for chapter in chapters:
            instants.extend(workdays.microsecond(action.position) for action in chapter.actions)
        self._instants, self._numbers = _in_order(np.frombuffer(instants, dtype=np.int64))
        self._first_id = first_id
        self._settled = 0
        self.next_id = first_id + len(instants)
        """The first number after those of all actions."""

    def settle(self, actions: list[Action]) -> None:
        """Number the next chapter's actions."""
        chosen = slice(self._settled, self._settled + len(actions))
        self._settled = chosen.stop
        instants, numbers = self._instants[chosen].tolist(), self._numbers[chosen].tolist()
        for action, instant, number in zip(actions, instants, numbers, strict=True):
            action.id = self._first_id + number
            action.at = EPOCH + timedelta(microseconds=instant)


def _in_order(instants: Numbers) -> tuple[Numbers, Numbers]:
    """The instants, with no two alike, and the rank of each.

    Of equal ones the later counted is put off to the next free microsecond.
    """
    order = np.argsort(instants, kind="stable")
    ranks = np.arange(len(instants), dtype=np.int32)
    apart = instants[order]
    apart -= ranks
    np.maximum.accumulate(apart, out=apart)
    apart += ranks
    instants[order] = apart
    numbers = np.empty_like(ranks)
    numbers[order] = ranks
    return instants, numbers
