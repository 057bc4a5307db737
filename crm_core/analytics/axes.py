"""What a board's columns stand for: stages, owners, months or sizes, each with the filter of its deals."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Self

from dateutil.relativedelta import relativedelta
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from crm_core import words
from crm_core.analytics.pipeline import NOTHING, ListTotals
from crm_core.columns import LARGEST_AMOUNT, SMALLEST_AMOUNT
from crm_core.filters import OpportunityFilter
from crm_core.folding import fold
from crm_core.kept import kept
from crm_core.mending import kept_sums
from crm_core.models import OPEN_STAGES, Opportunity, User
from crm_core.periods import ONE_DAY
from crm_core.scope import Scope, Some, scope_of
from crm_core.services import settings_service

NONE, OVERDUE, LATER = "none", "overdue", "later"
"""Keys of columns that are no stage, owner, month or size."""

NO_DEALS = ListTotals(0, NOTHING, NOTHING, 0)

MONTHS_SHOWN = 12
SIZES_SHOWN = 5

ROUND_AMOUNTS = [
    amount
    for digits in range(len(str(int(LARGEST_AMOUNT))))
    for step in (1, 2, 5)
    if (amount := step * 10**digits) <= LARGEST_AMOUNT
]
"""Where a size may begin: 1, 2, 5, 10, 20, 50, … in the workspace's currency."""


@dataclass(frozen=True)
class Place:
    """A column without its deals: `where` lets through exactly those that belong there."""

    key: str
    label: str
    where: OpportunityFilter


class Axis(ABC):
    """The columns of a board of open deals. Every open deal of the filter is in exactly one of them."""

    def __init__(self, session: Session, where: OpportunityFilter, scope: Scope[Opportunity]) -> None:
        self.session = session
        self.where = where
        self.scope = scope

    def among(self, some: Some[Opportunity] | None) -> Self:
        """The same columns with no other deals than those; None for all."""
        if some is None:
            return self
        other = copy(self)
        other.scope = scope_of(self.session, self.where, among=some)
        return other

    @abstractmethod
    def key(self) -> Any:
        """SQL: the key of the column that a deal is in; null stands for `NONE`."""

    @abstractmethod
    def places(self, found: Mapping[str, ListTotals]) -> list[Place]:
        """The columns in their order, where `found` are the totals of those that have deals."""

    def _narrowed(self, **answers: Any) -> OpportunityFilter:
        return self.where.model_copy(update={"is_open": True, **answers})


class ByStage(Axis):
    """Every open stage that the filter allows, in their order, empty ones too."""

    def key(self) -> Any:
        return self.scope.model.stage

    def places(self, found: Mapping[str, ListTotals]) -> list[Place]:
        return [
            Place(stage.value, stage.label, self._narrowed(stages=frozenset({stage})))
            for stage in OPEN_STAGES
            if not self.where.stages or stage in self.where.stages
        ]


class ByOwner(Axis):
    """Whoever has deals there, the highest value first; nobody last, unless the filter asks for somebody."""

    def key(self) -> Any:
        return self.scope.model.owner_id

    def places(self, found: Mapping[str, ListTotals]) -> list[Place]:
        owners = sorted(int(key) for key in found if key != NONE)
        names = kept(self.session, select(User.id, User.name).where(User.id.in_(owners)), _by_id)
        ranked = sorted(owners, key=lambda owner: (-found[str(owner)].value, fold(names[owner]), owner))
        columns = [
            Place(str(owner), names[owner], self._narrowed(owners=frozenset({owner}))) for owner in ranked
        ]
        if NONE in found or not (self.where.owners or self.where.teams):
            columns.append(Place(NONE, "Nobody", self._narrowed(without_owner=True)))
        return columns


