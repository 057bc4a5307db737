"""Takes back a whole action: every record that it changed becomes as it was before, as a new change.

First it is found out what would be, then whether all of it is allowed, and only then anything is set.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from crm_core import history, permissions, timeline
from crm_core.database import instant
from crm_core.errors import Conflict, NotAllowed, NotFound, RuleBroken
from crm_core.models import VERSIONS, Company, Contact, Opportunity, Record, Source, Transaction, User
from crm_core.schemas.fields import LARGEST_ID
from crm_core.services import merging, records
from crm_core.services.company_service import CompanyIsInUse
from crm_core.services.contact_service import ContactIsInUse
from crm_core.timeline import HistoryEntry

NAMED = 3
"""How many records a refusal names."""

UNDID = "Undid an earlier change"
"""The note of a transaction that took back another, unless its caller gave one."""

STAYS = {"id", "created_at", "created_on", "updated_at", "version", "request_id"}
"""Columns that every change sets, or none; what else follows from a change goes back with it."""

R = TypeVar("R", bound=Record)

WHOLES: dict[str, type[Company] | type[Contact]] = {"company_id": Company, "contact_id": Contact}
"""What must be there as long as anything points to it."""

Before = tuple[int, dict[str, Any] | None]
"""The last version that an action made of a record, and the state before it; None for what it created."""


class ActionNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such change to undo. Look into the record's history.")


class ActionOfSomebodyElse(NotAllowed):
    def __init__(self) -> None:
        super().__init__("Only whoever made this change can undo it. Change the record yourself instead.")


class ImportStays(RuleBroken):
    def __init__(self) -> None:
        super().__init__("An import can't be undone. Restore the backup that was made before it.")


class MergeStays(RuleBroken):
    def __init__(self) -> None:
        super().__init__(
            "A merge by an earlier version can't be undone: which notes came from where is no longer known."
            " Restore the deleted record, and move back what belongs to it."
        )


class NothingToUndo(RuleBroken):
    def __init__(self) -> None:
        super().__init__("This changed no record, so there is nothing to undo.")


class TooMuchToUndo(RuleBroken):
    def __init__(self, count: int) -> None:
        super().__init__(
            f"This changed {count:,} records; at most {records.MOST_AT_ONCE:,} can be undone at once."
        )


class ChangedSince(Conflict):
    """`entries` are the changes made after the one to undo, by record, of the first few records."""

    def __init__(self, entries: Mapping[Record, Sequence[HistoryEntry]], *, count: int) -> None:
        self.entries = dict(entries)
        told = "; ".join(_since(record, changes) for record, changes in entries.items())
        more = f"; and {count - len(entries):,} more" if count > len(entries) else ""
        super().__init__(f"Nothing was undone, because of later changes: {told}{more}.")


class _Plan:
    """What each record would get, and how things would stand then."""

    def __init__(self, answers: Mapping[Record, dict[str, Any]]) -> None:
        self.changes = {record: each for record, each in answers.items() if each}

    def after(self, record: Record, field: str) -> Any:
        return self.changes.get(record, {}).get(field, getattr(record, field, None))

    def is_live(self, record: Record) -> bool:
        return self.after(record, "deleted_at") is None

    def those(self, model: type[R]) -> list[R]:
        return [record for record in self.changes if isinstance(record, model)]


def current_transaction(session: Session) -> int | None:
    """The id of the session's own transaction if what it has changed so far can be undone later, else None.

    Settings and notes can't be.
    """
    permissions.actor_of(session)
    action = history.transaction_of_changes(session)
    return None if action is None else action.id


def undo(session: Session, transaction_id: int) -> int:
    """Take back an action of the actor's: each record it changed becomes as it was, or none does.

    What it created is deleted, what it deleted is there again, what it merged is two again, each with its own
    notes. Tells how many records that changed. Undoing this one does the first again; notes and settings
    stay. From the undo on, figures are as though there had been neither of the two. Raises `ActionNotFound`,
    `ActionOfSomebodyElse`, `ImportStays`, `MergeStays`, `NothingToUndo`, `TooMuchToUndo`, `ChangedSince`
    where anything was changed later, what `records.get_to_change` raises, `BelongsToDeleted`,
    `CompanyIsInUse` and `ContactIsInUse` where others went on meanwhile, and `OwnerIsInactive`.
    """
    action = _get_own_action(session, transaction_id)
    session.flush()  # what is pending counts as changed since
    touched = {model: _states_before(session, model, action) for model in VERSIONS}
    if (count := sum(map(len, touched.values()))) > records.MOST_AT_ONCE:
        raise TooMuchToUndo(count)
    found = [each for model, states in touched.items() for each in _to_change(session, model, states)]
    _require_unchanged_since(session, found)
    plan = _Plan({record: _changes(session, record, before) for record, _, before in found})
    if not plan.changes:
        raise NothingToUndo
    _require_owners(session, plan)
    _require_wholes(session, plan)
    _require_standing(session, plan)
    _require_unused(session, plan)
    own = history.undo(session, action)
    own.note = own.note or UNDID
    for record, answers in plan.changes.items():
        records.apply(record, answers)
    return len(plan.changes)


def _get_own_action(session: Session, transaction_id: int) -> Transaction:
    actor = permissions.actor_of(session)
    action = session.get(Transaction, transaction_id) if 0 < transaction_id <= LARGEST_ID else None
    if action is None:
        raise ActionNotFound
    if action.actor_id != actor.id:
        raise ActionOfSomebodyElse
    if action.source is Source.IMPORT:
        raise ImportStays
    if merging.moved_notes(session, action):
        raise MergeStays
    return action


def _states_before(session: Session, model: type[Record], action: Transaction) -> dict[int, Before]:
    """By the id of each record that the action changed."""
    versions, before = VERSIONS[model], VERSIONS[model].alias("before")
    first, last = func.min(versions.c.version), func.max(versions.c.version)
    made = (
        select(versions.c.id, first.label("first"), last.label("last"))
        .where(versions.c.transaction_id == action.id)
        .group_by(versions.c.id)
        .subquery()
    )
    fields = [column.name for column in model.__table__.columns if column.name not in STAYS]
    chosen = select(made, *(before.c[field] for field in fields)).outerjoin(
        before, and_(before.c.id == made.c.id, before.c.version == made.c.first - 1)
    )
    return {
        record_id: (last, None if first == 1 else dict(zip(fields, state, strict=True)))
        for record_id, first, last, *state in session.execute(chosen)
    }


def _to_change(
    session: Session, model: type[Record], states: Mapping[int, Before]
) -> Iterator[tuple[Record, int, dict[str, Any] | None]]:
    """The records as they are, all of which the actor may change, with what is known of them before."""
    for record in records.in_batches(session, model, states):
        yield (records.get_to_change(session, model, record.id, deleted=True), *states[record.id])


def _require_unchanged_since(session: Session, found: Iterable[tuple[Record, int, Any]]) -> None:
    changed = [(record, last) for record, last, _ in found if record.version != last]
    if changed:
        told = {record: timeline.entries(session, record, since=last) for record, last in changed[:NAMED]}
        raise ChangedSince(told, count=len(changed))


def _since(record: Record, entries: Sequence[HistoryEntry]) -> str:
    """“Solar roof” by Otto (stage, owner)."""
    who = dict.fromkeys(entry.actor_name or "the system" for entry in entries)
    what = dict.fromkeys(change.label for entry in entries for change in entry.changes)
    by = f" by {', '.join(who)}" if who else ""
    about = f" ({', '.join(what)})" if what else ""
    return f"“{record.name}”{by}{about}"


def _changes(session: Session, record: Record, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What would make the record as it was."""
    if before is None:
        return {} if record.deleted_at else {"deleted_at": instant(session)}
    return {field: value for field, value in before.items() if value != getattr(record, field)}


