"""How two records that mean the same become one: first planned, then done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import history, permissions
from crm_core.errors import NotAllowed, RuleBroken
from crm_core.models import Base, Company, Contact, Note, Opportunity, Record, Transaction
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.services import records

R = TypeVar("R", bound=Record)

MOVES: dict[type[Record], tuple[type[Base], ...]] = {
    Company: (Contact, Opportunity, Note),
    Contact: (Opportunity, Note),
}
"""What points to a company by its `company_id`, to a contact by its `contact_id`."""

MERGED = "Merged"
"""How the note of a merge's transaction begins."""

FILLED = {Company: tuple(CompanyUpdate.model_fields), Contact: tuple(ContactUpdate.model_fields)}
"""The fields that people fill; the others keep books."""


class MergeWithItself(RuleBroken):
    def __init__(self, record: Record) -> None:
        kind = type(record).__name__.lower()
        super().__init__(f"“{record.name}” can't be merged with itself. Choose another {kind}.")


class MovesWhatBelongsToOthers(NotAllowed):
    def __init__(self, kept: Record, merged: Record, others: Sequence[Record]) -> None:
        deals = sum(isinstance(record, Opportunity) for record in others)
        what = records.counted(deal=deals, contact=len(others) - deals)
        super().__init__(
            f"“{merged.name}” can't be merged into “{kept.name}”: of what would move, {what}"
            f" {'belongs' if len(others) == 1 else 'belong'} to others. An admin can merge them."
        )


@dataclass(frozen=True)
class MergePreview:
    """What a merge would do.

    `moves` counts the rows of each table that would point to the kept record, deleted ones too; `fills` are
    the kept record's empty fields and what they would get.
    """

    moves: dict[str, int]
    fills: dict[str, Any]


@dataclass(frozen=True)
class _Plan(Generic[R]):
    kept: R
    merged: R
    moving: list[Base]
    fills: dict[str, Any]


def merge(
    session: Session,
    model: type[R],
    kept_id: int,
    merged_id: int,
    *,
    expected_version: int | None = None,
    merged_expected_version: int | None = None,
) -> R:
    """Let everything that points to the second record point to the first, and delete the second.

    Fields that the first has empty are taken from the second. Raises `MergeWithItself`,
    `MovesWhatBelongsToOthers`, and what `records.get_to_change` raises for either; then nothing is set.
    """
    plan = _plan(session, model, kept_id, merged_id, expected_version, merged_expected_version)
    for row in plan.moving:
        setattr(row, _pointer(model), plan.kept.id)
    records.apply(plan.kept, plan.fills)
    records.delete(session, plan.merged)
    history.transaction_of(session).note = f"{MERGED} “{plan.merged.name}” into “{plan.kept.name}”"
    return plan.kept


def was_merge(action: Transaction) -> bool:
    """Whether the action made one record of two."""
    return (action.note or "").startswith(f"{MERGED} “")


def preview(session: Session, model: type[Record], kept_id: int, merged_id: int) -> MergePreview:
    """What `merge` would do. Writes nothing; raises the same."""
    plan = _plan(session, model, kept_id, merged_id)
    moves = {kind.__tablename__: sum(isinstance(row, kind) for row in plan.moving) for kind in MOVES[model]}
    return MergePreview(moves, plan.fills)


def _plan(
    session: Session,
    model: type[R],
    kept_id: int,
    merged_id: int,
    expected_version: int | None = None,
    merged_expected_version: int | None = None,
) -> _Plan[R]:
    """What is to be done, all of which the actor may do."""
    kept = records.get_to_change(session, model, kept_id, expected_version=expected_version)
    if kept_id == merged_id:
        raise MergeWithItself(kept)
    merged = records.get_to_change(session, model, merged_id, expected_version=merged_expected_version)
    moving = _rows_that_point_to(session, merged)
    if others := _those_of_others(session, moving):
        raise MovesWhatBelongsToOthers(kept, merged, others)
    return _Plan(kept, merged, moving, _fills(kept, merged))


def _rows_that_point_to(session: Session, merged: Record) -> list[Base]:
    """Loaded, so that their history is kept when they change; deleted ones too."""
    pointer = _pointer(type(merged))
    found: list[Base] = []
    for kind in MOVES[type(merged)]:
        found += session.scalars(select(kind).where(getattr(kind, pointer) == merged.id))
    return found


def _those_of_others(session: Session, rows: Sequence[Base]) -> list[Record]:
    """The records that the actor may not change; it depends on whose they are."""
    moving = [row for row in rows if isinstance(row, Record)]
    one_of_each = {record.owner_id: record for record in moving}
    may_change = {owner: _may_change(session, record) for owner, record in one_of_each.items()}
    return [record for record in moving if not may_change[record.owner_id]]


def _may_change(session: Session, record: Record) -> bool:
    try:
        permissions.require_change(session, record)
    except BelongsToSomebodyElse:
        return False
    return True


def _fills(kept: Record, merged: Record) -> dict[str, Any]:
    """What the kept record does not have, and the other one has."""
    known = {field: getattr(merged, field) for field in FILLED[type(kept)]}
    return {
        field: value
        for field, value in known.items()
        if value not in (None, "") and getattr(kept, field) in (None, "")
    }


def _pointer(model: type[Record]) -> str:
    return f"{model.__name__.lower()}_id"
