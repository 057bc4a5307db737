"""Who reads and changes whose records, for every role and visibility: single, in lists and in figures."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest

from crm_core import permissions
from crm_core.analytics import outcomes, pipeline, stats
from crm_core.database import Database
from crm_core.errors import NotFound, NotSignedIn
from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, OpportunityStage, Role, Settings, Team, Visibility
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.schemas.lead import LeadUpdate
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import (
    company_service,
    contact_service,
    lead_service,
    opportunity_service,
    user_service,
)
from crm_core.services.opportunity_service import update_opportunity
from crm_core.services.records import RecordNotFound
from tests.builders import Make
from tests.conftest import NOW, Discard

S = OpportunityStage
A_DAY = timedelta(days=1)

PEOPLE = {
    "Rita": (Role.REP, "North"),
    "Rob": (Role.REP, "North"),
    "Mia": (Role.MANAGER, "North"),
    "Sara": (Role.REP, "South"),
    "Gone": (Role.REP, "South"),
    "Max": (Role.MANAGER, "West"),
    "Wes": (Role.REP, "West"),
    "Lone": (Role.REP, None),
    "Nora": (Role.MANAGER, None),
    "Ada": (Role.ADMIN, None),
}
"""Gone no longer works here. Max belongs to West and is named the manager of South; Wes is named West's."""

EVERYBODY = set(PEOPLE)
MAY_CHANGE = {
    "Rita": {"Rita"},
    "Rob": {"Rob"},
    "Mia": {"Rita", "Rob", "Mia"},
    "Sara": {"Sara"},
    "Max": {"Sara", "Gone", "Max", "Wes"},
    "Wes": {"Wes"},
    "Lone": {"Lone"},
    "Nora": {"Nora"},
    "Ada": EVERYBODY,
    "the system": EVERYBODY,
}
"""Whose records somebody may change, and read where everybody reads their own only."""

IN_THE_TEAM = MAY_CHANGE | {
    "Rita": {"Rita", "Rob", "Mia"},
    "Rob": {"Rita", "Rob", "Mia"},
    "Sara": {"Sara", "Gone"},
    "Wes": {"Max", "Wes"},
}
MAY_READ = {
    Visibility.OWN: MAY_CHANGE,
    Visibility.TEAM: IN_THE_TEAM,
    Visibility.ALL: dict.fromkeys(MAY_CHANGE, EVERYBODY),
}

WON = {(None, "Rita"), ("Rita", "Sara"), ("Sara", "Rita"), ("Gone", "Gone"), ("Nora", "Lone"), ("Max", None)}
"""Owners today and owners at the close."""

NOUNS = {
    "opportunity": (opportunity_service, OpportunityUpdate),
    "lead": (lead_service, LeadUpdate),
    "company": (company_service, CompanyUpdate),
    "contact": (contact_service, ContactUpdate),
}


@dataclass(frozen=True)
class World:
    """Everybody with one record of each kind, and some deals that were won before they changed hands.

    Deals are worth powers of two, so that a sum tells which are in it.
    """

    database: Database
    people: dict[str | None, int | None]
    owner_of: dict[str, dict[int, str | None]]
    credit_of: dict[int, str | None]

    def actor(self, name):
        return self.people.get(name)

    def readable(self, noun, names):
        """The keys of the records that are theirs, nobody's, or won to their credit."""
        found = {key for key, owner in self.owner_of[noun].items() if owner is None or owner in names}
        if noun == "opportunity":
            found |= {key for key, credited in self.credit_of.items() if credited in names}
        return found

    def worth(self, deals):
        return sum(Decimal(2) ** deal for deal in deals)


def set_visibility(database, visibility):
    with database.write(at=NOW) as session:
        session.get_one(Settings, 1).visibility = visibility


@pytest.fixture
def world(database):
    with database.write(at=NOW - 9 * A_DAY) as session:
        make = Make(session)
        teams = {name: make.team(name) for name in ("North", "South", "West")}
        people = {
            name: make.user(name, role=role, team_id=team and teams[team].id, is_active=name != "Gone").id
            for name, (role, team) in PEOPLE.items()
        }
        teams["South"].manager_id, teams["West"].manager_id = people["Max"], people["Wes"]
        people[None] = None
        owner_of = {
            noun: {getattr(make, noun)(f"{owner}'s", owner_id=people[owner]).id: owner for owner in people}
            for noun in ("lead", "company", "contact")
        }
        open_deals = {
            make.opportunity(name=f"{owner}'s", owner_id=people[owner]).id: owner for owner in people
        }
        won = {
            make.won(name="Won", owner_id=people[owner], credited_owner_id=people[credited]).id: (
                owner,
                credited,
            )
            for owner, credited in sorted(WON, key=str)
        }
        owner_of["opportunity"] = open_deals | {deal: owner for deal, (owner, _) in won.items()}
        for deal in owner_of["opportunity"]:
            opportunity_service.get_opportunity(session, deal).expected_value = Decimal(2) ** deal
    return World(database, people, owner_of, {deal: credited for deal, (_, credited) in won.items()})


