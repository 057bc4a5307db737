"""Made-up companies and the people there."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from crm_core.demo.people import Names, Person, Staff, company_name, domain_of, phone
from crm_core.demo.stories import COMPANY, CONTACT, Chapter, Life
from crm_core.demo.words import COUNTRIES, INDUSTRIES, JOB_TITLES
from crm_core.demo.workdays import Beginnings

DEALS_PER_COMPANY = 5
MOST_COMPANIES = 20_000

IMPORTED = 0.4
"""Share of the companies that were brought in from an older system, on the first morning."""

FIRST_MORNING = 0.2

MOST_CONTACTS = 4
WORKDAYS_UNTIL_PROMOTED = 3_000
"""On average; most contacts keep their job title."""


@dataclass(frozen=True)
class Customer:
    """A company as the deals see it; its contacts have ids one after another."""

    id: int
    name: str
    domain: str
    industry: str
    position: float
    was_imported: bool
    owner: int
    first_contact: int
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Customers:
    """All companies, oldest first."""

    all: list[Customer]
    positions: list[float]
    next_contact_id: int

    def choose(self, position: float, chance: Random) -> Customer:
        """One that was there by then; half of the time one of the newer ones."""
        known = bisect_right(self.positions, position)
        if chance.random() < 0.5:
            return self.all[max(known - 1 - int(chance.expovariate(0.08)), 0)]
        return self.all[int(chance.random() * known)]


def customers(
    known: Names,
    sellers: Staff,
    beginnings: Beginnings,
    chance: Random,
    *,
    deals: int,
    first_id: int,
    first_contact_id: int,
) -> Customers:
    """As many companies as that many deals need."""
    count = max(1, min(deals // DEALS_PER_COMPANY, MOST_COMPANIES))
    imported = max(1, int(count * IMPORTED))
    used: set[str] = set()
    found: list[Customer] = []
    contact_id = first_contact_id
    for number in range(count):
        was_imported = number < imported
        share = 0.0 if was_imported else (number - imported + chance.random()) / (count - imported)
        position = FIRST_MORNING if was_imported else beginnings.position(share)
        industry = chance.choice(list(INDUSTRIES))
        name = _unused_name(known, industry, used, chance)
        people = tuple(known.person(chance) for _ in range(chance.randint(1, MOST_CONTACTS)))
        owner = sellers.reps.index(sellers.rep_at(position, chance))
        found.append(
            Customer(
                first_id + number,
                name,
                domain_of(name),
                industry,
                position,
                was_imported,
                owner,
                contact_id,
                people,
            )
        )
        contact_id += len(people)
    return Customers(found, [customer.position for customer in found], contact_id)


def tell(customers: Sequence[Customer], sellers: Staff, chapter: Chapter, *, now: float) -> None:
    """Add the lives of these companies and their contacts to the chapter."""
    manager = sellers.manager_ids[0]
    for customer in customers:
        rep = sellers.reps[customer.owner]
        if not customer.was_imported:
            action = chapter.act(customer.position, rep.id)
        elif not chapter.companies:
            action = chapter.import_at(customer.position, manager, "Companies and contacts of the old system")
        else:
            action = chapter.companies[0].actions[0]
        company = Life(
            COMPANY,
            customer.id,
            action,
            owner_id=rep.id,
            name=customer.name,
            website=f"https://www.{customer.domain}",
            domain=customer.domain,
            industry=customer.industry,
            country=chapter.chance.choice(COUNTRIES),
        )
        chapter.companies.append(company)
        for number in range(len(customer.people)):
            chapter.contacts.append(_contact(customer, number, company, sellers, chapter, now=now))
        _change_hands(company, sellers, chapter, rep=customer.owner, now=now)


def _unused_name(known: Names, industry: str, used: set[str], chance: Random) -> str:
    while True:
        name = company_name(known, chance.choice(INDUSTRIES[industry].nouns), chance)
        if name not in used:
            used.add(name)
            return name


def _contact(
    customer: Customer, number: int, company: Life, sellers: Staff, chapter: Chapter, *, now: float
) -> Life:
    """Somebody at the company, known since the company is; a few were promoted since."""
    person, chance = customer.people[number], chapter.chance
    contact = Life(
        CONTACT,
        customer.first_contact + number,
        company.actions[0],
        owner_id=company.row["owner_id"],
        name=person.name,
        company_id=customer.id,
        email=person.email(customer.domain),
        phone=phone(chance),
        job_title=chance.choice(JOB_TITLES),
    )
    promoted = customer.position + chance.expovariate(1 / WORKDAYS_UNTIL_PROMOTED)
    if promoted < now:
        action = chapter.act(promoted, sellers.rep_at(promoted, chance).id)
        contact.change(action, job_title=chance.choice(JOB_TITLES))
    return contact


def _change_hands(company: Life, sellers: Staff, chapter: Chapter, *, rep: int, now: float) -> None:
    """A company whose owner leaves gets another."""
    left = sellers.reps[rep].left + chapter.chance.uniform(0.1, 1.5)
    if company.actions[0].position < left < now:
        heir = sellers.stand_in(sellers.reps[rep], left, chapter.chance)
        company.change(chapter.act(left, heir.manager_id), owner_id=heir.id)
