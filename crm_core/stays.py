"""The stays of deals in stages, as their history tells them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, case, func, select

from crm_core.history import counts, instant_asked
from crm_core.models import VERSIONS, Opportunity, valid_until
from crm_core.models.versions import NEVER
from crm_core.moment import Moment

STATES = VERSIONS[Opportunity]
STATE = STATES.c
"""The states that deals have been in."""

SLACK = 2
"""Days between a stage's day, which stays that day in every time zone, and its instant: less than that."""


def stays(
    moment: Moment,
    first: date | None = None,
    last: date | None = None,
    *,
    deals: Sequence[int] | None = None,
) -> Subquery:
    """SQL: every stay in an open stage that began in these days, as known at the moment; of these deals.

    Columns: `id` of the deal, `stage`, `entered_at` and the day `entered_on`, `until` (when the last state
    that is known of it ended, or ends), `left_at` (the same, null while the stay goes on), and what of one
    that is over is `assumed`, if anything. An assumed state is a stay of its own, as the next one is closed.
    """
    began = [counts(STATES, moment.as_of), *_entered_within(first, last)]
    if moment.as_of is not None:
        began.append(STATE.valid_from <= instant_asked(moment.as_of))
    if deals is not None:
        began.append(STATE.id.in_(deals))
    until = func.max(valid_until(STATES))
    is_over = until < NEVER if moment.as_of is None else until <= instant_asked(moment.as_of)
    return (
        select(
            STATE.id,
            STATE.stage,
            STATE.stage_entered_at.label("entered_at"),
            func.min(STATE.stage_entered_on).label("entered_on"),
            until.label("until"),
            case((is_over, until)).label("left_at"),
            case((is_over, func.max(STATE.assumed))).label("assumed"),
        )
        .where(STATE.closed_at.is_(None), *began)
        .group_by(STATE.stage_entered_at, STATE.id, STATE.stage)
        .subquery("stays")
    )


def _entered_within(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """SQL: the stage was entered in these days; by the instant as well, which the index is in order of.

    The day may be one of another time zone than the instant's in UTC, but lies within two days of it.
    """
    found = []
    if first is not None:
        begins = _in_utc(first.toordinal() - SLACK)
        found += [STATE.stage_entered_on >= first, STATE.stage_entered_at >= begins]
    if last is not None:
        ends = _in_utc(last.toordinal() + SLACK)
        found += [STATE.stage_entered_on <= last, STATE.stage_entered_at <= ends]
    return found


def _in_utc(ordinal: int) -> datetime:
    """The first instant of the day, or of the calendar's first or last one."""
    day = date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))
    return datetime.combine(day, time(), UTC)


def left_on(stay: FromClause) -> ColumnElement[Any]:
    """SQL: the day on which the deal came into its next stage, or was closed; null while the stay goes on."""
    state = STATES.alias("next_state")
    is_first = state.c.valid_from <= state.c.stage_entered_at  # none is earlier: an `=` would leave the index
    return (
        select(state.c.stage_entered_on)
        .where(
            state.c.stage_entered_at == stay.c.left_at,
            state.c.id == stay.c.id,
            is_first,
        )
        .scalar_subquery()
    )


def owner_at_the_end(stay: FromClause) -> ColumnElement[Any]:
    """SQL: the id of who owned the deal when the stay ended, or owns it there now."""
    state = STATES.alias("last_state")
    return (
        select(state.c.owner_id)
        .where(
            state.c.stage_entered_at == stay.c.entered_at,
            state.c.id == stay.c.id,
            valid_until(state) == stay.c.until,
        )
        .scalar_subquery()
    )
