"""The pipeline as a board: columns that count every deal of the filter, and the first cards of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from crm_core.analytics import outcomes, pipeline
from crm_core.analytics.axes import (
    NO_DEALS,
    Axis,
    ByCloseMonth,
    ByOwner,
    BySize,
    ByStage,
    Place,
    key_text,
)
from crm_core.analytics.cards import Card, cards_of
from crm_core.analytics.pipeline import NOTHING, ListTotals, Worth
from crm_core.errors import InvalidInput
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import kept
from crm_core.mending import kept_ranks, kept_sums
from crm_core.models import CLOSED_STAGES, OPEN_STAGES, Opportunity
from crm_core.periods import Period
from crm_core.schemas.fields import LARGEST_ID
from crm_core.scope import Scope, Some, scope_of
from crm_core.services import settings_service

CLOSED = "closed"
"""Key of the column of won and lost deals."""

CARDS = 25
MOST_CARDS = 1_000
"""Cards of a column: by default, and at most."""


class GroupBy(StrEnum):
    """What the columns of a board stand for."""

    STAGE = "stage"
    OWNER = "owner"
    CLOSE_MONTH = "close_month"
    SIZE = "size"

    @property
    def label(self) -> str:
        return "Expected close" if self is GroupBy.CLOSE_MONTH else self.value.capitalize()


class CardOrder(StrEnum):
    """The order of the cards of open deals: what is unknown comes last, and the id decides between equals.

    By urgency: those whose next step is overdue, then the others; of each, whichever is to close soonest.
    By hand: those that somebody has put in order, then the others by urgency.
    """

    URGENCY = "urgency"
    VALUE = "value"
    NEWEST = "newest"
    BY_HAND = "by_hand"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


@dataclass
class Column:
    """Some deals of the filter: all that `where` lets through, of which `cards` are the first.

    Values in the workspace's currency, without the `without_value` deals whose value is unknown. Of closed
    deals they are those of the `won` ones, and nothing is weighted.
    """

    key: str
    label: str
    deals: int
    value: Decimal
    weighted: Decimal
    without_value: int
    where: OpportunityFilter
    cards: list[Card] = field(default_factory=list)
    is_closed: bool = False
    won: int = 0
    lost: int = 0


AXES: dict[GroupBy, type[Axis]] = {
    GroupBy.STAGE: ByStage,
    GroupBy.OWNER: ByOwner,
    GroupBy.CLOSE_MONTH: ByCloseMonth,
    GroupBy.SIZE: BySize,
}


def board(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    group_by: GroupBy = GroupBy.STAGE,
    order: CardOrder = CardOrder.URGENCY,
    by_hand: Mapping[str, Sequence[int]] | None = None,
    shown: Mapping[str, int] | None = None,
    closed_in: Period | None = None,
) -> list[Column]:
    """The columns of the filter's open deals, and by stage one more of those closed in the period, or ever.

    Each counts all its deals and holds the first of their cards: 25, or as many as `shown` says for its key.
    Every open deal of the filter is in exactly one column; what a filter of closed deals lets through is
    only in the closed one. `by_hand` are the ids of each column in the order that somebody has put them in.
    As of the filter's instant, or now. Raises `InvalidInput` for more cards than a column can hold.
    """
    wanted = _Wanted(shown or {})
    scope: Scope[Opportunity] = scope_of(session, where)
    columns: list[Column] = []
    ids: dict[str, list[int]] = {}
    if _allows_open(where):
        axis = AXES[group_by](session, where, scope)
        columns += _open_columns(axis)
        ids |= _open_ids(axis, order, by_hand or {}, wanted)
    if group_by is GroupBy.STAGE and _allows_closed(where):
        columns.append(_closed_column(session, where, closed_in))
        ids[CLOSED] = _closed_ids(session, columns[-1].where, wanted.of(CLOSED))
    cards = cards_of(session, scope, [each for column in ids.values() for each in column])
    for column in columns:
        column.cards = [cards[each] for each in ids.get(column.key, ())]
    return columns


class _Wanted:
    """How many cards each column is to hold."""

    def __init__(self, shown: Mapping[str, int]) -> None:
        if not all(0 <= cards <= MOST_CARDS for cards in shown.values()):
            raise InvalidInput(f"A column shows up to {MOST_CARDS:,} cards.")
        self.shown = shown

    def of(self, key: str) -> int:
        return self.shown.get(key, CARDS)

    @property
    def most(self) -> int:
        return max((CARDS, *self.shown.values()))


def _allows_open(where: OpportunityFilter) -> bool:
    in_stages = not where.stages or not where.stages.isdisjoint(OPEN_STAGES)
    return in_stages and where.is_open is not False and not where.outcomes


def _allows_closed(where: OpportunityFilter) -> bool:
    in_stages = not where.stages or not where.stages.isdisjoint(CLOSED_STAGES)
    return in_stages and where.is_open is not True


def _open_columns(axis: Axis) -> list[Column]:
    currency = settings_service.get_currency(axis.session)
    found = {key: pipeline.together(worths, currency) for key, worths in worths_by_key(axis).items()}
    return [_open_column(place, found.get(place.key, NO_DEALS)) for place in axis.places(found)]


def _open_column(place: Place, totals: ListTotals) -> Column:
    return Column(
        key=place.key,
        label=place.label,
        deals=totals.deals,
        value=totals.value,
        weighted=totals.weighted,
        without_value=totals.without_value,
        where=place.where,
    )


def worths_by_key(axis: Axis) -> Mapping[str, Sequence[Worth]]:
    """What the open deals are worth, by the key of their column."""
    if isinstance(axis, ByStage):  # which other figures ask for as well
        by_stage: dict[str, list[Worth]] = {}
        for group in pipeline.groups(axis.session, axis.where, only_open=True):
            by_stage.setdefault(group.stage.value, []).append(group)
        return by_stage

    def question(some: Some[Opportunity] | None) -> Select[*tuple[Any, ...]]:
        among = axis.among(some)
        return pipeline.worths(among.scope.model, among.key()).where(*_open(among.scope))

    return kept_sums(axis.session, question, _grouped, groups=1 + len(pipeline.GROUPED))


def _grouped(rows: Iterable[Any]) -> dict[str, list[Worth]]:
    found: dict[str, list[Worth]] = {}
    for key, *worth in rows:
        found.setdefault(key_text(key), []).append(Worth(*worth))
    return found


def _open(scope: Scope[Opportunity]) -> list[Any]:
    """SQL: the scope's open deals; by a column whose index has them together."""
    return [scope.model.closed_at.is_(None), *scope.conditions]


