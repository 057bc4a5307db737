"""Where no lost deal was ever recorded there is no win rate, and the reason is given."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from crm_core.analytics import breakdowns, dashboard, outcomes
from crm_core.analytics.metrics import MetricName, measure
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.models import CloseReason, OpportunityStage, Visibility
from crm_core.periods import Period, PeriodChoice
from crm_core.reporting import tiles
from crm_core.reporting.report import report
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make, reason_id
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

RATES = (MetricName.WIN_RATE, MetricName.WIN_RATE_BY_VALUE, MetricName.VELOCITY)
REASON = "There is no lost deal on record, so there is no win rate."
LONG_AGO = NOW - timedelta(days=800)
QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))


def rates(session, where=EVERYTHING, **asked):
    """Of each rate its value and its status."""
    found = [measure(session, name, where, **asked).figure for name in RATES]
    return [(each.value, each.status) for each in found]


NONE = [(None, "no_lost_deals")] * 3


@pytest.fixture
def won(session, make):
    """Two deals that are won and one that is open."""
    make.opportunity(expected_value=Decimal(10))
    return [make.won(600).id, make.won(300).id]


def test_without_a_lost_deal_there_is_no_rate(session, won):
    figure = measure(session, MetricName.WIN_RATE, explain=True).figure

    assert rates(session) == NONE
    assert (figure.n, figure.counted.ids, figure.interval) == (2, won, None)
    velocity = measure(session, MetricName.VELOCITY).figure
    assert velocity.parts["win_rate"].status == "no_lost_deals"
    stats = opportunity_service.get_pipeline_stats(session)
    for rate in (stats.win_rate, stats.win_rate_by_value):
        assert (rate.value, rate.n, rate.status) == (None, 2, "no_lost_deals")
    (by_owner,) = breakdowns.win_rate_by_owner(session, QUARTER, EVERYTHING)
    assert (by_owner.rate.value, by_owner.rate.n, by_owner.rate.status) == (None, 2, "no_lost_deals")


def test_one_lost_deal_is_enough_also_outside_of_period_and_filter(session, make, won):
    otto = make.user("Otto").id
    make.lost(5, owner_id=otto, closed_at=LONG_AGO)

    (by_count, _), (by_value, _), (velocity, status) = rates(session)
    assert (by_count, by_value) == (pytest.approx(2 / 3), pytest.approx(900 / 905))
    assert (velocity, status) == (Decimal("15.00"), None)
    of_period = measure(session, MetricName.WIN_RATE, period=QUARTER).figure
    of_nobody = measure(session, MetricName.WIN_RATE, OpportunityFilter(without_owner=True)).figure
    assert (of_period.value, of_period.status) == (of_nobody.value, of_nobody.status) == (1, None)
    (by_owner,) = breakdowns.win_rate_by_owner(session, QUARTER, EVERYTHING)
    assert by_owner.rate.value == 1


def test_a_loss_that_does_not_count_is_none(session, make, won):
    duplicate = make.lost(close_reason_id=reason_id(session, "Duplicate or test"))
    assert rates(session) == NONE

    session.get_one(CloseReason, duplicate.close_reason_id).counts = True
    session.flush()
    assert rates(session) != NONE


def test_where_nothing_was_closed_that_is_the_reason(session, make):
    make.opportunity()

    assert rates(session) == [(None, None)] * 3
    stats = opportunity_service.get_pipeline_stats(session)
    assert (stats.win_rate.value, stats.win_rate.status) == (None, None)


def test_what_may_not_be_read_is_not_known(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        for owner in (people.rita, people.otto):
            make.won(10, owner_id=owner)
        make.lost(owner_id=people.otto)
        settings_service.get_settings(session).visibility = Visibility.OWN

    def win_rate_of(actor):
        with database.read(actor=actor, at=NOW) as session:
            figure = measure(session, MetricName.WIN_RATE).figure
            closed = outcomes.closed_in(session).win_rate
            assert (closed.status, closed.value) == (figure.status, figure.value)
            return figure.value, figure.status

    for _ in range(2):
        assert win_rate_of(people.rita) == (None, "no_lost_deals")
        assert win_rate_of(people.otto) == (0.5, None)


def test_it_is_as_of_the_instant_that_is_asked_for(database):
    with database.write(at=NOW - timedelta(days=5)) as session:
        Make(session).won(10)
    with database.write(at=NOW - timedelta(days=3)) as session:
        lost = Make(session).lost().id

    def win_rate(days_ago):
        at = NOW - timedelta(days=days_ago)
        with database.read(at=NOW) as session:
            found = measure(session, MetricName.WIN_RATE, as_of=at).figure.value
            (rate,) = breakdowns.win_rate_by_owner(session, QUARTER, OpportunityFilter(as_of=at))
            each = outcomes.closed_in_each(session, [QUARTER], as_of=at)[QUARTER].win_rate
            shown = dashboard.overview(session, PeriodChoice.THIS_QUARTER, as_of=at)
            (tile,) = (tile for tile in shown.tiles if tile.name is MetricName.WIN_RATE)
            assert rate.rate.value == each.value == tile.value == found
            return found

    assert [win_rate(4), win_rate(2), win_rate(4)] == [None, 0.5, None]

    with database.write(at=NOW - timedelta(days=1)) as session:
        opportunity_service.delete_opportunity(session, lost)
    assert [win_rate(0), win_rate(2), win_rate(4)] == [None, 0.5, None]


def test_no_answer_outlives_the_first_loss_or_the_last(database):
    with database.write(at=NOW) as session:
        Make(session).won(10)

    def status():
        with database.read(at=NOW) as session:
            found = opportunity_service.get_pipeline_stats(session)
            assert measure(session, MetricName.WIN_RATE).figure.status == found.win_rate.status
            return found.win_rate.status

    assert status() == "no_lost_deals"
    with database.write() as session:
        lost = Make(session).lost().id
    assert status() is None
    with database.write() as session:
        opportunity_service.reopen_opportunity(session, lost, to=OpportunityStage.PROPOSAL)
    assert status() == "no_lost_deals"


def test_screens_and_the_report_say_why(database):
    with database.write(at=NOW) as session:
        Make(session).won(10)
    with database.read(at=NOW) as session:
        space = settings_service.get_workspace(session)
        board = dashboard.overview(session, PeriodChoice.THIS_QUARTER)
        texts = {tile.name: tiles.told(tile, space) for tile in board.tiles}
        page = report(session, PeriodChoice.THIS_QUARTER)

    assert texts[MetricName.WIN_RATE].value == texts[MetricName.VELOCITY].value == "–"
    assert texts[MetricName.WIN_RATE].meaning.endswith(REASON)
    assert texts[MetricName.VELOCITY].meaning.endswith(REASON)
    assert texts[MetricName.WIN_RATE].notes == "no lost deal on record"
    assert REASON not in texts[MetricName.WON].meaning
    assert tiles.without_rate(board.owners) == REASON
    assert page.count(REASON) == 3
    assert "100% of 1" not in page
    assert "– of 1" in page
