"""What a contact looks like from outside: to create one, to change one, to read one."""

from datetime import date

from pydantic import MISSING

from crm_core.schemas.fields import Email, Id, Instant, Maybe, Name, Phone, RequestId, Schema, Title


class ContactCreate(Schema):
    """A person we talk to. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_id: Id | None = None
    email: Maybe[Email] = None
    phone: Maybe[Phone] = None
    job_title: Maybe[Title] = None
    owner_id: Id | None = None
    request_id: RequestId | None = None


class ContactUpdate(Schema):
    """Changes to a contact: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    company_id: Id | None | MISSING = MISSING
    email: Maybe[Email] | MISSING = MISSING
    phone: Maybe[Phone] | MISSING = MISSING
    job_title: Maybe[Title] | MISSING = MISSING
    owner_id: Id | None | MISSING = MISSING


class ContactResponse(Schema):
    """A contact as it is. Instants in UTC."""

    id: int
    name: str
    company_id: int | None
    company_name: str | None = None
    email: str | None
    phone: str | None
    job_title: str | None
    owner_id: int | None
    owner_name: str | None = None
    created_at: Instant
    created_on: date
    updated_at: Instant
    version: int
