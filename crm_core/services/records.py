"""What the four kinds of record have in common: found, created once, changed knowingly."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from crm_core import listing, permissions, timeline
from crm_core.database import instant
from crm_core.errors import Conflict, CrmError, InvalidInput, NotFound, RuleBroken
from crm_core.models import VERSIONS, Company, Contact, Lead, Mergeable, Record, User
from crm_core.schemas.fields import LARGEST_ID, Schema
from crm_core.services import origins
from crm_core.timeline import HistoryEntry, RecordEntry

R = TypeVar("R", bound=Record)

MOST_AT_ONCE = 10_000
IDS_PER_STATEMENT = 500
REFUSALS_NAMED = 3

NOTHING: Mapping[type[Record], ColumnElement[bool]] = {}


class RecordNotFound(NotFound):
    def __init__(self, model: type[Record] | type[User], record_id: int) -> None:
        super().__init__(
            f"There is no {model.__name__.lower()} {record_id}; it may have been deleted. Choose another."
        )


class ChangedMeanwhile(Conflict):
    """`entries` are the changes that the refused one did not know of, newest first."""

    def __init__(self, record: Record, entries: list[HistoryEntry]) -> None:
        self.version = record.version
        self.entries = entries
        who = dict.fromkeys(entry.actor_name or "the system" for entry in entries)
        what = dict.fromkeys(change.label for entry in entries for change in entry.changes)
        by = f" by {', '.join(who)}" if who else ""
        about = f" ({', '.join(what)})" if what else ""
        super().__init__(
            f"“{record.name}” was changed meanwhile{by}{about}. Look at it again; nothing of yours was saved."
        )


class RequestOfSomebodyElse(InvalidInput):
    def __init__(self) -> None:
        super().__init__("This request id is taken. Send another one.")


class OwnerIsInactive(RuleBroken):
    def __init__(self, owner: User) -> None:
        super().__init__(f"{owner.name} no longer works here. Choose another owner.")


class RequestIdIsTaken(RuleBroken):
    def __init__(self, first: Record) -> None:
        kind = type(first).__name__.lower()
        super().__init__(
            f"This request_id belongs to the {kind} “{first.name}”, which was created otherwise."
            " Send another one to create another."
        )


class BelongsToDeleted(RuleBroken):
    def __init__(self, record: Record, whole: Record) -> None:
        kind = type(whole).__name__.lower()
        super().__init__(
            f"“{record.name}” belongs to the {kind} “{whole.name}”, which was deleted."
            f" Restore the {kind} first."
        )


class NothingWasChanged(RuleBroken):
    """A change of many at once was refused for some, so none was changed. `refusals` tells why, by id."""

    def __init__(self, refusals: Mapping[int, CrmError], names: Mapping[int, str], of: int) -> None:
        self.refusals = dict(refusals)
        told = [f"{names.get(key, key)}: {refusal}" for key, refusal in refusals.items()]
        more = f" And {len(told) - REFUSALS_NAMED:,} more." if len(told) > REFUSALS_NAMED else ""
        super().__init__(
            f"Nothing was changed, because {len(told):,} of {of:,} can't be."
            f" {' '.join(told[:REFUSALS_NAMED])}{more}"
        )


def get(session: Session, model: type[R], record_id: int, *, deleted: bool = False) -> R:
    """The record, if it is any of the actor's business; a deleted one only where that is wanted.

    Raises `RecordNotFound`.
    """
    permissions.actor_of(session)
    found = session.get(model, record_id) if 0 < record_id <= LARGEST_ID else None
    if found is None or (found.deleted_at and not deleted) or not permissions.may_read(session, found):
        raise RecordNotFound(model, record_id)
    return found


def get_standing(session: Session, model: type[R], record_id: int) -> R:
    """The record; instead of one that was merged into another, the one that stands for it in the end.

    Raises `RecordNotFound`, also where one of the two is not the actor's business.
    """
    record = get(session, model, record_id, deleted=True)
    standing = origins.standing_for(session, record)
    if standing.deleted_at or not permissions.may_read(session, standing):
        raise RecordNotFound(model, record_id)
    return standing


def get_to_change(
    session: Session,
    model: type[R],
    record_id: int,
    *,
    expected_version: int | None = None,
    deleted: bool = False,
) -> R:
    """The record, if the actor may change it and knows its last change.

    Raises `RecordNotFound`, `BelongsToSomebodyElse`, and `ChangedMeanwhile` where `expected_version` is not
    the version it is at.
    """
    record = get(session, model, record_id, deleted=deleted)
    permissions.require_change(session, record)
    require_version(session, record, expected_version)
    return record


def require_version(session: Session, record: Record, expected: int | None) -> None:
    """Let only those pass who know the record's last change. Raises `ChangedMeanwhile`."""
    if expected is not None and record.version != expected:
        raise ChangedMeanwhile(record, timeline.entries(session, record, since=expected))


