"""How a qualified lead becomes an opportunity with a company and a contact: first planned, then done."""

from decimal import Decimal

from sqlalchemy.orm import Session

from crm_core import history
from crm_core.database import instant
from crm_core.errors import RuleBroken
from crm_core.models import Company, Contact, Lead, LeadStatus, Opportunity, Record
from crm_core.schemas.conversion import Conversion, ConversionChoice, ConversionStep, How
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services import matching, records
from crm_core.services.matching import Match

LONGEST_NAME = 200
"""A domain can be longer."""


class LeadIsNotQualified(RuleBroken):
    def __init__(self, lead: Lead) -> None:
        super().__init__(
            f"“{lead.name}” is {lead.status.label.lower()}. Only a qualified lead converts: qualify it first."
        )


def require_qualified(lead: Lead) -> None:
    """Raises `LeadIsNotQualified`."""
    if lead.status is not LeadStatus.QUALIFIED:
        raise LeadIsNotQualified(lead)


def plan_of(session: Session, lead: Lead, choice: ConversionChoice, deal: Opportunity | None) -> Conversion:
    """What the conversion would match and create; writes nothing. `deal` is the one that was picked."""
    company = _company(session, lead, choice, deal)
    return Conversion(
        lead_id=lead.id,
        company=company,
        contact=_contact(session, lead, choice, deal, company),
        opportunity=ConversionStep(id=deal.id, name=deal.name, how=How.PICKED)
        if deal
        else ConversionStep(id=None, name=choice.name or lead.company_name or lead.name, how=How.CREATED),
    )


def owner_of(lead: Lead, choice: ConversionChoice) -> int | None:
    """Whose the new records will be: the chosen owner's, or the lead's."""
    chosen: int | None = choice.model_dump().get("owner_id", lead.owner_id)
    return chosen


def own_value(lead: Lead, choice: ConversionChoice) -> Decimal | None:
    """The value that was chosen for the deal; None where it is unknown, or the lead's."""
    value: Decimal | None = choice.model_dump().get("expected_value")
    return None if value == lead.estimated_value else value


def create_what_is_missing(session: Session, lead: Lead, plan: Conversion, owner_id: int | None) -> None:
    """Create the company and the contact of the plan, and write their ids into it."""
    if plan.company.how is How.CREATED:
        domain = matching.company_domain(lead.email)
        company = Company(name=plan.company.name, domain=domain, owner_id=owner_id)
        plan.company.id = records.add(session, company).id
    if plan.contact.how is How.CREATED:
        contact = Contact(
            name=lead.name,
            company_id=plan.company.id,
            email=lead.email,
            phone=lead.phone,
            job_title=lead.job_title,
            owner_id=owner_id,
        )
        plan.contact.id = records.add(session, contact).id


def draft_of(lead: Lead, choice: ConversionChoice, plan: Conversion) -> OpportunityCreate:
    """The new deal, with everything that the lead knows about it; company and contact follow in `link`."""
    chosen = choice.model_dump()
    return OpportunityCreate(
        name=plan.opportunity.name,
        owner_id=owner_of(lead, choice),
        stage=choice.stage,
        expected_value=chosen.get("expected_value", lead.estimated_value),
        expected_close_date=choice.expected_close_date,
        source=lead.source,
        description=lead.description,
    )


def link(session: Session, lead: Lead, deal: Opportunity, plan: Conversion) -> Conversion:
    """Mark the lead converted into that deal, and fill what the deal does not have yet."""
    deal.lead_id = deal.lead_id or lead.id
    deal.company_id = deal.company_id or plan.company.id
    deal.contact_id = deal.contact_id or plan.contact.id
    plan.opportunity.id = deal.id
    lead.status, lead.converted_at, lead.opportunity_id = LeadStatus.CONVERTED, instant(session), deal.id
    lead.conversion = plan.model_dump(mode="json")
    history.transaction_of(session).note = f"Converted the lead “{lead.name}”"
    return plan


def first_answer(session: Session, lead: Lead) -> Conversion:
    """What the conversion said when it was done; of a lead that came converted only what it led to."""
    if lead.conversion is not None:
        return Conversion.model_validate(lead.conversion)
    deal = None if lead.opportunity_id is None else session.get_one(Opportunity, lead.opportunity_id)
    return Conversion(
        lead_id=lead.id,
        company=_known(session, Company, deal.company_id if deal else None),
        contact=_known(session, Contact, deal.contact_id if deal else None),
        opportunity=_known(session, Opportunity, lead.opportunity_id),
    )


def _known(session: Session, model: type[Record], key: int | None) -> ConversionStep:
    record = None if key is None else session.get_one(model, key)
    return ConversionStep(id=key, name=record.name if record else None, how=How.NONE)


def _company(
    session: Session, lead: Lead, choice: ConversionChoice, deal: Opportunity | None
) -> ConversionStep:
    if choice.company_id is not None:
        return _picked(records.get(session, Company, choice.company_id))
    if deal is not None and deal.company_id is not None:
        return _picked(session.get_one(Company, deal.company_id))
    if choice.contact_id is not None and not choice.new_company:
        contact = records.get(session, Contact, choice.contact_id)
        if contact.company_id is not None:
            return _picked(session.get_one(Company, contact.company_id))
    if not choice.new_company and (match := matching.find_company(session, lead)):
        return _matched(match)
    name = lead.company_name or matching.company_domain(lead.email)
    if name is None:
        return ConversionStep(id=None, name=None, how=How.NONE)
    return ConversionStep(id=None, name=name[:LONGEST_NAME], how=How.CREATED)


def _contact(
    session: Session,
    lead: Lead,
    choice: ConversionChoice,
    deal: Opportunity | None,
    company: ConversionStep,
) -> ConversionStep:
    if choice.contact_id is not None:
        return _picked(records.get(session, Contact, choice.contact_id))
    if deal is not None and deal.contact_id is not None:
        return _picked(session.get_one(Contact, deal.contact_id))
    if not choice.new_contact and (match := matching.find_contact(session, lead, company.id)):
        return _matched(match)
    return ConversionStep(id=None, name=lead.name, how=How.CREATED)


def _picked(record: Record) -> ConversionStep:
    return ConversionStep(id=record.id, name=record.name, how=How.PICKED)


def _matched(match: Match) -> ConversionStep:
    return ConversionStep(id=match.record.id, name=match.record.name, how=How.MATCHED, rule=match.rule)
