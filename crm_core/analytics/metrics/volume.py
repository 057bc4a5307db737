"""How much: what is open, what was created, won and lost, and what is not known about it."""

from dataclasses import replace

from sqlalchemy import and_

from crm_core.analytics import pipeline, wins
from crm_core.analytics.metrics.base import (
    COUNTED,
    OTHERS,
    OVERDUE,
    WITHOUT_VALUE,
    Condition,
    Figure,
    Groups,
    Number,
    Question,
    by_kind,
)
from crm_core.analytics.metrics.cohort import cohort_of

UNKNOWN_AND_LATE = f"{WITHOUT_VALUE} {OVERDUE}"


def open_pipeline(asked: Question) -> Figure:
    """Σ value of the open deals; overdue ones are inside, and told apart."""
    groups = _open_by_value(asked)
    return _open_worth(groups, groups.together(groups).known_value)


def weighted_pipeline(asked: Question) -> Figure:
    """Σ value × probability ÷ 100 of the open deals."""
    totals = pipeline.totals(asked.session, asked.where, as_of=asked.as_of)
    return _open_worth(_open_by_value(asked), None if totals.is_unknown else totals.weighted)


def created(asked: Question) -> Figure:
    """Σ value at creation of the deals created in the period, for who was their owner then."""
    cohort = cohort_of(asked)
    value = cohort.first.c.expected_value
    groups = asked.sort(cohort.rows((value.is_(None), WITHOUT_VALUE), others=COUNTED, amount=value))
    return _worth(groups)


def won(asked: Question) -> Figure:
    """Σ value of the deals won, by the instant of their last close."""
    return _closed(asked, asked.deal.is_won)


def lost(asked: Question) -> Figure:
    """Σ value of the deals lost, by the instant of their last close."""
    return _closed(asked, asked.deal.is_lost)


def average_won(asked: Question) -> Figure:
    """Won value ÷ won deals with a value; the median beside it."""
    found = wins.wins_in(asked.session, asked.period, asked.where, as_of=asked.as_of)
    return replace(won(asked), value=found.average_value, details={"median": found.median_value})


def without_value(asked: Question) -> Figure:
    """How many open deals have no value."""
    return _counted(asked, asked.deal.expected_value.is_(None))


def without_date(asked: Question) -> Figure:
    """How many open deals have no expected close."""
    return _counted(asked, asked.deal.expected_close_date.is_(None))


def overdue(asked: Question) -> Figure:
    """How many open deals should have been closed before today."""
    return _counted(asked, asked.deal.overdue(asked.scope.moment.today))


def _open_by_value(asked: Question) -> Groups:
    deal = asked.deal
    unknown, late = deal.expected_value.is_(None), deal.overdue(asked.scope.moment.today)
    return asked.deals(
        deal.is_open, (and_(unknown, late), UNKNOWN_AND_LATE), (unknown, WITHOUT_VALUE), (late, OVERDUE)
    )


def _open_worth(groups: Groups, value: Number | None) -> Figure:
    """A sum over the open deals with a value. Overdue ones are told apart, whether they have one or not."""
    summed = groups.together((COUNTED, OVERDUE))
    unknown, late = (groups.together((kind, UNKNOWN_AND_LATE)) for kind in (WITHOUT_VALUE, OVERDUE))
    return Figure(value, summed, summed, {WITHOUT_VALUE: unknown}, {OVERDUE: late})


def _closed(asked: Question, kind: Condition) -> Figure:
    groups = asked.deals(and_(kind, asked.closed), (asked.deal.expected_value.is_(None), WITHOUT_VALUE))
    return _worth(groups)


def _worth(groups: Groups) -> Figure:
    """A sum over the deals with a value."""
    value = groups.together((COUNTED, WITHOUT_VALUE)).known_value
    return Figure(value, groups[COUNTED], groups[COUNTED], by_kind(groups, WITHOUT_VALUE))


def _counted(asked: Question, condition: Condition) -> Figure:
    """How many deals meet the condition, out of the open ones."""
    groups = asked.deals(asked.deal.is_open, (condition, COUNTED), others=OTHERS)
    return Figure(groups[COUNTED].count, groups[COUNTED], groups.together((COUNTED, OTHERS)))
