"""The dashboard shows what the database holds, in words a manager reads at a glance."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from dateutil.relativedelta import relativedelta
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

from crm_core import clock, demo, history
from crm_core.config import PROJECT
from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, Assumed, Opportunity, OpportunityStage
from crm_core.periods import ONE_DAY, Calendar, PeriodChoice, PeriodKind
from crm_core.services import settings_service
from tests.builders import Make
from tests.conftest import NOW
from tests.pages import tables

DASHBOARD = "pages/insight/dashboard.py"


def figures(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def notes(page) -> str:
    return " ".join(caption.value for caption in page.caption)


def won_change(page) -> str:
    """The change written beside what was won."""
    changes = {metric.label: metric.delta for metric in page.metric}
    return changes["Won in the period"].replace("\\", "")


def drawn(page) -> dict[str, pd.DataFrame]:
    """The rows behind each chart, by what stands above it."""
    charts = page.get("arrow_vega_lite_chart") + page.get("vega_lite_chart")
    return {
        chart.proto.alt.split(":")[0]: convert_arrow_bytes_to_pandas_df(chart.proto.datasets[0].data.data)
        for chart in charts
    }


def links(page) -> dict[str, str]:
    """The query that each link leads to."""
    return {each.proto.label.replace("\\", ""): each.proto.query_string for each in page.get("page_link")}


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(DASHBOARD)

    assert not page.metric
    assert "No opportunities yet" in page.markdown[0].value


def test_shows_the_figures(open_page, given):
    with given() as make:
        make.opportunity(stage=OpportunityStage.PROPOSAL, expected_value=Decimal(12_000))
        make.opportunity(stage=OpportunityStage.QUALIFICATION, expected_value=None)
        make.won(99_000, created_at=clock.now() - timedelta(days=10))
        make.lost(5_000)

    page = open_page(DASHBOARD)

    shown = figures(page)
    assert shown.pop("Sales cycle") == "10 days"
    assert shown.pop("Sales velocity").endswith(" a day")
    assert shown == {
        "Total pipeline value": "$12,000",
        "Weighted value": "$6,000",
        "Overdue": "0",
        "Win rate": ":gray[50%]",
        "Won in the period": "$99,000",
        "Average won deal": "$99,000",
    }
    assert "1 without a value" in notes(page)
    assert {"2 open deals", "2 closed deals", "1 won deal"} <= set(links(page))


def test_an_empty_win_rate_is_a_dash(open_page, given):
    with given() as make:
        make.opportunity()

    assert figures(open_page(DASHBOARD))["Win rate"] == "–"


NO_LOSSES = "There is no lost deal on record, so there is no win rate."


def test_without_a_lost_deal_the_win_rate_is_a_dash_and_says_why(open_page, given):
    with given() as make:
        make.won(100)

    page = open_page(DASHBOARD)
    assert figures(page)["Win rate"].startswith(":gray[–]")
    assert NO_LOSSES in notes(page)
    meanings = {metric.label: metric.help for metric in page.metric}
    assert meanings["Win rate"].endswith(NO_LOSSES)
    assert meanings["Sales velocity"].endswith(NO_LOSSES)
    assert list(drawn(page)["Win rate by owner"]["Label"]) == ["– of 1"]

    with given() as make:
        make.lost()
    page.run()
    assert NO_LOSSES not in notes(page)
    assert figures(page)["Win rate"] == ":gray[50%]"


def test_deals_whose_path_is_unknown_are_below_the_title_as_a_link(open_page, given):
    with given() as make:
        make.opportunity()
    assert not any(label.startswith("Path unknown") for label in links(open_page(DASHBOARD)))

    with given() as make:
        bring_in(make.session)
    page = open_page(DASHBOARD)

    assert {"Path unknown: 1 deal", "Path unknown: 2 deals"} <= set(links(page))
    of_funnel, of_times = (parse_qs(links(page)[f"Path unknown: {each}"]) for each in ("1 deal", "2 deals"))
    assert of_funnel["deals_only"] == ["counted", "path_unknown"]
    assert of_times["deals_only"] == ["counted", "entry_unknown"]
    assert "it is not known which stages they passed" in notes(page)


def bring_in(session) -> None:
    """Two lost deals of a file: of one it says the stage, of the other nothing."""
    closed_at = clock.now() - timedelta(minutes=1)
    since = closed_at - timedelta(minutes=1)
    first = history.next_id(session, Opportunity)
    for deal_id, assumed in enumerate(Assumed, start=first):
        deal = {"id": deal_id, "name": "Old deal", "created_at": since}
        was_open = {"stage": OpportunityStage.PROPOSAL, "probability": 50, "assumed": assumed}
        was_lost = {"stage": OpportunityStage.CLOSED_LOST, "probability": 0, "closed_at": closed_at}
        was_lost["actual_close_date"] = closed_at.date()
        states = [(since, deal | was_open), (closed_at, deal | was_lost)]
        history.insert_with_past(session, Opportunity, [states])


def test_the_period_changes_what_counts_as_won(open_page, given):
    with given() as make:
        make.won(700, closed_at=datetime.now(UTC) - timedelta(days=800))

    page = open_page(DASHBOARD)
    assert figures(page)["Won in the period"] == "$0"

    page.selectbox(key="dashboard_period").set_value("all_time").run()
    assert figures(page)["Won in the period"] == "$700"


def test_the_owner_filter_holds_for_every_figure(open_page, given):
    with given() as make:
        ada, bob = make.user("Ada").id, make.user("Bob").id
        make.opportunity(owner_id=ada, expected_value=Decimal(100), probability=50)
        make.opportunity(owner_id=bob, expected_value=Decimal(900), probability=50)
        make.won(70, owner_id=bob)

    page = open_page(DASHBOARD)
    page.multiselect(key="dashboard_owner").select(str(ada)).run()

    shown = figures(page)
    assert [shown[name] for name in ("Total pipeline value", "Weighted value", "Win rate")] == [
        "$100",
        "$50",
        "–",
    ]
    assert shown["Won in the period"] == "$0"


def test_a_change_elsewhere_shows_at_the_next_look(open_page, given):
    with given() as make:
        make.opportunity(expected_value=Decimal(100))
    page = open_page(DASHBOARD)

    with given() as make:
        make.opportunity(expected_value=Decimal(50))

    assert figures(page.run())["Total pipeline value"] == "$150"


def test_every_figure_is_explained(open_page, given):
    with given() as make:
        make.opportunity()
    explained = (PROJECT / "docs" / "metrics.md").read_text()

    page = open_page(DASHBOARD)

    shown = [*figures(page), *(heading.value for heading in page.subheader)]
    assert all(f"| {name} |" in explained for name in shown)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [(800, 1_000, "+$200 (+25%)"), (1_000, 800, "-$200 (-20%)"), (None, 800, ""), (0, 800, "")],
)
def test_what_was_won_is_held_against_the_period_before(open_page, given, before, now, change):
    calendar = Calendar(ZoneInfo("UTC"))
    quarter = calendar.period(PeriodKind.QUARTER, datetime.now(UTC).date())
    with given() as make:
        make.won(now)
        if before is not None:
            make.won(before, closed_at=calendar.start_of(quarter.previous().start))
        make.won(7, closed_at=calendar.start_of(quarter.previous().start) - timedelta(seconds=1))

    page = open_page(DASHBOARD)
    assert won_change(page) == change

    page.selectbox(key="dashboard_period").set_value("all_time").run()
    assert won_change(page) == ""


def test_the_chart_of_stages_has_a_bar_for_each_open_stage(open_page, given):
    with given() as make:
        for _ in range(2):
            make.opportunity(stage=OpportunityStage.DISCOVERY, expected_value=Decimal(1_500))
        make.opportunity(stage=OpportunityStage.PROPOSAL)
        make.won(99_000)

    stages = drawn(open_page(DASHBOARD))["Opportunities by stage"]

    assert list(stages["Group"]) == [stage.label for stage in OPEN_STAGES]
    assert list(stages["Deals"]) == [0, 2, 1, 0]
    assert list(stages["Label"]) == ["0 deals · $0", "2 deals · $3,000", "1 deal · –", "0 deals · $0"]


def test_the_chart_of_months_has_two_bars_for_each_month_of_a_year(open_page, given):
    this_month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with given() as make:
        make.won(900)
        make.won(100, closed_at=this_month)
        make.won(70, closed_at=this_month - timedelta(microseconds=1))
        make.won(5, closed_at=this_month - relativedelta(months=11))
        make.won(3, closed_at=this_month - relativedelta(months=11, microseconds=1))
        make.lost(4_000)

    months = drawn(open_page(DASHBOARD))["Won and lost by month"]

    last_year = [this_month - relativedelta(months=back) for back in range(11, -1, -1)]
    won, lost = (months[months["Outcome"] == outcome] for outcome in ("Won", "Lost"))
    assert list(won["Month"]) == list(lost["Month"]) == [f"{month:%b %Y}" for month in last_year]
    assert list(won["Worth"]) == [5, *[0] * 9, 70, 1_000]
    assert list(won["Deals"]) == [1, *[0] * 9, 1, 2]
    assert list(lost["Worth"]) == [*[0] * 11, 4_000]


def test_as_of_a_past_day_is_what_was_known_then(open_page, database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(expected_value=Decimal(100), created_at=NOW)
    with database.write() as session:
        session.get_one(Opportunity, deal.id).expected_value = Decimal(900)

    assert figures(open_page(DASHBOARD))["Total pipeline value"] == "$900"
    page = open_page(DASHBOARD, dashboard_as_of=NOW.date().isoformat())

    assert figures(page)["Total pipeline value"] == "$100"
    assert "as known at the end of Mar 18, 2026" in notes(page)


@pytest.mark.parametrize("fiscal_start", [1, 2])
def test_a_period_that_is_over_shows_what_was_open_at_its_end(open_page, database, fiscal_start):
    calendar = Calendar(ZoneInfo("UTC"), fiscal_start)
    quarter = calendar.around(PeriodChoice.LAST_QUARTER, clock.now().date())
    then = calendar.start_of(quarter.last_day)
    with database.write(at=then) as session:
        settings_service.get_settings(session).fiscal_year_start_month = fiscal_start
        make, begun = Make(session), {"created_at": then, "probability": 50}
        late = make.opportunity(
            name="Late then",
            expected_value=Decimal(70),
            expected_close_date=quarter.last_day - ONE_DAY,
            **begun,
        )
        make.opportunity(expected_value=Decimal(30), expected_close_date=quarter.last_day, **begun)
    with database.write() as session:
        session.get_one(Opportunity, late.id).expected_value = Decimal(900)
        Make(session).opportunity(expected_value=Decimal(5_000))

    page = open_page(DASHBOARD, dashboard_period="last_quarter")

    shown = figures(page)
    names = ("Total pipeline value", "Weighted value", "Overdue")
    assert [shown[name] for name in names] == ["$100", "$50", "1"]
    day = f"{quarter.last_day:%b} {quarter.last_day.day}, {quarter.last_day.year}"
    captions = [caption.value for caption in page.caption]
    assert captions.count(f"Open deals as of {day}") == 3
    assert captions[0].startswith(f"{calendar.label(quarter)}: ")
    assert f"; what is open, as of {day}, compared with" in captions[0]
    assert list(drawn(page)["Opportunities by stage"]["Deals"]) == [2, 0, 0, 0]
    assert "Late then" in tables.names(page)

    query = links(page)["1 overdue deal"]
    assert parse_qs(query)["deals_as_of"] == [quarter.last_day.isoformat()]
    listed = open_page("pages/sales/opportunities.py", **parse_qs(query))
    assert tables.names(listed) == ["Late then"]
    assert f"as they were at the end of {day}" in listed.info[0].value
    assert not listed.toggle


def test_days_of_ones_own_are_a_period(open_page, given):
    day = clock.now().date() - timedelta(days=900)
    with given() as make:
        make.won(700, closed_at=clock.now() - timedelta(days=900))

    page = open_page(
        DASHBOARD,
        dashboard_period="custom",
        dashboard_from=day.isoformat(),
        dashboard_to=day.isoformat(),
    )

    assert figures(page)["Won in the period"] == "$700"

    page.selectbox(key="dashboard_period").set_value("last_quarter").run()
    assert {name: said for name, said in page.query_params.items() if said} == {
        "dashboard_period": "last_quarter"
    }


def test_a_click_on_a_row_of_numbers_goes_to_exactly_its_deals(open_page, given):
    with given() as make:
        make.opportunity(name="Wanted", stage=OpportunityStage.DISCOVERY)
        make.opportunity(name="Other", stage=OpportunityStage.PROPOSAL)
    page = open_page(DASHBOARD)

    page.session_state["going to deals"] = OpportunityFilter(
        is_open=True, stages=frozenset({OpportunityStage.DISCOVERY})
    )
    page.run()

    assert page.title[0].value == "Opportunities"
    assert tables.names(page) == ["Wanted"]


@pytest.mark.parametrize("period", ["this_quarter", "last_quarter"])
def test_every_link_of_the_page_leads_to_as_many_deals_as_it_says(open_page, database, period):
    demo.fill(database, opportunities=150, seed=3, at=clock.now())
    page = open_page(DASHBOARD, dashboard_period=period)
    told = [
        (label, query)
        for label, query in links(page).items()
        if query and (number := re.search(r"[\d,]+", label)) and number
    ]
    assert len(told) >= 6

    for label, query in told:
        shown = open_page("pages/sales/opportunities.py", **parse_qs(query))
        said = int(re.search(r"[\d,]+", label.replace("7 days", ""))[0].replace(",", ""))
        totals = next(each.value for each in shown.markdown if "worth" in each.value)
        assert totals.startswith(f"**{said:,} deal"), label
