"""The dashboard shows what the database holds, in words a manager reads at a glance."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from dateutil.relativedelta import relativedelta
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

from crm_core.config import PROJECT
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.periods import Calendar, PeriodKind

DASHBOARD = "pages/insight/dashboard.py"


def figures(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def notes(page) -> str:
    return " ".join(caption.value for caption in page.caption)


def won_change(page) -> str:
    """The change written beside what was won."""
    changes = {metric.label: metric.delta for metric in page.metric}
    return changes["Won in the period"].replace("\\", "")


def drawn(page) -> list[pd.DataFrame]:
    """The rows behind each chart, in the order of the charts."""
    charts = page.get("arrow_vega_lite_chart") + page.get("vega_lite_chart")
    return [convert_arrow_bytes_to_pandas_df(chart.proto.datasets[0].data.data) for chart in charts]


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(DASHBOARD)

    assert not page.metric
    assert "No opportunities yet" in page.markdown[0].value


def test_shows_the_four_figures(open_page, given):
    with given() as make:
        make.opportunity(stage=OpportunityStage.PROPOSAL, expected_value=Decimal(12_000))
        make.opportunity(stage=OpportunityStage.QUALIFICATION, expected_value=None)
        make.won(99_000)
        make.lost(5_000)

    page = open_page(DASHBOARD)

    assert figures(page) == {
        "Total pipeline value": "$12,000",
        "Weighted value": "$6,000",
        "Win rate": ":gray[50%]",
        "Won in the period": "$99,000",
    }
    assert "2 open deals, 1 without a value" in notes(page)


def test_an_empty_win_rate_is_a_dash(open_page, given):
    with given() as make:
        make.opportunity()

    assert figures(open_page(DASHBOARD))["Win rate"] == "–"


def test_the_period_changes_what_counts_as_won(open_page, given):
    with given() as make:
        make.won(700, closed_at=datetime.now(UTC) - timedelta(days=800))

    page = open_page(DASHBOARD)
    assert figures(page)["Won in the period"] == "$0"

    page.selectbox(key="period").select_index(6).run()
    assert figures(page)["Won in the period"] == "$700"


def test_the_owner_filter_holds_for_every_figure(open_page, given):
    with given() as make:
        ada, bob = make.user("Ada"), make.user("Bob")
        make.opportunity(owner_id=ada.id, expected_value=Decimal(100), probability=50)
        make.opportunity(owner_id=bob.id, expected_value=Decimal(900), probability=50)
        make.won(70, owner_id=bob.id)

    page = open_page(DASHBOARD)
    page.multiselect(key="owner").select("Ada").run()

    assert figures(page) == {
        "Total pipeline value": "$100",
        "Weighted value": "$50",
        "Win rate": "–",
        "Won in the period": "$0",
    }


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

    page.selectbox(key="period").select_index(6).run()
    assert won_change(page) == ""


def test_the_chart_of_stages_has_a_bar_for_each_open_stage(open_page, given):
    with given() as make:
        for _ in range(2):
            make.opportunity(stage=OpportunityStage.DISCOVERY, expected_value=Decimal(1_500))
        make.opportunity(stage=OpportunityStage.PROPOSAL)
        make.won(99_000)

    stages = drawn(open_page(DASHBOARD))[0]

    assert list(stages["Stage"]) == [stage.label for stage in OPEN_STAGES]
    assert list(stages["Deals"]) == [0, 2, 1, 0]
    assert list(stages["Worth"]) == ["$0", "$3,000", "–", "$0"]
    assert list(stages["Label"]) == ["0 deals · $0", "2 deals · $3,000", "1 deal · –", "0 deals · $0"]


def test_the_chart_of_months_has_a_bar_for_each_month_of_a_year(open_page, given):
    this_month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with given() as make:
        make.won(900)
        make.won(100, closed_at=this_month)
        make.won(70, closed_at=this_month - timedelta(microseconds=1))
        make.won(5, closed_at=this_month - relativedelta(months=11))
        make.won(3, closed_at=this_month - relativedelta(months=11, microseconds=1))
        make.lost(4_000)

    months = drawn(open_page(DASHBOARD))[1]

    last_year = [this_month - relativedelta(months=back) for back in range(11, -1, -1)]
    assert list(months["Month"]) == [f"{month:%Y-%m-01}" for month in last_year]
    assert list(months["Value"]) == [5, *[0] * 9, 70, 1_000]
    assert list(months["Deals"]) == [1, *[0] * 9, 1, 2]
    assert list(months["Worth"]) == ["$5", *["$0"] * 9, "$70", "$1,000"]
