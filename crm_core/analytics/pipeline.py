"""What is open, and what it is worth."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
from sqlalchemy import ColumnElement, ColumnExpressionArgument, case, func, select
from sqlalchemy.orm import Session

from crm_core.analytics.scope import scope_of
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import OpportunityStage

NOTHING = Decimal(0)
CENT = Decimal("0.01")


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


def totals(
    session: Session, where: OpportunityFilter = EVERYTHING, *, as_of: datetime | None = None
) -> PipelineTotals:
    """What is open in the filter: count, Σ value, Σ value × probability / 100, and what is unknown."""
    scope = scope_of(session, where, as_of)
    deal = scope.deal
    rows = session.execute(
        select(
            deal.probability,
            func.count(),
            func.sum(deal.expected_value),
            count_if(deal.expected_value.is_(None)),
            count_if(deal.expected_close_date.is_(None)),
            count_if(deal.overdue(scope.today)),
        )
        .where(deal.is_open, *scope.conditions)
        .group_by(deal.probability)
    ).all()
    return PipelineTotals(
        deals=sum(row[1] for row in rows),
        value=sum((row[2] or NOTHING for row in rows), NOTHING),
        weighted=_weighted((row[0], row[2]) for row in rows),
        without_value=sum(row[3] for row in rows),
        without_date=sum(row[4] for row in rows),
        overdue=sum(row[5] for row in rows),
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
            deal.probability,
            func.count(),
            func.sum(deal.expected_value),
            count_if(deal.expected_value.is_(None)),
        )
        .where(*scope.conditions)
        .group_by(deal.stage, deal.probability)
    ).all()
    inside = {stage: [row for row in rows if row[0] is stage] for stage in OpportunityStage}
    frame = pd.DataFrame(
        {
            "deals": [sum(row[2] for row in found) for found in inside.values()],
            "value": [sum((row[3] or NOTHING for row in found), NOTHING) for found in inside.values()],
            "weighted": [_weighted((row[1], row[3]) for row in found) for found in inside.values()],
            "without_value": [sum(row[4] for row in found) for found in inside.values()],
        }
    )
    frame.insert(0, "stage", pd.Series(list(OpportunityStage), dtype=object))  # not mere text
    return frame


def count_if(condition: ColumnExpressionArgument[bool]) -> ColumnElement[int]:
    """SQL: how many rows meet the condition."""
    return func.count(case((condition, 1)))


def _weighted(sums: Iterable[tuple[int, Decimal | None]]) -> Decimal:
    """Σ probability × value / 100 over (probability, value) pairs, rounded once, half up, after summing.

    The products are made here, not in SQL: a 64-bit sum of them would overflow a hundred times earlier.
    """
    exact = sum((probability * (value or NOTHING) for probability, value in sums), NOTHING) / 100
    return exact.quantize(CENT, ROUND_HALF_UP)
