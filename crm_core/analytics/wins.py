"""What won deals were like: how much they brought, and how long they took."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, func, select, type_coerce
from sqlalchemy.orm import Session

from crm_core.analytics.outcomes import closed_within
from crm_core.columns import amount_of
from crm_core.currency import Currency
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.gathered import gathered, never_negative, ordinal, side_by_side, whole_numbers
from crm_core.kept import kept
from crm_core.models import Opportunity
from crm_core.periods import Period, Pieces
from crm_core.scope import Scope, scope_of
from crm_core.services import settings_service


@dataclass(frozen=True)
class Wins:
    """Deals won, `valued` of them with a value. Values in the workspace's currency, lengths in whole calendar
    days; None where there are none.
    """

    deals: int
    valued: int
    average_value: Decimal | None
    median_value: Decimal | None
    median_days: float | None
    mean_days: float | None


def wins_in(
    session: Session,
    period: Period | None = None,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Wins:
    """Average won deal and sales cycle (closing day − creation day) of those won in the period, or ever."""
    scope = scope_of(session, where, as_of)
    chosen = select(_won(scope, *closed_within(scope, period)))
    return kept(session, chosen, _wins_of_all, settings_service.get_currency(session), only_closed=True)


def wins_in_each(
    session: Session,
    periods: Sequence[Period],
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> dict[Period, Wins]:
    """`wins_in` each of the periods, read together; they may overlap."""
    scope = scope_of(session, where, as_of)
    piece, closed_on = Pieces(periods).rows().c, scope.model.actual_close_date
    chosen = select(piece.position, _won(scope, closed_on >= piece.since, closed_on < piece.until))
    currency = settings_service.get_currency(session)
    return kept(session, chosen, _wins_of_each, currency, tuple(periods), only_closed=True)


def _won(scope: Scope[Opportunity], *within: ColumnElement[bool]) -> ColumnElement[Any]:
    """SQL, as a list: how many deals were won, their values in ten-thousandths, and the days they took."""
    deal = scope.model
    figures = (
        func.count(),
        gathered(type_coerce(deal.expected_value, BigInteger())),
        gathered(ordinal(deal.actual_close_date) - ordinal(deal.created_on)),
    )
    chosen = select(side_by_side(*figures)).where(deal.is_won, *within, *scope.conditions)
    return chosen.scalar_subquery()


@dataclass(frozen=True)
class _Won:
    """Deals won: how many, the values of those that have one in ten-thousandths, and the days they took."""

    deals: int
    values: "array[int]"
    took: "array[int]"

    @classmethod
    def told(cls, figures: Sequence[Any]) -> "_Won":
        """From a list of `_won`."""
        deals, values, took = figures
        return cls(deals, array("q", whole_numbers(values)), array("q", never_negative(whole_numbers(took))))

    def wins(self, currency: Currency) -> Wins:
        values, took = self.values, self.took
        return Wins(
            deals=self.deals,
            valued=len(values),
            average_value=currency.rounded(amount_of(sum(values)) / len(values)) if values else None,
            median_value=currency.rounded(_median_amount(values)) if values else None,
            median_days=sum(_middle(took)) / 2 if took else None,
            mean_days=sum(took) / len(took) if took else None,
        )


def _wins_of_all(rows: Iterable[Any], currency: Currency) -> Wins:
    ((figures,),) = rows
    return _Won.told(figures).wins(currency)


def _wins_of_each(rows: Iterable[Any], currency: Currency, periods: Sequence[Period]) -> dict[Period, Wins]:
    pieces = Pieces(periods)
    won = {position: _Won.told(figures) for position, figures in rows}
    return {
        period: _together([won[piece] for piece in pieces.of(period)]).wins(currency) for period in periods
    }


def _together(won: Sequence[_Won]) -> _Won:
    return _Won(
        sum(each.deals for each in won),
        reduce(add, (each.values for each in won), array("q")),
        reduce(add, (each.took for each in won), array("q")),
    )


def _median_amount(values: "array[int]") -> Decimal:
    low, high = _middle(values)
    return (amount_of(low) + amount_of(high)) / 2


def _middle(numbers: "array[int]") -> tuple[int, int]:
    """The two in the middle, which are one and the same of an odd number."""
    import numpy as np  # the API starts without it

    low, high = (len(numbers) - 1) // 2, len(numbers) // 2
    parted = np.partition(np.frombuffer(numbers, dtype=np.int64), (low, high))
    return int(parted[low]), int(parted[high])
