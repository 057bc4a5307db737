"""A link to the list of deals means exactly its filter, whatever the list was set to before."""

from datetime import date
from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from crm_core.filters import OpportunityFilter
from crm_core.models import OpportunityStage, Outcome
from crm_core.services import settings_service
from tests.builders import Make
from tests.conftest import NOW
from tests.pages import tables
from ui.listing.addressed import NOBODY

OPPORTUNITIES = "pages/sales/opportunities.py"
PROPOSAL, WON, LOST = OpportunityStage.PROPOSAL, OpportunityStage.CLOSED_WON, OpportunityStage.CLOSED_LOST
A_DAY = date(2026, 3, 9)


def addressed(where: OpportunityFilter) -> AppTest:
    """A screen that writes down the address of the filter, and what the filter bar makes of it again."""

    def script(told: str) -> None:
        import streamlit as st

        from crm_core.filters import OpportunityFilter
        from ui import opportunity_filters
        from ui.listing.addressed import EXACTLY
        from ui.listing.filter_bar import FilterBar

        where = OpportunityFilter.model_validate_json(told)
        for name, value in opportunity_filters.address(where).items():
            st.query_params[f"deals_{name}"] = value
        st.query_params[EXACTLY] = "deals"
        found = opportunity_filters.show(FilterBar("deals"), past=True)
        st.text(found.model_dump_json())

    return AppTest.from_function(script, args=(where.model_dump_json(),)).run(timeout=30)


@pytest.fixture
def people(given, monkeypatch, database):
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))
    with given() as make:
        north = make.team("North").id
        ada, bob = make.user("Ada", team_id=north).id, make.user("Bob").id
        acme = make.company("Acme & *Sons*").id
        reason = settings_service.get_close_reasons(make.session, Outcome.LOST)[0].id
        make.opportunity(owner_id=ada, company_id=acme)
        make.opportunity(owner_id=bob)
        return {"north": north, "ada": ada, "bob": bob, "acme": acme, "reason": reason}


FILTERS = [
    {"is_open": True},
    {"is_open": False},
    {"stages": {PROPOSAL, WON}},
    {"overdue": True, "without_date": True},
    {"stale": True, "without_next_step": True, "without_value": True},
    {"text": "Ü*b* #7"},
    {"sources": {"Web", "not seen yet"}},
    {"value_from": Decimal(0)},
    {"value_from": Decimal("40.01"), "value_to": Decimal("1234567.89")},
    {"expected_from": A_DAY, "expected_to": A_DAY},
    {"closed_from": A_DAY, "created_to": A_DAY},
    {"furthest": {PROPOSAL}, "counted": True, "credit_at_creation": True},
    {"been_in": {PROPOSAL}, "entered_from": A_DAY, "entered_to": A_DAY, "credit_in_stage": True},
    {"without_owner": True, "without_reason": True},
    {"path_unknown": True},
    {"been_in": {PROPOSAL}, "entry_unknown": True, "entered_from": A_DAY},
    {"as_of": A_DAY},
    {"owners": "ada", "teams": "north"},
    {"companies": "acme"},
    {"close_reasons": "reason"},
]


@pytest.mark.parametrize("asked", FILTERS, ids=lambda asked: " ".join(asked))
def test_the_address_of_a_filter_means_the_filter(people, database, asked):
    with database.read() as session:
        calendar = settings_service.get_calendar(session)
    meant = {
        name: {people[value]} if isinstance(value, str) and name != "text" else value
        for name, value in asked.items()
    }
    if "as_of" in meant:
        meant["as_of"] = calendar.end_of(meant["as_of"])
    where = OpportunityFilter.model_validate(meant)

    page = addressed(where)

    assert not page.exception
    assert OpportunityFilter.model_validate_json(page.text[-1].value) == where


@pytest.mark.parametrize(
    "asked",
    [{"contacts": {1}}, {"outcomes": {Outcome.WON}, "stages": {LOST}}],
    ids=lambda asked: " ".join(asked),
)
def test_what_the_list_can_not_say_has_no_address(people, asked):
    assert addressed(OpportunityFilter.model_validate(asked)).exception


def test_an_id_that_nobody_has_matches_nothing(people):
    page = addressed(OpportunityFilter.model_validate({"teams": {99}}))

    found = OpportunityFilter.model_validate_json(page.text[-1].value)
    assert found == OpportunityFilter(owners=NOBODY)


def test_outcomes_are_stages_there(people):
    page = addressed(OpportunityFilter(outcomes=frozenset(Outcome)))

    found = OpportunityFilter.model_validate_json(page.text[-1].value)
    assert found == OpportunityFilter(stages=frozenset({WON, LOST}))


def test_an_exact_address_takes_everything_else_away(open_page, given):
    with given() as make:
        for number in range(3):
            make.opportunity(name=f"Roof {number}", stage=PROPOSAL)
        make.opportunity(name="Wind", stage=PROPOSAL)
        make.won(1, name="Roof won")
    page = open_page(OPPORTUNITIES, deals_search="Roof", deals_state="open")
    assert len(tables.names(page)) == 3

    for name in list(page.query_params):
        del page.query_params[name]
    page.query_params["deals_stage"] = "proposal"
    page.query_params["exactly"] = "deals"
    page.run()

    assert sorted(tables.names(page)) == ["Roof 0", "Roof 1", "Roof 2", "Wind"]
    assert "exactly" not in page.query_params


def test_the_list_shows_what_was_there_on_a_past_day(open_page, database):
    with database.write(at=NOW) as session:
        deal = Make(session).opportunity(name="As it was", created_at=NOW)
    with database.write() as session:
        session.get_one(type(deal), deal.id).name = "As it is"

    assert tables.names(open_page(OPPORTUNITIES)) == ["As it is"]
    page = open_page(OPPORTUNITIES, deals_as_of=NOW.date().isoformat())

    assert tables.names(page) == ["As it was"]
    assert "as they were at the end of Mar 18, 2026" in page.info[0].value.replace("\\", "")
    assert not page.toggle
