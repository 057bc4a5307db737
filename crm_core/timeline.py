"""What was changed about a record: from what, to what, when, by whom, from where."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_core.models import (
    VERSIONS,
    CloseReason,
    Company,
    Contact,
    Lead,
    Opportunity,
    Record,
    Source,
    Transaction,
    User,
)
from crm_core.schemas.fields import LARGEST_ID

BOOKKEEPING = {"id", "created_at", "updated_at", "version", "request_id", "stage_entered_at", "conversion"}
"""Columns that change because another one does."""

NAMES: dict[str, InstrumentedAttribute[str]] = {
    "company_id": Company.name,
    "contact_id": Contact.name,
    "lead_id": Lead.name,
    "opportunity_id": Opportunity.name,
    "owner_id": User.name,
    "credited_owner_id": User.name,
    "close_reason_id": CloseReason.label,
}
"""What people call that which a key stands for."""


@dataclass(frozen=True)
class FieldChange:
    """One field's value before and after; for a key also what is called so today."""

    field: str
    before: Any
    after: Any
    before_name: str | None = None
    after_name: str | None = None

    @property
    def label(self) -> str:
        """The field as people call it."""
        return self.field.removesuffix("_id").replace("_", " ")


@dataclass(frozen=True)
class HistoryEntry:
    """A change of a record.

    It was so from `at` on, and written down at `recorded_at`: later than `at` only for what was imported.
    Without an actor it was the system. The first entry tells every field that was filled at the start.
    """

    version: int
    at: datetime
    recorded_at: datetime
    actor_id: int | None
    actor_name: str | None
    source: Source
    note: str | None
    changes: list[FieldChange]


def entries(
    session: Session, record: Record, *, since: int = 0, limit: int | None = None, offset: int = 0
) -> list[HistoryEntry]:
    """The record's changes after version `since`, newest first; without what is yet to be committed."""
    versions, since = VERSIONS[type(record)], min(max(since, 0), LARGEST_ID)
    chosen = (
        select(
            versions,
            Transaction.at.label("recorded_at"),
            Transaction.actor_id,
            Transaction.source.label("from_where"),
            Transaction.note,
            User.name.label("actor_name"),
        )
        .join(Transaction, Transaction.id == versions.c.transaction_id)
        .outerjoin(User, User.id == Transaction.actor_id)
        .where(versions.c.id == record.id, versions.c.version >= since)
        .order_by(versions.c.version.desc())
        .offset(offset)
    )
    rows = session.execute(chosen if limit is None else chosen.limit(limit + 1)).all()
    found: list[tuple[Row[Any], Row[Any] | None]] = list(pairwise(rows))
    if rows and not since and rows[-1].version == 1 and (limit is None or len(rows) <= limit):
        found.append((rows[-1], None))
    fields = [column.name for column in type(record).__table__.columns if column.name not in BOOKKEEPING]
    changes = [_changes(after, before, fields) for after, before in found]
    names = _names(session, [change for together in changes for change in together])
    return [
        HistoryEntry(
            version=after.version,
            at=after.valid_from,
            recorded_at=after.recorded_at,
            actor_id=after.actor_id,
            actor_name=after.actor_name,
            source=after.from_where,
            note=after.note,
            changes=[
                FieldChange(field, was, became, names.get((field, was)), names.get((field, became)))
                for field, was, became in together
            ],
        )
        for (after, _), together in zip(found, changes, strict=True)
    ]


def _changes(after: Row[Any], before: Row[Any] | None, fields: Iterable[str]) -> list[tuple[str, Any, Any]]:
    """Field, value before, value after of what differs; of a first state, everything that is filled."""
    compared = [(field, getattr(before, field, None), getattr(after, field)) for field in fields]
    return [(field, was, became) for field, was, became in compared if was != became]


def _names(session: Session, changes: Sequence[tuple[str, Any, Any]]) -> dict[tuple[str, Any], str]:
    """What is behind the keys in the changes, by field and key."""
    keys = defaultdict[str, set[int]](set)
    for field, was, became in changes:
        if field in NAMES:
            keys[field] |= {was, became} - {None}
    found = {}
    for field, wanted in keys.items():
        name = NAMES[field]
        rows = session.execute(select(name.class_.id, name).where(name.class_.id.in_(wanted)))
        found.update({(field, key): called for key, called in rows})
    return found
