"""Which others belong to a record's past: those merged into it, and the leads that its deals came from."""

from typing import TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.models import Lead, Mergeable, Opportunity, Record

R = TypeVar("R", bound=Record)


def with_merged(record: Mergeable) -> Select[int]:
    """SQL: the id of the record, of those merged into it, of those merged into these, and so on."""
    model = type(record)
    found = select(model.id).where(model.id == record.id).cte("with_merged", recursive=True)
    found = found.union(select(model.id).where(model.merged_into_id == found.c.id))
    return select(found.c.id)


def standing_for(session: Session, record: R) -> R:
    """What the record was merged into, at the end of the chain; the record itself where it was not merged."""
    while isinstance(record, Mergeable) and record.merged_into_id is not None:
        record = session.get_one(type(record), record.merged_into_id)
    return record


def leads_of(session: Session, record: Record, *, deleted: bool = False) -> list[ColumnElement[bool]]:
    """SQL: the leads that became the deal, or a deal that is the company's or the contact's today.

    Only those that the actor may read; deleted leads, and those of deleted deals, only where that is wanted.
    """
    if isinstance(record, Opportunity):
        deals = Opportunity.id == record.id
    else:
        deals = getattr(Opportunity, f"{type(record).__name__.lower()}_id") == record.id
    there = [] if deleted else [Opportunity.deleted_at.is_(None)]
    found = [Lead.opportunity_id.in_(select(Opportunity.id).where(deals, *there))]
    found += [] if deleted else [Lead.deleted_at.is_(None)]
    return [*found, *permissions.readable(session, Lead)]