def _open_ids(
    axis: Axis, order: CardOrder, by_hand: Mapping[str, Sequence[int]], wanted: _Wanted
) -> dict[str, list[int]]:
    """The first deals of each column."""
    if order is not CardOrder.BY_HAND:
        ranked = _ranked_ids(axis, order, wanted.most)
        return {key: list(ids[: wanted.of(key)]) for key, ids in ranked.items()}
    placed = _placed_ids(axis, by_hand)
    ranked = _ranked_ids(axis, CardOrder.URGENCY, wanted.most + max(map(len, placed.values()), default=0))
    return {
        key: list(dict.fromkeys((*placed.get(key, ()), *ids)))[: wanted.of(key)]
        for key, ids in ranked.items()
    }


def _ranked_ids(axis: Axis, order: CardOrder, most: int) -> Mapping[str, Sequence[int]]:
    """At least so many of each column, the first of them first."""

    def question(some: Some[Opportunity] | None, most: int) -> Select[*tuple[Any, ...]]:
        among = axis.among(some)
        deal, key = among.scope.model, among.key()
        rank = func.row_number().over(
            partition_by=key, order_by=_order(deal, order, among.scope.moment.today)
        )
        ranked = select(deal.id, key.label("key"), rank.label("rank")).where(*_open(among.scope)).subquery().c
        return select(ranked.key, ranked.id).where(ranked.rank <= most).order_by(ranked.rank)

    return kept_ranks(axis.session, question, _ids_by_key, most)


def _order(deal: type[Opportunity], order: CardOrder, today: date) -> list[Any]:
    if order is CardOrder.VALUE:
        return [deal.expected_value.desc().nulls_last(), deal.id.desc()]
    if order is CardOrder.NEWEST:
        return [deal.created_on.desc(), deal.id.desc()]
    is_late = case((deal.next_step_date < today, 0), else_=1)
    return [is_late, deal.expected_close_date.asc().nulls_last(), deal.id]


def _ids_by_key(rows: Iterable[Any]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, deal_id in rows:
        found.setdefault(key_text(key), []).append(deal_id)
    return found


def _placed_ids(axis: Axis, by_hand: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Of the ids put in order for each column those that are in it."""
    ids = sorted({each for placed in by_hand.values() for each in placed if 0 < each <= LARGEST_ID})
    deal = axis.scope.model
    chosen = select(axis.key(), deal.id).where(deal.id.in_(ids), *_open(axis.scope))
    inside = _ids_by_key(axis.session.execute(chosen)) if ids else {}
    members = {key: set(found) for key, found in inside.items()}
    return {key: [each for each in placed if each in members.get(key, ())] for key, placed in by_hand.items()}


def _closed_column(session: Session, where: OpportunityFilter, period: Period | None) -> Column:
    closed = _closed_within(where, period)
    found = outcomes.closed_in(session, None, closed)
    return Column(
        key=CLOSED,
        label="Closed",
        deals=found.won + found.lost,
        value=found.won_value,
        weighted=NOTHING,
        without_value=found.won_without_value,
        where=closed,
        is_closed=True,
        won=found.won,
        lost=found.lost,
    )


def _closed_within(where: OpportunityFilter, period: Period | None) -> OpportunityFilter:
    """Within the filter's own days."""
    closed = where.model_copy(update={"is_open": False})
    if period is None:
        return closed
    return closed.model_copy(
        update={
            "closed_from": max(period.start, where.closed_from or period.start),
            "closed_to": min(period.last_day, where.closed_to or period.last_day),
        }
    )


def _closed_ids(session: Session, where: OpportunityFilter, most: int) -> list[int]:
    """The deals closed last."""
    if not most:
        return []
    scope = scope_of(session, where)
    deal = scope.model
    chosen = select(deal.id).where(deal.actual_close_date.is_not(None), *scope.conditions)
    newest_first = chosen.order_by(deal.actual_close_date.desc(), deal.closed_at.desc(), deal.id.desc())
    return kept(session, newest_first.limit(most), _ids, only_closed=True)


def _ids(rows: Iterable[Any]) -> list[int]:
    return [deal_id for (deal_id,) in rows]
