"""When, from where and why a deal can be closed, on which day that counts, and what reopening undoes."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta

from crm_core.analytics import outcomes
from crm_core.database import instant
from crm_core.errors import NotFound
from crm_core.filters import OpportunityFilter
from crm_core.models import (
    OPEN_STAGES,
    CloseReason,
    Opportunity,
    OpportunityStage,
    Outcome,
    Settings,
    StageSettings,
)
from crm_core.periods import Period
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services.closing import (
    ImpossibleCloseDate,
    LossNeedsReason,
    ReasonIsRetired,
    ReasonNeedsNote,
    TooEarlyToWin,
    WrongReason,
)
from crm_core.services.opportunity_service import (
    close_opportunity,
    get_opportunity,
    reopen_opportunity,
    update_opportunity,
)
from tests.builders import Make, reason_id, stored
from tests.conftest import NOW

S = OpportunityStage
TODAY = NOW.date()
A_DAY, AN_HOUR = timedelta(days=1), timedelta(hours=1)

CLOCKS_CHANGE = {
    "Pacific/Pago_Pago": [date(2025, 2, 28)],
    "Pacific/Kiritimati": [date(2025, 2, 28)],
    "Asia/Kathmandu": [date(2025, 2, 28)],
    "America/New_York": [date(2025, 3, 9), date(2025, 11, 2)],
    "Australia/Lord_Howe": [date(2025, 4, 6), date(2025, 10, 5)],
    "Pacific/Apia": [date(2011, 12, 29)],
    "America/Sao_Paulo": [date(2018, 2, 17), date(2018, 11, 4)],
    "America/Havana": [date(2025, 3, 9), date(2025, 11, 2)],
}
"""Zones from −11 to +14 hours, and days on which there is something strange about their clocks.

