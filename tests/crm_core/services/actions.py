"""What somebody does and takes back again, and what the records are then."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, VERSIONS, Source
from crm_core.services.undo_service import STAYS, current_transaction, undo

Rows = dict[tuple[str, int], dict[str, Any]]


def rows(session: Session, at: Any = None) -> Rows:
    """Every record without its bookkeeping, as of that instant."""
    found: Rows = {}
    for model in VERSIONS:
        then = history.as_of(model, at)
        columns = [column.name for column in model.__table__.columns if column.name not in STAYS]
        chosen = select(then.id, *(getattr(then, name) for name in columns))
        for record_id, *values in session.execute(chosen):
            found[model.__tablename__, record_id] = dict(zip(columns, values, strict=True))
    return found


def all_rows(database: Database) -> Rows:
    with database.read() as session:
        return rows(session)


def done(database: Database, action: Callable[[Session], object], *, actor: int = LOCAL_USER_ID) -> int:
    """The id of the transaction that the action was done in."""
    with database.write(actor=actor, source=Source.UI) as session:
        action(session)
        transaction = current_transaction(session)
        assert transaction is not None
        return transaction


def undone(database: Database, transaction: int, *, actor: int = LOCAL_USER_ID) -> int:
    """The id of the transaction that took that one back."""
    return done(database, lambda session: undo(session, transaction), actor=actor)
