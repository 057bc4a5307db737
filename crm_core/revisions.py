"""What names the state of the data that an answer comes from: as long as that is the same, so is the answer.

Most transactions touch open deals alone. Answers about closed ones are still so after them, those about the
past even after transactions that touch anything else
(docs/decisions/0004-what-was-counted-is-kept-until-anything-changes.md).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import BindParameter, FromClause, Select, TableClause, func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.sql.visitors import iterate

from crm_core import history
from crm_core.models import VERSIONS, Lead, Note, Opportunity, Reach, Transaction

T = TypeVar("T")

FURTHER = (Reach.CLOSED, Reach.ANYTHING, Reach.PAST)
_LOG = Transaction.__table__.c
IS_FURTHER = text("reach > 1")
"""As the index has it, literally."""
LAST = select(
    *(select(func.max(_LOG.at)).where(_LOG.reach == reach, IS_FURTHER).scalar_subquery() for reach in FURTHER)
)

DEALS = {Opportunity.__table__}
NOTES = {Note.__table__}
DEALS_AND_ASIDE = {Opportunity.__table__, Lead.__table__, *history.ASIDE}
"""Tables whose changes may reach no further than open deals."""

PAST = set(VERSIONS.values())

Ids = Sequence[int] | None
"""Of the deals that were changed; None for too many."""


@dataclass(frozen=True)
class State:
    """The last transaction that could change an answer: all of them count, or those that reach so far.

    `transaction` is its id, where all of them count.
    """

    at: datetime | None
    reach: Reach = Reach.OPEN
    transaction: int | None = None


def state_read(
    session: Session,
    chosen: Select[Any],
    parameters: Iterable[BindParameter[Any]],
    *,
    only_closed: bool = False,
) -> State:
    """The state of the data that the rows of a statement come from, in this snapshot.

    `only_closed`: of the deals as they are it looks at closed ones alone.
    """
    latest = _newest(session)
    asked: list[Any] = [each.effective_value for each in parameters if each._orig_key == history.AS_OF]
    is_over = latest.at is not None and bool(asked) and max(asked) <= latest.at  # whoever comes is later
    if not (is_over or only_closed):
        return latest
    tables = tables_read(chosen)
    if is_over and tables <= PAST:
        return State(last(session, Reach.PAST), Reach.PAST)
    if is_over and not tables & DEALS_AND_ASIDE:
        return State(last(session, Reach.ANYTHING), Reach.ANYTHING)
    if only_closed and not asked and tables & DEALS_AND_ASIDE <= {Opportunity.__table__}:
        return State(last(session, Reach.CLOSED), Reach.CLOSED)
    return latest


def deals_changed_since(
    session: Session, tables: set[TableClause], then: State, *, most: int
) -> list[int] | None:
    """The ids of the deals that were changed since that state, where nothing else was in these tables.

    None otherwise, and where the changes are more than `most`, or the state is none of those that led to this
    snapshot: it may be a later one, or the database was replaced by a backup.
    """
    if _once(session, _find_instant, then, most) != then.at or then.at is None:
        return None
    further = last(session, Reach.PAST if tables <= DEALS else Reach.ANYTHING)
    if (further and further > then.at) or tables & DEALS_AND_ASIDE - DEALS - NOTES:
        return None
    found = [_once(session, _deals_changed_after, then, most)]
    if tables & NOTES:
        found.append(_once(session, _deals_noted_upon_after, then, most))
    known = [ids for ids in found if ids is not None]
    return sorted({*chain(*known)}) if known == found else None


def _once(session: Session, find: Callable[[Session, State, int], T], then: State, most: int) -> T:
    """In a snapshot it stays the same."""
    known: dict[Any, T] = session.info.setdefault("changed_since", {})
    key = find, then.transaction, most
    if key not in known:
        known[key] = find(session, then, most)
    return known[key]


def _find_instant(session: Session, then: State, _most: int) -> datetime | None:
    """That of the state's transaction, if there is one."""
    return session.scalar(select(_LOG.at).where(_LOG.id == then.transaction))


def _deals_changed_after(session: Session, then: State, most: int) -> Ids:
    state = VERSIONS[Opportunity].c
    newer = select(state.id).where(state.transaction_id > then.transaction).order_by(state.transaction_id)
    ids = session.scalars(newer.limit(most + 1)).all()  # some twice: a `DISTINCT` would leave the index
    return ids if len(ids) <= most else None


def _deals_noted_upon_after(session: Session, then: State, most: int) -> Ids:
    """Notes come in the order of their transactions, at their instants; any other one reaches anything."""
    newest = select(Note.opportunity_id, Note.created_at).order_by(Note.id.desc()).limit(most + 1)
    ids = [deal_id for deal_id, at in session.execute(newest) if then.at and at > then.at]
    return [deal_id for deal_id in ids if deal_id is not None] if len(ids) <= most else None


def _newest(session: Session) -> State:
    found = history.newest(session)
    return State(None) if found is None else State(found[1], transaction=found[0])


def last(session: Session, reach: Reach) -> datetime | None:
    """When the last transaction was that reached so far, or further; in a snapshot."""
    if "last" not in session.info:
        found = session.execute(LAST).one()
        session.info["last"] = dict(zip(FURTHER, found, strict=True))
    return max((at for known, at in session.info["last"].items() if known >= reach and at), default=None)


def tables_read(chosen: Select[Any]) -> set[TableClause]:
    """Every table that the statement looks at, those of the search too.

    But the log: statements read there only which actions were undone by their instant. Those that are undone
    later change the deals anew.
    """
    tables: set[TableClause] = set()
    known: set[FromClause] = set()
    sources: list[Any] = [chosen]
    while sources:
        for element in iterate(sources.pop()):
            source = element if isinstance(element, FromClause) else getattr(element, "table", None)
            if isinstance(source, TableClause):
                tables.add(source)
            elif isinstance(source, FromClause) and source not in known:
                known.add(source)
                sources.append(source)
    return tables - {Transaction.__table__}
