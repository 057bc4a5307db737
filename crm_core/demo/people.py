"""The made-up people: names, and the staff that sells."""

from dataclasses import dataclass
from math import inf
from random import Random
from typing import NamedTuple

from faker import Faker

from crm_core.demo.words import STEMS, TEAM_NAMES

SELLER_DOMAIN = "brightpath.example"
NAMES_DRAWN = 700

REPS_JOINED = (0, 0, 0, 0, 0, 0, 0.2, 0.35, 0.55, 0.7)
"""When each rep joined, as a share of all the time; the first ones were always there."""

THE_ONE_WHO_LEFT, LEFT_AT = 2, 0.78


class Person(NamedTuple):
    """Somebody's name."""

    first: str
    last: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    def email(self, domain: str) -> str:
        """An address that exists nowhere."""
        return f"{self.first}.{self.last}@{domain}".lower().replace(" ", "").replace("'", "")


@dataclass(frozen=True)
class Names:
    """The first and last names that people are put together from."""

    first: list[str]
    last: list[str]

    def person(self, chance: Random) -> Person:
        return Person(chance.choice(self.first), chance.choice(self.last))


@dataclass(frozen=True)
class Rep:
    """Somebody who sells: how well, in whose team, and between which positions in time."""

    id: int
    person: Person
    team: int
    manager_id: int
    skill: float
    joined: float
    left: float


@dataclass(frozen=True)
class Staff:
    """Everybody who sells, and who leads them: team n is led by manager n."""

    managers: list[Person]
    manager_ids: list[int]
    reps: list[Rep]

    def rep_at(self, position: float, chance: Random) -> Rep:
        """Some rep who was there then."""
        return chance.choice([rep for rep in self.reps if rep.joined <= position < rep.left])

    def stand_in(self, rep: Rep, position: float, chance: Random) -> Rep:
        """Another rep who was there then, if possible of the same team."""
        present = [other for other in self.reps if other.joined <= position < other.left and other is not rep]
        return chance.choice([other for other in present if other.team == rep.team] or present)


def names(seed: int) -> Names:
    """First and last names as they are common in the United States."""
    faker = Faker("en_US")
    faker.seed_instance(seed)
    first = dict.fromkeys(faker.first_name() for _ in range(NAMES_DRAWN))
    last = dict.fromkeys(faker.last_name() for _ in range(NAMES_DRAWN))
    return Names(list(first), list(last))


def staff(known: Names, chance: Random, *, first_id: int, now: float) -> Staff:
    """Three managers and ten reps; some joined later, one has left."""
    people: dict[str, Person] = {}
    while len(people) < len(TEAM_NAMES) + len(REPS_JOINED):
        person = known.person(chance)
        people[person.email(SELLER_DOMAIN)] = person
    managers, sellers = list(people.values())[: len(TEAM_NAMES)], list(people.values())[len(TEAM_NAMES) :]
    reps = [
        Rep(
            id=first_id + len(managers) + number,
            person=person,
            team=number % len(managers),
            manager_id=first_id + number % len(managers),
            skill=chance.uniform(-0.09, 0.09),
            joined=joined * now,
            left=LEFT_AT * now if number == THE_ONE_WHO_LEFT else inf,
        )
        for number, (person, joined) in enumerate(zip(sellers, REPS_JOINED, strict=True))
    ]
    return Staff(managers, [first_id + number for number in range(len(managers))], reps)


def phone(chance: Random) -> str:
    """A number from the range that is kept free for fiction."""
    return f"({chance.randint(201, 989)}) 555-01{chance.randint(0, 99):02}"


def company_name(known: Names, noun: str, chance: Random) -> str:
    """What a company might be called that trades in the noun."""
    kind = chance.random()
    if kind < 0.6:
        return f"{chance.choice(STEMS)} {noun}"
    if kind < 0.88:
        return f"{chance.choice(known.last)} {noun}"
    return f"{chance.choice(known.last)} & {chance.choice(known.last)} {noun}"


def domain_of(company: str) -> str:
    """The company's address on the web, in a zone that is kept free for examples."""
    return company.lower().replace(" & ", "and").replace(" ", "").replace("'", "") + ".example"
