"""Which days a figure is asked for."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field
from sqlalchemy.orm import Session

from api.parameters import FilterQuery
from crm_core.errors import InvalidInput
from crm_core.moment import Moment, moment_of
from crm_core.periods import ONE_DAY, Period, PeriodChoice
from crm_core.schemas.fields import written_out

BEGINNING = date(1970, 1, 1)

InnerDay = Annotated[date, Field(gt=date.min, lt=date.max), BeforeValidator(written_out)]
"""One that has a day before and a day after it, in whatever time zone."""


class PeriodEndsBeforeItBegins(InvalidInput):
    def __init__(self, first_day: date, last_day: date) -> None:
        super().__init__(f"The period begins on {first_day} and ends on {last_day}. Turn the days around.")


class TwoPeriods(InvalidInput):
    def __init__(self) -> None:
        super().__init__("A period has a name or days. Send either period, or period_from and period_to.")


class NoSuchPeriod(InvalidInput):
    def __init__(self, choice: PeriodChoice, today: date) -> None:
        super().__init__(f"Seen from {today}, {choice} lies before the first year. Choose a later as_of.")


class PeriodQuery(FilterQuery):
    """A period by its name, or from the first day to the last one, both included. Without any it is ever."""

    period: PeriodChoice | None = Field(
        default=None,
        description="A period seen from today, or from `as_of`; quarters are those of the fiscal year.",
    )
    period_from: InnerDay | None = Field(default=None, description="This day or later; by default the first.")
    period_to: InnerDay | None = Field(default=None, description="This day or earlier; by default today.")

    def days(self, session: Session, as_of: datetime | None) -> Period | None:
        """The days asked for; today is that of the instant asked for.

        Raises `TwoPeriods`, `NoSuchPeriod` and `PeriodEndsBeforeItBegins`.
        """
        moment = moment_of(session, as_of)
        has_days = self.period_from is not None or self.period_to is not None
        if self.period is not None:
            if has_days:
                raise TwoPeriods
            return _days_of(self.period, moment)
        return self._days_given(moment.today) if has_days else None

    def _days_given(self, today: date) -> Period:
        first_day = self.period_from or min(BEGINNING, self.period_to or today)
        last_day = self.period_to or max(first_day, today)
        if last_day < first_day:
            raise PeriodEndsBeforeItBegins(first_day, last_day)
        return Period(first_day, min(last_day, date.max - ONE_DAY) + ONE_DAY)


def _days_of(choice: PeriodChoice, moment: Moment) -> Period | None:
    if choice is PeriodChoice.ALL_TIME:
        return None
    try:
        return moment.calendar.around(choice, moment.today)
    except ValueError as no_such_year:
        raise NoSuchPeriod(choice, moment.today) from no_such_year
