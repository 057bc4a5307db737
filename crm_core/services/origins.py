"""Which others belong to a record's past: those that were merged into it."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from crm_core.models import Mergeable, Record


def with_merged(record: Mergeable) -> Select[int]:
    """SQL: the id of the record, of those merged into it, of those merged into these, and so on."""
    model = type(record)
    found = select(model.id).where(model.id == record.id).cte("with_merged", recursive=True)
    found = found.union(select(model.id).where(model.merged_into_id == found.c.id))
    return select(found.c.id)


def standing_for(session: Session, record: Record) -> Record:
    """What the record was merged into, at the end of the chain; the record itself where it was not merged."""
    while isinstance(record, Mergeable) and record.merged_into_id is not None:
        record = session.get_one(type(record), record.merged_into_id)
    return record
