"""What is asked of a figure, and what every figure answers: a number, and the records that it counts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property, reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, and_, case, func, literal, select
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.analytics.pipeline import NOTHING, count_if
from crm_core.analytics.rate import Rate
from crm_core.columns import total_amount
from crm_core.currency import Currency
from crm_core.errors import InvalidInput
from crm_core.filters import OpportunityFilter
from crm_core.kept import kept, plain_rows
from crm_core.mending import ADDED_UP, kept_sums
from crm_core.models import VERSIONS, Opportunity
from crm_core.periods import Period
from crm_core.scope import Scope, Some, scope_of

COUNTED = "counted"
OTHERS = "others"
"""What a rate divides by, beside what it counts."""

WITHOUT_VALUE = "without_value"
DOES_NOT_COUNT = "does_not_count"
"""Lost for a reason that takes a deal out of every denominator (“Duplicate or test”)."""

PATH_UNKNOWN = "path_unknown"
"""Of deals that a file has no more of than how they ended, or in which stage: no way through the stages is
made up for them."""

OVERDUE = "overdue"


class Unit(StrEnum):
    """What a figure's value is. Money is in the workspace's currency, a ratio of 1 is 100 %."""

    MONEY = "money"
    COUNT = "count"
    RATIO = "ratio"
    DAYS = "days"
    MONEY_PER_DAY = "money_per_day"


Number = int | float | Decimal
"""A count; a ratio or days; money."""

Condition = ColumnExpressionArgument[bool]

Kind = tuple[Condition, ColumnElement[str] | str]
"""A condition in SQL, and the kind of those who meet it."""


class NeedsPeriod(InvalidInput):
    def __init__(self) -> None:
        super().__init__("This figure needs a period: say from which day to which.")


@dataclass(frozen=True)
class Group:
    """Some records: how many, what they are worth together, how many without a value, and which.

    `ids` are None unless they were asked for. Each is there once, also where a deal's stays are counted.
    """

    count: int = 0
    value: Decimal = NOTHING
    without_value: int = 0
    ids: list[int] | None = None

    def __add__(self, other: "Group") -> "Group":
        return Group(
            self.count + other.count,
            self.value + other.value,
            self.without_value + other.without_value,
            None if self.ids is None or other.ids is None else sorted({*self.ids, *other.ids}),
        )

    def fitted(self, currency: Currency) -> "Group":
        """The same with its value in the currency's decimals."""
        return replace(self, value=currency.fitted(self.value))

    @property
    def known_value(self) -> Decimal | None:
        """`value`, or None where there are records but none has one: unknown is not zero."""
        return None if self.count and self.count == self.without_value else self.value


class Groups(dict[str, Group]):
    """Records by the kind that they are of; a kind that none is of is an empty group."""

    def __init__(self, found: Mapping[str, Group], *, nobody: Group) -> None:
        super().__init__(found)
        self.nobody = nobody

    def __missing__(self, kind: str) -> Group:
        return self.nobody

    def together(self, kinds: Iterable[str]) -> Group:
        """Those of all these kinds."""
        return reduce(add, (self[kind] for kind in kinds), self.nobody)


@dataclass(frozen=True)
class Figure:
    """One number. `value` is None where there is nothing to count it from: that is not zero.

    `counted` are the records that the number counts, a rate's numerator; `out_of` those that it is counted
    over, a rate's denominator; `left_out` those that it would count, by the reason why it does not; `apart`
    those that are told apart, be they inside or beside the number. `interval` is a rate's Wilson 95 %
    interval, `details` are numbers that stand beside the first, `parts` the same figure of each stage or
    reason, or what it is made of; a part has a unit where that is not the whole's.
    """

    value: Number | None
    counted: Group
    out_of: Group
    left_out: Mapping[str, Group] = field(default_factory=dict)
    apart: Mapping[str, Group] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    details: Mapping[str, Number | None] = field(default_factory=dict)
    status: str | None = None
    parts: Mapping[str, "Figure"] = field(default_factory=dict)
    label: str | None = None
    unit: Unit | None = None

    @property
    def n(self) -> int:
        """Over how many records it was counted."""
        return self.out_of.count

    def fitted(self, currency: Currency) -> "Figure":
        """The same with every amount in the currency's decimals; no other number is a Decimal."""

        def fit(number: Number | None) -> Number | None:
            return currency.fitted(number) if isinstance(number, Decimal) else number

        return replace(
            self,
            value=fit(self.value),
            counted=self.counted.fitted(currency),
            out_of=self.out_of.fitted(currency),
            left_out={kind: group.fitted(currency) for kind, group in self.left_out.items()},
            apart={kind: group.fitted(currency) for kind, group in self.apart.items()},
            details={name: fit(number) for name, number in self.details.items()},
            parts={key: part.fitted(currency) for key, part in self.parts.items()},
        )


