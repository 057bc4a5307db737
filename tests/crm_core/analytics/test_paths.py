"""No past is made up: deals whose path is not known are left out of funnel and time in stage, and counted."""

import random
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from crm_core import check
from crm_core.analytics import breakdowns
from crm_core.analytics.metrics import MetricName, measure
from crm_core.database import Database
from crm_core.errors import CrmError
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.importing import Mapping, import_opportunities
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome, Source, Transaction
from crm_core.periods import Period
from crm_core.services import opportunity_service, undo_service
from tests import forms
from tests.builders import Make, reason_id
from tests.conftest import NOW, Discard
from tests.crm_core.analytics.histories import filters, histories, instants, periods, written

pytestmark = pytest.mark.both_databases

S = OpportunityStage
ALWAYS = Period(date(2000, 1, 1), date(2100, 1, 1))
LAST_ACTION = select(func.max(Transaction.id)).where(Transaction.source != Source.IMPORT)

MAPPING = Mapping.model_validate(
    {
        "source": "old",
        "start_stage": "discovery",
        "columns": {"name": "name", "status": "status", "stage": "stage", "created": "from", "closed": "to"}
        | {"expected_value": "worth", "external_id": "name"},
        "statuses": {"open": "open", "won": "won", "lost": "lost"},
        "stages": {stage.value: stage.value for stage in OPEN_STAGES},
    }
)
FILE = b"""name,status,stage,from,to,worth
won,won,,2026-01-05,2026-02-01,10
lost,lost,,2026-01-06,2026-02-02,20
unvalued,lost,,2026-01-07,2026-02-03,
won in negotiation,won,negotiation,2026-01-08,2026-02-04,40
lost in proposal,lost,proposal,2026-01-09,2026-02-05,50
lost in qualification,lost,qualification,2026-01-10,2026-02-06,60
open,open,discovery,2026-01-11,,70
"""


@pytest.fixture
def imported(database: Database) -> dict[str, int]:
    """The ids of the file's deals by their names."""
    report = import_opportunities(database, FILE, MAPPING, at=NOW - timedelta(days=10))
    assert report.refusals == []
    with database.read() as session:
        return {deal.name: deal.id for deal in opportunity_service.get_rows(session, limit=20)}


def figure(database: Database, name: MetricName, where=EVERYTHING, **asked):
    with database.read(at=NOW) as session:
        return measure(session, name, where, explain=True, **asked).figure


def funnel(database: Database, **asked):
    """How many reached each stage."""
    return [part.value for part in figure(database, MetricName.FUNNEL, **asked).parts.values()]


def left_out(database: Database, name: MetricName, **asked) -> list[int]:
    return figure(database, name, **asked).left_out["path_unknown"].ids


def test_the_funnel_leaves_out_whose_path_is_unknown(database, imported):
    found = figure(database, MetricName.FUNNEL)

    unknown = found.left_out["path_unknown"]
    assert (unknown.count, unknown.value, unknown.without_value) == (3, 30, 1)
    assert unknown.ids == [imported["won"], imported["lost"], imported["unvalued"]]
    assert [part.value for part in found.parts.values()] == [4, 3, 2, 1, 1]
    assert (found.value, found.parts[S.CLOSED_WON].counted.ids) == (4, [imported["won in negotiation"]])
    lost = [part.apart["lost"].count for part in list(found.parts.values())[:-1]]
    assert lost == [1, 0, 1, 0]
    assert found.parts[S.NEGOTIATION].details["step_rate"] == 1


def test_time_in_stage_leaves_out_when_nobody_knows_when_it_began(database, imported):
    found = figure(database, MetricName.TIME_IN_STAGE)

    names = ("won", "lost", "unvalued", "won in negotiation", "lost in proposal")
    assert found.left_out["path_unknown"].ids == [imported[name] for name in names]
    assert found.counted.ids == [imported["lost in qualification"], imported["open"]]
    assert found.parts[S.QUALIFICATION].value == 27


def test_while_it_was_open_it_stands_in_the_start_stage(database, imported):
    january = NOW.replace(month=1, day=20)

    found = figure(database, MetricName.FUNNEL, as_of=january)

    assert found.left_out["path_unknown"].ids == []
    assert [part.apart["pending"].count for part in list(found.parts.values())[:-1]] == [1, 4, 1, 1]
    assert left_out(database, MetricName.TIME_IN_STAGE, as_of=january) == []


def test_a_deal_that_goes_on_has_a_known_path_from_then_on(database, imported):
    lost, won = imported["lost"], imported["won"]
    with database.write(at=NOW - timedelta(days=3)) as session:
        opportunity_service.reopen_opportunity(session, lost, to=S.QUALIFICATION)
        opportunity_service.reopen_opportunity(session, won, to=S.NEGOTIATION)
    assert left_out(database, MetricName.FUNNEL) == [imported["unvalued"]]
    assert funnel(database) == [6, 4, 3, 2, 1]

    with database.write(at=NOW - timedelta(days=2)) as session:
        opportunity_service.close_opportunity(
            session, lost, outcome=Outcome.LOST, reason_id=reason_id(session, "Price")
        )
        opportunity_service.close_opportunity(session, won, outcome=Outcome.WON)

    parts = figure(database, MetricName.FUNNEL).parts
    assert [part.value for part in parts.values()] == [6, 4, 3, 2, 2]
    assert lost in parts[S.QUALIFICATION].apart["lost"].ids
    times = figure(database, MetricName.TIME_IN_STAGE)
    assert {lost, won} <= set(times.left_out["path_unknown"].ids) & set(times.counted.ids)
    assert check.findings(database) == []


