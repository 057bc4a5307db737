"""Pages of a filtered and sorted list, with the names of what each row belongs to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Enum, Select, bindparam, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_core import history
from crm_core.columns import Line, LongText, TenThousandths, by_bytes
from crm_core.cursor import Cursor
from crm_core.errors import InvalidInput
from crm_core.filters import RecordFilter
from crm_core.models import Company, Contact, Record, User
from crm_core.schemas.fields import LARGEST_ID, Schema
from crm_core.scope import scope_of
from crm_core.services import settings_service
from crm_core.sorting import Sort

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Schema)

LARGEST_PAGE = 200
BATCH = 1_000
"""Rows read at once where the whole list is wanted."""

SORTED = "sorted_by_{}"
"""How the columns of a list that it is sorted by are labelled, by their positions."""

LINKED: dict[str, type[Record] | type[User]] = {"company": Company, "contact": Contact, "owner": User}
"""What a row may belong to; its name is shown beside the key."""

SORTED_BY = {
    "value": "expected_value",
    "expected_close": "expected_close_date",
    "closed": "actual_close_date",
    "days_in_stage": "stage_entered_on",
    "created": "created_on",
    "changed": "updated_at",
}
"""Columns that people call otherwise; the more days in a stage, the earlier it was entered."""


@dataclass(frozen=True)
class Slice(Generic[S]):
    """Some rows of a list, and the cursor behind the last of them; None at the list's end."""

    rows: list[S]
    next_cursor: str | None


@dataclass(frozen=True)
class Page(Slice[S]):
    """Some rows of a list, and how many the whole list has."""

    total: int


def get_page(
    session: Session,
    where: RecordFilter[R],
    sort: Sort,
    response: type[S],
    *,
    limit: int,
    offset: int = 0,
    after: str | None = None,
) -> Page[S]:
    """`get_slice` with the total of the whole list."""
    part = get_slice(session, where, sort, response, limit=limit, offset=offset, after=after)
    return Page(part.rows, part.next_cursor, count(session, where))


def count(session: Session, where: RecordFilter[R]) -> int:
    """How many rows the whole list has."""
    scope = scope_of(session, where)
    return session.scalar(select(func.count()).select_from(scope.model).where(*scope.conditions)) or 0


def values_of(
    session: Session, where: RecordFilter[R], column: InstrumentedAttribute[str | None]
) -> list[str]:
    """The texts that the column has in the list, the most frequent first; at most as many as a page's."""
    scope = scope_of(session, where)
    found = getattr(scope.model, column.key)
    counted = select(found).where(found.is_not(None), *scope.conditions).group_by(found)
    return list(session.scalars(counted.order_by(func.count().desc(), by_bytes(found)).limit(LARGEST_PAGE)))


def get_slice(
    session: Session,
    where: RecordFilter[R],
    sort: Sort,
    response: type[S],
    *,
    limit: int,
    offset: int = 0,
    after: str | None = None,
) -> Slice[S]:
    """So many rows from an offset on, or after a slice's cursor, as of the filter's instant.

    Raises `InvalidInput` for a page without a size and for a cursor of another list.
    """
    require_page(limit, offset)
    return _slice(session, where, sort, response, limit=limit, offset=offset, after=after)


def get_rows(
    session: Session, where: RecordFilter[R], sort: Sort, response: type[S], *, limit: int, offset: int = 0
) -> list[S]:
    """The rows of a slice alone."""
    return get_slice(session, where, sort, response, limit=limit, offset=offset).rows


def every_row(session: Session, where: RecordFilter[R], sort: Sort, response: type[S]) -> Iterator[S]:
    """The whole list, however long, a batch at a time."""
    after: str | None = None
    while True:
        part = _slice(session, where, sort, response, limit=BATCH, offset=0, after=after)
        yield from part.rows
        after = part.next_cursor
        if after is None:
            return


def told(session: Session, record: Record, response: type[S]) -> S:
    """One record as a row of a list: with the names of what it belongs to."""
    columns = type(record).__table__.columns.keys()
    row = {name: getattr(record, name) for name in response.model_fields if name in columns}
    keys = {f"{name}_id": getattr(record, f"{name}_id") for name in _linked_names(type(record))}
    if any(keys.values()):
        row |= session.execute(_names(type(record)), keys).one()._mapping
    return responses(session, type(record), response, [row])[0]


def responses(
    session: Session, model: type[Record], response: type[S], rows: Iterable[dict[str, Any]]
) -> list[S]:
    """Rows of the model's columns as they go out: amounts with the decimals of the workspace's currency."""
    amounts, found = _amounts(model), list(rows)
    if amounts:
        currency = settings_service.get_currency(session)
        for row in found:
            row.update({name: currency.fitted(row[name]) for name in amounts if row[name] is not None})
    return [response.model_validate(row) for row in found]


@cache
def _amounts(model: type[Record]) -> list[str]:
    return [column.name for column in model.__table__.columns if isinstance(column.type, TenThousandths)]


