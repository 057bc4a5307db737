"""Which days a figure is asked for."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy.orm import Session

from crm_core.errors import InvalidInput
from crm_core.moment import moment_of
from crm_core.periods import ONE_DAY, Period
from crm_core.schemas.fields import written_out

BEGINNING = date(1970, 1, 1)

InnerDay = Annotated[date, Field(gt=date.min, lt=date.max), BeforeValidator(written_out)]
"""One that has a day before and a day after it, in whatever time zone."""


class PeriodEndsBeforeItBegins(InvalidInput):
    def __init__(self, first_day: date, last_day: date) -> None:
        super().__init__(f"The period begins on {first_day} and ends on {last_day}. Turn the days around.")


class PeriodQuery(BaseModel):
    """From the first day to the last one, both included. Without either of them it is ever."""

    period_from: InnerDay | None = Field(default=None, description="This day or later; by default the first.")
    period_to: InnerDay | None = Field(default=None, description="This day or earlier; by default today.")

    def period(self, session: Session, as_of: datetime | None) -> Period | None:
        """The days asked for; today is that of the instant asked for. Raises `PeriodEndsBeforeItBegins`."""
        if self.period_from is None and self.period_to is None:
            return None
        today = moment_of(session, as_of).today
        first_day = self.period_from or min(BEGINNING, self.period_to or today)
        last_day = self.period_to or max(first_day, today)
        if last_day < first_day:
            raise PeriodEndsBeforeItBegins(first_day, last_day)
        return Period(first_day, min(last_day, date.max - ONE_DAY) + ONE_DAY)