def find_first(session: Session, model: type[R], draft: Schema) -> R | None:
    """What the same request has created before. Raises `RequestOfSomebodyElse` and `RequestIdIsTaken`."""
    permissions.actor_of(session)
    answers = draft.model_dump(exclude_none=True)
    request_id = answers.pop("request_id", None)
    if request_id is None:
        return None
    first = session.scalar(select(model).where(model.request_id == request_id))
    if first is not None and not permissions.may_read(session, first):
        raise RequestOfSomebodyElse
    if first is not None and not _began_as(session, first, answers):
        raise RequestIdIsTaken(first)
    return first


def _began_as(session: Session, record: Record, answers: Mapping[str, Any]) -> bool:
    """Whether the record was created with these answers, whatever became of it since."""
    versions = VERSIONS[type(record)]
    states = select(versions).where(versions.c.id == record.id, versions.c.version == 1)
    state = session.execute(states).mappings().one_or_none() or vars(record)  # not kept before it is saved
    return all(state[field] == value for field, value in answers.items())


def add(session: Session, record: R) -> R:
    """Create it; what it points to must be there. Raises `RecordNotFound` and `OwnerIsInactive`."""
    require_references(session, {name: getattr(record, name, None) for name in REFERENCES})
    session.add(record)
    session.flush()  # gives it its id
    return record


def sent(record: Record, changes: Schema) -> dict[str, Any]:
    """What of the changes was sent and would change anything."""
    return {field: value for field, value in changes.model_dump().items() if value != getattr(record, field)}


def apply(record: Record, answers: Mapping[str, Any]) -> None:
    """Set the fields."""
    for field, value in answers.items():
        setattr(record, field, value)


def delete(session: Session, record: Record) -> None:
    """Take it out of every list, total and figure from now on."""
    record.deleted_at = instant(session)


def restore(session: Session, model: type[R], record_id: int, *, expected_version: int | None = None) -> R:
    """Bring back a deleted record as it was; one that is not deleted stays as it is.

    One that was merged has its own notes again; deals and contacts that moved stay where they are. Raises
    `BelongsToDeleted` if its company or contact is gone.
    """
    record = get_to_change(session, model, record_id, expected_version=expected_version, deleted=True)
    for name, whole in REFERENCES.items():
        if whole is not User and (key := getattr(record, name, None)) is not None:
            found = session.get_one(whole, key)
            if isinstance(found, Record) and found.deleted_at is not None:
                raise BelongsToDeleted(record, found)
    record.deleted_at = None
    if isinstance(record, Mergeable):
        record.merged_into_id = None
    return record


def count_live(session: Session, model: type[Record], *conditions: ColumnElement[bool]) -> int:
    """How many records meet the conditions, whoever may read them; deleted ones don't count."""
    chosen = select(func.count()).select_from(model).where(model.deleted_at.is_(None), *conditions)
    return session.scalar(chosen) or 0


