"""Which records have a text in what people call them.

A rare word is looked up in the index of names, and its records one after the other. A frequent one is found
sooner in the order that is asked for, record by record, until a page is full.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Integer,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from crm_core import history, permissions, search
from crm_core.filters.base import RecordFilter, Searched
from crm_core.gathered import gathered
from crm_core.kept import kept
from crm_core.models import Record
from crm_core.moment import Moment
from crm_core.search import Term

R = TypeVar("R", bound=Record)

MANY = 15_000
"""Places that a word is in, from which on it is frequent."""

Places = Mapping[str, Searched]
"""Where it is looked for, see `RecordFilter.searched`."""


def mentions(
    session: Session, where: RecordFilter[R], row: type[R], moment: Moment, *, in_order: bool = False
) -> list[ColumnElement[bool]]:
    """SQL: each word of the filter's text occurs in what people call the record; nothing without a text.

    `in_order` says that the first of them are wanted, in an order that the database need not sort for.
    """
    terms = search.terms_of(where.text, permissions.settings_of(session).country) if where.text else ()
    looking = _Looking(session, where, row, moment)
    return looking.in_the_index(terms, in_order=in_order) if moment.as_of is None else looking.then(terms)


@dataclass(frozen=True)
class _Looking(Generic[R]):
    """The search for records of a filter, `row` in SQL, by what they were called at a moment."""

    session: Session
    where: RecordFilter[R]
    row: type[R]
    moment: Moment

    def then(self, terms: Iterable[Term]) -> list[ColumnElement[bool]]:
        """Every record is read as it was, and all that it may be linked to."""
        return [self._has(term, self._every_one) for term in terms]

    def in_the_index(self, terms: Iterable[Term], *, in_order: bool) -> list[ColumnElement[bool]]:
        """Rare words by their records, then frequent ones: of those, or in the order that is asked for."""
        rare: set[int] | None = None
        frequent = []
        for term in terms:
            ids = self._few_with(term)
            if ids is None:
                frequent.append(term)
            else:
                rare = ids if rare is None else rare & ids
        found = [] if rare is None else [_is_among(self.session, self.row, sorted(rare))]
        if in_order or rare is not None:
            how = self._one_by_one
        else:
            how = self._by_index if search.is_embedded(self.session) else self._every_one
        return found + [self._has(term, how) for term in frequent]

    def _has(self, term: Term, how: Callable[[Places, str], ColumnElement[bool]]) -> ColumnElement[bool]:
        words = and_(*(how(self.where.searched, word) for word in term.words))
        return or_(words, *(how(self.where.dialed, digits) for digits in term.digits))

    def _few_with(self, term: Term) -> set[int] | None:
        """The ids of the records; None if they are many."""
        with_words = [self._few(self.where.searched, word) for word in term.words]
        dialed = [self._few(self.where.dialed, digits) for digits in term.digits]
        if None in with_words or None in dialed:
            return None
        return set.intersection(*map(set, with_words)).union(*dialed)  # type: ignore[arg-type]

    def _few(self, places: Places, wanted: str) -> tuple[int, ...] | None:
        if not places:
            return ()
        (found,) = self._ids(places, wanted).limit(MANY + 1).subquery().c
        some = kept(self.session, select(gathered(found)), _only_row)
        return some if len(some) <= MANY else None

    def _by_index(self, places: Places, wanted: str) -> ColumnElement[bool]:
        return self.row.id.in_(self._ids(places, wanted)) if places else false()

    def _ids(self, places: Places, wanted: str) -> CompoundSelect[int]:
        """Their keys, some twice, each kind found by an index of its own."""
        row = cast("type[R]", self.where.model)
        found = {
            key: search.ids_called(self.session, model, names, wanted)
            for key, (model, names) in places.items()
        }
        own = found.pop("id")
        return union_all(
            own, *(select(row.id).where(getattr(row, key).in_(ids)) for key, ids in found.items())
        )

    def _one_by_one(self, places: Places, wanted: str) -> ColumnElement[bool]:
        """By the record, and by each that it is linked to: quick for those that are looked at."""
        found = []
        for key, (model, names) in places.items():
            linked = aliased(model)
            called = search.is_called(self.session, self.row if key == "id" else linked, names, wanted)
            its_own = linked.id == getattr(self.row, key)
            found.append(called if key == "id" else exists().where(its_own, called))
        return or_(false(), *found)

    def _every_one(self, places: Places, wanted: str) -> ColumnElement[bool]:
        """By every record as it is or was, and by all that they may be linked to: each is read once."""
        found = []
        for key, (model, names) in places.items():
            linked = history.as_of(model, self.moment.as_of)
            called = search.is_called(self.session, self.row if key == "id" else linked, names, wanted)
            found.append(
                called if key == "id" else getattr(self.row, key).in_(select(linked.id).where(called))
            )
        return or_(false(), *found)


def _only_row(rows: Iterable[Any]) -> tuple[int, ...]:
    ((ids,),) = rows
    return tuple(ids)


def _is_among(session: Session, row: type[R], ids: list[int]) -> ColumnElement[bool]:
    """One of few, given as one parameter; PostgreSQL looks them up as long as it does not see how many."""
    if search.is_embedded(session):
        return row.id.in_(select(func.json_each(json.dumps(ids)).table_valued("value").c.value))
    given = func.unnest(literal(ids, ARRAY(Integer)))
    return row.id == any_(func.array(select(given).scalar_subquery()))
