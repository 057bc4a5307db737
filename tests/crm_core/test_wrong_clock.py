"""A clock that is wrong locks nobody out, is found, and what it dated can be dated anew."""

import random
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from crm_core import check, clock, future, history
from crm_core.database import CLOCK_TOLERANCE, Database, clock_of, find_wrong_clock, instant
from crm_core.models import (
    LOCAL_USER_ID,
    VERSIONS,
    ApiToken,
    Base,
    IdempotencyKey,
    LeadStatus,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    Transaction,
)
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.note import NoteCreate
from crm_core.services import idempotency_service, note_service, token_service
from crm_core.services import opportunity_service as deals
from crm_core.services.undo_service import current_transaction, undo
from tests import forms
from tests.builders import Make, reason_id
from tests.conftest import NOW
from tests.crm_core.person import A_DAY, Person
from tests.databases import InTurn

pytestmark = pytest.mark.both_databases

A_YEAR = timedelta(days=365)
A_MICROSECOND = timedelta(microseconds=1)
AN_HOUR = timedelta(hours=1)


def add_a_deal(database: Database, **when: datetime) -> datetime:
    """The instant at which it was added."""
    with database.write(**when) as session:
        Make(session).opportunity()
        return instant(session)


def test_after_a_change_far_ahead_the_next_ones_follow_it(database):
    ahead = add_a_deal(database, at=clock.now() + A_YEAR)

    given = [add_a_deal(database) for _ in range(3)]

    assert given == [ahead + number * A_MICROSECOND for number in (1, 2, 3)]
    with database.read() as session:
        assert instant(session) == given[-1]


def test_a_computer_with_a_wrong_clock_dates_only_what_is_in_a_file(database, monkeypatch):
    """Several computers work on a server: its clock counts, for what is read as well."""
    right = clock.now()
    monkeypatch.setattr(clock, "now", lambda: right + A_YEAR)

    written = add_a_deal(database)

    with database.read() as session:
        assert instant(session) == max(clock_of(session), written)
        seen = clock_of(session)
    expected = timedelta(0) if database.kind == "postgresql" else A_YEAR
    assert abs(written - right - expected) < AN_HOUR
    assert abs(seen - right - expected) < AN_HOUR


def test_an_instant_that_is_given_counts_on_both(database):
    assert add_a_deal(database, at=NOW) == NOW
    with database.read(at=NOW + AN_HOUR) as session:
        assert instant(session) == NOW + AN_HOUR


@pytest.mark.parametrize(("ahead", "is_wrong"), [(-AN_HOUR, False), (CLOCK_TOLERANCE, False), (A_YEAR, True)])
def test_a_clock_is_wrong_where_the_last_change_is_far_ahead(database, ahead, is_wrong):
    last_change = add_a_deal(database, at=clock.now() + ahead)

    with database.read() as session:
        wrong = find_wrong_clock(session)
        assert (wrong is not None) == is_wrong
        if wrong is not None:
            assert (wrong.last_change, wrong.now) == (last_change, clock_of(session))


def test_what_is_dated_in_the_future_is_found_and_dated_anew(database):
    add_a_deal(database, at=NOW)
    add_a_deal(database, at=clock.now() + A_YEAR)
    add_a_deal(database)
    wrong = "2 rows are dated in the future, which `python -m crm_core check --repair` mends."
    assert set(check.findings(database)) == {
        f"{name}: {wrong}" for name in ("transactions", "opportunities", "opportunity_versions")
    }

    check.repair(database)

    assert check.findings(database) == []
    assert add_a_deal(database) <= clock.now()
    with database.read() as session:
        assert find_wrong_clock(session) is None


def test_without_anything_in_the_future_nothing_is_dated_anew(database):
    add_a_deal(database, at=NOW)
    before = rows(database)

    with database.write() as session:
        assert future.redate(session) == 0

    assert rows(database) == before


