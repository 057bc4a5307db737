"""Real files that say little of their closed deals: funnel, time in stage and win rate, from their rows."""

import csv
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from crm_core import check
from crm_core.analytics.metrics import MetricName, measure
from crm_core.importing import find_mapping, import_opportunities
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.periods import Period
from crm_core.services import opportunity_service
from tests.crm_core.importing.conftest import AT, PORTUGUESE

pytestmark = pytest.mark.both_databases

S = OpportunityStage


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def bring(database, file, mapping=None):
    report = import_opportunities(database, file, mapping or find_mapping(None, file), at=AT)
    assert report.refusals == []
    assert check.findings(database) == []


def reached(figure):
    return {stage: part.value for stage, part in figure.parts.items()}


def expected_funnel(stages):
    """How many open deals have come so far, and nobody who is closed."""
    found = Counter(OPEN_STAGES.index(stage) for stage in stages)
    steps = {stage: sum(n for at, n in found.items() if at >= step) for step, stage in enumerate(OPEN_STAGES)}
    return steps | {S.CLOSED_WON: 0}


def test_maven_says_of_no_closed_deal_where_it_was(database, shared_data):
    file = shared_data / "maven_crm_sales" / "sales_pipeline.csv"
    rows = rows_of(file)
    stage_of = {"Prospecting": S.QUALIFICATION, "Engaging": S.DISCOVERY}
    closed = [row for row in rows if row["deal_stage"] in ("Won", "Lost")]
    quarter = [row for row in closed if "2017-04-01" <= row["engage_date"] < "2017-07-01"]
    bring(database, file)

    with database.read(at=AT) as session:
        funnel, times, won = (
            measure(session, name).figure
            for name in (MetricName.FUNNEL, MetricName.TIME_IN_STAGE, MetricName.WIN_RATE)
        )
        second = Period(date(2017, 4, 1), date(2017, 7, 1))
        of_quarter = measure(session, MetricName.FUNNEL, period=second, explain=True).figure
        created = opportunity_service.count_opportunities(session)

    unknown = funnel.left_out["path_unknown"]
    worth = sum(Decimal(row["close_value"]) for row in closed if row["deal_stage"] == "Won")
    lost = sum(row["deal_stage"] == "Lost" for row in closed)
    assert (unknown.count, unknown.value, unknown.without_value) == (len(closed), worth, lost)
    assert unknown.count == times.left_out["path_unknown"].count == 6_711
    assert reached(funnel) == expected_funnel(stage_of[r["deal_stage"]] for r in rows if r not in closed)
    assert funnel.value + unknown.count == created == len(rows)
    assert of_quarter.left_out["path_unknown"].count == len(quarter) > 0
    assert (won.value, won.status) == (pytest.approx(4238 / 6711), None)


def test_the_portuguese_file_never_recorded_a_loss(database, shared_data):
    file = shared_data / "ptbr_commercial_pipeline" / "oportunidades.csv"
    rows = rows_of(file)
    stages = [PORTUGUESE.stages[row["estagio"]] for row in rows]
    won = [row for row in rows if row["estagio"] == "Closed"]
    bring(database, file, PORTUGUESE)

    with database.read(at=AT) as session:
        rates = [measure(session, name).figure for name in (MetricName.WIN_RATE, MetricName.VELOCITY)]
        funnel, times = (
            measure(session, name).figure for name in (MetricName.FUNNEL, MetricName.TIME_IN_STAGE)
        )
        stats = opportunity_service.get_pipeline_stats(session)

    assert [(each.value, each.status) for each in rates[:1]] == [(None, "no_lost_deals")]
    assert rates[1].value is None
    assert (stats.win_rate.value, stats.win_rate.n, stats.win_rate.status) == (
        None,
        len(won),
        "no_lost_deals",
    )
    assert stats.win_rate_by_value.value is None
    assert stats.closed.won_value == sum(Decimal(row["valor"]) for row in won)
    assert funnel.left_out["path_unknown"].count == times.left_out["path_unknown"].count == len(won) == 819
    assert reached(funnel) == expected_funnel(stage for stage in stages if not stage.is_closed)


def test_the_salesforce_sample_has_losses_but_no_paths(database, shared_data):
    file = shared_data / "salesforce_dev_edition" / "Opportunity.csv"
    mapping = find_mapping(None, file)
    stages = [mapping.stages[row["StageName"]] for row in rows_of(file)]
    won, lost = (stages.count(stage) for stage in (S.CLOSED_WON, S.CLOSED_LOST))
    bring(database, file)

    with database.read(at=AT) as session:
        funnel, rate = (measure(session, name).figure for name in (MetricName.FUNNEL, MetricName.WIN_RATE))

    assert (rate.value, rate.status) == (won / (won + lost), None)
    assert funnel.left_out["path_unknown"].count == won + lost == 20
    assert reached(funnel) == expected_funnel(stage for stage in stages if not stage.is_closed)