@cache
def _names(model: type[Record]) -> Select[*tuple[Any, ...]]:
    """The names of what one record of the model belongs to, by its keys."""
    linked: dict[str, Any] = {name: LINKED[name] for name in _linked_names(model)}
    return select(
        *(
            select(other.name)
            .where(other.id == bindparam(f"{name}_id"))
            .scalar_subquery()
            .label(f"{name}_name")
            for name, other in linked.items()
        )
    )


def _linked_names(model: type[Record]) -> list[str]:
    return [name for name in LINKED if hasattr(model, f"{name}_id")]


def require_page(limit: int, offset: int) -> None:
    """A page has a sensible size. Raises `InvalidInput`."""
    if not 1 <= limit <= LARGEST_PAGE or not 0 <= offset <= LARGEST_ID:
        raise InvalidInput(f"A page has between 1 and {LARGEST_PAGE} rows.")


def _slice(
    session: Session,
    where: RecordFilter[R],
    sort: Sort,
    response: type[S],
    *,
    limit: int,
    offset: int,
    after: str | None,
) -> Slice[S]:
    scope = scope_of(session, where, in_order=_has_index(where.model, sort.column))
    row, as_of = scope.model, scope.moment.as_of
    chosen, sorted_by = (_rows if as_of else _live_rows)(row, as_of, response, sort.column)
    chosen = chosen.where(*scope.conditions).order_by(*sort.order_by(sorted_by, row.id))
    if after is not None:
        chosen = chosen.where(Cursor.read(after, sort, sorted_by).beyond(sorted_by, row.id))
    rows = session.execute(chosen.limit(limit + 1).offset(offset))
    names = list(rows.keys())
    found = [dict(zip(names, row, strict=True)) for row in rows]
    labels = [SORTED.format(position) for position in range(len(sorted_by))]
    values = [tuple(each.pop(label) for label in labels) for each in found]
    next_cursor = None
    if len(found) > limit:
        next_cursor = str(Cursor(sort, values[limit - 1], found[limit - 1]["id"]))
    return Slice(responses(session, where.model, response, found[:limit]), next_cursor)


def _has_index(model: type[Record], wanted: str) -> bool:
    """Whether an index holds the rows in that order; stages are sorted otherwise than stored."""
    columns = model.__table__.c
    name = SORTED_BY.get(wanted, wanted)
    column = columns.get(f"folded_{name}", columns.get(name))
    is_stored_so = column is not None and not isinstance(column.type, Enum)
    return is_stored_so and any(index.expressions[0] is column for index in model.__table__.indexes)


def _rows(
    row: Any, as_of: datetime | None, response: type[Schema], wanted: str
) -> tuple[Select[*tuple[Any, ...]], Sequence[Any]]:
    """What is shown of each row, which is as of that instant, and the columns that it is sorted by."""
    linked = _linked(row, as_of)
    sorted_by = _sort_columns(row, linked, wanted)
    labelled = [column.label(SORTED.format(position)) for position, column in enumerate(sorted_by)]
    return _shown(row, linked, response).add_columns(*labelled), sorted_by


_live_rows = cache(_rows)
"""The statements about the live tables, which are always the same."""


def told_rows(row: Any, as_of: datetime | None, response: type[Schema]) -> Select[*tuple[Any, ...]]:
    """What the response tells of each row, as of that instant, with the names of what it belongs to."""
    return _shown(row, _linked(row, as_of), response)


def _shown(row: Any, linked: Mapping[str, Any], response: type[Schema]) -> Select[*tuple[Any, ...]]:
    shown = [getattr(row, name) for name in response.model_fields if name in row.__table__.columns]
    names = [other.name.label(f"{name}_name") for name, other in linked.items()]
    chosen = select(*shown, *names).select_from(row)
    for name, other in linked.items():
        chosen = chosen.outerjoin(other, other.id == getattr(row, f"{name}_id"))
    return chosen


def _linked(row: Any, as_of: datetime | None) -> Mapping[str, Any]:
    """What the rows belong to, as of the same instant. Users have no past."""
    return {
        name: history.as_of(model, as_of) if issubclass(model, Record) else model
        for name, model in LINKED.items()
        if hasattr(row, f"{name}_id")
    }


def _sort_columns(row: Any, linked: Mapping[str, Any], wanted: str) -> Sequence[Any]:
    """What the rows are sorted by; texts as they are compared, and where they are the same, by themselves."""
    if wanted in linked:
        return [linked[wanted].folded_name, by_bytes(linked[wanted].name)]
    name = SORTED_BY.get(wanted, wanted)
    if not hasattr(row, name):  # a lead's company is a name
        name = f"{wanted}_name"
    column = getattr(row, name)
    if isinstance(column.type, Enum):  # stages and statuses in the order a record passes them
        return [case({step: position for position, step in enumerate(column.type.enums)}, value=column)]
    if isinstance(column.type, Line | LongText):
        return [getattr(row, f"folded_{name}"), by_bytes(column)]
    return [column]
