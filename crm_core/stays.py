"""The stays of deals in stages, as their history tells them."""

from datetime import date
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, func, or_, select

from crm_core.models import OPEN_STAGES, VERSIONS, Opportunity
from crm_core.moment import Moment

STATE = VERSIONS[Opportunity].c
"""The states that deals have been in."""


def stays(moment: Moment, first: date | None = None, last: date | None = None) -> FromClause:
    """SQL: every stay in an open stage that began in these days, as known at the moment.

    Columns: `id` of the deal, `stage`, `owner_id` at the stay's end, `entered_at`; and of the next stage, all
    null while the stay goes on, when the deal came into it (`moved_at`) and when it was closed (`closed_at`).
    """
    known = [] if moment.as_of is None else [STATE.valid_from <= moment.as_of]
    if first is not None:  # no state is older than the stay that it is part of
        known.append(STATE.valid_from >= moment.calendar.start_of(first))
    states = (
        select(
            STATE.id,
            STATE.stage,
            STATE.owner_id,
            STATE.stage_entered_at.label("entered_at"),
            _next(STATE.stage_entered_at).label("moved_at"),
            _next(STATE.closed_at).label("closed_at"),
        )
        .where(*known)
        .subquery()
    )
    state = states.c
    is_last = or_(state.moved_at.is_(None), state.moved_at != state.entered_at)
    began = [] if first is None else [state.entered_at >= moment.calendar.start_of(first)]
    if last is not None:
        began.append(state.entered_at <= moment.calendar.end_of(last))
    return select(states).where(state.stage.in_(OPEN_STAGES), is_last, *began).subquery("stays")


def _next(column: Column[Any]) -> ColumnElement[Any]:
    """SQL: the column's value in the state that followed."""
    return func.lead(column, type_=column.type).over(partition_by=STATE.id, order_by=STATE.valid_from)
