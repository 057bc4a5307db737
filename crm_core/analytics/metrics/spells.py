"""How long deals stay in each stage, from the history."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, reduce
from itertools import compress
from operator import add
from typing import Any

from sqlalchemy import Select, case, func, select

from crm_core.analytics.metrics.base import DOES_NOT_COUNT, Figure, Group, Question
from crm_core.filters.base import is_one_of
from crm_core.gathered import A_DAY, gathered, microseconds, since_epoch
from crm_core.mending import kept_by_deal
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.scope import scope_of
from crm_core.stays import closed_at_the_end, owner_at_the_end, stays

RUNNING = "running"

HALF = 0.5 + 1e-9
"""A product of many fractions that is a half is not always 0.5 to the last bit."""


def _numbers() -> "array[int]":
    return array("q")


@dataclass(frozen=True)
class Spells:
    """The stays of deals in one stage; there may be very many, so they are told in arrays.

    `ended` are the deals whose stay is over, which `took` so long; `running` those that are still there since
    they `began`. In microseconds, from the epoch where they are instants.
    """

    ended: "array[int]" = field(default_factory=_numbers)
    took: "array[int]" = field(default_factory=_numbers)
    running: "array[int]" = field(default_factory=_numbers)
    began: "array[int]" = field(default_factory=_numbers)

    def taken_until(self, at: datetime) -> list[int]:
        """How long those that go on have lasted until then; never negative, as clocks may differ."""
        until = since_epoch(at)
        return [max(until - began, 0) for began in self.began]

    def but(self, deals: Collection[int]) -> "Spells":
        """Without the stays of these deals."""
        ended = [deal not in deals for deal in self.ended]
        running = [deal not in deals for deal in self.running]
        return Spells(
            array("q", compress(self.ended, ended)),
            array("q", compress(self.took, ended)),
            array("q", compress(self.running, running)),
            array("q", compress(self.began, running)),
        )

    def __add__(self, other: "Spells") -> "Spells":
        return Spells(
            self.ended + other.ended,
            self.took + other.took,
            self.running + other.running,
            self.began + other.began,
        )


NONE = Spells()

ByStage = Mapping[tuple[OpportunityStage, bool], Spells]
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
    """SQL: of each open stage the stays that began in the period, apart those of deals that never count.

    A stay ends when the deal moves on; where it is closed, by the day it was closed on, however late that was
    written down.
    """
    scope = scope_of(asked.session, asked.where.of_anybody(), asked.as_of)
    deal = scope.model
    days = (asked.period.start, asked.period.last_day) if asked.period else ()
    deals = select(deal.id, deal.is_no_real_loss().label("never_counts")).where(*scope.conditions).subquery()
    stay = stays(scope.moment, *days, deals=of)
    each = (
        select(
            stay.c.id,
            stay.c.stage,
            deals.c.never_counts,
            stay.c.entered_at,
            func.coalesce(closed_at_the_end(stay), stay.c.left_at).label("left_at"),
        )
        .join(deals, deals.c.id == stay.c.id)
        .where(*asked.where.on_owner(partial(is_one_of, owner_at_the_end(stay))))
        .cte("each")
        .prefix_with("MATERIALIZED")  # or each mention of an end would look for it again
        .c
    )
    goes_on, entered = each.left_at.is_(None), microseconds(each.entered_at)
    return select(
        each.stage,
        each.never_counts,
        gathered(case((~goes_on, each.id))),
        gathered(case((~goes_on, microseconds(each.left_at) - entered))),
        gathered(case((goes_on, each.id))),
        gathered(case((goes_on, entered))),
    ).group_by(each.stage, each.never_counts)


def _by_stage(rows: Iterable[Any]) -> ByStage:
    found = {(stage, counts): Spells() for stage in OPEN_STAGES for counts in (True, False)}
    for stage, never_counts, ended, took, running, began in rows:
        never_negative = [max(each, 0) for each in took]  # closed before it came here, as was said later
        found[stage, not never_counts] = Spells(
            *(array("q", numbers) for numbers in (ended, never_negative, running, began))
        )
    return found


def _mended(known: ByStage, deals: Sequence[int], fresh: ByStage) -> ByStage:
    """With the fresh stays of these deals in place of the known ones."""
    changed = set(deals)
    return {key: spells.but(changed) + fresh[key] for key, spells in known.items()}


def _of_stage(asked: Question, stage: OpportunityStage, spells: Spells) -> Figure:
    whole = _group(asked, spells.ended, spells.running)
    return Figure(
        _median_days(spells, asked.at),
        whole,
        whole,
        apart={RUNNING: _group(asked, spells.running)},
        details={
            "mean_left": sum(spells.took) / (len(spells.took) * A_DAY) if spells.took else None,
            "deals": len({*spells.ended, *spells.running}),
        },
        label=stage.label,
    )


def _group(asked: Question, *deals: Sequence[int]) -> Group:
    """So many stays, and the deals whose they were."""
    ids = sorted(set().union(*deals)) if asked.explain else None
    return Group(sum(map(len, deals)), ids=ids)


def _median_days(spells: Spells, at: datetime) -> float | None:
    median = survival_median(spells.took, spells.taken_until(at))
    return None if median is None else median / A_DAY


def survival_median(ended: Sequence[float], running: Sequence[float]) -> float | None:
    """The first length after which no more than half of the spells go on, by Kaplan and Meier.

    `ended` and `running` are how long spells took, and have taken so far.
    """
    if not ended:
        return None
    from scipy.stats import CensoredData, ecdf  # takes a second, and hardly any other figure needs it

    goes_on = ecdf(CensoredData(uncensored=ended, right=running)).sf
    halved = goes_on.probabilities <= HALF
    return float(goes_on.quantiles[halved.argmax()]) if halved.any() else None
