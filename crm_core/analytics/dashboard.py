"""Everything the dashboard shows, answered in one snapshot so that it adds up."""

from dataclasses import dataclass, replace
from datetime import date, datetime

import pandas as pd
from dateutil.relativedelta import relativedelta
from sqlalchemy.orm import Session

from crm_core.analytics import outcomes, pipeline
from crm_core.analytics.outcomes import Outcomes
from crm_core.analytics.pipeline import PipelineTotals
from crm_core.database import instant
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.periods import ONE_DAY, Period, PeriodChoice
from crm_core.services import settings_service

MONTHS_SHOWN = 12


@dataclass(frozen=True)
class Overview:
    """The default page's figures.

    `elapsed` is what has gone by of the period. `before` and `before_period` are what to compare it with;
    None for all time. `stages` is `pipeline.by_stage`; `months` is `outcomes.won_by_month` over the period,
    or over the year that ends with it where the period is shorter.
    """

    has_deals: bool
    period: Period
    elapsed: Period
    open: PipelineTotals
    closed: Outcomes
    before_period: Period | None
    before: Outcomes | None
    stages: pd.DataFrame
    months: pd.DataFrame


def overview(
    session: Session,
    choice: PeriodChoice,
    where: OpportunityFilter = EVERYTHING,
    *,
    as_of: datetime | None = None,
) -> Overview:
    """The dashboard for a period and a filter. What is open is as of now, or as of `as_of`."""
    calendar = settings_service.get_calendar(session)
    today = calendar.day_of(as_of or instant(session))
    first_day = outcomes.first_day(session, as_of=as_of)
    period = calendar.chosen(choice, today, first_day)
    compared = None if choice is PeriodChoice.ALL_TIME else period.compared_with(today)
    return Overview(
        has_deals=first_day is not None,
        period=period,
        elapsed=replace(period, end=min(period.end, today + ONE_DAY)),
        open=pipeline.totals(session, where, as_of=as_of),
        closed=outcomes.closed_in(session, period, where, as_of=as_of),
        before_period=compared,
        before=outcomes.closed_in(session, compared, where, as_of=as_of) if compared else None,
        stages=pipeline.by_stage(session, where, as_of=as_of),
        months=outcomes.won_by_month(session, _at_least_a_year(period, today), where, as_of=as_of),
    )


def _at_least_a_year(period: Period, today: date) -> Period:
    """Whole months, at least a year of them, ending with the period's last month that has begun."""
    last_month = min(period.last_day, today).replace(day=1)
    a_year_back = last_month - relativedelta(months=MONTHS_SHOWN - 1)
    first_month = min(period.start.replace(day=1), a_year_back)
    return Period(first_month, last_month + relativedelta(months=1))
