"""What an opportunity looks like from outside: to create one, to change one, to read one."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import MISSING, Field

from crm_core.models import OpportunityStage
from crm_core.schemas.fields import Amount, Label, Name, Percent, Schema, ShortText, Text


class OpportunityCreate(Schema):
    """A new deal. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_id: int | None = None
    contact_id: int | None = None
    owner_id: int | None = None
    stage: OpportunityStage = OpportunityStage.QUALIFICATION
    expected_value: Amount | None = None
    probability: Percent | None = Field(default=None, description="None: the stage's default")
    expected_close_date: date | None = None
    next_step: ShortText | None = None
    next_step_date: date | None = None
    source: Label | None = None
    description: Text | None = None
    request_id: str | None = Field(default=None, max_length=64)


class OpportunityUpdate(Schema):
    """Changes to a deal: what is not sent stays, None empties. Closing has its own verb."""

    name: Name | MISSING = MISSING
    company_id: int | None | MISSING = MISSING
    contact_id: int | None | MISSING = MISSING
    owner_id: int | None | MISSING = MISSING
    stage: OpportunityStage | MISSING = MISSING
    expected_value: Amount | None | MISSING = MISSING
    probability: Percent | MISSING = MISSING
    expected_close_date: date | None | MISSING = MISSING
    next_step: ShortText | None | MISSING = MISSING
    next_step_date: date | None | MISSING = MISSING
    source: Label | None | MISSING = MISSING
    description: Text | None | MISSING = MISSING


class OpportunityResponse(Schema):
    """A deal as it is. Values in the workspace's currency; instants in UTC."""

    id: int
    name: str
    company_id: int | None
    company_name: str | None = None
    contact_id: int | None
    lead_id: int | None
    owner_id: int | None
    owner_name: str | None = None
    stage: OpportunityStage
    expected_value: Decimal | None
    probability: int
    expected_close_date: date | None
    actual_close_date: date | None
    closed_at: datetime | None
    close_reason_id: int | None
    close_note: str | None
    next_step: str | None
    next_step_date: date | None
    source: str | None
    description: str | None
    created_at: datetime
    updated_at: datetime
    version: int
