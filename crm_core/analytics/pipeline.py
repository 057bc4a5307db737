"""What is open, and what it is worth."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, ColumnExpressionArgument, case, func, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.scope import scope_of
from crm_core.columns import MINOR_UNITS
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import Opportunity, OpportunityStage

NOTHING = Decimal(0)


@dataclass(frozen=True)
class PipelineTotals:
    """Open deals; values in the workspace's currency, without the deals whose value is unknown."""

    deals: int
    value: Decimal
    weighted: Decimal
    without_value: int
    without_date: int
    overdue: int


def totals(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> PipelineTotals:
    """What is open in the filter: count, Σ value, Σ value × probability / 100, and what is unknown."""
    scope = scope_of(session, where, as_of)
    deal = scope.deal
    deals, value, weighted, without_value, without_date, overdue = session.execute(
        select(
            func.count(),
            func.sum(deal.expected_value),
            _weighted(deal),
            count_if(deal.expected_value.is_(None)),
            count_if(deal.expected_close_date.is_(None)),
            count_if(deal.overdue(scope.today)),
        ).where(deal.is_open, *scope.conditions)
    ).one()
    return PipelineTotals(
        deals, value or NOTHING, _in_currency(weighted), without_value, without_date, overdue
    )


def by_stage(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> pd.DataFrame:
    """Every stage in its order, empty and closed ones included.

    Columns: stage (OpportunityStage), deals (count), value and weighted (Decimal, workspace currency),
    without_value (count).
    """
    scope = scope_of(session, where, as_of)
    deal = scope.deal
    rows = session.execute(
        select(
            deal.stage,
            func.count(),
            func.sum(deal.expected_value),
            _weighted(deal),
            count_if(deal.expected_value.is_(None)),
        )
        .where(*scope.conditions)
        .group_by(deal.stage)
    )
    found = {
        stage: (deals, value or NOTHING, _in_currency(weighted), without_value)
        for stage, deals, value, weighted, without_value in rows
    }
    empty = (0, NOTHING, NOTHING, 0)
    frame = pd.DataFrame(
        [found.get(stage, empty) for stage in OpportunityStage],
        columns=["deals", "value", "weighted", "without_value"],
    )
    frame.insert(0, "stage", pd.Series(list(OpportunityStage), dtype=object))  # not mere text
    return frame


def count_if(condition: ColumnExpressionArgument[bool]) -> ColumnElement[int]:
    """SQL: how many rows meet the condition."""
    return func.count(case((condition, 1)))


def _weighted(deal: type[Opportunity]) -> ColumnElement[Any]:
    """Σ minor units × percent: whole numbers, so that nothing is rounded before the sum."""
    return func.sum(type_coerce(deal.expected_value, BigInteger) * deal.probability)


def _in_currency(weighted: Any) -> Decimal:
    """Rounded once, after summing."""
    return (Decimal(weighted or 0) / (100 * MINOR_UNITS)).quantize(Decimal("0.01"))
