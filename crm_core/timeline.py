"""What was changed about a record: from what, to what, when, by whom, from where."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Row, RowMapping, Select, Table, and_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_core.columns import Compared
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
from crm_core.services import settings_service

BOOKKEEPING = {
    *("id", "created_at", "created_on", "updated_at", "touched_at", "version", "request_id"),
    *("stage_entered_at", "stage_entered_on", "conversion", "merged_into_id"),
}
"""Columns that change because another one does."""

BEFORE = "before_"
"""What the names of columns begin with that tell of the state before."""

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

CALLED = {
    "email": "e-mail",
    "other_emails": "other e-mails",
    "opportunity_id": "deal",
    "company_name": "company",
}
"""Fields that people call otherwise than the columns."""


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
        return CALLED.get(self.field) or self.field.removesuffix("_id").replace("_", " ")


@dataclass(frozen=True)
class HistoryEntry:
    """A change of a record.

    It was so from `at` on, and written down at `recorded_at`: later than `at` only for what was imported.
    `on` is the day from which it was so, where the time of day is not known. Without an actor it was the
    system. The first entry tells every field that was filled at the start.
    """

    version: int
    at: datetime
    on: date | None
    recorded_at: datetime
    actor_id: int | None
    actor_name: str | None
    source: Source
    note: str | None
    changes: list[FieldChange]


@dataclass(frozen=True)
class RecordEntry:
    """A change, and which record it is about, by the name that it has today."""

    kind: str
    record_id: int
    name: str
    entry: HistoryEntry


def entries(
    session: Session, record: Record, *, since: int = 0, limit: int | None = None, offset: int = 0
) -> list[HistoryEntry]:
    """The record's changes after version `since`, newest first; without what is yet to be committed."""
    versions, since = VERSIONS[type(record)], min(max(since, 0), LARGEST_ID)
    chosen = (
        _states(versions)
        .where(versions.c.id == record.id, versions.c.version >= since)
        .order_by(versions.c.version.desc())
        .offset(offset)
    )
    rows = session.execute(chosen if limit is None else chosen.limit(limit + 1)).all()
    found: list[tuple[Row[Any], Row[Any] | None]] = list(pairwise(rows))
    if rows and not since and rows[-1].version == 1 and (limit is None or len(rows) <= limit):
        found.append((rows[-1], None))
    fields = _fields(type(record))
    return _told(
        session, [(after, _changes(after, before and before._mapping, fields)) for after, before in found]
    )


def entries_of_many(
    session: Session, chosen: Mapping[type[Record], ColumnElement[bool]], *, limit: int, offset: int = 0
) -> list[RecordEntry]:
    """The changes of all records that meet their model's condition together, newest first.

    One statement for each model, whatever the number of records.
    """
    found: list[tuple[type[Record], Row[Any]]] = []
    for model, condition in chosen.items():
        newest_first = _changed_states(model).where(condition).limit(offset + limit)
        found += [(model, row) for row in session.execute(newest_first)]
    found.sort(key=lambda each: (each[1].valid_from, each[1].transaction_id), reverse=True)
    page = found[offset : offset + limit]
    told = _told(session, [(row, _changes(row, _before(row), _fields(model))) for model, row in page])
    return [
        RecordEntry(model.__name__.lower(), row.id, row.called, entry)
        for (model, row), entry in zip(page, told, strict=True)
    ]


def _states(versions: Table) -> Select[*tuple[Any, ...]]:
    """States of records, and who wrote each down, when and from where."""
    return (
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
    )


def _changed_states(model: type[Record]) -> Select[*tuple[Any, ...]]:
    """States of the model's records, newest first, each beside the one before it and today's name."""
    versions, before = VERSIONS[model], VERSIONS[model].alias()
    fields = [before.c[field].label(f"{BEFORE}{field}") for field in _fields(model)]
    return (
        _states(versions)
        .add_columns(model.name.label("called"), *fields)
        .join(model, model.id == versions.c.id)
        .outerjoin(before, and_(before.c.id == versions.c.id, before.c.version == versions.c.version - 1))
        .order_by(versions.c.valid_from.desc(), versions.c.transaction_id.desc(), versions.c.id.desc())
    )


def _told(
    session: Session, found: Sequence[tuple[Row[Any], list[tuple[str, Any, Any]]]]
) -> list[HistoryEntry]:
    """Each state with what changed in it, as people call it; amounts are the only Decimals."""
    names = _names(session, [change for _, together in found for change in together])
    currency = settings_service.get_currency(session)

    def fit(value: Any) -> Any:
        return currency.fitted(value) if isinstance(value, Decimal) else value

    return [
        HistoryEntry(
            version=state.version,
            at=state.valid_from,
            on=state.valid_from_on,
            recorded_at=state.recorded_at,
            actor_id=state.actor_id,
            actor_name=state.actor_name,
            source=state.from_where,
            note=state.note,
            changes=[
                FieldChange(field, fit(was), fit(became), names.get((field, was)), names.get((field, became)))
                for field, was, became in together
            ],
        )
        for state, together in found
    ]


def _fields(model: type[Record]) -> list[str]:
    return [
        column.name
        for column in model.__table__.columns
        if column.name not in BOOKKEEPING and not isinstance(column.type, Compared)
    ]


def _before(row: Row[Any]) -> dict[str, Any]:
    """The fields of the state before, out of a row of `_changed_states`; None where there was none."""
    return {
        name.removeprefix(BEFORE): value for name, value in row._mapping.items() if name.startswith(BEFORE)
    }


def _changes(
    after: Row[Any], before: RowMapping | dict[str, Any] | None, fields: Iterable[str]
) -> list[tuple[str, Any, Any]]:
    """Field, value before, value after of what differs; of a first state, everything that is filled."""
    compared = [
        (field, before[field] if before else _nothing(getattr(after, field)), getattr(after, field))
        for field in fields
    ]
    return [(field, was, became) for field, was, became in compared if was != became]


def _nothing(value: Any) -> Any:
    """What a field with such a value has where it is not filled."""
    return () if isinstance(value, tuple) else None


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
