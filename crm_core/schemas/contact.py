"""What a contact looks like from outside: to create one, to change one, to read one."""

from datetime import date
from typing import Annotated, Any

from pydantic import MISSING, AfterValidator, BeforeValidator, Field

from crm_core.schemas.fields import (
    Email,
    Id,
    Instant,
    Maybe,
    Name,
    Phone,
    RequestId,
    Schema,
    Title,
    trimmed,
    visible,
)

MOST_OTHERS = 50
"""E-mails, or phones, that a contact has beside the first one."""


def _one_email(value: Any) -> Any:
    if isinstance(value, str) and value.count("@") > 1:
        raise ValueError("Write each e-mail on a line of its own.")
    return value


def _one_phone(value: Any) -> Any:
    if isinstance(value, str) and "\n" in trimmed(value):
        raise ValueError("Write each phone on a line of its own.")
    return visible(value) if isinstance(value, str) else value


def _or_none(texts: tuple[str, ...] | None) -> tuple[str, ...]:
    return texts or ()


OneEmail = Annotated[Email, BeforeValidator(_one_email)]
OnePhone = Annotated[Phone, Field(min_length=1), BeforeValidator(_one_phone)]
Emails = Annotated[tuple[OneEmail, ...], Field(max_length=MOST_OTHERS)]
Phones = Annotated[tuple[OnePhone, ...], Field(max_length=MOST_OTHERS)]

OtherEmails = Annotated[Emails | None, AfterValidator(_or_none)]
OtherPhones = Annotated[Phones | None, AfterValidator(_or_none)]
"""Others, beside the one to use first. `contact_service` refuses the same one twice."""


class ContactCreate(Schema):
    """A person we talk to. Sent twice with the same `request_id`, it is created once."""

    name: Name
    company_id: Id | None = None
    email: Maybe[Email] = None
    other_emails: OtherEmails = ()
    phone: Maybe[Phone] = None
    other_phones: OtherPhones = ()
    job_title: Maybe[Title] = None
    owner_id: Id | None = None
    request_id: RequestId | None = None


class ContactUpdate(Schema):
    """Changes to a contact: what is not sent stays, None empties; a list is sent whole."""

    name: Name | MISSING = MISSING
    company_id: Id | None | MISSING = MISSING
    email: Maybe[Email] | MISSING = MISSING
    other_emails: OtherEmails | MISSING = MISSING
    phone: Maybe[Phone] | MISSING = MISSING
    other_phones: OtherPhones | MISSING = MISSING
    job_title: Maybe[Title] | MISSING = MISSING
    owner_id: Id | None | MISSING = MISSING


class ContactResponse(Schema):
    """A contact as it is. Instants in UTC."""

    id: int
    name: str
    company_id: int | None
    company_name: str | None = None
    email: str | None
    other_emails: tuple[str, ...]
    phone: str | None
    other_phones: tuple[str, ...]
    job_title: str | None
    owner_id: int | None
    owner_name: str | None = None
    created_at: Instant
    created_on: date
    updated_at: Instant
    version: int