def counted(**kinds: int) -> str:
    """“2 deals and 1 contact”: what there is any of, for a sentence."""
    return " and ".join(
        f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items() if count
    )


def get_history(
    session: Session, model: type[Record], record_id: int, *, limit: int = 100, offset: int = 0
) -> list[HistoryEntry]:
    """What was changed, newest first; of deleted records too. Raises `RecordNotFound`."""
    listing.require_page(limit, offset)
    record = get(session, model, record_id, deleted=True)
    return timeline.entries(session, record, limit=limit, offset=offset)


def get_whole_history(
    session: Session,
    model: type[Record],
    record_id: int,
    *,
    belonging: Mapping[type[Record], ColumnElement[bool]] = NOTHING,
    limit: int,
    offset: int,
) -> list[RecordEntry]:
    """`get_history` with that of what was merged into the record, of the leads behind it, and of `belonging`.

    The latter are conditions by kind of record. Newest first. Raises `RecordNotFound`.
    """
    listing.require_page(limit, offset)
    record = get(session, model, record_id, deleted=True)
    is_own = (
        model.id.in_(origins.with_merged(record)) if isinstance(record, Mergeable) else model.id == record.id
    )
    leads = and_(*origins.leads_of(session, record, deleted=True))
    chosen: dict[type[Record], ColumnElement[bool]] = {model: is_own, **belonging, Lead: leads}
    return timeline.entries_of_many(session, chosen, limit=limit, offset=offset)


def change_all(
    session: Session, model: type[R], ids: Collection[int], change: Callable[[int], object]
) -> list[R]:
    """Change many, all or none; `change` is called with each id and refuses by raising.

    Raises `NothingWasChanged`, which tells for each that was refused why.
    """
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE:,} can be changed at once. Narrow the filter.")
    session.flush()  # what was changed before stays, whatever happens to these
    known = {record.id: record for record in in_batches(session, model, ids)}
    refusals: dict[int, CrmError] = {}
    with session.no_autoflush:
        for record_id in dict.fromkeys(ids):
            try:
                change(record_id)
            except CrmError as refusal:
                refusals[record_id] = refusal
        if refusals:  # before anything else is asked, which would write what was changed
            names = {
                key: f"“{known[key].name}”"
                for key in refusals
                if key in known and permissions.may_read(session, known[key])
            }
            for record in known.values():
                session.expire(record)
            list(in_batches(session, model, ids))  # as they are in the database
            raise NothingWasChanged(refusals, names, of=len(set(ids)))
    return [known[record_id] for record_id in dict.fromkeys(ids)]


REFERENCES: dict[str, type[Company] | type[Contact] | type[User]] = {
    "company_id": Company,
    "contact_id": Contact,
    "owner_id": User,
}


def require_references(session: Session, answers: Mapping[str, Any]) -> None:
    """Whatever the answers point to must be there. Raises `RecordNotFound` and `OwnerIsInactive`."""
    for name, model in REFERENCES.items():
        if (key := answers.get(name)) is None:
            continue
        if issubclass(model, Record):
            get(session, model, key)
            continue
        owner = session.get(User, key) if 0 < key <= LARGEST_ID else None
        if owner is None:
            raise RecordNotFound(User, key)
        if not owner.is_active:
            raise OwnerIsInactive(owner)


def in_batches(session: Session, model: type[R], ids: Iterable[int]) -> Iterable[R]:
    """Those of the records that exist, by their ids, deleted ones too, whoever may read them.

    So many are read by each statement.
    """
    wanted: Sequence[int] = sorted({key for key in ids if 0 < key <= LARGEST_ID})
    for start in range(0, len(wanted), IDS_PER_STATEMENT):
        some = wanted[start : start + IDS_PER_STATEMENT]
        yield from session.scalars(select(model).where(model.id.in_(some)).order_by(model.id))
