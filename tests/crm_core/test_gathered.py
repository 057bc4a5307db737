"""Many numbers at once are those of the rows, on both databases."""

from datetime import date, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Date, case, func, literal, select

from crm_core.gathered import gathered, ordinal
from crm_core.models import Opportunity
from tests.builders import Make
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

DAYS = (date.min, date(1582, 10, 15), date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date.max)


@pytest.mark.parametrize("day", DAYS)
def test_a_day_is_the_same_number_here_and_there(session, day):
    assert session.scalar(select(ordinal(literal(day, Date())))) == day.toordinal()


@given(day=st.dates())
def test_whichever_day_it_is(sqlite_in_turn, day):
    with sqlite_in_turn.database.read() as session:
        assert session.scalar(select(ordinal(literal(day, Date())))) == day.toordinal()


def test_numbers_come_in_the_same_order_without_nulls(session):
    make = Make(session)
    deals = [make.opportunity(created_at=NOW - timedelta(days=number)) for number in range(30)]
    odd = case((Opportunity.id % 2 == 1, 1))
    chosen = select(
        func.count(),
        gathered(case((odd.is_not(None), Opportunity.id))),
        gathered(case((odd.is_not(None), ordinal(Opportunity.created_on)))),
        gathered(odd * 0),
    )

    count, ids, created, zeros = session.execute(chosen).one()

    wanted = {deal.id: deal.created_on.toordinal() for deal in deals if deal.id % 2}
    assert count == 30
    assert dict(zip(ids, created, strict=True)) == wanted
    assert zeros == [0] * len(wanted)
    assert median(created) == median(wanted.values())


def test_of_nothing_there_are_none(session):
    assert session.scalar(select(gathered(Opportunity.id))) == []
