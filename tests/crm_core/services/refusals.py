"""What every refusal has in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.database import Database
from crm_core.errors import CrmError
from crm_core.models import User
from tests.builders import Make
from tests.crm_core.importing.conftest import every_row


@contextmanager
def refusal(
    database: Database, kind: type[CrmError], words: str, *, actor: int | None = None
) -> Iterator[Session]:
    """What is tried inside is refused in these words, and nothing of it is kept if the caller goes on."""
    before = every_row(database)
    with database.write(actor=actor) as session, pytest.raises(kind, match=words):
        yield session
    assert every_row(database) == before


def assert_goes_on(session: Session) -> None:
    """What was refused has broken nothing: the session reads and writes."""
    assert Make(session).company("Goes on").id
    assert session.scalars(select(User.id)).first() == 1
