"""The cards of deals: what a board shows of each, and its signs that a deal needs a look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, func, select
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.history import counts
from crm_core.models import VERSIONS, Opportunity
from crm_core.moment import Moment
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.scope import Scope

VERSION = VERSIONS[Opportunity].c


@dataclass
class Card:
    """A deal on the board, and what to say about it.

    `pushes`: how often its expected close was moved to a later day. `days_in_stage` are calendar days; of a
    closed deal those since its closing day. Closed deals are not overdue, not stale, and need no next step.
    """

    deal: OpportunityResponse
    is_overdue: bool
    is_stale: bool
    has_no_next_step: bool
    pushes: int
    days_in_stage: int


def cards_of(session: Session, scope: Scope[Opportunity], ids: Sequence[int]) -> dict[int, Card]:
    """The cards of those of the deals that the scope has, by their ids."""
    if not ids:
        return {}
    moment = scope.moment
    pushes = _pushes(session, ids, moment)
    told = (_told if moment.as_of else _live_told)(scope.model, moment.as_of)
    is_stale = scope.model.stale(moment.stale_before, moment.as_of)
    chosen = told.add_columns(is_stale.label("is_stale")).where(scope.model.id.in_(ids), *scope.conditions)
    rows = session.execute(chosen)
    names = list(rows.keys())
    found = [dict(zip(names, row, strict=True)) for row in rows]
    stale = {row["id"]: bool(row.pop("is_stale")) for row in found}
    deals = listing.responses(session, Opportunity, OpportunityResponse, found)
    return {deal.id: _card(deal, stale[deal.id], pushes.get(deal.id, 0), moment) for deal in deals}


def _told(row: Any, as_of: datetime | None) -> Select[*tuple[Any, ...]]:
    return listing.told_rows(row, as_of, OpportunityResponse)


_live_told = cache(_told)
"""The statement about the live tables, which is always the same."""


def _card(deal: OpportunityResponse, is_stale: bool, pushes: int, moment: Moment) -> Card:
    is_open = not deal.stage.is_closed
    on = deal.expected_close_date
    return Card(
        deal=deal,
        is_overdue=is_open and on is not None and on < moment.today,
        is_stale=is_stale,
        has_no_next_step=is_open and deal.next_step is None and deal.next_step_date is None,
        pushes=pushes,
        days_in_stage=moment.days_since(deal.stage_entered_on),
    )


def _pushes(session: Session, ids: Sequence[int], moment: Moment) -> dict[int, int]:
    """How often the expected close of each deal was moved to a later day than the one known before."""
    before = func.lag(VERSION.expected_close_date, type_=Date)
    known: list[ColumnElement[bool]] = [
        VERSION.id.in_(ids),
        VERSION.expected_close_date.is_not(None),
        counts(VERSIONS[Opportunity], moment.as_of),
    ]
    if moment.as_of is not None:
        known.append(VERSION.valid_from <= moment.as_of)
    days = (
        select(
            VERSION.id,
            VERSION.expected_close_date.label("day"),
            before.over(partition_by=VERSION.id, order_by=VERSION.valid_from).label("day_before"),
        )
        .where(*known)
        .subquery()
        .c
    )
    moved = select(days.id, func.count()).where(days.day > days.day_before).group_by(days.id)
    return dict(session.execute(moved).all())
