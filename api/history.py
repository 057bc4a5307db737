"""How the past of a record is told."""

from datetime import date
from typing import Any

from crm_core.models import Source
from crm_core.schemas.fields import Instant, Schema
from crm_core.timeline import HistoryEntry, RecordEntry


class FieldChangeResponse(Schema):
    """One field before and after; for a key also what is called so today."""

    field: str
    before: Any
    after: Any
    before_name: str | None
    after_name: str | None


class HistoryEntryResponse(Schema):
    """A change: it was so from `at` on; `on` is the day where the time of day is not known.

    Without an actor it was the system.
    """

    version: int
    at: Instant
    on: date | None
    recorded_at: Instant
    actor_id: int | None
    actor_name: str | None
    source: Source
    note: str | None
    changes: list[FieldChangeResponse]

    @classmethod
    def of(cls, entry: HistoryEntry) -> "HistoryEntryResponse":
        return cls.model_validate(entry)


class RecordEntryResponse(HistoryEntryResponse):
    """A change, and which record it is about, with the name that it has today."""

    kind: str
    record_id: int
    record_name: str

    @classmethod
    def about(cls, found: RecordEntry) -> "RecordEntryResponse":
        change = HistoryEntryResponse.of(found.entry).model_dump()
        return cls(**change, kind=found.kind, record_id=found.record_id, record_name=found.name)
