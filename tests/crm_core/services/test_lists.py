"""Lists of leads, companies and contacts against Python's own: each order, each filter, and the past.

Those of deals are in tests/crm_core/test_listing.py and test_filters.py.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from crm_core.database import Database
from crm_core.models import Company, LeadStatus, User
from crm_core.sorting import Sort
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.nouns import COMPANY, CONTACT, LEAD, Noun

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
THEN = NOW - 7 * A_DAY
CONVERTED = LeadStatus.CONVERTED

Holds = Callable[[Any, Any, dict[int | None, int | None]], bool]


def mentions(*fields: str) -> Holds:
    """In upper or lower case."""
    return lambda row, wanted, _: any(
        wanted.lower() in (getattr(row, field) or "").lower() for field in fields
    )


def is_in(field: str) -> Holds:
    return lambda row, wanted, _: getattr(row, field) in wanted


EVERY_FIELD: dict[str, Holds] = {
    "owners": is_in("owner_id"),
    "teams": lambda row, wanted, teams: teams.get(row.owner_id) in wanted,
    "created_from": lambda row, wanted, _: row.created_at.date() >= wanted,
    "created_to": lambda row, wanted, _: row.created_at.date() <= wanted,
}
FIELDS: dict[Noun, dict[str, Holds]] = {
    LEAD: {
        **EVERY_FIELD,
        "text": mentions("name", "company_name", "email"),
        "statuses": is_in("status"),
        "sources": is_in("source"),
    },
    COMPANY: {
        **EVERY_FIELD,
        "text": mentions("name", "domain"),
        "industries": is_in("industry"),
        "countries": is_in("country"),
    },
    CONTACT: {
        **EVERY_FIELD,
        "text": mentions("name", "email", "company_name"),
        "companies": is_in("company_id"),
    },
}
"""What each field of the filter means, in plain words of Python."""

WANTED: dict[str, list[Any]] = {
    "created_from": [date(2026, 1, 5), date(2026, 1, 6), date(2027, 1, 1)],
    "created_to": [date(2026, 1, 5), date(2026, 1, 6), date(2025, 1, 1)],
    "statuses": [{LeadStatus.NEW}, {LeadStatus.CONTACTED, CONVERTED}],
    "sources": [{"web"}, {"web", "Fair"}, {"WEB"}],
    "industries": [{"Tools"}, {"Tools", "energy"}, {"TOOLS"}],
    "countries": [{"France"}, {"France", "Chile"}, {"france"}],
}
TEXTS = {
    LEAD: ["grace", "ÜBER", "example", "100%", "nobody"],
    COMPANY: ["acme", "ÜBER", ".example", "100%", "nobody"],
    CONTACT: ["ada", "STÖNE", "example", "sons", "moon", "100%", "nobody"],
}

SHOWN_AS = {
    "company": "company_name",
    "owner": "owner_name",
    "created": "created_on",
    "changed": "updated_at",
}


@dataclass(frozen=True)
class Many:
    """A database full of records of each kind, and what its lists held a week ago."""

    database: Database
    then: dict[Noun, list[Any]]
    teams: dict[int | None, int | None]
    wanted: dict[str, list[Any]]


@pytest.fixture
def many(database: Database) -> Many:
    chance = random.Random(4)
    with database.write(at=THEN) as session:
        make = Make(session)
        people = make.people()
        owners = [None, people.rita, people.nora, people.otto]
        companies = [make.company(name).id for name in ("Sun & Sons", "100% sure", "1000 suns")]
        converted = make.lead(status=CONVERTED, converted_at=THEN, opportunity_id=make.opportunity().id).id
        for _ in range(21):
            whose = {"owner_id": chance.choice(owners), "created_at": some_instant(chance)}
            LEAD.make(session, **some_lead(chance), **whose)
            COMPANY.make(session, **some_company(chance), **whose)
            CONTACT.make(session, **some_contact(chance, [None, *companies]), **whose)
        teams = dict(session.execute(select(User.id, User.team_id)).all())
        then = {noun: noun.service.get_rows(session, limit=200) for noun in FIELDS}
    changes = {
        LEAD: {"name": "Newly named", "company_name": None, "source": "Fair"},
        COMPANY: {"name": "New", "industry": "energy", "country": None},
        CONTACT: {"name": "New", "company_id": companies[1]},
    }
    with database.write(at=NOW - A_DAY) as session:
        session.get_one(Company, companies[0]).name = "Moon Ltd"
        for noun, answers in changes.items():
            ids = list(session.scalars(select(noun.model.id).order_by(noun.model.id)))
            in_use = {LEAD: [converted], COMPANY: companies, CONTACT: []}[noun]
            free = [key for key in ids if key not in in_use]
            for key in chance.sample(free, 8):
                noun.update(session, key, owner_id=people.mia, **answers)
            for key in chance.sample(free, 3):
                noun.verb("delete")(session, key)
    north, south = teams[people.rita], teams[people.otto]
    wanted = {
        "owners": [{people.rita}, {people.rita, people.mia}, {999}],
        "teams": [{north}, {north, south}, {999}],
        "companies": [{companies[0]}, {*companies[:2]}, {999}],
    }
    return Many(database, then, teams, WANTED | wanted)


def some_instant(chance: random.Random) -> datetime:
    midnight = datetime(2026, 1, 6, tzinfo=UTC)
    return midnight + chance.choice([-A_DAY, timedelta(microseconds=-1), timedelta(0), AN_HOUR])


def some_lead(chance: random.Random) -> dict[str, Any]:
    return {
        "name": chance.choice(["Grace Hopper", "grace kelly", "Alan Turing"]),
        "company_name": chance.choice([None, "Navy", "Über & Co", "100% sure", "1000 suns"]),
        "email": chance.choice([None, "grace@navy.example", "Al@turing.example"]),
        "source": chance.choice([None, "web", "Fair"]),
        "status": chance.choice([status for status in LeadStatus if status is not CONVERTED]),
        "estimated_value": chance.choice([None, Decimal(0), Decimal("9.50"), Decimal(10)]),
    }


def some_company(chance: random.Random) -> dict[str, Any]:
    return {
        "name": chance.choice(["Acme", "acme Labs", "Über & Co", "100% sure", "1000 suns"]),
        "domain": chance.choice([None, "acme.example", "suns.example"]),
        "industry": chance.choice([None, "Tools", "energy"]),
        "country": chance.choice([None, "France", "Chile"]),
    }


def some_contact(chance: random.Random, companies: list[int | None]) -> dict[str, Any]:
    return {
        "name": chance.choice(["Ada Lovelace", "ada king", "Bob Stöne"]),
        "email": chance.choice([None, "ada@suns.example", "Bob@acme.example"]),
        "job_title": chance.choice([None, "Buyer", "boss"]),
        "company_id": chance.choice(companies),
    }


def in_order(rows: list[Any], sort: Sort) -> list[int]:
    """Known values first, in the order people expect; equals by id, the same way round."""

    def value(row: Any) -> Any:
        found = getattr(row, SHOWN_AS.get(sort.column, sort.column))
        if isinstance(found, LeadStatus):
            return list(LeadStatus).index(found)
        return found.lower() if isinstance(found, str) else found

    known = [row for row in rows if value(row) is not None]
    known.sort(key=lambda row: (value(row), row.id), reverse=sort.is_descending)
    unknown = [row for row in rows if value(row) is None]
    unknown.sort(key=lambda row: row.id, reverse=sort.is_descending)
    return [row.id for row in (*known, *unknown)]


def test_each_order_puts_the_unknown_last_and_each_page_goes_on_where_the_last_one_ended(many, subtests):
    with many.database.read(at=NOW) as session:
        for noun in FIELDS:
            every = noun.service.get_rows(session, limit=200)
            for sort in noun.sort:
                with subtests.test(noun=noun.name, sort=sort):
                    pages = [
                        noun.verb_for_many("get")(session, sort=sort, limit=7, offset=offset)
                        for offset in range(0, 28, 7)
                    ]
                    assert [row.id for page in pages for row in page.rows] == in_order(every, sort)
                    assert {page.total for page in pages} == {len(every)} == {len(many.then[noun]) - 3}


@pytest.mark.both_databases
def test_each_field_of_the_filter_lets_through_what_it_says_now_and_then(many, subtests):
    with many.database.read(at=NOW) as session:
        for noun, fields in FIELDS.items():
            assert {*fields, "as_of"} == set(noun.filter.model_fields)
            lists = {None: noun.service.get_rows(session, limit=200), THEN: many.then[noun]}
            for field, holds in fields.items():
                tells = changed = False
                with subtests.test(noun=noun.name, field=field):
                    for wanted in TEXTS[noun] if field == "text" else many.wanted[field]:
                        found = []
                        for at, rows in lists.items():
                            where = noun.filter(**{field: wanted}, as_of=at)
                            expected = {row.id for row in rows if holds(row, wanted, many.teams)}
                            found.append({row.id for row in noun.service.get_rows(session, where, limit=200)})
                            assert (wanted, at, found[-1]) == (wanted, at, expected)
                            assert noun.verb_for_many("count")(session, where) == len(expected)
                        tells |= 0 < len(found[0]) < len(lists[None])
                        changed |= found[0] != found[1]
                    assert tells
                    assert changed


def test_a_list_of_the_past_is_the_list_that_was_seen_then(many):
    with many.database.read(at=NOW) as session:
        for noun, then in many.then.items():
            rows = noun.service.get_rows
            assert rows(session, noun.filter(as_of=THEN), limit=200) == then
            assert rows(session, noun.filter(as_of=THEN - AN_HOUR)) == []
            assert noun.total(session, limit=1) == len(then) - 3
            assert noun.total(session, noun.filter(as_of=THEN), limit=1) == len(then)
