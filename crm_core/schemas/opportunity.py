"""What an opportunity looks like from outside: to create one, to change one, to read one."""

from datetime import date

from pydantic import MISSING, Field

from crm_core.models import OpportunityStage
from crm_core.schemas.fields import (
    Amount,
    Day,
    Id,
    Instant,
    Label,
    Maybe,
    Money,
    Name,
    Percent,
    Priced,
    RequestId,
    Schema,
    ShortText,
    Text,
)


class OpportunityCreate(Priced):
    """A new deal. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_id: Id | None = None
    contact_id: Id | None = None
    owner_id: Id | None = None
    stage: OpportunityStage = OpportunityStage.QUALIFICATION
    expected_value: Amount | None = None
    probability: Percent | None = Field(default=None, description="None: the stage's default")
    expected_close_date: Day | None = None
    next_step: Maybe[ShortText] = None
    next_step_date: Day | None = None
    source: Maybe[Label] = None
    description: Maybe[Text] = None
    request_id: RequestId | None = None


class OpportunityUpdate(Priced):
    """Changes to a deal: what is not sent stays, None empties. Closing has its own verb."""

    name: Name | MISSING = MISSING
    company_id: Id | None | MISSING = MISSING
    contact_id: Id | None | MISSING = MISSING
    owner_id: Id | None | MISSING = MISSING
    stage: OpportunityStage | MISSING = MISSING
    expected_value: Amount | None | MISSING = MISSING
    probability: Percent | MISSING = MISSING
    expected_close_date: Day | None | MISSING = MISSING
    next_step: Maybe[ShortText] | MISSING = MISSING
    next_step_date: Day | None | MISSING = MISSING
    source: Maybe[Label] | MISSING = MISSING
    description: Maybe[Text] | MISSING = MISSING


class OpportunityResponse(Schema):
    """A deal as it is. Values in the workspace's currency, instants in UTC, days the workspace's."""

    id: int
    name: str
    company_id: int | None
    company_name: str | None = None
    contact_id: int | None
    contact_name: str | None = None
    lead_id: int | None
    owner_id: int | None
    owner_name: str | None = None
    stage: OpportunityStage
    stage_entered_at: Instant
    stage_entered_on: date
    expected_value: Money | None
    probability: int
    expected_close_date: date | None
    actual_close_date: date | None
    closed_at: Instant | None
    close_reason_id: int | None
    close_note: str | None
    next_step: str | None
    next_step_date: date | None
    source: str | None
    description: str | None
    created_at: Instant
    created_on: date
    updated_at: Instant
    version: int