Apia has no 30 December 2011. In São Paulo and Havana a day begins at one o'clock; in Havana one has two
midnights, in São Paulo one ends twice.
"""


def in_zone(database, zone, *, at):
    """Let the workspace count its days there."""
    with database.write(at=at) as session:
        session.get_one(Settings, 1).time_zone = zone


def month_of(day):
    first = day.replace(day=1)
    return Period(first, first + relativedelta(months=1))


def won_in(session, period, **options):
    found = outcomes.closed_in(session, period, **options)
    return found.won, found.won_value


def test_a_late_deal_can_be_won(session, make):
    owner = make.user()

    for stage in (S.PROPOSAL, S.NEGOTIATION):
        deal = make.opportunity(stage=stage, owner_id=owner.id, expected_close_date=TODAY + A_DAY)
        close_opportunity(session, deal.id, outcome=Outcome.WON)
        assert (deal.stage, deal.probability) == (S.CLOSED_WON, 100)
        assert (deal.closed_at, deal.actual_close_date) == (instant(session), TODAY)
        assert (deal.credited_owner_id, deal.expected_close_date) == (owner.id, TODAY + A_DAY)


def test_an_early_deal_can_not_be_won(session, make):
    for stage in (S.QUALIFICATION, S.DISCOVERY):
        deal = make.opportunity(stage=stage)
        with pytest.raises(TooEarlyToWin, match="Deals are won from proposal or negotiation: move it first"):
            close_opportunity(session, deal.id, outcome=Outcome.WON)


def test_from_where_deals_are_won_is_the_workspaces_choice(session, make):
    for only in OPEN_STAGES:
        for stage in OPEN_STAGES:
            session.get_one(StageSettings, stage).can_be_won = stage is only
        deals = {stage: make.opportunity(stage=stage) for stage in OPEN_STAGES}

        close_opportunity(session, deals.pop(only).id, outcome=Outcome.WON)

        for deal in deals.values():
            with pytest.raises(TooEarlyToWin, match=f"Deals are won from {only}: move it first"):
                close_opportunity(session, deal.id, outcome=Outcome.WON)
            assert deal.is_open


def test_every_open_deal_can_be_lost_for_a_reason(session, make):
    price = reason_id(session, "Price")

    for stage in OPEN_STAGES:
        deal = make.opportunity(stage=stage, expected_close_date=TODAY + A_DAY)
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=price)
        assert (deal.stage, deal.probability) == (S.CLOSED_LOST, 0)
        assert (deal.close_reason_id, deal.expected_close_date) == (price, TODAY + A_DAY)


def test_a_loss_needs_a_reason(session, make):
    deal = make.opportunity()

    with pytest.raises(LossNeedsReason, match="choose a reason"):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, note="They never answered")

    assert deal.is_open


def test_a_win_needs_no_reason_but_may_have_one(session, make):
    without, with_one = make.opportunity(stage=S.PROPOSAL), make.opportunity(stage=S.PROPOSAL)
    price = reason_id(session, "Price", Outcome.WON)

    close_opportunity(session, without.id, outcome=Outcome.WON)
    close_opportunity(session, with_one.id, outcome=Outcome.WON, reason_id=price, note="Cheapest")

    assert (without.close_reason_id, without.close_note) == (None, None)
    assert (with_one.close_reason_id, with_one.close_note) == (price, "Cheapest")


def test_the_reason_other_needs_a_note(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)

    for outcome, note in product(Outcome, (None, "", "  ", "\u200b", "\u2800\u3164")):
        other = reason_id(session, "Other", outcome)
        with pytest.raises(ReasonNeedsNote, match="“Other” says little"):
            close_opportunity(session, deal.id, outcome=outcome, reason_id=other, note=note)

    assert deal.is_open


def test_the_reason_other_is_fine_with_a_note(session, make):
    deal, other = make.opportunity(), reason_id(session, "Other")

    close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=other, note=" Their cat ")

    assert (deal.close_reason_id, deal.close_note) == (other, " Their cat ")


def test_a_retired_reason_is_no_longer_chosen(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)

    for outcome in Outcome:
        price = session.get_one(CloseReason, reason_id(session, "Price", outcome))
        price.is_active = False
        with pytest.raises(ReasonIsRetired, match=r"“Price” is no longer used\. Choose another reason"):
            close_opportunity(session, deal.id, outcome=outcome, reason_id=price.id)

    assert deal.is_open


def test_a_reason_belongs_to_its_outcome(session, make):
    deal, luck = make.opportunity(stage=S.PROPOSAL), reason_id(session, "Product fit", Outcome.WON)

    with pytest.raises(WrongReason, match="is no reason for a lost deal"):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=luck)
    with pytest.raises(WrongReason, match="is no reason for a won deal"):
        close_opportunity(session, deal.id, outcome=Outcome.WON, reason_id=reason_id(session, "Price"))
    with pytest.raises(NotFound):
        close_opportunity(session, deal.id, outcome=Outcome.LOST, reason_id=99)


def test_a_deal_is_not_closed_in_the_future(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)
    before = stored(session)

    for days in (1, 365):
        with pytest.raises(ImpossibleCloseDate, match="in the future"):
            close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY + days * A_DAY)

    assert stored(session) == before


def test_a_deal_is_not_closed_before_it_was_created(session, make):
    deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW - A_DAY)
    before = stored(session)

    for on in (TODAY - 2 * A_DAY, date.min):
        with pytest.raises(ImpossibleCloseDate, match="was created on 2026-03-17"):
            close_opportunity(session, deal.id, outcome=Outcome.WON, on=on)

    assert stored(session) == before


def test_a_deal_is_closed_on_any_day_from_its_creation_to_today(session, make):
    for on in (TODAY - A_DAY, TODAY, None):
        deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW - A_DAY)
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=on)
        assert deal.actual_close_date == deal.closed_at.date() == (on or TODAY)


def test_a_past_day_counts_from_its_last_second(session, make):
    deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW - 9 * A_DAY)

    close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY - A_DAY)

    assert deal.closed_at == datetime(2026, 3, 17, 23, 59, 59, tzinfo=UTC)
    assert deal.actual_close_date == TODAY - A_DAY


def test_a_deal_created_in_the_last_second_of_a_day_can_be_closed_on_it(session, make):
    created = datetime(2026, 3, 17, 23, 59, 59, 500_000, tzinfo=UTC)
    deal = make.opportunity(stage=S.PROPOSAL, created_at=created)

    close_opportunity(session, deal.id, outcome=Outcome.WON, on=created.date())
    session.flush()

    assert (deal.closed_at, deal.actual_close_date) == (created, created.date())


def test_today_is_the_workspaces(session, make):
    session.get_one(Settings, 1).time_zone = "Pacific/Kiritimati"
    deal = make.opportunity(stage=S.PROPOSAL)

    close_opportunity(session, deal.id, outcome=Outcome.WON)

    assert deal.actual_close_date == TODAY + A_DAY


def test_the_day_of_creation_is_the_workspaces(session, make):
    session.get_one(Settings, 1).time_zone = "Pacific/Kiritimati"
    deal = make.opportunity(stage=S.PROPOSAL, created_at=NOW)

    with pytest.raises(ImpossibleCloseDate, match="was created on 2026-03-19"):
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=TODAY)


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_a_close_around_midnight_counts_on_the_local_day_and_in_the_local_month(database, zone):
    there = ZoneInfo(zone)
    strange = CLOCKS_CHANGE[zone][-1]
    last_of_month = month_of(strange).last_day
    in_zone(database, zone, at=datetime.combine(strange - 9 * A_DAY, time(), UTC))
    local = sorted(
        datetime.combine(day, at, there).astimezone(UTC)
        for day in {strange, strange + A_DAY, last_of_month, last_of_month + A_DAY}
        for at in (time(0, 30), time(1, 30), time(23, 30))
    )
    expected = Counter(at.astimezone(there).date() for at in local)

    for at in dict.fromkeys(local):
        with database.write(at=at) as session:
            for _ in range(local.count(at)):
                deal = Make(session).opportunity(stage=S.PROPOSAL, expected_value=Decimal(10))
                close_opportunity(session, deal.id, outcome=Outcome.WON)
            assert deal.actual_close_date == at.astimezone(there).date()

    days = [strange + number * A_DAY for number in range(-2, (last_of_month - strange).days + 4)]
    with database.read() as session:
        found = outcomes.closed_in_each(session, [Period(day, day + A_DAY) for day in days])
        assert [found[Period(day, day + A_DAY)].won for day in days] == [expected[day] for day in days]
        for month in {month_of(day) for day in days}:
            inside = sum(count for day, count in expected.items() if month.start <= day < month.end)
            assert won_in(session, month) == (inside, 10 * inside)


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_every_quarter_of_an_hour_counts_on_one_local_day(session, zone):
    session.get_one(Settings, 1).time_zone = zone
    there, expected, days = ZoneInfo(zone), Counter(), set()
    for strange in CLOCKS_CHANGE[zone]:
        start = datetime.combine(strange - A_DAY, time(12), UTC)
        days |= {strange + number * A_DAY for number in range(-3, 5)}
        instants = [start + quarter * AN_HOUR / 4 for quarter in range(3 * 24 * 4)]
        won = {"name": "Solar roof", "stage": S.CLOSED_WON, "probability": 100, "created_at": start}
        session.add_all(
            Opportunity(**won, closed_at=at, actual_close_date=at.astimezone(there).date()) for at in instants
        )
        expected.update(at.astimezone(there).date() for at in instants)
    session.flush()

    counted = {day: outcomes.closed_in(session, Period(day, day + A_DAY)).won for day in days}

    assert counted == {day: expected[day] for day in days}
    months = Period(min(days), max(days) + A_DAY).cut_by_month()
    found = outcomes.closed_in_each(session, [*months.values()])
    in_python = Counter(day.replace(day=1) for day in expected.elements())
    assert {first: found[month].won for first, month in months.items()} == {
        first: in_python[first] for first in months
    }


@pytest.mark.parametrize("zone", CLOCKS_CHANGE)
def test_a_past_day_is_over_when_it_is_over_there(session, make, zone):
    session.get_one(Settings, 1).time_zone = zone
    there = ZoneInfo(zone)
    created_at = datetime(2011, 1, 1, tzinfo=UTC)
    never = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()
    days = {strange + number * A_DAY for strange in CLOCKS_CHANGE[zone] for number in range(-2, 4)} - never

    for day in days:
        deal = make.opportunity(stage=S.PROPOSAL, created_at=created_at)
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=day)

        assert deal.actual_close_date == deal.closed_at.astimezone(there).date() == day
        assert (deal.closed_at + timedelta(seconds=1)).astimezone(there).date() != day


def test_a_day_that_never_was_is_no_day_to_close_on(session, make):
    session.get_one(Settings, 1).time_zone = "Pacific/Apia"
    deal = make.opportunity(stage=S.PROPOSAL, created_at=datetime(2011, 1, 1, tzinfo=UTC))

    with pytest.raises(ImpossibleCloseDate):
        close_opportunity(session, deal.id, outcome=Outcome.WON, on=date(2011, 12, 30))


def test_a_reopened_deal_is_as_if_it_was_never_closed(session, make):
    closing = {"close_reason_id": 1, "close_note": "Great", "expected_close_date": TODAY - A_DAY}
    owner = make.user().id

    for to in OPEN_STAGES:
        deal = make.won(100, owner_id=owner, **closing)
        reopen_opportunity(session, deal.id, to=to)
        session.flush()
        assert (deal.stage, deal.closed_at, deal.actual_close_date) == (to, None, None)
        assert (deal.close_reason_id, deal.close_note, deal.credited_owner_id) == (None, None, None)
        assert (deal.expected_value, deal.expected_close_date) == (100, TODAY - A_DAY)


FEBRUARY, MARCH = month_of(date(2026, 2, 1)), month_of(date(2026, 3, 1))


@pytest.fixture
def closed_twice(database):
    """Won in February by Ada for 100, reopened on 20 February, won in March by Bob for 150."""

    def on(month, day):
        return database.write(at=datetime(2026, month, day, 12, tzinfo=UTC))

    with on(1, 5) as session:
        ada, bob = Make(session).user("Ada").id, Make(session).user("Bob").id
        deal = Make(session).opportunity(stage=S.PROPOSAL, owner_id=ada, expected_value=Decimal(100)).id
    with on(2, 10) as session:
        close_opportunity(session, deal, outcome=Outcome.WON, note="First")
    with on(2, 20) as session:
        reopen_opportunity(session, deal, to=S.NEGOTIATION)
        update_opportunity(session, deal, OpportunityUpdate(owner_id=bob, expected_value=Decimal(150)))
    with on(3, 3) as session:
        close_opportunity(session, deal, outcome=Outcome.WON, note="Second")
    with on(3, 15) as session:
        update_opportunity(session, deal, OpportunityUpdate(owner_id=ada))
    return {"Ada": ada, "Bob": bob, "deal": deal}


def test_a_deal_closed_twice_counts_at_its_last_close_and_as_it_was_known_then(database, closed_twice):
    always = Period(FEBRUARY.start, MARCH.end)
    with database.read() as session:
        for as_of, in_february, in_march in (
            (datetime(2026, 2, 9, tzinfo=UTC), (0, 0), (0, 0)),
            (datetime(2026, 2, 10, 12, tzinfo=UTC), (1, 100), (0, 0)),
            (datetime(2026, 2, 19, tzinfo=UTC), (1, 100), (0, 0)),
            (datetime(2026, 2, 20, 12, tzinfo=UTC), (0, 0), (0, 0)),
            (datetime(2026, 3, 3, 12, tzinfo=UTC), (0, 0), (1, 150)),
            (None, (0, 0), (1, 150)),
        ):
            found = [won_in(session, month, as_of=as_of) for month in (FEBRUARY, MARCH)]
            assert (as_of, *found) == (as_of, in_february, in_march)
            assert won_in(session, always, as_of=as_of)[0] == in_february[0] + in_march[0]


def test_the_credit_is_the_owners_at_the_last_close(database, closed_twice):
    ada, bob = (OpportunityFilter(owners={closed_twice[name]}) for name in ("Ada", "Bob"))
    in_february = datetime(2026, 2, 15, tzinfo=UTC)

    with database.read() as session:
        assert (won_in(session, MARCH, where=ada), won_in(session, MARCH, where=bob)) == ((0, 0), (1, 150))
        assert won_in(session, FEBRUARY, where=ada, as_of=in_february) == (1, 100)
        assert won_in(session, FEBRUARY, where=bob, as_of=in_february) == (0, 0)
        assert get_opportunity(session, closed_twice["deal"]).close_note == "Second"


def test_lost_after_it_was_won_is_lost(database):
    with database.write(at=NOW - 3 * A_DAY) as session:
        deal = Make(session).opportunity(stage=S.PROPOSAL, expected_value=Decimal(100)).id
        close_opportunity(session, deal, outcome=Outcome.WON)
    with database.write(at=NOW - 2 * A_DAY) as session:
        reopen_opportunity(session, deal, to=S.PROPOSAL)
        close_opportunity(session, deal, outcome=Outcome.LOST, reason_id=reason_id(session, "Price"))

    with database.read(at=NOW) as session:
        now = outcomes.closed_in(session, MARCH)
        then = outcomes.closed_in(session, MARCH, as_of=NOW - 3 * A_DAY)
    assert (now.won, now.lost, now.lost_value) == (0, 1, 100)
    assert (then.won, then.won_value, then.lost) == (1, 100, 0)
