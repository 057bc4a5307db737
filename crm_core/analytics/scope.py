"""Which rows a figure counts: the deals of a filter, as they are or as they were."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.database import instant
from crm_core.filters import OpportunityFilter
from crm_core.models import Opportunity
from crm_core.periods import Calendar
from crm_core.services import settings_service


@dataclass(frozen=True)
class Scope:
    """`deal` stands for the rows in SQL, `conditions` picks them, `today` is the day the figure is for."""

    deal: type[Opportunity]
    conditions: list[ColumnElement[bool]]
    calendar: Calendar
    today: date


def scope_of(session: Session, where: OpportunityFilter, as_of: datetime | None) -> Scope:
    """The filter's deals as they are now (`as_of` None: the live table), or as they were at that instant."""
    calendar = settings_service.get_calendar(session)
    today = calendar.day_of(as_of or instant(session))
    deal = history.as_of(Opportunity, as_of)
    conditions = where.conditions(deal, calendar=calendar, today=today, as_of=as_of)
    return Scope(deal, conditions, calendar, today)