@pytest.mark.parametrize("visibility", Visibility)
def test_everybody_reads_what_is_their_business(world, visibility):
    set_visibility(world.database, visibility)

    for name, noun in product(MAY_CHANGE, NOUNS):
        expected = world.readable(noun, MAY_READ[visibility][name])
        service = NOUNS[noun][0]
        plural = {"opportunity": "opportunities", "company": "companies"}.get(noun, f"{noun}s")
        with world.database.read(actor=world.actor(name)) as session:
            single = {
                key for key in world.owner_of[noun] if reads(getattr(service, f"get_{noun}"), session, key)
            }
            history = {key for key in world.owner_of[noun] if reads(service.get_history, session, key)}
            rows = {row.id for row in service.get_rows(session, limit=200)}
            count = getattr(service, f"count_{plural}")(session)
        assert (name, noun, single) == (name, noun, expected)
        assert (history, rows, count) == (single, single, len(single))


def reads(get, session, key):
    """Whether it is found; there is no other refusal."""
    try:
        get(session, key)
    except RecordNotFound:
        return False
    return True


@pytest.mark.parametrize("visibility", Visibility)
def test_every_total_and_figure_holds_what_the_single_reads_allow(world, visibility):
    set_visibility(world.database, visibility)

    for name in MAY_CHANGE:
        expected = world.readable("opportunity", MAY_READ[visibility][name])
        closed = {deal for deal in expected if deal in world.credit_of}
        for as_of in (None, NOW):
            where = OpportunityFilter(as_of=as_of)
            with world.database.read(actor=world.actor(name)) as session:
                page = opportunity_service.get_opportunities(session, where, limit=200)
                totals = pipeline.totals(session, where)
                stages = pipeline.by_stage(session, where)
                figures = outcomes.closed_in(session, None, where)
                together = stats.pipeline_stats(session, where)
                ids = opportunity_service.find_opportunity_ids(session, where)
            assert (name, set(ids)) == (name, expected)
            assert (page.totals.deals, page.totals.value) == (len(expected), world.worth(expected))
            assert (totals.deals, totals.value) == (len(expected - closed), world.worth(expected - closed))
            assert (sum(stages.deals), sum(stages.value)) == (len(expected), world.worth(expected))
            assert (figures.won, figures.won_value) == (len(closed), world.worth(closed))
            assert (together.open, together.closed) == (totals, figures)


def test_asking_for_somebody_elses_deals_shows_no_more(world):
    set_visibility(world.database, Visibility.TEAM)

    for name, other in product(MAY_CHANGE, PEOPLE):
        readable = world.readable("opportunity", IN_THE_TEAM[name])
        theirs = {
            deal
            for deal, owner in world.owner_of["opportunity"].items()
            if world.credit_of.get(deal, owner) == other
        }
        where = OpportunityFilter(owners={world.people[other]})
        with world.database.read(actor=world.actor(name)) as session:
            page = opportunity_service.get_opportunities(session, where)
        assert {row.id for row in page.rows} == readable & theirs
        assert page.totals.value == world.worth(readable & theirs)


@pytest.mark.parametrize("visibility", Visibility)
def test_everybody_changes_what_is_theirs_to_change(world, visibility):
    set_visibility(world.database, visibility)

    for name, noun in product(MAY_CHANGE, NOUNS):
        service, changes = NOUNS[noun]
        update = getattr(service, f"update_{noun}")
        expected = {
            key: changes_or_refusal(world, visibility, name, noun, key) for key in world.owner_of[noun]
        }
        with suppress(Discard), world.database.write(actor=world.actor(name)) as session:
            found = {key: attempt(update, session, key, changes(name="Mine")) for key in expected}
            raise Discard
        assert (name, noun, found) == (name, noun, expected)


def changes_or_refusal(world, visibility, name, noun, key):
    owner = world.owner_of[noun][key]
    if key not in world.readable(noun, MAY_READ[visibility][name]):
        return RecordNotFound
    return None if owner is None or owner in MAY_CHANGE[name] else BelongsToSomebodyElse


def attempt(verb, session, *arguments):
    """The refusal's name, None for none."""
    try:
        verb(session, *arguments)
    except (NotFound, BelongsToSomebodyElse) as refusal:
        return type(refusal)


def test_a_refusal_names_those_who_could_change_it_and_nobody_else(world):
    named = {}

    for deal, owner in world.owner_of["opportunity"].items():
        if owner is None or deal in world.credit_of:
            continue
        stranger = world.people["Lone" if owner != "Lone" else "Rita"]
        with world.database.write(actor=stranger) as session, pytest.raises(BelongsToSomebodyElse) as refused:
            update_opportunity(session, deal, OpportunityUpdate(name="Mine"))
        said = re.fullmatch(
            rf"“{owner}'s” belongs to {owner}\. (.*) or an admin can change it\.", str(refused.value)
        )
        named[owner] = set(said[1].split(", "))

    assert named == {
        "Rita": {"Rita", "Mia"},
        "Rob": {"Rob", "Mia"},
        "Mia": {"Mia"},
        "Sara": {"Sara", "Max"},
        "Gone": {"Max"},
        "Max": {"Max"},
        "Wes": {"Wes", "Max"},
        "Lone": {"Lone"},
        "Nora": {"Nora"},
        "Ada": {"Ada"},
    }


