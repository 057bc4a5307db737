"""What a lead looks like from outside: to create one, to change one, to read one."""

from datetime import date

from pydantic import MISSING

from crm_core.models import LeadStatus
from crm_core.schemas.fields import (
    Amount,
    Email,
    Id,
    Instant,
    Label,
    Maybe,
    Money,
    Name,
    Phone,
    Priced,
    RequestId,
    Schema,
    Text,
    Title,
)


class LeadCreate(Priced):
    """A person who might become an opportunity. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_name: Maybe[Title] = None
    email: Maybe[Email] = None
    phone: Maybe[Phone] = None
    job_title: Maybe[Title] = None
    source: Maybe[Label] = None
    estimated_value: Amount | None = None
    description: Maybe[Text] = None
    owner_id: Id | None = None
    status: LeadStatus = LeadStatus.NEW
    request_id: RequestId | None = None


class LeadUpdate(Priced):
    """Changes to a lead: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    company_name: Maybe[Title] | MISSING = MISSING
    email: Maybe[Email] | MISSING = MISSING
    phone: Maybe[Phone] | MISSING = MISSING
    job_title: Maybe[Title] | MISSING = MISSING
    source: Maybe[Label] | MISSING = MISSING
    estimated_value: Amount | None | MISSING = MISSING
    description: Maybe[Text] | MISSING = MISSING
    owner_id: Id | None | MISSING = MISSING
    status: LeadStatus | MISSING = MISSING


class LeadResponse(Schema):
    """A lead as it is. Instants in UTC."""

    id: int
    name: str
    company_name: str | None
    email: str | None
    phone: str | None
    job_title: str | None
    source: str | None
    estimated_value: Money | None
    description: str | None
    owner_id: int | None
    owner_name: str | None = None
    status: LeadStatus
    converted_at: Instant | None
    opportunity_id: int | None
    created_at: Instant
    created_on: date
    updated_at: Instant
    version: int
