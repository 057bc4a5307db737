"""All made-up records, some at a time: the same ones however often they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from crm_core.demo import companies, courses, deals, leads
from crm_core.demo.companies import Customer, Customers
from crm_core.demo.deals import Business
from crm_core.demo.people import Names, Rep
from crm_core.demo.stories import CONTACT, Chapter, Life
from crm_core.demo.words import LEAD_SOURCES
from crm_core.demo.workdays import Beginnings

DEALS_PER_CHAPTER = 1_000
COMPANIES_PER_CHAPTER = 2_000

FROM_A_LEAD = 0.16
"""Share of the deals that were converted from a lead."""

OTHER_LEADS = 0.28
"""Leads that did not become a deal, for each deal."""

WITH_THE_COMPANYS_OWNER = 0.75


@dataclass(frozen=True)
class Plan:
    """What decides every record: the seed, how many deals, who there is, and the first free ids."""

    seed: int
    deals: int
    names: Names
    business: Business
    customers: Customers
    beginnings: Beginnings
    first_deal_id: int
    first_lead_id: int


@dataclass
class Numbers:
    """The ids that come next."""

    lead: int
    contact: int


def chapters(plan: Plan) -> Iterator[Chapter]:
    """Every record, companies first, then deals with their leads in the order of their creation."""
    now = plan.business.workdays.now
    everyone = plan.customers.all
    for start in range(0, len(everyone), COMPANIES_PER_CHAPTER):
        chapter = Chapter(Random(f"companies {start} of {plan.seed}"))
        some = everyone[start : start + COMPANIES_PER_CHAPTER]
        companies.tell(some, plan.business.staff, chapter, now=now)
        yield chapter
    numbers = Numbers(plan.first_lead_id, plan.customers.next_contact_id)
    for start in range(0, plan.deals, DEALS_PER_CHAPTER):
        chapter = Chapter(Random(f"deals {start} of {plan.seed}"))
        for number in range(start, min(start + DEALS_PER_CHAPTER, plan.deals)):
            _tell_deal(plan, chapter, number, numbers)
            if chapter.chance.random() < OTHER_LEADS:
                _tell_lead(plan, chapter, number, numbers)
        yield chapter


def _tell_deal(plan: Plan, chapter: Chapter, number: int, numbers: Numbers) -> None:
    """The deal with that number, and the lead it comes from, if it does."""
    chance, staff = chapter.chance, plan.business.staff
    position = plan.beginnings.position((number + chance.random()) / plan.deals)
    customer = plan.customers.choose(position, chance)
    rep = staff.reps[customer.owner]
    if not rep.joined <= position < rep.left or chance.random() > WITH_THE_COMPANYS_OWNER:
        rep = staff.rep_at(position, chance)
    deal_id = plan.first_deal_id + number
    if chance.random() < FROM_A_LEAD:
        deal = _convert(plan, chapter, deal_id, position, customer, rep, numbers)
    else:
        deal = deals.begin(
            plan.business,
            chapter,
            deal_id,
            chapter.act(position, rep.id),
            rep=rep,
            customer=customer,
            contact_id=_some_contact(customer, chapter),
            lead_id=None,
            source=chance.choice(LEAD_SOURCES) if chance.random() < 0.9 else None,
        )
    courses.run(deal)


def _convert(
    plan: Plan,
    chapter: Chapter,
    deal_id: int,
    position: float,
    customer: Customer,
    rep: Rep,
    numbers: Numbers,
) -> deals.Deal:
    """A lead at a company we know becomes a contact there and a deal, in one action."""
    person = plan.names.person(chapter.chance)
    lead = leads.tell_converted(
        chapter, numbers.lead, person=person, customer=customer, rep=rep, position=position
    )
    action = chapter.act(position, rep.id)
    leads.convert(lead, action, opportunity_id=deal_id)
    row = lead.row
    contact = Life(
        CONTACT,
        numbers.contact,
        action,
        owner_id=rep.id,
        name=person.name,
        company_id=customer.id,
        email=row["email"],
        phone=row["phone"],
        job_title=row["job_title"],
    )
    chapter.contacts.append(contact)
    numbers.lead += 1
    numbers.contact += 1
    return deals.begin(
        plan.business,
        chapter,
        deal_id,
        action,
        rep=rep,
        customer=customer,
        contact_id=contact.row["id"],
        lead_id=row["id"],
        source=row["source"],
    )


def _tell_lead(plan: Plan, chapter: Chapter, number: int, numbers: Numbers) -> None:
    """A lead that came at about the time of the deal with that number, and did not become one."""
    position = plan.beginnings.position((number + chapter.chance.random()) / plan.deals)
    leads.tell_other(
        chapter,
        numbers.lead,
        known=plan.names,
        sellers=plan.business.staff,
        position=position,
        now=plan.business.workdays.now,
    )
    numbers.lead += 1


def _some_contact(customer: Customer, chapter: Chapter) -> int | None:
    """Somebody at the company; now and then nobody is named."""
    if chapter.chance.random() < 0.05:
        return None
    return customer.first_contact + int(chapter.chance.random() * len(customer.people))
