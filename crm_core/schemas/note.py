"""What a note looks like from outside: to write one, to read one."""

from typing import Annotated

from pydantic import AfterValidator, Field

from crm_core.schemas.fields import Id, Instant, RequestId, Schema, Text, visible


class NoteCreate(Schema):
    """A text on exactly one record. Sent twice with the same `request_id`, it is written once."""

    text: Annotated[Text, Field(min_length=1), AfterValidator(visible)]
    lead_id: Id | None = None
    opportunity_id: Id | None = None
    company_id: Id | None = None
    contact_id: Id | None = None
    request_id: RequestId | None = None


class NoteResponse(Schema):
    """A note as it was written, with what the record that it is on is called today."""

    id: int
    text: str
    author_id: int | None
    author_name: str | None = None
    created_at: Instant
    lead_id: int | None
    opportunity_id: int | None
    company_id: int | None
    contact_id: int | None
    record_name: str | None = None
