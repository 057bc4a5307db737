"""An absurd question is answered, or refused by name; and the session goes on."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from crm_core.analytics import dashboard, outcomes, pipeline, stats, wins
from crm_core.errors import CrmError, InvalidInput
from crm_core.filters import CompanyFilter, LeadFilter, OpportunityFilter
from crm_core.models import OpportunityStage, Outcome
from crm_core.periods import Period, PeriodChoice
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import company_service, lead_service, opportunity_service, settings_service
from crm_core.services.opportunity_service import (
    assign_opportunities,
    close_opportunity,
    convert_lead_to_opportunity,
    delete_opportunities,
    get_history,
    get_rows,
    update_opportunities,
)
from tests.crm_core.services.nouns import NOUNS
from tests.crm_core.services.refusals import assert_goes_on

S = OpportunityStage
NAMED = (CrmError, ValidationError)
NAIVE = datetime(2026, 3, 18, 12)  # noqa: DTZ001  # naive on purpose


def test_a_list_as_of_a_naive_instant_is_refused():
    for noun in NOUNS.values():
        with pytest.raises(ValidationError):
            noun.filter(as_of=NAIVE)


def test_a_figure_as_of_a_naive_instant_is_refused(session):
    for figure in (
        pipeline.totals,
        pipeline.by_stage,
        pipeline.list_totals,
        outcomes.closed_in,
        outcomes.first_day,
        stats.pipeline_stats,
        wins.wins_in,
        opportunity_service.get_pipeline_stats,
        lambda session, as_of: dashboard.overview(session, PeriodChoice.ALL_TIME, as_of=as_of),
    ):
        with pytest.raises(InvalidInput, match="An instant needs a time zone"):
            figure(session, as_of=NAIVE)

    assert_goes_on(session)


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EVER = Period(date.min, date.max)


def deals(**answers):
    """Ask for the list of a filter."""
    return lambda session: get_rows(session, OpportunityFilter(**answers))


QUESTIONS = {
    "limit of nothing": lambda session: get_rows(session, limit=0),
    "negative limit": lambda session: get_rows(session, limit=-1),
    "absurd limit": lambda session: get_rows(session, limit=2**70),
    "negative offset": lambda session: get_rows(session, offset=-1),
    "large offset": lambda session: get_rows(session, offset=2**31),
    "absurd offset": lambda session: get_rows(session, offset=2**70),
    "absurd offset of the history": lambda session: get_history(session, 1, offset=2**70),
    "text with NUL": deals(text="\x00"),
    "text with half a pair": deals(text="\ud800"),
    "long text": deals(text="x" * 201),
    "negative owner": deals(owners={-1, 0}),
    "large owner": deals(owners={2**31}),
    "absurd owner": deals(owners={2**70}),
    "large team": deals(teams={2**31}),
    "absurd team": deals(teams={2**70}),
    "absurd company": deals(companies={2**31, 2**70}),
    "absurd contact": deals(contacts={2**31, 2**70}),
    "absurd reason": deals(close_reasons={2**31, 2**70}),
    "source with NUL": deals(sources={"\x00"}),
    "source with half a pair": deals(sources={"\ud800"}),
    "long source": deals(sources={"x" * 101}),
    "lead's source with NUL": lambda session: lead_service.get_rows(session, LeadFilter(sources={"\x00"})),
    "industry with NUL": lambda session: company_service.get_rows(
        session, CompanyFilter(industries={"\x00"})
    ),
    "country with half a pair": lambda session: company_service.get_rows(
        session, CompanyFilter(countries={"\ud800"})
    ),
    "value that is none": deals(value_from="NaN"),
    "value without end": deals(value_to="Infinity"),
    "absurd value": deals(value_from=10**16),
    "negative value": deals(value_to=-1),
    "absurd choice": lambda session: convert_lead_to_opportunity(
        session, 1, ConversionChoice(company_id=2**70)
    ),
    "many absurd ids": lambda session: delete_opportunities(session, [2**70, -1, 0]),
    "many absurd versions": lambda session: update_opportunities(
        session, [1], OpportunityUpdate(name="Mine"), expected_versions={1: 2**70}
    ),
    "absurd owner of many": lambda session: assign_opportunities(session, [1], owner_id=2**70),
    "merge of absurd ids": lambda session: company_service.merge_companies(session, 2**70, -1),
}
DAYS_AND_INSTANTS = {
    "from the first day": deals(created_from=date.min, closed_from=date.min, expected_from=date.min),
    "to the last day": deals(created_to=date.max, closed_to=date.max, expected_to=date.max),
    "as of the first instant": deals(as_of=FIRST),
    "as of the last instant": deals(as_of=LAST, overdue=True, stale=True),
    "overdue as of the first instant": lambda session: pipeline.totals(
        session, OpportunityFilter(stale=True, overdue=True), as_of=FIRST
    ),
    "figures of all days": lambda session: outcomes.closed_in(session, Period(date.min, date.max)),
    "close on the first day": lambda session: close_opportunity(session, 1, outcome=Outcome.WON, on=date.min),
    "close on the last day": lambda session: close_opportunity(session, 1, outcome=Outcome.WON, on=date.max),
}


@pytest.fixture
def asked(session, make):
    """Asks about a deal and a lead that are there."""
    make.opportunity(stage=S.PROPOSAL)
    make.lead(status="qualified", company_name="Acme")

    def asked(question):
        try:
            answer = question(session)
        except NAMED as refusal:
            answer = str(refusal)
        assert answer is not None
        assert_goes_on(session)

    return asked


@pytest.mark.both_databases
def test_an_absurd_question_is_answered_or_refused_by_name(asked, subtests):
    for name, question in QUESTIONS.items():
        with subtests.test(name):
            asked(question)


@pytest.mark.both_databases
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_the_last_day_are_answered_or_refused_by_name(session, asked, zone, subtests):
    settings_service.get_settings(session).time_zone = zone

    for name, question in DAYS_AND_INSTANTS.items():
        with subtests.test(name):
            asked(question)
