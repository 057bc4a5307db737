"""Which rows a list or a figure is about: those of a filter that the actor may read, as they are or were."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar, cast

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm_core import history, permissions
from crm_core.filters import RecordFilter
from crm_core.filters.text import mentions
from crm_core.models import Record
from crm_core.moment import Moment, moment_of

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Some(Generic[R]):
    """Some rows: `model` stands for them, as they are or as they were at the instant."""

    model: type[R]
    at: datetime | None = None


@dataclass(frozen=True)
class Scope(Generic[R]):
    """`model` stands for the rows in SQL, `conditions` picks them."""

    model: type[R]
    conditions: list[ColumnElement[bool]]
    moment: Moment


def scope_of(
    session: Session,
    where: RecordFilter[R],
    as_of: datetime | None = None,
    *,
    in_order: bool = False,
    among: Some[R] | None = None,
) -> Scope[R]:
    """The filter's records as of that instant, by default the filter's own, or else as they are.

    `in_order` says that the first of them are wanted, in an order that the database need not sort for.
    `among` are the only rows to look at, and how; whichever have the filter's text have it now.
    """
    moment = moment_of(session, as_of or where.as_of)
    model = among.model if among else history.as_of(cast("type[R]", where.model), moment.as_of)
    seen = replace(moment, as_of=among.at) if among else moment
    conditions = [
        model.deleted_at.is_(None),
        *where.conditions(model, seen),
        *mentions(session, where, model, moment, in_order=in_order),
        *permissions.readable(session, model),
    ]
    return Scope(model, conditions, seen)
