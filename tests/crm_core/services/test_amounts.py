"""Amounts keep their currency: its decimals rule what comes in and goes out, and totals are exact in each."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crm_core.analytics.metrics import MetricName, measure
from crm_core.currency import Currency, FinerThanCurrency, OtherCurrency
from crm_core.filters import OpportunityFilter
from crm_core.models import LeadStatus, Opportunity, OpportunityStage, TargetPeriod
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.services import (
    lead_service,
    opportunity_service,
    records,
    settings_service,
    target_service,
)
from crm_core.services.records import NothingWasChanged
from crm_core.services.settings_service import Relabelling
from tests.builders import Make
from tests.conftest import Discard

pytestmark = pytest.mark.both_databases

FITTING = {"JPY": "12345", "USD": "123.45", "KWD": "12.345"}
TOO_FINE = {"JPY": "0.5", "USD": "0.005", "KWD": "0.0005"}
CURRENCIES = pytest.mark.parametrize("code", FITTING)

Entry = Callable[[Any, Make, dict[str, Any]], Decimal | None]
"""A way in for an amount with its currency; returns what is stored."""


def creates_a_deal(session, make, given):
    draft = OpportunityCreate(name="Roof", expected_value=given.pop("amount"), **given)
    return opportunity_service.create_opportunity(session, draft).expected_value


def changes_a_deal(session, make, given):
    deal, changes = make.opportunity(), OpportunityUpdate(expected_value=given.pop("amount"), **given)
    return opportunity_service.update_opportunity(session, deal.id, changes).expected_value


def creates_a_lead(session, make, given):
    draft = LeadCreate(name="Lea", estimated_value=given.pop("amount"), **given)
    return lead_service.create_lead(session, draft).estimated_value


def changes_a_lead(session, make, given):
    lead, changes = make.lead(), LeadUpdate(estimated_value=given.pop("amount"), **given)
    return lead_service.update_lead(session, lead.id, changes).estimated_value


def converts_a_lead(session, make, given):
    lead = make.lead(status=LeadStatus.QUALIFIED)
    choice = ConversionChoice(expected_value=given.pop("amount"), **given)
    done = opportunity_service.convert_lead_to_opportunity(session, lead.id, choice)
    return opportunity_service.get_opportunity(session, done.opportunity.id).expected_value


def sets_a_target(session, make, given):
    month = {"period": TargetPeriod.MONTH, "starts_on": date(2026, 1, 1)}
    return target_service.set_target(session, TargetSet(user_id=make.user().id, **month, **given)).amount


def changes_a_target(session, make, given):
    target = make.target(5, user_id=make.user().id)
    return target_service.update_target(session, target.id, TargetUpdate(**given)).amount


ENTRIES = (
    creates_a_deal,
    changes_a_deal,
    creates_a_lead,
    changes_a_lead,
    converts_a_lead,
    sets_a_target,
    changes_a_target,
)


def choose(session, code: str) -> None:
    settings_service.update_settings(session, SettingsUpdate(currency=code))


@CURRENCIES
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_amount_that_the_currency_allows_is_stored(session, make, code, entry):
    choose(session, code)

    assert entry(session, make, {"amount": FITTING[code]}) == Decimal(FITTING[code])
    assert entry(session, make, {"amount": "100.0000", "currency": code}) == 100


@CURRENCIES
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_finer_amount_is_refused_and_never_rounded(session, make, code, entry):
    choose(session, code)

    with pytest.raises(FinerThanCurrency, match=f"{code} has {Currency(code).in_words}"):
        entry(session, make, {"amount": TOO_FINE[code]})


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_amount_in_another_currency_is_refused(session, make, entry):
    with pytest.raises(OtherCurrency, match="Amounts are in USD here, not in EUR"):
        entry(session, make, {"amount": "100", "currency": "EUR"})
    with pytest.raises(ValidationError, match="not a currency's code"):
        entry(session, make, {"amount": "100", "currency": "Taler"})


def test_many_are_changed_together_or_not_at_all(session, make):
    ids = [make.opportunity(expected_value=Decimal(5)).id for _ in range(2)]

    for changes in ({"expected_value": "0.005"}, {"expected_value": 7, "currency": "EUR"}):
        with pytest.raises(NothingWasChanged):
            opportunity_service.update_opportunities(session, ids, OpportunityUpdate(**changes))

    assert {each.expected_value for each in records.in_batches(session, Opportunity, ids)} == {5}


def test_the_same_request_again_is_the_same_deal_with_its_currency(session):
    draft = {"name": "Roof", "expected_value": 5, "request_id": "r1"}

    first = opportunity_service.create_opportunity(session, OpportunityCreate(**draft))
    again = opportunity_service.create_opportunity(session, OpportunityCreate(**draft, currency="USD"))

    assert again is first


@pytest.fixture
def relabelled(session, make):
    """A deal, a lead and a target of a workspace that had three decimals, and now has none."""
    choose(session, "KWD")
    deal = make.opportunity(expected_value=Decimal("1.234"), probability=50)
    lead = make.lead(status=LeadStatus.QUALIFIED, estimated_value=Decimal("0.005"))
    target = make.target("12.345", user_id=make.user().id)
    session.flush()
    choose(session, "JPY")
    return deal.id, lead.id, target.id


def test_amounts_of_another_currency_keep_their_numbers(session, make, relabelled):
    make.opportunity(expected_value=Decimal(5), probability=50)
    page = opportunity_service.get_opportunities(session)
    (target,) = target_service.get_targets(session)

    assert [str(row.expected_value) for row in page.rows] == ["5", "1.234"]
    assert (str(page.totals.value), str(page.totals.weighted)) == ("6.234", "3")
    assert [str(row.estimated_value) for row in lead_service.get_leads(session).rows] == ["0.005"]
    assert str(target.amount) == "12.345"
    assert str(measure(session, MetricName.OPEN_PIPELINE).figure.value) == "6.234"


def test_an_amount_that_stays_may_be_finer_than_the_new_currency(session, relabelled):
    deal, lead, target = relabelled

    opportunity_service.update_opportunity(
        session, deal, OpportunityUpdate(name="New", expected_value="1.234")
    )
    lead_service.update_lead(session, lead, LeadUpdate(name="New", estimated_value="0.005"))
    target_service.update_target(session, target, TargetUpdate(amount="12.345"))
    done = opportunity_service.convert_lead_to_opportunity(session, lead)

    made = opportunity_service.get_row(session, done.opportunity.id)
    assert str(made.expected_value) == "0.005"
    with pytest.raises(FinerThanCurrency):
        opportunity_service.update_opportunity(session, deal, OpportunityUpdate(expected_value="1.2"))


def test_a_new_currency_says_what_it_means_for_the_amounts(session, make, relabelled):
    make.opportunity(expected_value=Decimal(7))
    make.opportunity(expected_value=None)
    make.opportunity(expected_value=Decimal("0.5"), deleted_at=records.instant(session))

    assert settings_service.preview_relabelling(session, "CLP") == Relabelling(amounts=4, finer=3)
    assert settings_service.preview_relabelling(session, "TND") == Relabelling(amounts=4, finer=0)


def test_a_filter_compares_with_finer_amounts(session, make):
    worth = {amount: make.opportunity(expected_value=Decimal(amount)).id for amount in ("0", "0.01", "1")}

    def found(**bounds):
        return set(opportunity_service.find_opportunity_ids(session, OpportunityFilter(**bounds)))

    assert found(value_from="0.00001") == {worth["0.01"], worth["1"]}
    assert found(value_to="0.00001") == {worth["0"]}
    assert found(value_from="0.00999999", value_to="0.01000001") == {worth["0.01"]}
    assert found(value_to="0.9999999") == {worth["0"], worth["0.01"]}


stages = st.sampled_from(OpportunityStage)
chances = st.integers(0, 100)
# small ones, those around the 32 bits of a stored amount, and the largest
units = st.integers(0, 20_000) | st.integers(2**32 - 3, 2**32 + 3) | st.integers(9 * 10**12, 10**13 - 1)


@CURRENCIES
@given(deals=st.lists(st.tuples(stages, chances, st.none() | units), max_size=30))
def test_totals_are_those_that_are_counted_by_hand(database, code, deals):
    currency = Currency(code)
    worth = [
        (stage, chance, None if units is None else units * currency.unit) for stage, chance, units in deals
    ]

    with suppress(Discard), database.write() as session:
        choose(session, code)
        for deal in worth:
            make_one(Make(session), *deal)
        found = counted(session)
        raise Discard

    assert found == recounted(worth, currency)
    assert {-each.as_tuple().exponent for each in found if each is not None} == {currency.decimals}


def counted(session) -> list[Decimal | None]:
    """What all deals are worth, the open ones, these weighted, the won ones, their average and median."""
    totals = opportunity_service.get_opportunities(session).totals
    stats = opportunity_service.get_pipeline_stats(session)
    won = stats.wins.average_value, stats.wins.median_value
    return [totals.value, stats.open.value, totals.weighted, stats.closed.won_value, *won]


def recounted(deals, currency: Currency) -> list[Decimal | None]:
    is_open = [(chance, value or 0) for stage, chance, value in deals if not stage.is_closed]
    won = [value for stage, _, value in deals if stage is OpportunityStage.CLOSED_WON and value is not None]
    return [
        Decimal(sum(value or 0 for *_, value in deals)),
        Decimal(sum(value for _, value in is_open)),
        by_hand(Decimal(sum(chance * value for chance, value in is_open)) / 100, currency),
        Decimal(sum(won)),
        by_hand(sum(won) / len(won), currency) if won else None,
        by_hand(median(won), currency) if won else None,
    ]


def make_one(make: Make, stage: OpportunityStage, chance: int, value: Decimal | None) -> None:
    if stage is OpportunityStage.CLOSED_WON:
        make.won(value)
    elif stage is OpportunityStage.CLOSED_LOST:
        make.lost(value)
    else:
        make.opportunity(stage=stage, probability=chance, expected_value=value)


def by_hand(exact: Decimal, currency: Currency) -> Decimal:
    return exact.quantize(Decimal(1).scaleb(-currency.decimals), ROUND_HALF_UP)
