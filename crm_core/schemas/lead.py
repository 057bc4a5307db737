"""What a lead looks like from outside: to create one, to change one, to read one."""

from datetime import datetime
from decimal import Decimal

from pydantic import MISSING, Field

from crm_core.models import LeadStatus
from crm_core.schemas.fields import Amount, Email, Label, Name, Phone, Schema, StoredText, Text, Title


class LeadCreate(Schema):
    """A person who might become an opportunity. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_name: Title | None = None
    email: Email | None = None
    phone: Phone | None = None
    job_title: Title | None = None
    source: Label | None = None
    estimated_value: Amount | None = None
    description: Text | None = None
    owner_id: int | None = None
    status: LeadStatus = LeadStatus.NEW
    request_id: StoredText | None = Field(default=None, max_length=64)


class LeadUpdate(Schema):
    """Changes to a lead: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    company_name: Title | None | MISSING = MISSING
    email: Email | None | MISSING = MISSING
    phone: Phone | None | MISSING = MISSING
    job_title: Title | None | MISSING = MISSING
    source: Label | None | MISSING = MISSING
    estimated_value: Amount | None | MISSING = MISSING
    description: Text | None | MISSING = MISSING
    owner_id: int | None | MISSING = MISSING
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
    estimated_value: Decimal | None
    description: str | None
    owner_id: int | None
    status: LeadStatus
    converted_at: datetime | None
    opportunity_id: int | None
    created_at: datetime
    updated_at: datetime
    version: int
