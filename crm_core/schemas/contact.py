"""What a contact looks like from outside: to create one, to change one, to read one."""

from datetime import datetime

from pydantic import MISSING, Field

from crm_core.schemas.fields import Email, Name, Phone, Schema, StoredText, Title


class ContactCreate(Schema):
    """A person we talk to. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_id: int | None = None
    email: Email | None = None
    phone: Phone | None = None
    job_title: Title | None = None
    owner_id: int | None = None
    request_id: StoredText | None = Field(default=None, max_length=64)


class ContactUpdate(Schema):
    """Changes to a contact: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    company_id: int | None | MISSING = MISSING
    email: Email | None | MISSING = MISSING
    phone: Phone | None | MISSING = MISSING
    job_title: Title | None | MISSING = MISSING
    owner_id: int | None | MISSING = MISSING


class ContactResponse(Schema):
    """A contact as it is. Instants in UTC."""

    id: int
    name: str
    company_id: int | None
    email: str | None
    phone: str | None
    job_title: str | None
    owner_id: int | None
    created_at: datetime
    updated_at: datetime
    version: int