def work(database: Database, instants: Iterator[datetime]) -> None:
    """One of everything that is dated, each at the next instant."""

    def at() -> Any:
        return database.write(at=next(instants), actor=LOCAL_USER_ID)

    with at() as session:
        make = Make(session)
        make.opportunity()
        make.opportunity(stage=OpportunityStage.NEGOTIATION)
        make.lead(status=LeadStatus.QUALIFIED, company_name="Solar")
    with at() as session:
        deals.move_opportunity(session, 1, to=OpportunityStage.PROPOSAL)
        action = current_transaction(session)
    with at() as session:
        undo(session, action)
    with at() as session:
        deals.close_opportunity(session, 2, outcome=Outcome.WON)
    with at() as session:
        deals.convert_lead_to_opportunity(session, 1, ConversionChoice())
    with at() as session:
        note_service.add_note(session, NoteCreate(text="Called.", opportunity_id=1))
        token_service.create_token(session, LOCAL_USER_ID, days=30)
    with at() as session:
        token_service.revoke_token(session, 1)
        deals.close_opportunity(session, 1, outcome=Outcome.LOST, reason_id=reason_id(session, "Price"))
    with at() as session:
        deals.reopen_opportunity(session, 1, to=OpportunityStage.DISCOVERY)
        idempotency_service.keep_answer(session, "key", "same", {"status": 200})
    with at() as session:
        deals.delete_opportunity(session, 2)


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """What is in the tables, but the log of repairs and what is secret."""
    with database.read() as session:
        return {
            table.name: [
                {name: value for name, value in row._mapping.items() if name != "token_hash"}
                for row in session.execute(table.select().order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
            if table is not Transaction.__table__
        }


def from_then_on(first: datetime, step: timedelta) -> Iterator[datetime]:
    return (first + number * step for number in count())


def test_dated_anew_everything_is_as_it_would_have_been(in_turn: InTurn):
    """The same work is done twice: by a wrong clock and dated anew, and at those instants by a right one."""
    try:
        wrong = in_turn.database
        work(wrong, from_then_on(clock.now() + A_YEAR, 3 * A_DAY))
        check.repair(wrong)
        with wrong.read() as session:
            first = session.scalars(select(Transaction.at).order_by(Transaction.id)).first()
        redated = rows(wrong)
        assert check.findings(wrong) == []
        in_turn.empty()

        work(in_turn.database, from_then_on(first, A_MICROSECOND))
        right = rows(in_turn.database)
    finally:
        in_turn.empty()

    for keys in redated, right:  # which expire in a day from whenever this is
        assert keys["idempotency_keys"].pop()["expires_at"] <= clock.now() + timedelta(days=1)
    assert redated == right


def play(database: Database, chance: random.Random, instants: Iterable[datetime]) -> None:
    for at in instants:
        with database.write(at=at) as session:
            Person(session, chance).do()


@pytest.mark.parametrize("seed", range(forms.either(3, 30)))
def test_the_order_of_everything_stays(database, seed):
    chance = random.Random(seed)
    with database.write(at=NOW) as session:
        Make(session).people()
        Make(session).company("Solar")
        Person(session, chance).may_create()
    play(database, chance, (NOW + number * A_DAY for number in range(1, 15)))
    play(database, chance, (clock.now() + A_YEAR + number * A_DAY for number in range(15)))
    play(database, chance, (clock.now() for _ in range(10)))
    wrong = dated(database)

    check.repair(database)

    repaired = dated(database)
    assert check.findings(database) == []
    assert [name for name, _ in in_order(repaired)] == [name for name, _ in in_order(wrong)]
    for name, at in wrong.items():
        assert repaired[name] == at or at > clock.now(), name
    assert max(repaired.values()) <= clock.now()
    assert max(days_of(database)) <= clock.now().date()


Name = tuple[str, int, int | None, str]


def dated(database: Database) -> dict[Name, datetime]:
    """Every instant of the history, by its table, record, version and column."""
    found = {}
    with database.read() as session:
        for versions in VERSIONS.values():
            for row in session.execute(versions.select()).mappings():
                for column in future.INSTANTS[versions]:
                    if row[column.name] is not None:
                        found[versions.name, row["id"], row["version"], column.name] = row[column.name]
        for note in session.scalars(select(Note)):
            found["notes", note.id, None, "created_at"] = note.created_at
    return found


def in_order(instants: dict[Name, datetime]) -> list[tuple[list[Name], datetime]]:
    """What is dated alike, from the first to the last."""
    together: dict[datetime, list[Name]] = {}
    for name, at in sorted(instants.items()):
        together.setdefault(at, []).append(name)
    return [(together[at], at) for at in sorted(together)]


def days_of(database: Database) -> set[date]:
    with database.read() as session:
        return {
            day
            for versions in VERSIONS.values()
            for row in session.execute(versions.select()).mappings()
            for name in future.DAYS & row.keys()
            if (day := row[name]) is not None
        }


def test_a_token_lives_as_long_as_it_was_meant_to(database):
    with database.write(at=clock.now() + A_YEAR, actor=LOCAL_USER_ID) as session:
        token_service.create_token(session, LOCAL_USER_ID, days=30)
        idempotency_service.keep_answer(session, "key", "same", {"status": 200})

    check.repair(database)

    with database.read() as session:
        token = session.scalars(select(ApiToken)).one()
        assert token.created_at <= clock.now()
        assert token.expires_at - token.created_at == timedelta(days=30)
        assert session.scalars(select(IdempotencyKey)).one().expires_at <= clock.now() + timedelta(days=1)


def test_answers_of_before_are_not_those_of_after(database):
    """What was counted of the future is counted anew."""
    ahead = add_a_deal(database, at=clock.now() + A_YEAR)

    def known_then(at: datetime) -> int:
        then = history.as_of(Opportunity, at)
        with database.read() as session:
            return len(session.scalars(select(then.id)).all())

    assert (known_then(ahead - AN_HOUR), known_then(ahead)) == (0, 1)

    check.repair(database)

    assert known_then(clock.now()) == 1


def test_a_clock_that_is_behind_now_dates_nothing_anew(database, monkeypatch):
    """A dead battery says 2020: years would become a moment."""
    monkeypatch.setattr(future, "MOST", 10)
    for number in range(12):
        add_a_deal(database, at=NOW + number * A_DAY)
    before = rows(database)
    monkeypatch.setattr(database, "_take_snapshot", lambda *_: NOW - 2000 * A_DAY)

    with pytest.raises(future.ClockIsBehind, match="12 changes are dated later, up to 2026-03-29"):
        check.repair(database)

    assert rows(database) == before


def test_a_copy_is_made_before_anything_is_dated_anew(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    add_a_deal(database, at=NOW)
    assert check.repair(database) == []
    wrong = add_a_deal(database, at=clock.now() + A_YEAR)

    (said,) = check.repair(database)

    copy = tmp_path / "crm.before-dating-anew-1.db"
    done = "Dated anew what lay in the future (instants: 1)."
    assert said == f"{done} A copy of the database from before is {copy}."
    with Database(f"sqlite:///{copy}").read() as session:
        assert max(session.scalars(select(Transaction.at))) == wrong


def test_just_after_midnight_nothing_is_dated_back_to_yesterday(database, monkeypatch):
    midnight = NOW.replace(hour=0) + A_MICROSECOND
    add_a_deal(database, at=NOW - 9 * A_DAY)
    monkeypatch.setattr(database, "_take_snapshot", lambda *_: midnight)
    for number in range(5):
        add_a_deal(database, at=NOW + A_YEAR + number * A_DAY)

    check.repair(database)

    with database.read(at=NOW) as session:
        created = session.scalars(select(Opportunity.created_at).order_by(Opportunity.id)).all()[1:]
        days = session.scalars(select(Opportunity.created_on).order_by(Opportunity.id)).all()[1:]
    assert {at.date() for at in created} == {*days} == {NOW.date()}
