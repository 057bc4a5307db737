"""What it means to drop a card on a column of the board, and the order that people put cards in by hand."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from dateutil.relativedelta import relativedelta
from sqlalchemy.orm import Session

from crm_core.analytics.axes import LATER, MONTHS_SHOWN, NONE, OVERDUE, month_key
from crm_core.analytics.board import CLOSED, GroupBy
from crm_core.database import instant
from crm_core.errors import InvalidInput, RuleBroken
from crm_core.models import Opportunity, OpportunityStage
from crm_core.schemas.fields import LARGEST_ID
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import opportunity_service, preference_service, records, settings_service
from crm_core.services.opportunity_service import CloseNeedsOutcome, OpportunityIsClosed

MOST_PLACED = 200
"""Cards of a column whose order is kept; those behind them follow by urgency."""

LONGEST_KEY = 50

ID = re.compile(r"(?a:[1-9]\d{0,9})")
SIZE = re.compile(r"(?a:(\d{1,15})-(\d{0,15}))")


class NoSuchColumn(InvalidInput):
    def __init__(self) -> None:
        super().__init__("This column is no longer on the board. Look at the board again.")


class NothingIsPlannedOverdue(RuleBroken):
    def __init__(self, opportunity: Opportunity) -> None:
        super().__init__(
            f"“{opportunity.name}” can't be planned for a day that has passed. Drop it on a month to come."
        )


class LaterIsNoDay(RuleBroken):
    def __init__(self, opportunity: Opportunity) -> None:
        super().__init__(
            f"“Later” is no day to close “{opportunity.name}” on. Drop it on a month, or open it to set one."
        )


class SizeFollowsFromValue(RuleBroken):
    def __init__(self) -> None:
        super().__init__("The size follows from the value: open the deal to change it.")


def drop(
    session: Session,
    opportunity_id: int,
    *,
    group_by: GroupBy,
    to: str,
    expected_version: int | None = None,
) -> Opportunity:
    """Change a deal so that it belongs to the column `to`; where it is there already nothing changes.

    A month means its last day. Raises `CloseNeedsOutcome` for the closed column, `NothingIsPlannedOverdue`,
    `LaterIsNoDay`, `SizeFollowsFromValue`, `OpportunityIsClosed`, `NoSuchColumn`, and what
    `records.get_to_change` and `opportunity_service.update_opportunity` raise.
    """
    opportunity = records.get_to_change(
        session, Opportunity, opportunity_id, expected_version=expected_version
    )
    if _is_there(session, opportunity, group_by, to):
        return opportunity
    if not opportunity.is_open:
        raise OpportunityIsClosed(opportunity)
    return opportunity_service.update_opportunity(
        session,
        opportunity_id,
        _changes(session, opportunity, group_by, to),
        expected_version=expected_version,
    )


def keep_order(session: Session, group_by: GroupBy, column_key: str, ids: Sequence[int]) -> None:
    """Keep the order that the actor put the cards of a column in, of the first 200; without any forget it.

    Raises `NotSignedIn` for the system, and `NoSuchColumn` for a key that none has.
    """
    if not 1 <= len(column_key) <= LONGEST_KEY:
        raise NoSuchColumn
    placed = [each for each in dict.fromkeys(ids) if 0 < each <= LARGEST_ID][:MOST_PLACED]
    name = f"{_beginning(group_by)}{column_key}"
    preference_service.set_preference(session, name, {"ids": placed} if placed else None)


def find_orders(session: Session, group_by: GroupBy) -> dict[str, list[int]]:
    """The ids that the actor put in order, by the key of their column: what `board` takes as `by_hand`."""
    kept = preference_service.find_preferences(session, _beginning(group_by))
    return {key: list(value["ids"]) for key, value in kept.items()}


def _beginning(group_by: GroupBy) -> str:
    return f"board.{group_by.value}."


def _is_there(session: Session, opportunity: Opportunity, group_by: GroupBy, to: str) -> bool:
    if group_by is GroupBy.STAGE:
        return to == (opportunity.stage.value if opportunity.is_open else CLOSED)
    if group_by is GroupBy.OWNER:
        return to == (NONE if opportunity.owner_id is None else str(opportunity.owner_id))
    if group_by is GroupBy.CLOSE_MONTH:
        return to == _month_of(opportunity.expected_close_date, _today(session))
    return _has_size(opportunity.expected_value, to)


def _has_size(value: Decimal | None, size: str) -> bool:
    if value is None or not (found := SIZE.fullmatch(size)):
        return value is None and size == NONE
    begin, end = found.groups()
    return int(begin) <= value and (not end or value < int(end))


def _changes(session: Session, opportunity: Opportunity, group_by: GroupBy, to: str) -> OpportunityUpdate:
    """What brings the deal into the column."""
    if group_by is GroupBy.STAGE:
        return OpportunityUpdate(stage=_stage(opportunity, to))
    if group_by is GroupBy.OWNER:
        return OpportunityUpdate(owner_id=None if to == NONE else _user_id(to))
    if group_by is GroupBy.CLOSE_MONTH:
        return OpportunityUpdate(expected_close_date=_last_day(opportunity, to, _today(session)))
    raise SizeFollowsFromValue


def _stage(opportunity: Opportunity, to: str) -> OpportunityStage:
    if to == CLOSED:
        raise CloseNeedsOutcome(opportunity.name)
    if to not in set(OpportunityStage):
        raise NoSuchColumn
    return OpportunityStage(to)


def _user_id(to: str) -> int:
    if not ID.fullmatch(to) or int(to) > LARGEST_ID:
        raise NoSuchColumn
    return int(to)


def _last_day(opportunity: Opportunity, to: str, today: date) -> date | None:
    """The last day of the month; none for the column of those without a date."""
    if to == NONE:
        return None
    if to == OVERDUE:
        raise NothingIsPlannedOverdue(opportunity)
    if to == LATER:
        raise LaterIsNoDay(opportunity)
    first = _first_day(to)
    if first < today.replace(day=1):
        raise NothingIsPlannedOverdue(opportunity)
    return first + relativedelta(day=31)


def _first_day(month: str) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise NoSuchColumn from None


def _today(session: Session) -> date:
    return settings_service.get_calendar(session).day_of(instant(session))


def _month_of(on: date | None, today: date) -> str:
    """The key of the column of deals that are expected to close on that day."""
    if on is None:
        return NONE
    if on < today:
        return OVERDUE
    return month_key(on) if on < today.replace(day=1) + relativedelta(months=MONTHS_SHOWN) else LATER
