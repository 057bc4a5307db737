"""Rows inserted in bulk are stored like rows inserted one by one."""

from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from crm_core.bulk import insert_rows
from crm_core.database import Database
from crm_core.errors import InvalidInput
from crm_core.models import Note, Opportunity, Role, Target, TargetPeriod, Team, User
from tests.builders import Make

pytestmark = pytest.mark.both_databases

AT = datetime(2026, 3, 18, 12, 0, 0, 123456, tzinfo=UTC)
AWKWARD = [
    "",
    "tab\tand\nline\r\nbreak",
    "back\\slash \\N \\.",
    "'single' and \"double\"",
    "日本 🙂",
    "%s ? :x",
]


def user(**answers: Any) -> dict[str, Any]:
    return {"name": "Ada", "email": None, "role": Role.REP, "team_id": None, "is_active": True, **answers}


def test_awkward_text_comes_back_as_it_was(database: Database) -> None:
    with database.write() as session:
        insert_rows(session, User.__table__, [user(name=f"Ada {text}") for text in AWKWARD])

    with database.read() as session:
        names = session.scalars(select(User.name).where(User.id > 1).order_by(User.id))
        assert names.all() == [f"Ada {text}" for text in AWKWARD]


def test_every_kind_of_value_is_stored_as_one_by_one(database: Database) -> None:
    target = {"user_id": 1, "team_id": None, "period": TargetPeriod.MONTH, "amount": Decimal("12.50")}
    with database.write() as session:
        session.execute(insert(Target.__table__), {**target, "starts_on": date(2026, 1, 1)})
        insert_rows(session, Target.__table__, [{**target, "starts_on": date(2026, 2, 1)}])

    with database.read() as session:
        chosen = select(Target.user_id, Target.team_id, Target.period, Target.amount)
        one, many = session.execute(chosen.order_by(Target.starts_on)).all()
        assert one == many == (1, None, TargetPeriod.MONTH, Decimal("12.50"))


def test_instants_keep_their_microseconds(database: Database) -> None:
    with database.write() as session:
        deal = Make(session).opportunity()
        note = {"text": "Called", "author_id": None, "created_at": AT, "opportunity_id": deal.id}
        insert_rows(session, Note.__table__, [note, note])

    with database.read() as session:
        assert session.scalars(select(Note.created_at)).all() == [AT, AT]


def test_what_is_pending_is_written_before(database: Database) -> None:
    with database.write() as session:
        session.add(Team(id=7, name="North"))
        insert_rows(session, User.__table__, [user(team_id=7), user(team_id=None)])

    with database.read() as session:
        assert session.scalars(select(User.team_id).order_by(User.id)).all() == [None, 7, None]


def test_nothing_is_nothing(database: Database) -> None:
    with database.write() as session:
        insert_rows(session, Opportunity.__table__, [])


def test_a_value_that_does_not_fit_is_refused_before_the_database_sees_it(database: Database) -> None:
    with pytest.raises(InvalidInput, match="at most 200"), database.write() as session:
        insert_rows(session, User.__table__, [user(name="x" * 201)])


def test_the_rules_of_the_table_hold(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        insert_rows(session, User.__table__, [user(team_id=99)])


def test_a_server_knows_at_once_how_many_rows_there_are(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database:
        with database.write() as session:
            insert_rows(session, User.__table__, [user() for _ in range(3000)])

        with database.read() as session:
            known = session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'users'"))
    assert known == 3001
