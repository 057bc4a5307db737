"""What a target looks like from outside: to set one, to change one, to read one."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import MISSING, AfterValidator, Field, model_validator

from crm_core.models import TargetPeriod
from crm_core.schemas.fields import Amount, Day, Id, Money, Priced, Schema

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)


def _something(amount: Decimal) -> Decimal:
    if not amount:
        raise ValueError("Write an amount of more than 0. To set no target, delete it.")
    return amount


Aim = Annotated[Amount, AfterValidator(_something)]
"""What is to be won, in the workspace's currency; winning nothing is no target."""


class TargetSet(Priced):
    """What a user or a team is meant to win in the month or quarter that starts on that day."""

    user_id: Id | None = None
    team_id: Id | None = None
    period: TargetPeriod
    starts_on: Annotated[Day, Field(ge=FIRST_DAY, le=LAST_DAY)]
    amount: Aim

    @model_validator(mode="after")
    def _is_somebodys(self) -> "TargetSet":
        if (self.user_id is None) == (self.team_id is None):
            raise ValueError("A target is a user's or a team's: name one of the two.")
        return self


class TargetUpdate(Priced):
    """Changes to a target: what is not sent stays. Whose it is and for when stays, too."""

    amount: Aim | MISSING = MISSING


class TargetResponse(Schema):
    """A target as it is."""

    id: int
    user_id: int | None
    team_id: int | None
    period: TargetPeriod
    starts_on: date
    amount: Money
