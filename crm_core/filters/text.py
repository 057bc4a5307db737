"""Which records have a text in what people call them.

A rare text is looked up in the index of names, and its records one after the other. A frequent one is found
sooner in the order that is asked for, record by record, until a page is full.
"""

import json
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Integer,
    any_,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from crm_core import history, search
from crm_core.columns import contains
from crm_core.filters.base import RecordFilter
from crm_core.gathered import gathered
from crm_core.kept import kept
from crm_core.models import Record
from crm_core.moment import Moment

R = TypeVar("R", bound=Record)

MANY = 15_000
"""Places that a text is in, from which on it is frequent."""


def mentions(
    session: Session, where: RecordFilter[R], row: type[R], moment: Moment, *, in_order: bool = False
) -> list[ColumnElement[bool]]:
    """SQL: the filter's text occurs in what people call the record, in whatever case; nothing without a text.

    `in_order` says that the first of them are wanted, in an order that the database need not sort for.
    """
    wanted = where.text.strip().lower()
    if not wanted:
        return []
    if moment.as_of is None:
        every = _ids_called(session, where, cast("type[R]", where.model), wanted)
        (found,) = every.limit(MANY + 1).subquery().c
        some = kept(session, select(gathered(found)), _ids)
        if len(some) <= MANY:
            return [_is_among(session, row, sorted(set(some)))]
        if in_order:
            return [_called_one_by_one(where, row, wanted)]
        if search.is_embedded(session):
            return [row.id.in_(every)]
    return [_called(where, row, moment, wanted)]


def _ids_called(session: Session, where: RecordFilter[R], row: type[R], wanted: str) -> CompoundSelect[int]:
    """Their keys, some twice, each kind found by an index of its own."""
    found = {
        key: search.ids_called(session, model, names, wanted)
        for key, (model, names) in where.searched.items()
    }
    own = found.pop("id")
    return union_all(own, *(select(row.id).where(getattr(row, key).in_(ids)) for key, ids in found.items()))


def _ids(rows: Iterable[Any]) -> tuple[int, ...]:
    ((ids,),) = rows
    return tuple(ids)


def _is_among(session: Session, row: type[R], ids: list[int]) -> ColumnElement[bool]:
    """One of few, given as one parameter; PostgreSQL looks them up as long as it does not see how many."""
    if search.is_embedded(session):
        return row.id.in_(select(func.json_each(json.dumps(ids)).table_valued("value").c.value))
    given = func.unnest(literal(ids, ARRAY(Integer)))
    return row.id == any_(func.array(select(given).scalar_subquery()))


def _called_one_by_one(where: RecordFilter[R], row: type[R], wanted: str) -> ColumnElement[bool]:
    """Told by the record, and by each that it is linked to: quick for those that are looked at."""
    found = []
    for key, (model, names) in where.searched.items():
        linked = aliased(model)
        called = _has(row if key == "id" else linked, names, wanted)
        found.append(called if key == "id" else exists().where(linked.id == getattr(row, key), called))
    return or_(*found)


def _called(where: RecordFilter[R], row: type[R], moment: Moment, wanted: str) -> ColumnElement[bool]:
    """Told by every record as it is or was, and by all that they may be linked to: each is read once."""
    found = []
    for key, (model, names) in where.searched.items():
        linked = history.as_of(model, moment.as_of)
        called = _has(row if key == "id" else linked, names, wanted)
        found.append(called if key == "id" else getattr(row, key).in_(select(linked.id).where(called)))
    return or_(*found)


def _has(row: type[Record], names: Iterable[str], wanted: str) -> ColumnElement[bool]:
    return or_(*(contains(getattr(row, name), wanted) for name in names))
