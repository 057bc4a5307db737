"""Why made-up deals are won or lost."""

from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from sqlalchemy.orm import Session

from crm_core.demo.words import LOST_BECAUSE_OTHER, LOST_REASON_WEIGHTS, WON_BECAUSE_OTHER
from crm_core.models import Outcome
from crm_core.services import settings_service

WON_WITH_REASON = 0.6


class Reason(NamedTuple):
    """A reason to close, as much of it as a deal needs."""

    id: int
    needs_note: bool


@dataclass(frozen=True)
class Reasons:
    """The reasons for one outcome, the running total of how often each is given, and notes for “Other”."""

    all: list[Reason]
    weights: list[int]
    notes: tuple[str, ...]


Closing = dict[Outcome, Reasons]


def closing(session: Session) -> Closing:
    """The workspace's own reasons; those we know by name come as often as they do in real life."""
    return {
        Outcome.WON: _reasons(session, Outcome.WON, WON_BECAUSE_OTHER),
        Outcome.LOST: _reasons(session, Outcome.LOST, LOST_BECAUSE_OTHER),
    }


def choose(closing: Closing, outcome: Outcome, chance: Random) -> tuple[int | None, str | None]:
    """A reason's id and, where it says nothing by itself, a note. A loss always has one, a win often."""
    if outcome is Outcome.WON and chance.random() > WON_WITH_REASON:
        return None, None
    reasons = closing[outcome]
    reason = chance.choices(reasons.all, cum_weights=reasons.weights)[0]
    return reason.id, chance.choice(reasons.notes) if reason.needs_note else None


def _reasons(session: Session, outcome: Outcome, notes: tuple[str, ...]) -> Reasons:
    found = settings_service.get_close_reasons(session, outcome)
    weights = [LOST_REASON_WEIGHTS.get(reason.label, 10) for reason in found]
    return Reasons(
        [Reason(reason.id, reason.needs_note) for reason in found], list(accumulate(weights)), notes
    )
