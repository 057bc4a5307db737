"""How long deals stay in each stage, from the history."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, reduce
from itertools import compress
from operator import add
from statistics import fmean
from typing import Any

from sqlalchemy import Select, String, select, type_coerce

from crm_core.analytics.metrics.base import DOES_NOT_COUNT, Figure, Group, Question
from crm_core.analytics.wins import A_DAY, AS_STORED
from crm_core.columns import in_utc
from crm_core.filters.base import is_one_of
from crm_core.kept import kept_by_deal
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.scope import scope_of
from crm_core.stays import closed_at_the_end, owner_at_the_end, stays

RUNNING = "running"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_A_DAY = 86_400_000_000

HALF = 0.5 + 1e-9
"""A product of many fractions that is a half is not always 0.5 to the last bit."""


def _ids() -> "array[int]":
    return array("q")


@dataclass(frozen=True)
class Spells:
    """The stays of deals in one stage; there may be very many, so they are told in arrays.

    `ended` are the deals whose stay is over, after so many `days`; `running` those that are still there,
    since they `began`, in microseconds from the epoch.
    """

    ended: "array[int]" = field(default_factory=_ids)
    days: "array[float]" = field(default_factory=lambda: array("d"))
    running: "array[int]" = field(default_factory=_ids)
    began: "array[int]" = field(default_factory=_ids)

    def running_days(self, at: datetime) -> list[float]:
        """How long those that go on have lasted until then; never negative, as clocks may differ."""
        until = _microseconds(at)
        return [max((until - began) / MICROSECONDS_A_DAY, 0.0) for began in self.began]

    def but(self, deals: Collection[int]) -> "Spells":
        """Without the stays of these deals."""
        ended = [deal not in deals for deal in self.ended]
        running = [deal not in deals for deal in self.running]
        return Spells(
            array("q", compress(self.ended, ended)),
            array("d", compress(self.days, ended)),
            array("q", compress(self.running, running)),
            array("q", compress(self.began, running)),
        )

    def __add__(self, other: "Spells") -> "Spells":
        return Spells(
            self.ended + other.ended,
            self.days + other.days,
            self.running + other.running,
            self.began + other.began,
        )


NONE = Spells()

ByStage = Mapping[tuple[str, bool], Spells]
"""By stage, and by whether the deals count."""


def time_in_stage(asked: Question) -> Figure:
    """For each stage the median days of a spell that began in the period, counted for the owner at its end.

    A spell that is still running lasts at least until now. It is not dropped, which would make a slow stage
    look fast: the median is that of the Kaplan-Meier estimate (doi:10.1080/01621459.1958.10501452), None as
    long as fewer than half of the spells are known to have ended. n counts spells; a move back begins a new
    one, so `deals` may be fewer. `mean_left` is that of the ended ones alone.
    """
    found = kept_by_deal(asked.session, partial(_spells, asked), _by_stage, _mended)
    parts: dict[str, Figure] = {
        stage: _of_stage(asked, stage, found.get((stage, True), NONE)) for stage in OPEN_STAGES
    }
    whole = reduce(add, (part.counted for part in parts.values()))
    never = [found.get((stage, False), NONE) for stage in OPEN_STAGES]
    left_out = reduce(add, (_group(asked, spells.ended, spells.running) for spells in never))
    return Figure(None, whole, whole, {DOES_NOT_COUNT: left_out}, parts=parts)


def _spells(asked: Question, of: Sequence[int] | None = None) -> Select[*tuple[Any, ...]]:
    """SQL: every stay in an open stage that began in the period, and whether its deal never counts."""
    scope = scope_of(asked.session, asked.where.of_anybody(), asked.as_of)
    deal = scope.model
    days = (asked.period.start, asked.period.last_day) if asked.period else ()
    deals = select(deal.id, deal.is_no_real_loss().label("never_counts")).where(*scope.conditions).subquery()
    stay = stays(scope.moment, *days, deals=of)
    return (
        select(
            stay.c.id,
            type_coerce(stay.c.stage, String()),
            type_coerce(stay.c.entered_at, AS_STORED),
            type_coerce(stay.c.left_at, AS_STORED),
            type_coerce(closed_at_the_end(stay), AS_STORED),
            deals.c.never_counts,
        )
        .join(deals, deals.c.id == stay.c.id)
        .where(*asked.where.on_owner(partial(is_one_of, owner_at_the_end(stay))))
    )


def _by_stage(rows: Iterable[Any]) -> ByStage:
    """A stay ends when the deal moves on; where it is closed, by the day it was closed on, however late that
    was written down: never before it began, though.
    """
    found = {(stage.value, counts): Spells() for stage in OPEN_STAGES for counts in (True, False)}
    for deal_id, stage, entered_at, left_at, closed_at, never_counts in rows:
        spells = found[stage, not never_counts]
        if left_at is None:
            spells.running.append(deal_id)
            spells.began.append(_microseconds(in_utc(entered_at)))
        else:
            spells.ended.append(deal_id)
            spells.days.append(max(((closed_at or left_at) - entered_at) / A_DAY, 0.0))
    return found


def _mended(known: ByStage, deals: Sequence[int], fresh: ByStage) -> ByStage:
    """With the fresh stays of these deals in place of the known ones."""
    changed = set(deals)
    return {key: spells.but(changed) + fresh[key] for key, spells in known.items()}


def _of_stage(asked: Question, stage: OpportunityStage, spells: Spells) -> Figure:
    whole = _group(asked, spells.ended, spells.running)
    return Figure(
        survival_median(spells.days, spells.running_days(asked.at)),
        whole,
        whole,
        apart={RUNNING: _group(asked, spells.running)},
        details={
            "mean_left": fmean(spells.days) if spells.days else None,
            "deals": len({*spells.ended, *spells.running}),
        },
        label=stage.label,
    )


def _group(asked: Question, *deals: Sequence[int]) -> Group:
    """So many stays, and the deals whose they were."""
    ids = sorted(set().union(*deals)) if asked.explain else None
    return Group(sum(map(len, deals)), ids=ids)


def survival_median(ended: Sequence[float], running: Sequence[float]) -> float | None:
    """The first length after which no more than half of the spells go on, by Kaplan and Meier.

    `ended` and `running` are the days that spells took, and have taken so far.
    """
    if not ended:
        return None
    from scipy.stats import CensoredData, ecdf  # takes a second, and hardly any other figure needs it

    goes_on = ecdf(CensoredData(uncensored=ended, right=running)).sf
    halved = goes_on.probabilities <= HALF
    return float(goes_on.quantiles[halved.argmax()]) if halved.any() else None


def _microseconds(at: datetime) -> int:
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
