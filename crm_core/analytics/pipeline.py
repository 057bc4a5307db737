"""What is open, what it is worth, and what a whole list adds up to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, case, func, select
from sqlalchemy.orm import Session

from crm_core.columns import total_amount
from crm_core.currency import Currency
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.mending import kept_sums
from crm_core.models import OPEN_STAGES, Opportunity, OpportunityStage
from crm_core.scope import Scope, Some, scope_of
from crm_core.services import settings_service

if TYPE_CHECKING:
    import pandas as pd  # a quarter of the API's start, which draws nothing; loaded where a frame is made

NOTHING = Decimal(0)

GROUPED = ("stage", "probability")
"""What is added up by: with the probability the weighted value can be made of sums."""


@dataclass(frozen=True)
class PipelineTotals:
    """Open deals; values in the workspace's currency, without the deals whose value is unknown."""

    deals: int
    value: Decimal
    weighted: Decimal
    without_value: int
    without_date: int
    overdue: int

    @property
    def is_unknown(self) -> bool:
        """There are deals, but the value of none is known: unknown is not zero."""
        return bool(self.deals) and self.deals == self.without_value


@dataclass(frozen=True)
class StageTotals:
    """The deals in one stage; values in the workspace's currency, without those whose value is unknown."""

    stage: OpportunityStage
    deals: int
    value: Decimal
    weighted: Decimal
    without_value: int


@dataclass(frozen=True)
class ListTotals:
    """Every deal of a list, open or closed; `weighted` counts only the open ones.

    Values in the workspace's currency, without the deals whose value is unknown.
    """

    deals: int
    value: Decimal
    weighted: Decimal
    without_value: int


@dataclass(frozen=True)
class Worth:
    """What the deals that share a stage and a probability are worth: what every total is added up from."""

    stage: OpportunityStage
    probability: int
    deals: int
    value: Decimal | None
    without_value: int


@dataclass(frozen=True)
class Group(Worth):
    """... and which of them need a look."""

    without_date: int
    overdue: int


def totals(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> PipelineTotals:
    """What is open in the filter: count, Σ value, Σ value × probability / 100, and what is unknown."""
    found = groups(session, where, as_of=as_of, only_open=True)
    return open_totals(found, settings_service.get_currency(session))


def by_stage(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> "pd.DataFrame":
    """Every stage in its order, empty and closed ones included.

    Columns: stage (OpportunityStage), deals (count), value and weighted (Decimal, workspace currency),
    without_value (count).
    """
    import pandas as pd

    stages = stage_totals(groups(session, where, as_of=as_of), settings_service.get_currency(session))
    frame = pd.DataFrame(
        [(each.deals, each.value, each.weighted, each.without_value) for each in stages],
        columns=["deals", "value", "weighted", "without_value"],
    )
    frame.insert(0, "stage", pd.Series(list(OpportunityStage), dtype=object))  # not mere text
    return frame


def list_totals(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> ListTotals:
    """Count, Σ value, and Σ value × probability / 100 of the open ones, over the whole filter."""

    def question(some: Some[Opportunity] | None) -> Select[*tuple[Any, ...]]:
        scope = scope_of(session, where, as_of, among=some)
        chosen = (worths if scope.moment.as_of else _live_worths)(scope.model)
        return chosen.where(*scope.conditions)

    found = kept_sums(session, question, _worth_of, groups=len(GROUPED))
    return together(found, settings_service.get_currency(session))


def together(found: Iterable[Worth], currency: Currency) -> ListTotals:
    """Deals by stage and probability, added up."""
    found = list(found)
    return ListTotals(
        deals=sum(group.deals for group in found),
        value=_value(found, currency),
        weighted=_weighted((group for group in found if not group.stage.is_closed), currency),
        without_value=sum(group.without_value for group in found),
    )


def groups(
    session: Session,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
    only_open: bool = False,
) -> list[Group]:
    """The filter's deals by stage and probability, counted and added up in one statement."""

    def question(some: Some[Opportunity] | None) -> Select[*tuple[Any, ...]]:
        scope = scope_of(session, where, as_of, among=some)
        chosen = (_grouped if scope.moment.as_of else _live_grouped)(scope.model, scope.moment.today)
        chosen = chosen.where(*scope.conditions)
        return chosen.where(is_open(scope)) if only_open else chosen

    return list(kept_sums(session, question, _groups_of, groups=len(GROUPED)))


def is_open(scope: Scope[Opportunity]) -> ColumnElement[bool]:
    """SQL: what `Opportunity.is_open` says, as the index of the past has it, or that of the present."""
    deal = scope.model
    return deal.closed_at.is_(None) if scope.moment.as_of else deal.stage.in_(OPEN_STAGES)


def worths(deal: Any, *more: Any) -> Select[*tuple[Any, ...]]:
    """The columns of `Worth`, for every stage and probability of a model or of a subquery's columns.

    With `more` columns to group by, which come first.
    """
    groups = (*more, *(getattr(deal, name) for name in GROUPED))
    figures = func.count(), total_amount(deal.expected_value), count_if(deal.expected_value.is_(None))
    return select(*groups, *figures).group_by(*groups)


def _grouped(deal: type[Opportunity], today: date) -> Select[*tuple[Any, ...]]:
    needing_a_look = deal.expected_close_date.is_(None), deal.overdue(today)
    return worths(deal).add_columns(*map(count_if, needing_a_look))


_live_worths = lru_cache(maxsize=10)(worths)
_live_grouped = lru_cache(maxsize=10)(_grouped)
"""The statements about the live table, the same for everybody and all day."""


def _worth_of(rows: Iterable[Any]) -> tuple[Worth, ...]:
    return tuple(Worth(*row) for row in rows)


def _groups_of(rows: Iterable[Any]) -> tuple[Group, ...]:
    return tuple(Group(*row) for row in rows)


def open_totals(found: Iterable[Group], currency: Currency) -> PipelineTotals:
    """The open ones of the groups, together."""
    inside = [group for group in found if not group.stage.is_closed]
    return PipelineTotals(
        deals=sum(group.deals for group in inside),
        value=_value(inside, currency),
        weighted=_weighted(inside, currency),
        without_value=sum(group.without_value for group in inside),
        without_date=sum(group.without_date for group in inside),
        overdue=sum(group.overdue for group in inside),
    )


def stage_totals(found: Iterable[Worth], currency: Currency) -> list[StageTotals]:
    """The groups by stage: every stage in its order, empty ones included."""
    found = list(found)
    inside = {stage: [group for group in found if group.stage is stage] for stage in OpportunityStage}
    return [
        StageTotals(
            stage=stage,
            deals=sum(group.deals for group in here),
            value=_value(here, currency),
            weighted=_weighted(here, currency),
            without_value=sum(group.without_value for group in here),
        )
        for stage, here in inside.items()
    ]


def count_if(condition: ColumnExpressionArgument[bool]) -> ColumnElement[int]:
    """SQL: how many rows meet the condition."""
    return func.count(case((condition, 1)))


def _value(found: Iterable[Worth], currency: Currency) -> Decimal:
    return currency.fitted(sum((group.value or NOTHING for group in found), NOTHING))


def _weighted(found: Iterable[Worth], currency: Currency) -> Decimal:
    """Σ probability × value / 100, rounded once, half up, after summing.

    The products are made here, not in SQL, so that they are sums of money like any other.
    """
    exact = sum((group.probability * (group.value or NOTHING) for group in found), NOTHING) / 100
    return currency.rounded(exact)
