"""The stays of deals in stages, as their history tells them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, case, func, select

from crm_core.history import instant_asked
from crm_core.models import VERSIONS, Opportunity, valid_until
from crm_core.models.versions import NEVER
from crm_core.moment import Moment

STATES = VERSIONS[Opportunity]
STATE = STATES.c
"""The states that deals have been in."""


def stays(
    moment: Moment,
    first: date | None = None,
    last: date | None = None,
    *,
    deals: Sequence[int] | None = None,
) -> Subquery:
    """SQL: every stay in an open stage that began in these days, as known at the moment; of these deals.

    Columns: `id` of the deal, `stage`, `entered_at`, `until` (when the last state that is known of it ended,
    or ends), and `left_at` (the same, null while the stay goes on).
    """
    began = []
    if first is not None:
        began.append(STATE.stage_entered_at >= moment.calendar.start_of(first))
    if last is not None:
        began.append(STATE.stage_entered_at <= moment.calendar.end_of(last))
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
            until.label("until"),
            case((is_over, until)).label("left_at"),
        )
        .where(STATE.closed_at.is_(None), *began)
        .group_by(STATE.stage_entered_at, STATE.id, STATE.stage)
        .subquery("stays")
    )


def closed_at_the_end(stay: FromClause) -> ColumnElement[Any]:
    """SQL: when the deal was closed, as was said at the stay's end; null where it went on."""
    state = STATES.alias("next_state")
    is_first = state.c.valid_from <= state.c.stage_entered_at  # none is earlier: an `=` would leave the index
    return (
        select(state.c.closed_at)
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
