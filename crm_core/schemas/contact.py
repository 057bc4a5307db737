"""What a contact looks like from outside: to create one, to change one, to read one."""

from datetime import date
from typing import Annotated

from pydantic import MISSING, AfterValidator, Field

from crm_core.folding import fold
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
    visible,
)

MOST_OTHERS = 50
"""E-mails, or phones, that a contact has beside the first one."""


def _one_line(text: str) -> str:
    if "\n" in text:
        raise ValueError("Write each phone on a line of its own.")
    return text


def _each_once(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts; refuses the same one twice."""
    if len(set(map(fold, texts))) < len(texts):
        raise ValueError("One of these is there twice. Write each once.")
    return texts


def _or_none(texts: tuple[str, ...] | None) -> tuple[str, ...]:
    return texts or ()


PhoneLine = Annotated[Phone, Field(min_length=1), AfterValidator(visible), AfterValidator(_one_line)]
Emails = Annotated[tuple[Email, ...], Field(max_length=MOST_OTHERS), AfterValidator(_each_once)]
Phones = Annotated[tuple[PhoneLine, ...], Field(max_length=MOST_OTHERS), AfterValidator(_each_once)]

OtherEmails = Annotated[Emails | None, AfterValidator(_or_none)]
OtherPhones = Annotated[Phones | None, AfterValidator(_or_none)]
"""Others, beside the one to use first, which is not among them."""


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
