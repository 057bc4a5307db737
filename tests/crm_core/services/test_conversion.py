"""How a qualified lead becomes a deal, whom it is taken to mean, and what is left when that fails."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from crm_core import check
from crm_core.errors import NotFound
from crm_core.models import (
    Company,
    Contact,
    Lead,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Source,
    Transaction,
)
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.conversion import Conversion, ConversionChoice, ConversionStep, How
from crm_core.services import company_service, lead_service
from crm_core.services.conversion import LeadIsNotQualified
from crm_core.services.opportunity_service import (
    CloseNeedsOutcome,
    convert_lead_to_opportunity,
    convert_leads,
    get_opportunity,
    preview_conversion,
)
from crm_core.services.records import ChangedMeanwhile, NothingWasChanged, OwnerIsInactive, RecordNotFound
from tests.builders import Make, stored
from tests.conftest import NOW, Discard
from tests.crm_core.importing.conftest import every_row
from tests.crm_core.services.refusals import refusal

S = OpportunityStage
QUALIFIED = LeadStatus.QUALIFIED
AN_HOUR = timedelta(hours=1)
THREADS = 8

LONG_DOMAIN = ".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 40, "com"])


@pytest.fixture
def lead(make):
    """Makes a qualified lead of whom nothing but the name is known, and what the test says."""
    return lambda **answers: make.lead(**{"status": QUALIFIED, **answers})


def test_only_a_qualified_lead_converts(session, make):
    for status in (LeadStatus.NEW, LeadStatus.CONTACTED, LeadStatus.UNQUALIFIED):
        lead = make.lead("Grace Hopper", status=status)
        before = stored(session)
        words = f"“Grace Hopper” is {status}. Only a qualified lead converts: qualify it first"

        with pytest.raises(LeadIsNotQualified, match=words):
            convert_lead_to_opportunity(session, lead.id)
        with pytest.raises(LeadIsNotQualified, match=words):
            preview_conversion(session, lead.id)

        assert stored(session) == before


def test_a_lead_that_is_not_there_does_not_convert(session, lead):
    deleted = lead(deleted_at=NOW).id

    for key in (deleted, 99, 0, -1, 2**31, 2**70):
        with pytest.raises(RecordNotFound, match="There is no lead"):
            convert_lead_to_opportunity(session, key)
        with pytest.raises(RecordNotFound, match="There is no lead"):
            preview_conversion(session, key)


def test_a_lead_of_whom_much_is_known_becomes_a_company_a_contact_and_a_deal(session, make):
    owner = make.user("Rita Rep")
    lead = make.lead(
        "Grace Hopper",
        status=QUALIFIED,
        company_name="Navy",
        email="grace@navy.example",
        phone="+1 555 0100",
        job_title="Rear admiral",
        source="Fair",
        estimated_value=Decimal("12000.50"),
        description="Wants a compiler",
        owner_id=owner.id,
    )

    result = convert_lead_to_opportunity(session, lead.id)

    company = session.get_one(Company, result.company.id)
    contact = session.get_one(Contact, result.contact.id)
    deal = session.get_one(Opportunity, result.opportunity.id)
    assert result == Conversion(
        lead_id=lead.id,
        company=ConversionStep(id=company.id, name="Navy", how=How.CREATED),
        contact=ConversionStep(id=contact.id, name="Grace Hopper", how=How.CREATED),
        opportunity=ConversionStep(id=deal.id, name="Navy", how=How.CREATED),
    )
    assert (company.name, company.domain, company.owner_id) == ("Navy", "navy.example", owner.id)
    assert (contact.name, contact.email, contact.phone) == (
        "Grace Hopper",
        "grace@navy.example",
        "+1 555 0100",
    )
    assert (contact.job_title, contact.company_id, contact.owner_id) == ("Rear admiral", company.id, owner.id)
    assert (deal.name, deal.company_id, deal.contact_id, deal.lead_id) == (
        "Navy",
        company.id,
        contact.id,
        lead.id,
    )
    assert (deal.stage, deal.probability, deal.created_at) == (S.QUALIFICATION, 10, NOW)
    assert (deal.expected_value, deal.source, deal.description, deal.owner_id) == (
        Decimal("12000.50"),
        "Fair",
        "Wants a compiler",
        owner.id,
    )
    assert (lead.status, lead.converted_at, lead.opportunity_id) == (LeadStatus.CONVERTED, NOW, deal.id)


def test_what_the_user_decides_wins_over_what_the_lead_says(session, make, lead):
    grace = lead(company_name="Navy", estimated_value=Decimal(10), owner_id=make.user("Rita").id)
    owner = make.user("Sam")
    choice = ConversionChoice(
        name="Compiler",
        stage=S.PROPOSAL,
        expected_value=Decimal(99),
        expected_close_date=date(2026, 6, 1),
        owner_id=owner.id,
    )

    deal = get_opportunity(session, convert_lead_to_opportunity(session, grace.id, choice).opportunity.id)

    assert (deal.name, deal.stage, deal.probability) == ("Compiler", S.PROPOSAL, 50)
    assert (deal.expected_value, deal.expected_close_date, deal.owner_id) == (99, date(2026, 6, 1), owner.id)


def test_the_user_can_decide_that_value_and_owner_are_unknown(session, make, lead):
    grace = lead(estimated_value=Decimal(10), owner_id=make.user().id)
    choice = ConversionChoice(expected_value=None, owner_id=None)

    deal = get_opportunity(session, convert_lead_to_opportunity(session, grace.id, choice).opportunity.id)

    assert (deal.expected_value, deal.owner_id) == (None, None)


def test_without_a_company_name_the_company_is_called_after_its_domain(session, lead):
    result = convert_lead_to_opportunity(session, lead(email="grace@Navy.example").id)

    assert (result.company.name, result.company.how) == ("navy.example", How.CREATED)
    assert session.get_one(Company, result.company.id).domain == "navy.example"
    assert result.opportunity.name == "Grace Hopper"


def test_without_a_company_name_and_a_domain_there_is_no_company(session, lead):
    for email in (None, "grace@gmail.com", "grace@GMX.de"):
        result = convert_lead_to_opportunity(session, lead(email=email).id)

        assert result.company == ConversionStep(id=None, name=None, how=How.NONE)
        assert session.scalars(select(Company)).all() == []
        deal = get_opportunity(session, result.opportunity.id)
        assert (deal.name, deal.company_id) == ("Grace Hopper", None)
        assert session.get_one(Contact, deal.contact_id).company_id is None


def test_into_a_deal_that_is_there_the_lead_of_somebody_who_left_converts(database, workspace):
    with database.write(at=NOW) as session:
        lead = session.get_one(Lead, workspace["lead"])
        lead.owner_id = workspace["ina"]
        choice = {name: workspace[name] for name in ("opportunity_id", "company_id", "contact_id")}

    with database.write() as session:
        result = convert_lead_to_opportunity(session, workspace["lead"], ConversionChoice(**choice))

    assert result.opportunity.id == workspace["opportunity_id"]


@pytest.fixture
def workspace(database):
    """Rita, Ina who left, a known company with a known contact, an open deal, and a qualified lead."""
    with database.write(at=NOW - AN_HOUR) as session:
        make = Make(session)
        rita, ina = make.user("Rita"), make.user("Ina", is_active=False)
        company = make.company("Navy", domain="navy.example")
        contact = make.contact("Ada Lovelace", company_id=company.id)
        deal = make.opportunity(name="Compiler")
        lead = make.lead(
            "Grace Hopper",
            status=QUALIFIED,
            company_name="Fleet",
            email="grace@fleet.example",
            phone="415 555 0123",
            owner_id=rita.id,
        )
        return {
            "rita": rita.id,
            "ina": ina.id,
            "company_id": company.id,
            "contact_id": contact.id,
            "opportunity_id": deal.id,
            "lead": lead.id,
        }


def test_converted_twice_gives_the_first_result(database, workspace):
    lead = workspace["lead"]
    with database.write(at=NOW) as session:
        first = convert_lead_to_opportunity(session, lead, expected_version=1)
    with database.write() as session:
        changes = CompanyUpdate(name="Renamed")
        company_service.update_company(session, first.company.id, changes)
    before = every_row(database)

    with database.write() as session:
        again = [
            convert_lead_to_opportunity(session, lead),
            convert_lead_to_opportunity(session, lead, expected_version=1),
            convert_lead_to_opportunity(
                session, lead, ConversionChoice(opportunity_id=workspace["opportunity_id"])
            ),
            preview_conversion(session, lead),
        ]

    assert again == [first] * 4
    assert every_row(database) == before


def test_converted_twice_in_one_transaction_gives_the_first_result(session, lead):
    grace = lead(company_name="Navy")

    assert convert_lead_to_opportunity(session, grace.id) == convert_lead_to_opportunity(session, grace.id)
    assert session.scalar(select(func.count()).select_from(Opportunity)) == 1


def test_a_lead_that_came_converted_tells_what_it_led_to(session, make):
    company, contact = make.company("Navy"), make.contact("Ada")
    deal = make.opportunity(name="Compiler", company_id=company.id, contact_id=contact.id)
    lead = make.lead(status=LeadStatus.CONVERTED, converted_at=NOW, opportunity_id=deal.id)

    assert convert_lead_to_opportunity(session, lead.id) == Conversion(
        lead_id=lead.id,
        company=ConversionStep(id=company.id, name="Navy", how=How.NONE),
        contact=ConversionStep(id=contact.id, name="Ada", how=How.NONE),
        opportunity=ConversionStep(id=deal.id, name="Compiler", how=How.NONE),
    )


def test_a_lead_that_is_converted_into_nothing_yet_tells_so(session, make):
    """As within a transaction that has yet to link it; the database holds none such."""
    lead = make.lead(status=LeadStatus.QUALIFIED)
    nothing = ConversionStep(id=None, name=None, how=How.NONE)

    with session.no_autoflush:
        lead.status = LeadStatus.CONVERTED
        told = preview_conversion(session, lead.id)
        session.expire(lead)

    assert told == Conversion(lead_id=lead.id, company=nothing, contact=nothing, opportunity=nothing)


def test_a_lead_that_was_changed_meanwhile_does_not_convert(database, workspace):
    with database.write(at=NOW, actor=workspace["rita"]) as session:
        session.get_one(Lead, workspace["lead"]).phone = "1"

    with refusal(database, ChangedMeanwhile, r"was changed meanwhile by Rita \(phone\)") as session:
        convert_lead_to_opportunity(session, workspace["lead"], expected_version=1)


HALF_WAY = [
    ({"owner_id": "ina"}, OwnerIsInactive, "Ina no longer works here"),
    ({"owner_id": 99}, NotFound, "There is no user 99"),
    ({"stage": S.CLOSED_WON}, CloseNeedsOutcome, "A stage can't close “Fleet”"),
    ({"company_id": 98}, NotFound, "There is no company 98"),
    ({"contact_id": 98}, NotFound, "There is no contact 98"),
    ({"opportunity_id": 98}, NotFound, "There is no opportunity 98"),
]


def test_a_refusal_leaves_nothing_even_if_the_caller_goes_on(database, workspace, subtests):
    for choice, refused_as, words in HALF_WAY:
        chosen = ConversionChoice(**{name: workspace.get(value, value) for name, value in choice.items()})
        for verb in (convert_lead_to_opportunity, preview_conversion):
            named = subtests.test(verb=verb.__name__, choice=choice)
            with named, refusal(database, refused_as, words) as session:
                verb(session, workspace["lead"], chosen)

    with database.write() as session:
        result = convert_lead_to_opportunity(session, workspace["lead"])
    assert (result.company.how, result.contact.how) == (How.CREATED, How.CREATED)


def test_the_lead_of_somebody_who_left_needs_another_owner(database, workspace):
    with database.write(at=NOW) as session:
        session.get_one(Lead, workspace["lead"]).owner_id = workspace["ina"]

    with refusal(database, OwnerIsInactive, "Ina no longer works here. Choose another owner") as session:
        convert_lead_to_opportunity(session, workspace["lead"])
    with database.write() as session:
        choice = ConversionChoice(owner_id=workspace["rita"])
        deal_id = convert_lead_to_opportunity(session, workspace["lead"], choice).opportunity.id
    with database.read() as session:
        assert get_opportunity(session, deal_id).owner_id == workspace["rita"]


def convert_and_break(session, lead_id):
    convert_lead_to_opportunity(session, lead_id)
    Make(session).opportunity(probability=101)


def test_a_broken_check_leaves_nothing(database, workspace):
    before = every_row(database)

    with pytest.raises(IntegrityError), database.write() as session:
        convert_and_break(session, workspace["lead"])

    assert every_row(database) == before


def test_a_failure_half_way_leaves_nothing(database, workspace, subtests):
    before = every_row(database)

    def convert_until_it_breaks(session, half_way):
        def break_down(session, _context, _instances):
            if any(isinstance(record, half_way) for record in session.new):
                raise OSError("The disk is gone")

        event.listen(session, "before_flush", break_down)
        convert_lead_to_opportunity(session, workspace["lead"])

    for half_way in (Company, Contact, Opportunity):
        with subtests.test(half_way.__name__):
            with pytest.raises(OSError, match="The disk is gone"), database.write() as session:
                convert_until_it_breaks(session, half_way)
            assert every_row(database) == before

    with database.write() as session:
        assert convert_lead_to_opportunity(session, workspace["lead"]).company.how is How.CREATED


def test_a_domain_too_long_for_a_name_stops_no_conversion(database):
    with database.write(at=NOW) as session:
        lead = Make(session).lead(status=QUALIFIED, email=f"g@{LONG_DOMAIN}").id

    with database.write() as session:
        result = convert_lead_to_opportunity(session, lead)

    with database.read() as session:
        assert session.get_one(Company, result.company.id).domain == LONG_DOMAIN


@pytest.mark.both_databases
def test_concurrent_conversions_of_one_lead_give_one_deal(database, workspace):
    def convert(_number):
        with database.write(source=Source.API) as session:
            return convert_lead_to_opportunity(session, workspace["lead"], expected_version=1)

    with ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(convert, range(THREADS)))

    assert results == [results[0]] * THREADS
    with database.read() as session:
        counts = [
            session.scalar(select(func.count()).select_from(model))
            for model in (Opportunity, Company, Contact)
        ]
        assert counts == [2, 2, 2]
        assert session.get_one(Lead, workspace["lead"]).opportunity_id == results[0].opportunity.id
        assert session.scalar(select(func.count()).select_from(Transaction)) == 2
    assert check.findings(database) == []


CHOICES = [
    {},
    {"new_company": True},
    {"new_contact": True},
    {"company_id": "company_id"},
    {"contact_id": "contact_id"},
    {"opportunity_id": "opportunity_id"},
    {"opportunity_id": "opportunity_id", "company_id": "company_id", "new_contact": True},
    {"name": "Other", "stage": S.PROPOSAL},
]


@pytest.mark.parametrize("known", [{}, {"email": "ada@navy.example"}, {"email": None, "company_name": None}])
def test_the_preview_writes_nothing_and_says_what_the_conversion_does(database, workspace, known):
    with database.write(at=NOW) as session:
        lead = session.get_one(Lead, workspace["lead"])
        for field, value in known.items():
            setattr(lead, field, value)

    for choice in CHOICES:
        chosen = ConversionChoice(**{name: workspace.get(value, value) for name, value in choice.items()})
        before = every_row(database)
        with database.read() as session:
            read = preview_conversion(session, workspace["lead"], chosen)
        with database.write() as session:
            previewed = preview_conversion(session, workspace["lead"], chosen)
            assert [*session.new, *session.dirty, *session.deleted] == []
        assert every_row(database) == before

        with suppress(Discard), database.write() as session:
            done = convert_lead_to_opportunity(session, workspace["lead"], chosen)
            raise Discard
        for step in (done.company, done.contact, done.opportunity):
            assert (step.id is None) == (step.how is How.NONE)
            step.id = None if step.how is How.CREATED else step.id
        assert done == previewed == read


def test_a_conversion_is_one_entry_in_every_history(database, workspace):
    with database.write(at=NOW, actor=workspace["rita"], source=Source.UI) as session:
        result = convert_lead_to_opportunity(session, workspace["lead"])

    with database.read() as session:
        entry = lead_service.get_history(session, workspace["lead"])[0]
        assert (entry.actor_name, entry.source, entry.note) == (
            "Rita",
            Source.UI,
            "Converted the lead “Grace Hopper”",
        )
        changed = {change.field: (change.before, change.after) for change in entry.changes}
        assert changed == {
            "status": (QUALIFIED, LeadStatus.CONVERTED),
            "converted_at": (None, NOW),
            "opportunity_id": (None, result.opportunity.id),
        }
    assert check.findings(database) == []


def test_many_are_converted_together_and_know_each_others_companies(session, make):
    leads = [
        make.lead(name, company_name="Sun & Sons", status=LeadStatus.QUALIFIED).id for name in ("Ada", "Bob")
    ]

    first, second = convert_leads(session, leads)

    assert (first.company.how, second.company.how) == (How.CREATED, How.MATCHED)
    assert first.company.id == second.company.id
    assert first.opportunity.id != second.opportunity.id


def test_many_are_converted_or_none_of_them(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        leads = [make.lead("Ada", status=LeadStatus.QUALIFIED).id, make.lead("Bob").id]

    with pytest.raises(NothingWasChanged, match="1 of 2"), database.write() as session:
        convert_leads(session, leads)

    with database.read() as session:
        assert not session.scalar(select(func.count()).select_from(Opportunity))
        assert session.get_one(Lead, leads[0]).status is LeadStatus.QUALIFIED
