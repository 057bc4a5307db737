"""What was counted before, mended by the few deals that were changed since.

The history has each of them as it was when all were counted, and as it is now. What these two make of a sum
is what it has lost and gained, whatever it is a sum of
(docs/decisions/0004-what-was-counted-is-kept-until-anything-changes.md).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, TypeVar, cast

from sqlalchemy import Select, TableClause, bindparam, or_, select
from sqlalchemy.orm import Session, aliased

from crm_core import revisions
from crm_core.columns import UtcDateTime
from crm_core.history import THEN
from crm_core.kept import Asked, Kept, Shelf, behind, counted, known_to, plain_rows
from crm_core.models import VERSIONS, CloseReason, Note, Opportunity, User
from crm_core.revisions import State
from crm_core.scope import Some

T = TypeVar("T")

Row = tuple[Any, ...]
Question = Callable[[Some[Opportunity] | None], Select[*tuple[Any, ...]]]
"""Asks about some deals, None: about all of them."""

MOST_CHANGED = 200
"""Changes of deals; with more of them it is quicker to count anew."""

MOST_RANKED = 2_000
"""Deals that are put in order anew after a change."""

SPARE = 50
"""Places that are known of a ranking beyond those that are asked for: so many deals may leave those."""

ADDED_UP = {Opportunity.__table__, Note.__table__, User.__table__, CloseReason.__table__}
"""Deals, the notes on them, and what is still as it was if only these were changed."""


def kept_by_deal(
    session: Session,
    question: Callable[[Sequence[int] | None], Select[*tuple[Any, ...]]],
    told: Callable[[Iterable[Any]], T],
    mended: Callable[[T, Sequence[int], T], T],
) -> T:
    """`told(rows)` of a statement whose rows are each about one deal, where it tells of every row.

    `question(ids)` chooses the rows of these deals, None of all. After few of them were changed, what was
    known is mended: `mended(known, ids, fresh)` has the fresh rows of these deals in place of the known ones.
    """

    def mend(known: T, _then: State, ids: Sequence[int]) -> T:
        return mended(known, ids, told(session.execute(question(ids))))

    return _kept(session, question(None), (told,), told, mend, shelf=lambda known: known.long)


def kept_sums(
    session: Session,
    question: Question,
    told: Callable[[Iterable[Row]], T],
    *,
    groups: int,
    looks_at: AbstractSet[TableClause] = ADDED_UP,
) -> T:
    """`told(rows)` of a statement that counts deals and adds them up; nobody may change the answer.

    Its first columns, as many as `groups` says, tell the groups apart. The next one counts the deals of each,
    and all that follow are counts and sums, too, in which null is nothing. What is to be mended looks at
    these tables alone.
    """

    def answered(rows: Iterable[Any]) -> tuple[Sequence[Row], T]:
        plain = plain_rows(rows)
        return plain, told(plain)

    def mend(known: tuple[Sequence[Row], T], then: State, ids: Sequence[int]) -> tuple[Sequence[Row], T]:
        lost = session.execute(question(Some(_as_they_were(), then.at)), {"some": ids, "then": then.at})
        gained = session.execute(question(Some(_as_they_are())), {"some": ids})
        return answered(_added_up(known[0], lost, gained, groups))

    return _kept(session, question(None), (told, groups), answered, mend, looks_at=looks_at)[1]


def kept_ranks(
    session: Session,
    question: Callable[[Some[Opportunity] | None, int], Select[*tuple[Any, ...]]],
    told: Callable[[Iterable[Any]], Mapping[str, Sequence[int]]],
    most: int,
) -> Mapping[str, Sequence[int]]:
    """By some key the first deals, `most` or a few more; nobody may change the answer.

    `question(some, most)` chooses so many of each key, `told(rows)` has their ids in order. The order must
    follow from each deal alone and leave no two of them equal.
    """
    known_of_each = most + SPARE

    def answered(rows: Iterable[Any]) -> dict[str, _Ranking]:
        return {key: _Ranking(ids, len(ids) < known_of_each) for key, ids in told(rows).items()}

    def mend(known: dict[str, _Ranking], _then: State, ids: Sequence[int]) -> dict[str, _Ranking] | None:
        some = {*ids, *chain.from_iterable(ranking.ids for ranking in known.values())}
        if len(some) > MOST_RANKED:
            return None
        among = session.execute(question(Some(_as_they_are()), known_of_each), {"some": sorted(some)})
        ranked = answered(among)
        mended = {
            key: known.get(key, NOBODY).mended(ranked.get(key, NOBODY), {*ids}) for key in {*known, *ranked}
        }
        is_enough = all(each.is_whole or len(each.ids) >= most for each in mended.values())
        return mended if is_enough else None

    chosen = question(None, known_of_each)
    found = _kept(session, chosen, (told, "ranks"), answered, mend, looks_at=ADDED_UP)
    return {key: ranking.ids for key, ranking in found.items()}


@dataclass(frozen=True)
class _Ranking:
    """The first deals of an order, or all of them."""

    ids: Sequence[int]
    is_whole: bool

    def mended(self, ranked: "_Ranking", changed: Collection[int]) -> "_Ranking":
        """What is known after the change of some, where `ranked` has the order of these and of the known.

        Deals that are not known come after all that were. So those that are ranked now before one that was,
        and is as it was, are the first of all; what comes later may come after one that is not known.
        """
        if self.is_whole:
            return ranked
        stayed = {*self.ids}.difference(changed)
        places = [place for place, deal_id in enumerate(ranked.ids, 1) if deal_id in stayed]
        return _Ranking(ranked.ids[: max(places, default=0)], is_whole=False)


NOBODY = _Ranking((), is_whole=True)


def _kept(
    session: Session,
    chosen: Select[*tuple[Any, ...]],
    known_by: tuple[Any, ...],
    told: Callable[[Iterable[Any]], T],
    mend: Callable[[T, State, Sequence[int]], T | None],
    *,
    looks_at: AbstractSet[TableClause] | None = None,
    shelf: Callable[[Kept], Shelf] = lambda known: known.short,
) -> T:
    """`told(rows)`, or what is known of before, mended by `mend(known, its state, changed deals)`.

    It tells None where that is not possible. Nor is it where the statement looks at other tables than
    `looks_at`, if any are named.
    """
    known, asked = known_to(session), Asked.of(chosen, known_by)
    if known is None or asked is None:
        return told(session.execute(chosen))
    answers, state = shelf(known), revisions.state_read(session, chosen, asked.parameters)

    def find() -> tuple[State, T] | None:
        return cast("tuple[State, T] | None", answers.find(asked.key))

    if (before := find()) and before[0] == state:
        return before[1]
    with behind(session, answers.turn(asked.key)):
        if (before := find()) and before[0] == state:
            return before[1]
        answer = before and _mended(session, chosen, *before, mend, looks_at)
        if answer is None:
            answer = told(counted(session, chosen))
        answers.keep(asked.key, (state, answer))
    return answer


def _mended(
    session: Session,
    chosen: Select[*tuple[Any, ...]],
    then: State,
    known: T,
    mend: Callable[[T, State, Sequence[int]], T | None],
    looks_at: AbstractSet[TableClause] | None,
) -> T | None:
    tables = revisions.tables_read(chosen)
    if looks_at is not None and not tables <= looks_at:
        return None
    changed = revisions.deals_changed_since(session, tables, then, most=MOST_CHANGED)
    if not changed:
        return None if changed is None else known
    return mend(known, then, changed)


def _added_up(known: Iterable[Row], lost: Iterable[Any], gained: Iterable[Any], groups: int) -> Iterable[Row]:
    """The groups that still have deals, without what was lost and with what was gained."""
    sums: dict[Row, Sequence[Any]] = {row[:groups]: row[groups:] for row in known}
    for sign, rows in ((-1, lost), (1, gained)):
        for group, more in ((row[:groups], row[groups:]) for row in map(tuple, rows)):
            before = sums.get(group, (0,) * len(more))
            sums[group] = [(old or 0) + sign * (new or 0) for old, new in zip(before, more, strict=True)]
    return [(*group, *figures) for group, figures in sums.items() if figures[0]]


@cache
def _as_they_are() -> type[Opportunity]:
    """Some deals of the live table."""
    deal = Opportunity.__table__.c
    return _standing_for(select(*deal).where(deal.id.in_(bindparam("some", expanding=True))), "some_now")


@cache
def _as_they_were() -> type[Opportunity]:
    """Some deals at an instant. The condition on its end is written as no index has it: keys are quicker."""
    state = VERSIONS[Opportunity].c
    then = bindparam("then", type_=UtcDateTime())
    chosen = select(*(state[column.name] for column in Opportunity.__table__.columns)).where(
        state.id.in_(bindparam("some", expanding=True)),
        state.valid_from <= then,
        or_(state.valid_to.is_(None), state.valid_to > then),
    )
    return _standing_for(chosen, f"some{THEN}")


def _standing_for(chosen: Select[*tuple[Any, ...]], name: str) -> type[Opportunity]:
    return cast("type[Opportunity]", aliased(Opportunity, chosen.subquery(name), adapt_on_names=True))