def test_a_refusal_is_a_sentence(world):
    set_visibility(world.database, Visibility.ALL)
    ritas = next(deal for deal, owner in world.owner_of["opportunity"].items() if owner == "Rita")

    with (
        world.database.write(actor=world.people["Sara"]) as session,
        pytest.raises(
            BelongsToSomebodyElse, match=r"^“Rita's” belongs to Rita\. Rita, Mia or an admin can change it\.$"
        ),
    ):
        update_opportunity(session, ritas, OpportunityUpdate(name="Mine"))


def test_who_gave_a_deal_away_reads_it_only_as_it_was(world):
    set_visibility(world.database, Visibility.OWN)
    before = NOW + A_DAY
    deal = next(key for key, owner in world.owner_of["opportunity"].items() if owner == "Sara")
    with world.database.write(at=NOW + 2 * A_DAY) as session:
        update_opportunity(session, deal, OpportunityUpdate(owner_id=world.people["Rita"]))

    now = {name: seen_by(world, name, deal) for name in ("Rita", "Sara", "Mia", "Max")}
    then = {name: seen_by(world, name, deal, as_of=before) for name in ("Rita", "Sara", "Mia", "Max")}

    assert now == {"Rita": True, "Sara": False, "Mia": True, "Max": False}
    assert then == {"Rita": False, "Sara": True, "Mia": False, "Max": True}


def seen_by(world, name, deal, as_of=None):
    """Whether the deal is in somebody's list, and in the sum below it."""
    where = OpportunityFilter(as_of=as_of, stages=OPEN_STAGES)
    with world.database.read(actor=world.people[name], at=NOW + 3 * A_DAY) as session:
        rows = {row.id for row in opportunity_service.get_rows(session, where)}
        value = pipeline.totals(session, where).value
    assert (deal in rows) == bool(int(value) >> deal & 1)
    return deal in rows


def test_the_credit_lets_read_but_not_change(world):
    set_visibility(world.database, Visibility.OWN)
    deal = next(key for key, credited in world.credit_of.items() if credited == "Lone")

    with world.database.write(actor=world.people["Lone"]) as session:
        assert opportunity_service.get_opportunity(session, deal).id == deal
        with pytest.raises(BelongsToSomebodyElse, match="belongs to Nora"):
            update_opportunity(session, deal, OpportunityUpdate(name="Mine"))


def test_who_changes_the_team_reads_with_the_new_one(world):
    set_visibility(world.database, Visibility.TEAM)
    with world.database.write(at=NOW + A_DAY) as session:
        south = user_service.get_user(session, world.people["Sara"]).team_id
        user_service.get_user(session, world.people["Rita"]).team_id = south

    with world.database.read(actor=world.people["Rita"]) as session:
        owners = {row.owner_name for row in lead_service.get_rows(session)}
    assert owners == {"Rita", "Sara", "Gone", None}


def test_who_no_longer_manages_a_team_changes_nothing_of_it(world):
    with world.database.write(at=NOW + A_DAY) as session:
        south = user_service.get_user(session, world.people["Sara"]).team_id
        session.get_one(Team, south).manager_id = None
    deal = next(key for key, owner in world.owner_of["opportunity"].items() if owner == "Sara")

    with (
        world.database.write(actor=world.people["Max"]) as session,
        pytest.raises(
            BelongsToSomebodyElse, match=r"^“Sara's” belongs to Sara\. Sara or an admin can change it\.$"
        ),
    ):
        update_opportunity(session, deal, OpportunityUpdate(name="Mine"))


@pytest.mark.parametrize("actor", ["Gone", 99, 0, -1, 2**31, 2**70])
def test_nobody_and_who_is_gone_reads_nothing(world, actor):
    actor_id = world.people.get(actor, actor)
    words = "no longer active. Ask an admin" if actor == "Gone" else "Sign in first"

    with world.database.read(actor=actor_id) as session:
        for ask in (
            permissions.actor_of,
            opportunity_service.get_opportunities,
            opportunity_service.count_opportunities,
            pipeline.totals,
            outcomes.closed_in,
            lead_service.get_leads,
        ):
            with pytest.raises(NotSignedIn, match=words):
                ask(session)


def test_what_only_admins_do_names_them(world):
    with world.database.write(at=NOW + A_DAY) as session:
        for number in range(3):
            Make(session).user(f"Admin {number}", role=Role.ADMIN, is_active=number != 0)

    with (
        world.database.read(actor=world.people["Mia"]) as session,
        pytest.raises(
            permissions.NeedsAdmin,
            match=r"^Only an admin can paint it\. Ask Local user or Ada or Admin 1\.$",
        ),
    ):
        permissions.require_admin(session, "paint it")
    for admin in (None, world.people["Ada"]):
        with world.database.read(actor=admin) as session:
            permissions.require_admin(session, "paint it")
