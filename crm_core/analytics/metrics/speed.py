"""How fast: from creation to close, what stands still, and what the whole pipeline brings a day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from statistics import fmean, median

from sqlalchemy import select

from crm_core.analytics.metrics.base import (
    COUNTED,
    OTHERS,
    Figure,
    Groups,
    Number,
    Question,
    Unit,
    by_kind,
)
from crm_core.analytics.metrics.rates import LOST, win_rate
from crm_core.analytics.metrics.volume import average_won
from crm_core.analytics.rate import Rate
from crm_core.currency import Currency
from crm_core.gathered import ordinal
from crm_core.models import OPEN_STAGES
from crm_core.periods import ONE_DAY, Period
from crm_core.services import settings_service

WITHOUT_LIMIT = "without_limit"
"""In a stage whose deals are never stale."""

TRAILING_DAYS = 365
EARLIEST = date.min + ONE_DAY
"""It has a day before it, in whatever time zone."""


def sales_cycle(asked: Question) -> Figure:
    """Median calendar days from creation day to closing day of the deals won in the period, the mean beside
    it; lost apart.
    """
    deal = asked.deal
    rows = asked.session.execute(
        select(deal.id, deal.is_won, ordinal(deal.actual_close_date) - ordinal(deal.created_on)).where(
            asked.closed, ~deal.is_no_real_loss(), *asked.scope.conditions
        )
    )
    took: dict[str, list[int]] = {COUNTED: [], LOST: []}
    kinds = []
    for deal_id, is_won, days in rows:
        kind = COUNTED if is_won else LOST
        took[kind].append(max(days, 0))
        kinds.append((deal_id, kind))
    groups = asked.gather(kinds)
    return Figure(
        _median(took[COUNTED]),
        groups[COUNTED],
        groups[COUNTED],
        apart=by_kind(groups, LOST),
        details={
            "mean": _mean(took[COUNTED]),
            "lost_median": _median(took[LOST]),
            "lost_mean": _mean(took[LOST]),
        },
    )


def days_in_stage(asked: Question) -> Figure:
    """Median calendar days since the open deals came into their stage, the mean beside it; for each stage."""
    deal, moment = asked.deal, asked.scope.moment
    rows = asked.session.execute(
        select(deal.id, deal.stage, deal.stage_entered_on).where(deal.is_open, *asked.scope.conditions)
    )
    days: dict[str, list[int]] = {stage: [] for stage in OPEN_STAGES}
    kinds = []
    for deal_id, stage, entered_on in rows:
        days[stage].append(moment.days_since(entered_on))
        kinds.append((deal_id, stage))
    groups = asked.gather(kinds)
    every_day = [each for found in days.values() for each in found]
    return replace(
        _middle_of(every_day, groups, *OPEN_STAGES),
        parts={stage: _middle_of(days[stage], groups, stage, label=stage.label) for stage in OPEN_STAGES},
    )


def stale(asked: Question) -> Figure:
    """How many open deals were not touched for longer than their stage allows."""
    deal, moment = asked.deal, asked.scope.moment
    has_limit = deal.stage.in_(moment.stale_before)
    groups = asked.deals(
        deal.is_open,
        (~has_limit, WITHOUT_LIMIT),
        (deal.stale(moment.stale_before, moment.as_of), COUNTED),
        others=OTHERS,
    )
    out_of = groups.together((COUNTED, OTHERS))
    return Figure(groups[COUNTED].count, groups[COUNTED], out_of, by_kind(groups, WITHOUT_LIMIT))


def velocity(asked: Question) -> Figure:
    """`velocity_of` the open deals and of what was closed in the last 365 days."""
    asked = replace(asked, period=trailing_year(asked.scope.moment.today))
    open_deals = asked.deals(asked.deal.is_open)[COUNTED]
    parts = {
        "open_deals": Figure(open_deals.count, open_deals, open_deals, label="Open deals", unit=Unit.COUNT),
        "win_rate": replace(win_rate(asked), label="Win rate", unit=Unit.RATIO),
        "average_won": replace(average_won(asked), label="Average won deal", unit=Unit.MONEY),
        "sales_cycle": replace(sales_cycle(asked), label="Sales cycle", unit=Unit.DAYS),
    }
    status = parts["win_rate"].status
    value = velocity_of(
        open_deals.count,
        Rate(parts["win_rate"].counted.count, parts["win_rate"].n, status),
        parts["average_won"].value,
        parts["sales_cycle"].value,
        settings_service.get_currency(asked.session),
    )
    return Figure(value, open_deals, open_deals, status=status, parts=parts)


def velocity_of(
    open_deals: int, rate: Rate, average: Number | None, cycle: Number | None, currency: Currency
) -> Decimal | None:
    """Open deals × win rate × average won ÷ days of the sales cycle: money a day.

    None where any of the four is unknown or 0. Source: https://www.salesforce.com/blog/sales-velocity/
    """
    if not (open_deals and rate.value and average and cycle):
        return None
    wins = Decimal(open_deals * rate.hits) / rate.n
    return currency.rounded(wins * Decimal(average) / Decimal(cycle))


def trailing_year(today: date) -> Period:
    """The 365 days that end with today."""
    first = max(today.toordinal() - TRAILING_DAYS + 1, EARLIEST.toordinal())
    return Period(date.fromordinal(first), today + ONE_DAY)


def _middle_of(days: Sequence[int], groups: Groups, *kinds: str, label: str | None = None) -> Figure:
    found = groups.together(kinds)
    return Figure(_median(days), found, found, details={"mean": _mean(days)}, label=label)


def _median(numbers: Sequence[float]) -> float | None:
    return median(numbers) if numbers else None


def _mean(numbers: Sequence[float]) -> float | None:
    return fmean(numbers) if numbers else None
