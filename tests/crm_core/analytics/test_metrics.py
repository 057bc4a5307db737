"""Every figure, and the records behind it, recounted in plain Python at several instants."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm_core import demo, history
from crm_core.analytics.metrics import METRICS, Days, Figure, Group, MetricName, measure
from crm_core.config import PROJECT
from crm_core.errors import InvalidInput
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.importing import find_mapping, import_opportunities
from crm_core.models import (
    Opportunity,
    OpportunityStage,
    Outcome,
    Target,
    TargetPeriod,
    User,
    Visibility,
)
from crm_core.periods import Period
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import settings_service
from crm_core.services.opportunity_service import (
    close_opportunity,
    get_pipeline_stats,
    move_opportunity,
    reopen_opportunity,
    update_opportunity,
)
from tests import forms
from tests.builders import Make, reason_id
from tests.conftest import NOW, Discard
from tests.crm_core.analytics.histories import (
    ZONES,
    S,
    filters,
    histories,
    instants,
    periods,
    written,
)
from tests.crm_core.analytics.recount import Past, Recount, Told
from tests.crm_core.importing.conftest import AT

OF_TARGETS = {name for name, metric in METRICS.items() if metric.days is Days.WHOLE_MONTHS}
RECOUNTED = {name: name.value for name in MetricName if name not in OF_TARGETS} | {
    MetricName.CREATED: "created_value"
}
"""Each figure and what it is called in the recount; those of targets have tests of their own."""


@pytest.mark.both_databases
@given(
    st.lists(histories(), max_size=12),
    st.sampled_from(ZONES),
    st.lists(instants, max_size=1),
    periods,
    filters,
)
@settings(max_examples=forms.either(5, 25))
def test_figures_are_what_a_recount_says(database, deals, zone, asked, period, where):
    with suppress(Discard), database.write(at=NOW) as session:
        settings_service.get_settings(session).time_zone = zone
        for number in (2, 3):
            Make(session).user(id=number)
        written(session, deals)
        for at in (*asked, None):
            compare(session, Past.of(session), at, where, period)
        raise Discard


def test_the_demo_data_is_recounted_too(database):
    demo.fill(database, opportunities=400, seed=3, at=NOW)
    with database.read(at=NOW) as session:
        past = Past.of(session)
        reps = session.query(User.id).filter(User.team_id.is_not(None)).limit(3).all()
        some = OpportunityFilter(owners={row[0] for row in reps})
        for at in (NOW - timedelta(days=500), NOW - timedelta(days=100, hours=7), None):
            for where in (EVERYTHING, some):
                for period in (None, Period(date(2025, 10, 1), date(2026, 1, 1))):
                    compare(session, past, at, where, period)


def test_real_deals_are_recounted_too(database, shared_data):
    file = shared_data / "maven_crm_sales" / "sales_pipeline.csv"
    import_opportunities(database, file, find_mapping(None, file), at=AT)
    with database.read(at=AT) as session:
        past = Past.of(session)
        for at in (datetime(2017, 6, 30, 12, tzinfo=UTC), None):
            compare(session, past, at, EVERYTHING, Period(date(2017, 4, 1), date(2017, 7, 1)))


def compare(
    session: Session, past: Past, at: datetime | None, where: OpportunityFilter, period: Period | None
) -> None:
    """Every figure against its recount."""
    zone = ZoneInfo(settings_service.get_settings(session).time_zone)
    for name, recounted in RECOUNTED.items():
        takes_period = METRICS[name].days is Days.ANY
        days = period if takes_period else None
        of_leads = name is MetricName.LEAD_CONVERSION
        asked = OpportunityFilter(owners=where.owners, sources=where.sources) if of_leads else where
        found = measure(session, name, asked, period=days, as_of=at, explain=True)
        expected = getattr(Recount(past, found.as_of, zone, asked, days), recounted)()
        assert_same(found.figure, expected, name.value)
        assert_same_numbers(found.figure, measure(session, name, asked, period=days, as_of=at).figure)
    assert_the_statistics_say_the_same(session, at, where, period)


def assert_the_statistics_say_the_same(
    session: Session, at: datetime | None, where: OpportunityFilter, period: Period | None
) -> None:
    stats = get_pipeline_stats(session, where, as_of=at, period=period)
    for name, value in (
        (MetricName.OPEN_PIPELINE, None if stats.open.is_unknown else stats.open.value),
        (MetricName.WEIGHTED_PIPELINE, None if stats.open.is_unknown else stats.open.weighted),
        (MetricName.OVERDUE, stats.open.overdue),
    ):
        assert is_same(measure(session, name, where, as_of=stats.open_as_of).figure.value, value), name
    for name, value in (
        (MetricName.WON, stats.closed.known_won_value),
        (MetricName.WIN_RATE, stats.win_rate.value),
        (MetricName.WIN_RATE_BY_VALUE, stats.win_rate_by_value.value),
        (MetricName.AVERAGE_WON, stats.wins.average_value),
        (MetricName.SALES_CYCLE, stats.wins.median_days),
    ):
        assert is_same(measure(session, name, where, period=period, as_of=at).figure.value, value), name


def assert_same(figure: Figure, expected: Told, where: str) -> None:
    assert is_same(figure.value, expected.value), where
    assert ids(figure.counted) == expected.counted, where
    if figure.out_of.ids is not None:  # of a part that the whole tells
        assert ids(figure.out_of) == expected.out_of, where
    assert {kind: ids(group) for kind, group in figure.left_out.items()} == expected.left_out, where
    assert {kind: ids(group) for kind, group in figure.apart.items()} == expected.apart, where
    assert figure.details.keys() == expected.details.keys(), where
    for name, value in figure.details.items():
        assert is_same(value, expected.details[name]), f"{where} {name}"
    assert set(figure.parts) == set(expected.parts), where
    for name, part in figure.parts.items():
        assert_same(part, expected.parts[name], f"{where} {name}")


def assert_same_numbers(explained: Figure, plain: Figure) -> None:
    """Whoever does not ask for the ids is told the same."""
    assert (plain.value, plain.n, plain.details) == (explained.value, explained.n, explained.details)
    assert plain.counted.ids is None
    assert {kind: group.count for kind, group in plain.left_out.items()} == {
        kind: group.count for kind, group in explained.left_out.items()
    }


def ids(group: Group) -> set[int]:
    """Sorted, and each once."""
    assert group.ids is not None
    assert group.ids == sorted(set(group.ids))
    assert group.count >= len(group.ids)
    return set(group.ids)


def is_same(found: Any, expected: Any) -> bool:
    """Money and counts to the last digit."""
    if isinstance(found, float) and expected is not None:
        return found == pytest.approx(float(expected))
    return bool(found == expected)


QUARTER = Period(date(2026, 1, 1), date(2026, 4, 1))
"""The one that NOW lies in: 77 of its 90 days have begun."""


def figure_of(session: Session, name: MetricName, **asked: Any) -> Figure:
    return measure(session, name, **asked).figure


def test_who_takes_a_deal_over_does_not_take_the_credit_for_its_creation(database):
    with database.write(at=NOW - timedelta(days=40)) as session:
        rita, otto = Make(session).user("Rita").id, Make(session).user("Otto").id
        deal = Make(session).opportunity(owner_id=rita, expected_value=Decimal(100)).id
    with database.write(at=NOW - timedelta(days=10)) as session:
        changes = OpportunityUpdate(owner_id=otto, expected_value=Decimal(900))
        update_opportunity(session, deal, changes)
    with database.read(at=NOW) as session:
        for name, value in (
            (MetricName.CREATED, 100),
            (MetricName.CREATED_COHORT, 0),
            (MetricName.FUNNEL, 1),
        ):
            hers = figure_of(session, name, where=OpportunityFilter(owners={rita}), explain=True)
            his = figure_of(session, name, where=OpportunityFilter(owners={otto}), explain=True)
            assert (hers.value, hers.out_of.ids) == (value, [deal]), name
            assert his.out_of.ids == [], name
        assert (
            figure_of(session, MetricName.OPEN_PIPELINE, where=OpportunityFilter(owners={otto})).value == 900
        )


def test_a_stay_counts_for_who_moved_the_deal_on(database):
    begun = NOW - timedelta(days=40)
    with database.write(at=begun) as session:
        rita, otto = Make(session).user("Rita").id, Make(session).user("Otto").id
        deal = Make(session).opportunity(owner_id=rita).id
    with database.write(at=begun + timedelta(days=10)) as session:
        move_opportunity(session, deal, to=S.PROPOSAL)
    with database.write(at=begun + timedelta(days=25)) as session:
        update_opportunity(session, deal, OpportunityUpdate(owner_id=otto))
    with database.read(at=NOW) as session:
        hers = figure_of(session, MetricName.TIME_IN_STAGE, where=OpportunityFilter(owners={rita})).parts
        his = figure_of(session, MetricName.TIME_IN_STAGE, where=OpportunityFilter(owners={otto})).parts

    assert (hers[S.QUALIFICATION].value, hers[S.PROPOSAL].n) == (10.0, 0)
    assert (his[S.QUALIFICATION].n, his[S.PROPOSAL].apart["running"].count) == (0, 1)


def test_a_stay_ends_on_the_day_the_deal_was_closed_on(database):
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    with database.write(at=begun) as session:
        deal = Make(session).opportunity(stage=S.PROPOSAL).id
    with database.write(at=NOW) as session:
        close_opportunity(session, deal, outcome=Outcome.WON, on=date(2026, 3, 5))
    with database.read(at=NOW) as session:
        stay = figure_of(session, MetricName.TIME_IN_STAGE).parts[S.PROPOSAL]

    assert stay.value == 4


def test_stays_that_go_on_make_a_stage_no_faster(database):
    begun = NOW - timedelta(days=100)
    with database.write(at=begun) as session:
        deals = [Make(session).opportunity().id for _ in range(4)]
    with database.write(at=begun + timedelta(days=2)) as session:
        move_opportunity(session, deals[0], to=S.DISCOVERY)
    with database.read(at=NOW) as session:
        one_of_four = figure_of(session, MetricName.TIME_IN_STAGE).parts[S.QUALIFICATION]
    with database.write(at=NOW) as session:
        move_opportunity(session, deals[1], to=S.DISCOVERY)
    with database.read(at=NOW) as session:
        two_of_four = figure_of(session, MetricName.TIME_IN_STAGE).parts[S.QUALIFICATION]

    assert (one_of_four.value, one_of_four.details["mean_left"]) == (None, 2.0)
    assert two_of_four.value == 100.0


def test_a_deal_that_is_reopened_is_not_won_but_came_far(database):
    with database.write(at=NOW - timedelta(days=2)) as session:
        deal = Make(session).opportunity(stage=S.PROPOSAL).id
    with database.write(at=NOW - timedelta(days=1)) as session:
        close_opportunity(session, deal, outcome=Outcome.WON)
    with database.write(at=NOW) as session:
        reopen_opportunity(session, deal, to=S.QUALIFICATION)
    with database.read(at=NOW) as session:
        funnel = figure_of(session, MetricName.FUNNEL).parts

    assert [part.value for part in funnel.values()] == [1, 1, 1, 1, 0]
    assert funnel[S.NEGOTIATION].apart["pending"].count == 1


def test_velocity_is_unknown_while_a_part_of_it_is(session, make):
    make.opportunity(expected_value=Decimal(10))
    assert figure_of(session, MetricName.VELOCITY).value is None

    make.won(600)  # took 30 days
    without_losses = figure_of(session, MetricName.VELOCITY)
    assert (without_losses.value, without_losses.status) == (None, "no_lost_deals")

    make.lost()
    velocity = figure_of(session, MetricName.VELOCITY)
    assert (velocity.value, velocity.status) == (Decimal("10.00"), None)


@dataclass(frozen=True)
class Quotas:
    """Rita and Nora of the team North, and Otto, of no team."""

    north: int
    rita: int
    nora: int
    otto: int


@pytest.fixture
def quotas(session, make) -> Quotas:
    north = make.team().id
    rita, nora = make.user("Rita", team_id=north).id, make.user("Nora", team_id=north).id
    return Quotas(north, rita, nora, make.user("Otto").id)


def aim(session: Session, amount: int, *months: int, quarter: bool = False, **holder: int) -> None:
    kind = TargetPeriod.QUARTER if quarter else TargetPeriod.MONTH
    for month in months:
        session.add(Target(period=kind, starts_on=date(2026, month, 1), amount=Decimal(amount), **holder))
    session.flush()


def target(session: Session, period: Period = QUARTER, **where: Any) -> Decimal | None:
    asked = figure_of(session, MetricName.ATTAINMENT, where=OpportunityFilter(**where), period=period)
    return asked.details["target"]


def test_a_target_is_that_of_those_who_are_asked_for(session, quotas):
    aim(session, 90, 1, quarter=True, user_id=quotas.rita)
    aim(session, 10, 1, 2, 3, user_id=quotas.nora)
    aim(session, 5, 1, quarter=True, user_id=quotas.otto)

    assert target(session, owners={quotas.rita}) == 90
    assert target(session, owners={quotas.nora}) == 30
    assert target(session, owners={quotas.rita, quotas.otto}) == 95
    assert target(session, teams={quotas.north}) == 120
    assert target(session, teams={quotas.north}, owners={quotas.nora, quotas.otto}) == 30
    assert target(session) == 125


def test_a_teams_own_target_goes_before_that_of_its_members(session, quotas):
    aim(session, 90, 1, quarter=True, user_id=quotas.rita)
    aim(session, 5, 1, quarter=True, user_id=quotas.otto)
    aim(session, 200, 1, quarter=True, team_id=quotas.north)

    assert target(session, teams={quotas.north}) == 200
    assert target(session) == 205
    assert target(session, owners={quotas.rita}) == 90


def test_the_target_of_a_quarter_is_not_added_to_that_of_its_months(session, quotas):
    aim(session, 90, 1, quarter=True, user_id=quotas.rita)
    aim(session, 40, 1, 2, 3, 4, user_id=quotas.rita)

    assert target(session, owners={quotas.rita}) == 90
    assert target(session, Period(date(2026, 1, 1), date(2026, 5, 1)), owners={quotas.rita}) == 130
    assert target(session, Period(date(2026, 2, 1), date(2026, 3, 1)), owners={quotas.rita}) == 40


def test_a_month_without_a_target_leaves_the_whole_without(session, quotas):
    aim(session, 10, 1, 3, user_id=quotas.rita)

    assert target(session) is None
    for name in (MetricName.ATTAINMENT, MetricName.GAP, MetricName.COVERAGE):
        assert figure_of(session, name, period=QUARTER).value is None
    pace = figure_of(session, MetricName.PACE, period=QUARTER)
    assert (pace.value, pace.status) == (pytest.approx(77 / 90), None)


@pytest.mark.parametrize(
    ("won", "standing"), [(856, "on_track"), (855, "at_risk"), (685, "at_risk"), (684, "behind")]
)
def test_pace_says_where_one_stands(session, make, quotas, won, standing):
    """77 of 90 days have begun: 0.8556 of the target is on track, 0.8 times that at risk."""
    aim(session, 1000, 1, quarter=True, user_id=quotas.rita)
    make.won(won, owner_id=quotas.rita)

    assert figure_of(session, MetricName.PACE, period=QUARTER).status == standing


def test_gap_and_coverage(session, make, quotas):
    aim(session, 1000, 1, quarter=True, user_id=quotas.rita)
    make.won(600, owner_id=quotas.rita)
    expected = make.opportunity(expected_value=Decimal(300), expected_close_date=date(2026, 3, 31)).id
    today = make.opportunity(expected_value=Decimal(100), expected_close_date=date(2026, 3, 18)).id
    late = make.opportunity(expected_value=Decimal(70), expected_close_date=date(2026, 3, 17)).id
    later = make.opportunity(expected_value=Decimal(50), expected_close_date=date(2026, 4, 1)).id
    sometime = make.opportunity(expected_value=Decimal(50)).id
    unknown = make.opportunity(expected_close_date=date(2026, 3, 31)).id

    coverage = figure_of(session, MetricName.COVERAGE, period=QUARTER, explain=True)

    assert figure_of(session, MetricName.GAP, period=QUARTER).value == 400
    assert (coverage.value, coverage.counted.ids) == (1, [expected, today])
    assert {kind: group.ids for kind, group in coverage.left_out.items()} == {
        "overdue": [late],
        "outside_period": [later],
        "without_date": [sometime],
        "without_value": [unknown],
    }
    assert coverage.details["overdue_value"] == 70

    make.won(500)
    met = figure_of(session, MetricName.COVERAGE, period=QUARTER)
    assert (met.value, met.status) == (None, "target_met")
    assert figure_of(session, MetricName.ATTAINMENT, period=QUARTER).value == 1.1
    assert figure_of(session, MetricName.GAP, period=QUARTER).value == 0


@pytest.mark.both_databases
def test_coverage_of_a_period_that_is_over_is_of_what_was_open_at_its_end(database):
    with database.write(at=datetime(2026, 1, 10, 12, tzinfo=UTC)) as session:
        make = Make(session)
        rita = make.user().id
        aim(session, 1000, 1, quarter=True, user_id=rita)
        stage = OpportunityStage.PROPOSAL
        won_since = make.opportunity(
            stage=stage, expected_value=Decimal(400), expected_close_date=date(2026, 3, 31)
        ).id
        late = make.opportunity(expected_value=Decimal(70), expected_close_date=date(2026, 3, 30)).id
        moved = make.opportunity(expected_value=Decimal(50), expected_close_date=date(2026, 4, 1)).id
    with database.write(at=datetime(2026, 4, 20, 12, tzinfo=UTC)) as session:
        close_opportunity(session, won_since, outcome=Outcome.WON)
        session.get_one(Opportunity, moved).expected_close_date = date(2026, 3, 31)

    with database.read(at=datetime(2026, 5, 1, 12, tzinfo=UTC)) as session:
        found = figure_of(session, MetricName.COVERAGE, period=QUARTER, explain=True)

    assert (found.value, found.counted.ids) == (0.4, [won_since])
    assert (found.left_out["overdue"].ids, found.left_out["outside_period"].ids) == ([late], [moved])


def test_nobody_sees_the_target_of_those_whose_deals_they_may_not_read(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        north = session.get_one(User, people.rita).team_id
        aim(session, 90, 1, quarter=True, user_id=people.rita)
        aim(session, 10, 1, quarter=True, user_id=people.nora)
        aim(session, 500, 1, quarter=True, team_id=north)
        settings_service.get_settings(session).visibility = Visibility.OWN

    def seen_by(actor: int) -> tuple[Decimal | None, Decimal | None]:
        with database.read(actor=actor, at=NOW) as session:
            return target(session), target(session, teams={north})

    assert seen_by(people.rita) == (90, 90)
    assert seen_by(people.mia) == (500, 500)
    assert seen_by(people.otto) == (None, None)


@pytest.mark.parametrize(
    ("name", "asked", "refusal"),
    [
        (MetricName.OVERDUE, {"period": QUARTER}, "Overdue is about an instant"),
        (MetricName.VELOCITY, {"period": QUARTER}, "looks at the 365 days before"),
        (MetricName.GAP, {}, "needs a period"),
        (MetricName.GAP, {"period": Period(date(2026, 1, 2), date(2026, 4, 1))}, "whole months"),
        (MetricName.PACE, {"period": QUARTER, "where": OpportunityFilter(is_open=True)}, "leave is_open out"),
        (
            MetricName.LEAD_CONVERSION,
            {"where": OpportunityFilter(stale=True)},
            "Leads can't be filtered by stale",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_rather_than_answered(session, name, asked, refusal):
    with pytest.raises(InvalidInput, match=refusal):
        measure(session, name, **asked)


def test_every_figure_is_explained():
    explained = (PROJECT / "docs" / "metrics.md").read_text()

    assert [name for name in MetricName if f"| `{name}` |" not in explained] == []


def test_duplicates_make_no_stage_faster(session, make):
    never = {"close_reason_id": reason_id(session, "Duplicate or test")}
    long_ago = NOW - timedelta(days=10)
    history.insert_with_past(
        session,
        Opportunity,
        [
            [(long_ago, stood(1, S.DISCOVERY)), (NOW, stood(1, S.PROPOSAL))],
            [
                (long_ago, stood(2, S.DISCOVERY)),
                (
                    NOW - timedelta(days=9),
                    stood(2, S.CLOSED_LOST, closed_at=NOW - timedelta(days=9), **never),
                ),
            ],
        ],
    )

    figure = figure_of(session, MetricName.TIME_IN_STAGE, explain=True)

    assert (figure.parts[S.DISCOVERY].value, figure.parts[S.DISCOVERY].n) == (10.0, 1)
    assert figure.left_out["does_not_count"].ids == [2]


def stood(deal_id: int, stage: OpportunityStage, **closed: Any) -> dict[str, Any]:
    if "closed_at" in closed:
        closed["actual_close_date"] = closed["closed_at"].date()
    created_at = NOW - timedelta(days=10)
    return {
        "id": deal_id,
        "name": "Deal",
        "stage": stage,
        "probability": 0,
        "created_at": created_at,
        "deleted_at": None,
        **closed,
    }


def test_overdue_deals_are_told_apart_whether_they_have_a_value_or_not(session, make):
    late = {"expected_close_date": date(2026, 3, 1)}
    valued, unknown = make.opportunity(expected_value=Decimal(5), **late).id, make.opportunity(**late).id

    figure = figure_of(session, MetricName.OPEN_PIPELINE, explain=True)

    assert (figure.value, figure.counted.ids) == (5, [valued])
    assert figure.apart["overdue"].ids == [valued, unknown]
    assert figure.left_out["without_value"].ids == [unknown]


def test_what_people_without_a_target_have_won_is_told_apart(session, make, quotas):
    aim(session, 100, 1, quarter=True, user_id=quotas.rita)
    make.won(50, owner_id=quotas.rita)
    others = [make.won(70, owner_id=quotas.otto).id, make.won(1).id]

    figure = figure_of(session, MetricName.ATTAINMENT, period=QUARTER, explain=True)

    assert (figure.value, figure.apart["without_target"].ids) == (1.21, others)


def test_a_target_is_held_against_what_is_to_the_credit_of_those_whose_it_is(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        aim(session, 100, 1, quarter=True, user_id=people.rita)
        make.won(1000, owner_id=people.rita, credited_owner_id=people.otto)
        make.won(50, owner_id=people.rita)
        make.won(7)
        settings_service.get_settings(session).visibility = Visibility.OWN
    with database.read(actor=people.rita, at=NOW) as session:
        assert figure_of(session, MetricName.ATTAINMENT, period=QUARTER).value == 0.5


def test_a_period_that_has_not_begun_is_neither_on_track_nor_behind(session, quotas):
    aim(session, 100, 4, quarter=True, user_id=quotas.rita)
    figure = figure_of(session, MetricName.PACE, period=Period(date(2026, 4, 1), date(2026, 7, 1)))

    assert (figure.value, figure.status) == (0, None)


def test_the_first_days_of_the_calendar_have_no_velocity(session):
    at = datetime(1, 1, 2, tzinfo=UTC)

    assert figure_of(session, MetricName.VELOCITY, as_of=at).value is None
