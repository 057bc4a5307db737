"""What a note looks like from outside: to write one, to read one."""

from datetime import datetime

from pydantic import Field

from crm_core.schemas.fields import Schema, StoredText, Text


class NoteCreate(Schema):
    """A text on exactly one record. Sent twice with the same `request_id`, it is written once."""

    text: Text = Field(min_length=1)
    lead_id: int | None = None
    opportunity_id: int | None = None
    company_id: int | None = None
    contact_id: int | None = None
    request_id: StoredText | None = Field(default=None, max_length=64)


class NoteResponse(Schema):
    """A note as it was written."""

    id: int
    text: str
    author_id: int | None
    created_at: datetime
    lead_id: int | None
    opportunity_id: int | None
    company_id: int | None
    contact_id: int | None
