"""What a company looks like from outside: to create one, to change one, to read one."""

from datetime import datetime

from pydantic import MISSING, Field

from crm_core.schemas.fields import Domain, Label, Name, Schema, ShortText, StoredText, Text


class CompanyCreate(Schema):
    """A company we sell to. Sent twice with the same `request_id`, it is created once."""

    name: Name
    website: ShortText | None = None
    domain: Domain | None = None
    industry: Label | None = None
    country: Label | None = None
    description: Text | None = None
    owner_id: int | None = None
    request_id: StoredText | None = Field(default=None, max_length=64)


class CompanyUpdate(Schema):
    """Changes to a company: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    website: ShortText | None | MISSING = MISSING
    domain: Domain | None | MISSING = MISSING
    industry: Label | None | MISSING = MISSING
    country: Label | None | MISSING = MISSING
    description: Text | None | MISSING = MISSING
    owner_id: int | None | MISSING = MISSING


class CompanyResponse(Schema):
    """A company as it is. Instants in UTC."""

    id: int
    name: str
    website: str | None
    domain: str | None
    industry: str | None
    country: str | None
    description: str | None
    owner_id: int | None
    created_at: datetime
    updated_at: datetime
    version: int
