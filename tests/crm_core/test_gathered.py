"""Many numbers at once are those of the rows, to the microsecond, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import case, func, literal, select

from crm_core.columns import UtcDateTime
from crm_core.gathered import gathered, instant_of, microseconds, since_epoch
from crm_core.models import Opportunity
from tests.builders import Make
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 18, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)


@pytest.mark.parametrize("at", INSTANTS)
def test_an_instant_is_the_same_number_here_and_there(session, at):
    (found,) = session.execute(select(microseconds(literal(at, UtcDateTime())))).one()

    assert found == since_epoch(at)
    assert instant_of(found) == at


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_whichever_instant_it_is(sqlite_in_turn, at):
    with sqlite_in_turn.database.read() as session:
        assert session.scalar(select(microseconds(literal(at, UtcDateTime())))) == since_epoch(at)


def test_numbers_come_in_the_same_order_without_nulls(session):
    make = Make(session)
    deals = [make.opportunity(created_at=NOW + timedelta(microseconds=number)) for number in range(30)]
    odd = case((Opportunity.id % 2 == 1, 1))
    chosen = select(
        func.count(),
        gathered(case((odd.is_not(None), Opportunity.id))),
        gathered(case((odd.is_not(None), microseconds(Opportunity.created_at)))),
        gathered(odd * 0),
    )

    count, ids, created, zeros = session.execute(chosen).one()

    wanted = {deal.id: since_epoch(deal.created_at) for deal in deals if deal.id % 2}
    assert count == 30
    assert dict(zip(ids, created, strict=True)) == wanted
    assert zeros == [0] * len(wanted)
    assert median(created) == median(wanted.values())


def test_of_nothing_there_are_none(session):
    assert session.scalar(select(gathered(Opportunity.id))) == []
