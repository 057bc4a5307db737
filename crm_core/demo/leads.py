"""Made-up leads: those that became deals, and those that did not."""

from decimal import Decimal

from crm_core.demo import prices
from crm_core.demo.companies import Customer
from crm_core.demo.people import Names, Person, Rep, Staff, company_name, domain_of, phone
from crm_core.demo.stories import LEAD, Action, Chapter, Life
from crm_core.demo.words import INDUSTRIES, JOB_TITLES, LEAD_SOURCES
from crm_core.models import LeadStatus

NEVER_TAKEN_UP, NEVER_DECIDED, STILL_WAITING = 0.06, 0.14, 0.1
"""Shares of the leads that stay new, that stay contacted, and that stay qualified."""

UNQUALIFIED = 0.62
NOT_ASSIGNED = 0.5
"""Share of the new leads that nobody has taken."""


def tell_converted(
    chapter: Chapter, lead_id: int, *, person: Person, customer: Customer, rep: Rep, position: float
) -> Life:
    """A lead at a company up to the moment it is qualified, about that position; `convert` ends its life."""
    chance = chapter.chance
    came = max(position - chance.uniform(3, 18), rep.joined)
    lead = _lead(
        chapter,
        lead_id,
        chapter.act(came, rep.id),
        person=person,
        company=customer.name,
        domain=customer.domain,
        value=None,
        owner_id=rep.id,
    )
    contacted = came + (position - came) * chance.uniform(0.1, 0.45)
    lead.change(chapter.act(contacted, rep.id), status=LeadStatus.CONTACTED)
    qualified = contacted + (position - contacted) * chance.uniform(0.3, 0.9)
    lead.change(chapter.act(qualified, rep.id), status=LeadStatus.QUALIFIED)
    return lead


def convert(lead: Life, action: Action, *, opportunity_id: int) -> None:
    """The lead becomes a deal in that action."""
    lead.change(action, status=LeadStatus.CONVERTED, converted_at=action, opportunity_id=opportunity_id)


def tell_other(
    chapter: Chapter, lead_id: int, *, known: Names, sellers: Staff, position: float, now: float
) -> None:
    """A lead from that position on that has not become a deal, at a company we don't know."""
    chance = chapter.chance
    industry = INDUSTRIES[chance.choice(list(INDUSTRIES))]
    company = company_name(known, chance.choice(industry.nouns), chance)
    rep = sellers.rep_at(position, chance)
    fate = chance.random()
    is_new = fate < NEVER_TAKEN_UP
    lead = _lead(
        chapter,
        lead_id,
        chapter.act(position, rep.id),
        person=known.person(chance),
        company=company,
        domain=domain_of(company),
        value=prices.first_estimate(industry.usual_value, chance) if chance.random() < 0.4 else None,
        owner_id=None if is_new and chance.random() < NOT_ASSIGNED else rep.id,
    )
    for status in _path(fate, is_unqualified=chance.random() < UNQUALIFIED):
        position += 0.05 + chance.expovariate(1 / 4)
        if position >= now:
            return
        if position >= rep.left:
            rep = sellers.stand_in(rep, position, chance)
        lead.change(chapter.act(position, rep.id), status=status, owner_id=rep.id)


def _path(fate: float, *, is_unqualified: bool) -> tuple[LeadStatus, ...]:
    """What a lead that is not converted still becomes after it was new."""
    if fate < NEVER_TAKEN_UP:
        return ()
    if fate < NEVER_TAKEN_UP + NEVER_DECIDED:
        return (LeadStatus.CONTACTED,)
    if fate < NEVER_TAKEN_UP + NEVER_DECIDED + STILL_WAITING:
        return (LeadStatus.CONTACTED, LeadStatus.QUALIFIED)
    if is_unqualified:
        return (LeadStatus.CONTACTED, LeadStatus.UNQUALIFIED)
    return (LeadStatus.CONTACTED, LeadStatus.QUALIFIED, LeadStatus.UNQUALIFIED)


def _lead(
    chapter: Chapter,
    lead_id: int,
    action: Action,
    *,
    person: Person,
    company: str,
    domain: str,
    value: Decimal | None,
    owner_id: int | None,
) -> Life:
    lead = Life(
        LEAD,
        lead_id,
        action,
        owner_id=owner_id,
        name=person.name,
        company_name=company,
        email=person.email(domain),
        phone=phone(chapter.chance) if chapter.chance.random() < 0.7 else None,
        job_title=chapter.chance.choice(JOB_TITLES),
        source=chapter.chance.choice(LEAD_SOURCES),
        status=LeadStatus.NEW,
        estimated_value=value,
    )
    chapter.leads.append(lead)
    return lead
