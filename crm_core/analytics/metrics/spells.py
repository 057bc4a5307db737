"""How long deals stay in each stage, from the history."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce
from itertools import compress
from operator import add
from typing import Any

from sqlalchemy import Select, case, select

from crm_core.analytics.metrics.base import (
    COUNTED,
    DOES_NOT_COUNT,
    PATH_UNKNOWN,
    Figure,
    Group,
    Question,
)
from crm_core.filters.base import is_one_of
from crm_core.gathered import gathered, never_negative, ordinal
from crm_core.mending import kept_by_deal
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.scope import scope_of
from crm_core.stays import left_on, owner_at_the_end, stays

RUNNING = "running"

HALF = 0.5 + 1e-9
"""A product of many fractions that is a half is not always 0.5 to the last bit."""


def _numbers() -> "array[int]":
    return array("q")


@dataclass(frozen=True)
class Spells:
    """The stays of deals in one stage; there may be very many, so they are told in arrays.

    `ended` are the deals whose stay is over, which `took` so many calendar days; `running` those that are
    still there since the day they `began`, as an ordinal.
    """

    ended: "array[int]" = field(default_factory=_numbers)
    took: "array[int]" = field(default_factory=_numbers)
    running: "array[int]" = field(default_factory=_numbers)
    began: "array[int]" = field(default_factory=_numbers)

    def taken_until(self, day: date) -> list[int]:
        """How many days those that go on have lasted until then."""
        until = day.toordinal()
        return never_negative(until - began for began in self.began)

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

KINDS = (COUNTED, DOES_NOT_COUNT, PATH_UNKNOWN)

ByStage = Mapping[tuple[OpportunityStage, str], Spells]
"""By stage, and by one of `KINDS`."""


def time_in_stage(asked: Question) -> Figure:
    """For each stage the median days of a spell that began in the period, counted for the owner at its end.

    Days are whole calendar days. A spell that is still running lasts at least until now. It is not dropped,
    which would make a slow stage look fast: the median is that of the Kaplan-Meier estimate
    (doi:10.1080/01621459.1958.10501452), None as long as fewer than half of the spells are known to have
    ended. n counts spells; a move back begins a new one, so `deals` may be fewer. `mean_left` is that of the
    ended ones alone. Spells are left out where an import assumed the stage, or when they began.
    """
    found = kept_by_deal(asked.session, partial(_spells, asked), _by_stage, _mended)
    parts: dict[str, Figure] = {
        stage: _of_stage(asked, stage, found.get((stage, COUNTED), NONE)) for stage in OPEN_STAGES
    }
    whole = reduce(add, (part.counted for part in parts.values()))
    left_out = {kind: _left_out(asked, found, kind) for kind in (DOES_NOT_COUNT, PATH_UNKNOWN)}
    return Figure(None, whole, whole, left_out, parts=parts)


def _left_out(asked: Question, found: ByStage, kind: str) -> Group:
    spells = [found.get((stage, kind), NONE) for stage in OPEN_STAGES]
    return reduce(add, (_group(asked, each.ended, each.running) for each in spells))


def _spells(asked: Question, of: Sequence[int] | None = None) -> Select[*tuple[Any, ...]]:
    """SQL: of each open stage the stays that began in the period, apart those of which nothing is counted.

    A stay ends on the day the deal moves on; where it is closed, on its closing day, however late that was
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
            case(
                (deals.c.never_counts, DOES_NOT_COUNT),
                (stay.c.assumed.is_not(None), PATH_UNKNOWN),
                else_=COUNTED,
            ).label("kind"),
            ordinal(stay.c.entered_on).label("entered_on"),
            ordinal(left_on(stay)).label("left_on"),
        )
        .join(deals, deals.c.id == stay.c.id)
        .where(*asked.where.on_owner(partial(is_one_of, owner_at_the_end(stay))))
        .cte("each")
        .prefix_with("MATERIALIZED")  # or each mention of an end would look for it again
        .c
    )
    goes_on = each.left_on.is_(None)
    return select(
        each.stage,
        each.kind,
        gathered(case((~goes_on, each.id))),
        gathered(case((~goes_on, each.left_on - each.entered_on))),
        gathered(case((goes_on, each.id))),
        gathered(case((goes_on, each.entered_on))),
    ).group_by(each.stage, each.kind)


def _by_stage(rows: Iterable[Any]) -> ByStage:
    found = {(stage, kind): Spells() for stage in OPEN_STAGES for kind in KINDS}
    for stage, kind, ended, took, running, began in rows:
        known = never_negative(took)  # it may be closed before it came here, as was said later
        found[stage, kind] = Spells(*(array("q", numbers) for numbers in (ended, known, running, began)))
    return found


def _mended(known: ByStage, deals: Sequence[int], fresh: ByStage) -> ByStage:
    """With the fresh stays of these deals in place of the known ones."""
    changed = set(deals)
    return {key: spells.but(changed) + fresh[key] for key, spells in known.items()}


def _of_stage(asked: Question, stage: OpportunityStage, spells: Spells) -> Figure:
    whole = _group(asked, spells.ended, spells.running)
    return Figure(
        survival_median(spells.took, spells.taken_until(asked.scope.moment.today)),
        whole,
        whole,
        apart={RUNNING: _group(asked, spells.running)},
        details={
            "mean_left": sum(spells.took) / len(spells.took) if spells.took else None,
            "deals": len({*spells.ended, *spells.running}),
        },
        label=stage.label,
    )


def _group(asked: Question, *deals: Sequence[int]) -> Group:
    """So many stays, and the deals whose they were. Of each deal no more than one stay is assumed."""
    ids = sorted(set().union(*deals)) if asked.explain else None
    return Group(sum(map(len, deals)), ids=ids)


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