def test_an_edit_of_a_closed_deal_says_nothing_about_its_path(database, imported):
    with database.write(at=NOW) as session:
        opportunity_service.get_opportunity(session, imported["lost"]).expected_value = Decimal(25)

    unknown = figure(database, MetricName.FUNNEL).left_out["path_unknown"]

    assert (unknown.count, unknown.value) == (3, 35)


def test_what_is_left_out_leads_to_exactly_its_deals(database, imported):
    with database.read(at=NOW) as session:
        found = (
            breakdowns.funnel(session, ALWAYS, EVERYTHING),
            breakdowns.time_in_stage(session, ALWAYS, EVERYTHING),
        )
        shown = [segment for segment in found[0].segments if segment.deals]
        shown += [each for each in found[1].stages if each.deals]
        for each in (*shown, *(part.path_unknown for part in found)):
            assert opportunity_service.count_opportunities(session, each.where) == each.deals > 0
        totals = opportunity_service.get_opportunities(session, found[0].path_unknown.where).totals
    assert [part.path_unknown.deals for part in found] == [3, 5]
    assert (totals.deals, totals.value, totals.without_value) == (3, 30, 1)


def test_filters_take_no_assumption_for_known(database, imported):
    asked = {
        "been in discovery": (OpportunityFilter(been_in={S.DISCOVERY}), ["open"]),
        "furthest": (OpportunityFilter(furthest={S.DISCOVERY}), ["open"]),
        "been in proposal": (OpportunityFilter(been_in={S.PROPOSAL}), ["lost in proposal"]),
        "came into it": (
            OpportunityFilter(been_in={S.PROPOSAL}, entered_from=date(2020, 1, 1)),
            [],
        ),
        "nobody knows when": (
            OpportunityFilter(been_in={S.PROPOSAL}, entry_unknown=True),
            ["lost in proposal"],
        ),
        "in those days": (
            OpportunityFilter(entry_unknown=True, entered_to=date(2026, 1, 5)),
            ["won"],
        ),
    }
    with database.read(at=NOW) as session:
        for where, names in asked.values():
            found = {deal.name for deal in opportunity_service.get_rows(session, where, limit=20)}
            assert found == set(names)


def adds_up(session, where, period, at) -> bool:
    """Whether every deal that was created is in exactly one place of the funnel."""
    asked = {"period": period, "as_of": at, "explain": True}
    found = measure(session, MetricName.FUNNEL, where, **asked).figure
    cohort = measure(session, MetricName.CREATED, where, **asked).figure
    created = [*cohort.counted.ids, *cohort.left_out["without_value"].ids]
    first = found.parts[OPEN_STAGES[0]]
    kinds = [part.apart[kind] for part in list(found.parts.values())[:-1] for kind in ("pending", "lost")]
    kinds.append(found.parts[S.CLOSED_WON].counted)
    assert first.counted.ids == sorted(deal for kind in kinds for deal in kind.ids)
    assert first.value == sum(kind.count for kind in kinds)
    assert sorted([*first.counted.ids, *(d for g in found.left_out.values() for d in g.ids)]) == sorted(
        created
    )
    return first.value + sum(group.count for group in found.left_out.values()) == len(created)


@given(st.lists(histories(), max_size=12), st.lists(instants, max_size=1), periods, filters)
@settings(max_examples=forms.either(5, 40))
def test_the_funnel_adds_up_to_what_was_created(database, deals, asked, period, where):
    with suppress(Discard), database.write(at=NOW) as session:
        for number in (2, 3):
            Make(session).user(id=number)
        written(session, deals)
        for at in (*asked, None):
            assert adds_up(session, where, period, at)
        raise Discard


@pytest.mark.parametrize("seed", range(forms.either(2, 10)))
def test_it_adds_up_after_anything_is_done_and_undone(database, imported, seed):
    """And the answer that was mended is the one that is counted anew."""
    chance, at = random.Random(seed), NOW - timedelta(days=9)
    with database.read() as session:
        reasons = [reason_id(session, label) for label in ("Price", "Duplicate or test")]
    actions = 0
    for _ in range(25):
        at += timedelta(hours=chance.randint(1, 8))
        with suppress(CrmError), database.write(actor=1, at=at) as session:
            change(session, chance, list(imported.values()), reasons)
            actions += 1
        with database.read(at=at) as session:
            assert adds_up(session, EVERYTHING, None, None)
            mended = charts(session)
        with database.read(at=at) as session:
            session.info.pop("kept")  # what is known of before
            assert charts(session) == mended
    assert actions > 8
    assert check.findings(database) == []


def charts(session):
    return [draw(session, ALWAYS, EVERYTHING) for draw in (breakdowns.funnel, breakdowns.time_in_stage)]


def change(session, chance, deals, reasons):
    """Something that people do with a deal; some of it is refused."""
    deal = chance.choice(deals)
    to = chance.choice(OPEN_STAGES)
    action = chance.randrange(6)
    if action == 0:
        opportunity_service.reopen_opportunity(session, deal, to=to)
    elif action == 1:
        opportunity_service.move_opportunity(session, deal, to=to)
    elif action == 2:
        opportunity_service.close_opportunity(session, deal, outcome=Outcome.WON)
    elif action == 3:
        opportunity_service.close_opportunity(
            session, deal, outcome=Outcome.LOST, reason_id=chance.choice(reasons)
        )
    elif action == 4:
        opportunity_service.delete_opportunity(session, deal)
    else:
        undo_service.undo(session, session.scalar(LAST_ACTION) or 0)