class ByCloseMonth(Axis):
    """Expected before today, in each month from this one to the last with deals, later, or on no day."""

    def key(self) -> Any:
        on = self.scope.model.expected_close_date
        months = [(on < end, month_key(first)) for first, end in pairwise(self._firsts)]
        return case((on.is_(None), NONE), (on < self._today, OVERDUE), *months, else_=LATER)

    def places(self, found: Mapping[str, ListTotals]) -> list[Place]:
        months = list(pairwise(self._firsts))
        last = max(
            (number for number, (first, _) in enumerate(months) if month_key(first) in found), default=0
        )
        shown = months if LATER in found else months[: last + 1]
        space = settings_service.get_workspace(self.session)
        columns = [
            Place(
                month_key(first),
                words.month_in_full(first, space),
                self._expected(max(first, self._today), end - ONE_DAY),
            )
            for first, end in shown
        ]
        if OVERDUE in found:
            columns.insert(0, Place(OVERDUE, "Overdue", self._narrowed(overdue=True)))
        if LATER in found:
            columns.append(Place(LATER, "Later", self._expected(self._firsts[-1], None)))
        if NONE in found or not self._asks_for_a_day:
            columns.append(Place(NONE, "No date", self._narrowed(without_date=True)))
        return columns

    @property
    def _today(self) -> date:
        return self.scope.moment.today

    @cached_property
    def _firsts(self) -> list[date]:
        """The first days of the months, and of the one after the last of them."""
        this_month = self._today.replace(day=1)
        return [this_month + relativedelta(months=number) for number in range(MONTHS_SHOWN + 1)]

    @property
    def _asks_for_a_day(self) -> bool:
        return bool(self.where.expected_from or self.where.expected_to or self.where.overdue)

    def _expected(self, first: date, last: date | None) -> OpportunityFilter:
        """Within the filter's own days."""
        ends = [day for day in (last, self.where.expected_to) if day is not None]
        return self._narrowed(
            expected_from=max(first, self.where.expected_from or first),
            expected_to=min(ends, default=None),
        )


class BySize(Axis):
    """Sizes that part the open deals of the workspace, whatever the filter, into about equally many.

    Each begins at a round amount, so that they stay what they are from day to day; no value comes last.
    """

    def key(self) -> Any:
        value = self.scope.model.expected_value
        sizes = [(value < end, size_key(begin, end)) for begin, end in self._sizes if end is not None]
        return case((value.is_(None), NONE), *sizes, else_=size_key(*self._sizes[-1]))

    def places(self, found: Mapping[str, ListTotals]) -> list[Place]:
        columns = [
            Place(size_key(begin, end), _size_label(begin, end), self._worth(begin, end))
            for begin, end in self._sizes
        ]
        if NONE in found:
            columns.append(Place(NONE, "No value", self._narrowed(without_value=True)))
        return columns

    @cached_property
    def _sizes(self) -> list[tuple[int, int | None]]:
        """From which amount up to, but not including, which; the last one has no end."""

        def question(some: Some[Opportunity] | None) -> Select[*tuple[Any, ...]]:
            scope = scope_of(self.session, OpportunityFilter(as_of=self.where.as_of), among=some)
            value = scope.model.expected_value
            steps = ((value < amount, number) for number, amount in enumerate(ROUND_AMOUNTS))
            return (
                select(case(*steps, else_=len(ROUND_AMOUNTS)).label("step"), func.count())
                .where(scope.model.closed_at.is_(None), value.is_not(None), *scope.conditions)
                .group_by("step")
            )

        begins = [0, *kept_sums(self.session, question, _parting_amounts, groups=1)]
        return list(zip(begins, [*begins[1:], None], strict=True))

    def _worth(self, begin: int, end: int | None) -> OpportunityFilter:
        """Within the filter's own amounts."""
        below = None if end is None else end - SMALLEST_AMOUNT
        least, most = self.where.value_from, self.where.value_to
        ends = [amount for amount in (below, most) if amount is not None]
        return self._narrowed(
            value_from=max(Decimal(begin), least or NOTHING), value_to=min(ends, default=None)
        )


def key_text(key: Any) -> str:
    """A column's key as text, as SQL gave it."""
    return NONE if key is None else str(key)


def month_key(day: date) -> str:
    """The key of the column of the day's month."""
    return day.isoformat()[:7]


def size_key(begin: int, end: int | None) -> str:
    """The key of the column of amounts from `begin` up to, but not including, `end`."""
    return f"{begin}-{'' if end is None else end}"


def _size_label(begin: int, end: int | None) -> str:
    if end is None:
        return f"{begin:,} or more" if begin else "Any value"
    return f"{begin:,} to {end:,}" if begin else f"Under {end:,}"


def _by_id(rows: Iterable[Any]) -> dict[int, str]:
    return dict(map(tuple, rows))


def _parting_amounts(rows: Iterable[Any]) -> tuple[int, ...]:
    """The round amounts nearest to those that part the deals into equally many; fewer where they coincide.

    Of the rows, each with a position and a count, that at position 1 are the deals from the first round
    amount up to the second.
    """
    counts: Mapping[int, int] = dict(map(tuple, rows))
    below: Sequence[int] = list(accumulate(counts.get(step, 0) for step in range(len(ROUND_AMOUNTS))))
    total = sum(counts.values())
    nearest = {
        min(range(len(below)), key=lambda step: abs(below[step] * SIZES_SHOWN - part * total))
        for part in range(1, SIZES_SHOWN)
    }
    return tuple(ROUND_AMOUNTS[step] for step in sorted(nearest) if 0 < below[step] < total)