@dataclass(frozen=True)
class Question:
    """Of which deals, in which days (None: ever), as known when (None: the filter's instant, or now).

    With `explain` the answer names the records that were counted; `some` are the only deals to look at.
    """

    session: Session
    where: OpportunityFilter
    period: Period | None = None
    as_of: datetime | None = None
    explain: bool = False
    some: Some[Opportunity] | None = None

    @cached_property
    def scope(self) -> Scope[Opportunity]:
        return scope_of(self.session, self.where, self.as_of, among=self.some)

    @property
    def at(self) -> datetime:
        """The instant that is asked for."""
        return self.scope.moment.at

    @property
    def days(self) -> Period:
        """The period, for a figure that can't do without. Raises `NeedsPeriod`."""
        if self.period is None:
            raise NeedsPeriod
        return self.period

    @property
    def deal(self) -> type[Opportunity]:
        """What the filter's deals are called in SQL."""
        return self.scope.model

    @property
    def closed(self) -> ColumnElement[bool]:
        """SQL: closed in the period."""
        return and_(*closed_within(self.scope, self.period))

    @property
    def narrowed_by(self) -> dict[str, Any]:
        """The fields of the filter that are set."""
        return self.where.model_dump(include=set(OpportunityFilter.model_fields), exclude_defaults=True)

    @property
    def nobody(self) -> Group:
        return Group(ids=[] if self.explain else None)

    def deals(self, among: Condition, *kinds: Kind, others: str = COUNTED) -> Groups:
        """The filter's deals that meet `among`, each of the first kind whose condition it meets."""
        kind = case(*kinds, else_=others) if kinds else literal(others)
        return self.sort(
            select(self.deal.id, kind.label("kind"), self.deal.expected_value.label("amount")).where(
                among, *self.scope.conditions
            )
        )

    def sort(self, rows: Select[Any]) -> Groups:
        """The rows by their kind. Columns: id, kind, amount (money, or null).

        Numbers and ids come from the same rows, so that they can't disagree.
        """
        return self._sorted(rows, kept(self.session, _totals(rows), plain_rows))

    def sort_deals(self, rows: Callable[["Question"], Select[Any]]) -> Groups:
        """`sort` of rows that are each about a deal and its past alone; what was known before is mended."""

        def question(some: Some[Opportunity] | None) -> Select[Any]:
            return _totals(rows(replace(self, some=some)))

        tables = ADDED_UP | {VERSIONS[Opportunity]}
        return self._sorted(
            rows(self), kept_sums(self.session, question, plain_rows, groups=1, looks_at=tables)
        )

    def _sorted(self, rows: Select[Any], totals: Iterable[tuple[Any, ...]]) -> Groups:
        ids = self._ids(rows) if self.explain else {}
        return Groups(
            {
                kind: Group(count, value or NOTHING, without_value, ids.get(kind))
                for kind, count, value, without_value in totals
            },
            nobody=self.nobody,
        )

    def gather(self, kinds: Iterable[tuple[int, str]]) -> Groups:
        """Records by the kind that was found for their ids outside of the database."""
        ids: dict[str, list[int]] = {}
        for record_id, kind in kinds:
            ids.setdefault(kind, []).append(record_id)
        return Groups(
            {
                kind: Group(len(found), ids=sorted(set(found)) if self.explain else None)
                for kind, found in ids.items()
            },
            nobody=self.nobody,
        )

    def _ids(self, rows: Select[Any]) -> dict[str, list[int]]:
        found = rows.subquery().c
        ids: dict[str, list[int]] = {}
        for record_id, kind in self.session.execute(select(found.id, found.kind).order_by(found.id)):
            ids.setdefault(kind, []).append(record_id)
        return ids


def _totals(rows: Select[Any]) -> Select[Any]:
    """SQL: of each kind the count, the value, and how many have none."""
    found = rows.subquery().c
    figures = func.count(), total_amount(found.amount), count_if(found.amount.is_(None))
    return select(found.kind, *figures).group_by(found.kind)


def by_kind(groups: Groups, *kinds: str) -> dict[str, Group]:
    """The groups of these kinds, in this order, the empty ones too."""
    return {kind: groups[kind] for kind in kinds}


def share(groups: Groups, *, without: Iterable[str] = (), status: str | None = None) -> Figure:
    """COUNTED ÷ (COUNTED + OTHERS), by count, with Wilson's interval; a status says why there is none."""
    hits, out_of = groups[COUNTED], groups.together((COUNTED, OTHERS))
    rate = Rate(hits.count, out_of.count, status)
    left_out = by_kind(groups, *without)
    return Figure(ratio(rate.value), hits, out_of, left_out, interval=rate.interval, status=status)


def ratio(share: Decimal | Fraction | None) -> float | None:
    """As figures tell it: money alone is a Decimal there."""
    return None if share is None else float(share)
