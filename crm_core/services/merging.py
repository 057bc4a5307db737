"""How two records that mean the same become one: first planned, then done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from crm_core import history, permissions
from crm_core.errors import NotAllowed, RuleBroken
from crm_core.folding import fold
from crm_core.models import VERSIONS, Company, Contact, Mergeable, Note, Opportunity, Record, Transaction
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.phones import digits_of
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import MOST_OTHERS, ContactUpdate
from crm_core.services import origins, records

R = TypeVar("R", bound=Mergeable)

MOVES: dict[type[Mergeable], tuple[type[Record], ...]] = {
    Company: (Contact, Opportunity),
    Contact: (Opportunity,),
}
"""What points to a company by its `company_id`, to a contact by its `contact_id`, and moves.

Notes stay where they are: those of a merged record are read with those of the one that stands for it.
"""

EMPTY = (None, "", ())


@dataclass(frozen=True)
class Several:
    """A field of which a record has one to use first, and other ones.

    Texts with the same key are one; it depends on the country where phone numbers belong.
    """

    main: str
    others: str
    key: Callable[[str, str], str]


def _of_email(email: str, _country: str) -> str:
    return fold(email)


def _of_phone(phone: str, country: str) -> str:
    return digits_of(phone, country) or fold(phone)


SEVERAL: dict[type[Mergeable], tuple[Several, ...]] = {
    Company: (),
    Contact: (
        Several("email", "other_emails", _of_email),
        Several("phone", "other_phones", _of_phone),
    ),
}

FILLED = {Company: tuple(CompanyUpdate.model_fields), Contact: tuple(ContactUpdate.model_fields)}
"""The fields that people fill; the others keep books."""


class MergeWithItself(RuleBroken):
    def __init__(self, record: Mergeable) -> None:
        kind = type(record).__name__.lower()
        super().__init__(f"“{record.name}” can't be merged with itself. Choose another {kind}.")


class TooManyOthers(RuleBroken):
    def __init__(self, kept: Mergeable, merged: Mergeable) -> None:
        super().__init__(
            f"“{merged.name}” can't be merged into “{kept.name}”: together they have more than"
            f" {MOST_OTHERS} other e-mails or phones. Remove some that are out of use first."
        )


class MovesWhatBelongsToOthers(NotAllowed):
    def __init__(self, kept: Mergeable, merged: Mergeable, others: Sequence[Record]) -> None:
        deals = sum(isinstance(record, Opportunity) for record in others)
        what = records.counted(deal=deals, contact=len(others) - deals)
        super().__init__(
            f"“{merged.name}” can't be merged into “{kept.name}”: of what would move, {what}"
            f" {'belongs' if len(others) == 1 else 'belong'} to others. An admin can merge them."
        )


@dataclass(frozen=True)
class MergePreview:
    """What a merge would do.

    `moves` counts the rows of each table that would belong to the kept record, deleted ones too; `fills` are
    the kept record's empty fields and what they would get; `adds` are the e-mails and phones that would join
    its other ones, by their field. `losses` is all that is given up: fields that both have filled
    otherwise, and the merged record's value.
    """

    moves: dict[str, int]
    fills: dict[str, Any]
    adds: dict[str, tuple[str, ...]]
    losses: dict[str, Any]


@dataclass(frozen=True)
class _Plan(Generic[R]):
    kept: R
    merged: R
    moving: list[Record]
    fills: dict[str, Any]
    lists: dict[str, tuple[str, ...]]


def merge(
    session: Session,
    model: type[R],
    kept_id: int,
    merged_id: int,
    *,
    expected_version: int | None = None,
    merged_expected_version: int | None = None,
) -> R:
    """Let everything that points to the second record point to the first, and delete the second for it.

    Fields that the first has empty are taken from the second, and its e-mails and phones are not lost. Raises
    `MergeWithItself`, `MovesWhatBelongsToOthers`, `TooManyOthers`, and what `records.get_to_change` raises
    for either; then nothing is set.
    """
    plan = _plan(session, model, kept_id, merged_id, expected_version, merged_expected_version)
    for row in plan.moving:
        setattr(row, _pointer(model), plan.kept.id)
    records.apply(plan.kept, plan.fills | plan.lists)
    records.delete(session, plan.merged)
    plan.merged.merged_into_id = plan.kept.id
    action = history.transaction_of(session)
    action.is_merge, action.note = True, f"Merged “{plan.merged.name}” into “{plan.kept.name}”"
    return plan.kept


def moved_notes(session: Session, action: Transaction) -> bool:
    """Whether the action is a merge by an earlier version, which left no trace of whose notes were whose."""
    if not action.is_merge:
        return False
    for states in (VERSIONS[model].c for model in MOVES):
        is_merged = states.transaction_id == action.id, states.merged_into_id.is_not(None)
        if session.scalar(select(exists().where(*is_merged))):
            return False
    return True


def preview(session: Session, model: type[Mergeable], kept_id: int, merged_id: int) -> MergePreview:
    """What `merge` would do. Writes nothing; raises the same."""
    plan = _plan(session, model, kept_id, merged_id)
    moves = {kind.__tablename__: sum(isinstance(row, kind) for row in plan.moving) for kind in MOVES[model]}
    moves[Note.__tablename__] = _count_notes(session, plan.merged)
    adds = {
        field: new
        for field, texts in plan.lists.items()
        if (new := tuple(text for text in texts if text not in getattr(plan.kept, field)))
    }
    return MergePreview(moves, plan.fills, adds, _losses(plan.kept, plan.merged, plan.fills))


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
    lists = _lists(kept, merged, permissions.settings_of(session).country)
    if any(len(texts) > MOST_OTHERS for texts in lists.values()):
        raise TooManyOthers(kept, merged)
    return _Plan(kept, merged, moving, _fills(kept, merged), lists)


def _rows_that_point_to(session: Session, merged: Mergeable) -> list[Record]:
    """Loaded, so that their history is kept when they change; deleted ones too."""
    pointer = _pointer(type(merged))
    found: list[Record] = []
    for kind in MOVES[type(merged)]:
        found += session.scalars(select(kind).where(getattr(kind, pointer) == merged.id))
    return found


def _count_notes(session: Session, merged: Mergeable) -> int:
    """The notes on the record and on what was merged into it."""
    on = getattr(Note, _pointer(type(merged)))
    return session.scalar(select(func.count(Note.id)).where(on.in_(origins.with_merged(merged)))) or 0


def _those_of_others(session: Session, moving: Sequence[Record]) -> list[Record]:
    """The records that the actor may not change; it depends on whose they are."""
    one_of_each = {record.owner_id: record for record in moving}
    may_change = {owner: _may_change(session, record) for owner, record in one_of_each.items()}
    return [record for record in moving if not may_change[record.owner_id]]


def _may_change(session: Session, record: Record) -> bool:
    try:
        permissions.require_change(session, record)
    except BelongsToSomebodyElse:
        return False
    return True


def _fills(kept: Mergeable, merged: Mergeable) -> dict[str, Any]:
    """What the kept record does not have, and the other one has."""
    lists = {each.others for each in SEVERAL[type(kept)]}
    known = {field: getattr(merged, field) for field in FILLED[type(kept)] if field not in lists}
    return {
        field: value for field, value in known.items() if value not in EMPTY and getattr(kept, field) in EMPTY
    }


def _lists(kept: Mergeable, merged: Mergeable, country: str) -> dict[str, tuple[str, ...]]:
    """The lists of the kept record that change, with all that both records have, each once."""
    found = {}
    for each in SEVERAL[type(kept)]:
        first = getattr(kept, each.main) or getattr(merged, each.main)
        texts = (*getattr(kept, each.others), getattr(merged, each.main), *getattr(merged, each.others))
        once: dict[str, str] = {}
        for text in filter(None, (" ".join((text or "").split()) for text in texts)):
            once.setdefault(each.key(text, country), text)
        once.pop(each.key(first or "", country), None)
        found[each.others] = tuple(once.values())
    return {field: texts for field, texts in found.items() if texts != getattr(kept, field)}


def _losses(kept: Mergeable, merged: Mergeable, fills: Mapping[str, Any]) -> dict[str, Any]:
    """What the merged record has otherwise than the kept one, and what no field of that one takes."""
    taken = {*fills, *(name for each in SEVERAL[type(kept)] for name in (each.main, each.others))}
    known = {field: getattr(merged, field) for field in FILLED[type(kept)] if field not in taken}
    return {
        field: value
        for field, value in known.items()
        if value not in EMPTY and not _means_the_same(value, getattr(kept, field))
    }


def _means_the_same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return fold(one) == fold(other)
    return bool(one == other)


def _pointer(model: type[Mergeable]) -> str:
    return f"{model.__name__.lower()}_id"