def _require_owners(session: Session, plan: _Plan) -> None:
    """Nothing goes back to somebody who left."""
    owners = {answers["owner_id"] for answers in plan.changes.values() if answers.get("owner_id")}
    left = select(User).where(User.id.in_(owners), User.is_active.is_(False)).order_by(User.id)
    if owners and (owner := session.scalar(left.limit(1))):
        raise records.OwnerIsInactive(owner)


def _require_wholes(session: Session, plan: _Plan) -> None:
    """What comes back, or goes back to another company or contact, finds it there."""
    for pointer, whole in WHOLES.items():
        pointing = {
            plan.after(record, pointer): record
            for record, answers in plan.changes.items()
            if answers.keys() & {pointer, "deleted_at"} and plan.is_live(record)
        }
        wanted = [key for key in pointing if key is not None]
        for found in list(records.in_batches(session, whole, wanted)):
            if not plan.is_live(found):
                raise records.BelongsToDeleted(pointing[found.id], found)


def _require_standing(session: Session, plan: _Plan) -> None:
    """What is merged again finds the record there that stands for it."""
    for model in WHOLES.values():
        merged = {plan.changes[record].get("merged_into_id"): record for record in plan.those(model)}
        wanted = [key for key in merged if key is not None]
        for found in list(records.in_batches(session, model, wanted)):
            if not plan.is_live(found):
                raise records.BelongsToDeleted(merged[found.id], found)


def _require_unused(session: Session, plan: _Plan) -> None:
    """What goes is needed by nothing that stays."""
    for company, (contacts, deals) in _needed(session, plan, Company, Contact, Opportunity).items():
        raise CompanyIsInUse(company, deals=deals, contacts=contacts)
    for contact, (deals,) in _needed(session, plan, Contact, Opportunity).items():
        raise ContactIsInUse(contact, deals=deals)


def _needed(session: Session, plan: _Plan, whole: type[R], *kinds: type[Record]) -> dict[R, list[int]]:
    """Those of the whole's kind that would be deleted, and how many of each kind would still belong to it."""
    going = {record.id: record for record in plan.those(whole) if not plan.is_live(record)}
    pointer = f"{whole.__name__.lower()}_id"
    found: dict[R, list[int]] = {}
    for position, kind in enumerate(kinds):
        belonging = {*_belonging(session, kind, pointer, going), *plan.those(kind)}
        for record in belonging:
            key = plan.after(record, pointer)
            if key in going and plan.is_live(record):
                found.setdefault(going[key], [0] * len(kinds))[position] += 1
    return found


def _belonging(session: Session, kind: type[Record], pointer: str, keys: Collection[int]) -> Iterator[Record]:
    """What belongs to any of them today."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), records.IDS_PER_STATEMENT):
        some = wanted[start : start + records.IDS_PER_STATEMENT]
        yield from session.scalars(
            select(kind).where(getattr(kind, pointer).in_(some), kind.deleted_at.is_(None))
        )
