"""Who may do what, for every public function of the services and figures: a new one without a row fails here.

The records are Rita's. She is in the team North with Tom, and Max manages it; Sue is in another team. What a
refused user tried must leave the database as it was, even if the caller goes on and commits.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import crm_core.analytics
import crm_core.services
from crm_core.database import Database
from crm_core.errors import CrmError, NotAllowed, NotFound, NotSignedIn
from crm_core.models import LeadStatus, OpportunityStage, Role, Settings, Visibility
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.lead import LeadCreate
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services import (
    lead_service,
    opportunity_service,
    saved_view_service,
    settings_service,
    token_service,
    undo_service,
)
from crm_core.services.records import NothingWasChanged
from tests.builders import Make
from tests.conftest import NOW, Discard
from tests.crm_core.importing.conftest import every_row
from tests.crm_core.services.rights import MATRIX, VIEW, Right, Use, World

S = OpportunityStage
NO_SESSION = {
    "key_text",
    "month_key",
    "size_key",
    "open_totals",
    "together",
    "worths",
    "stage_totals",
    "count_if",
    "closed_within",
    "closed_by_month",
    "is_open",
    "why_no_win_rate",
    "use_token",
    "note_use",
}
"""Functions that reach nothing, and those that find out who calls and note it."""

ACTORS = ("nobody", "stranger", "teammate", "owner", "manager", "admin", "deactivated")
MANAGE = {"manager", "admin"}
MAY_CHANGE = {"owner", *MANAGE}
MAY_READ = {
    Visibility.ALL: {*MAY_CHANGE, "teammate", "stranger"},
    Visibility.TEAM: {*MAY_CHANGE, "teammate"},
    Visibility.OWN: MAY_CHANGE,
}
ALLOWED, EMPTY = "allowed", "allowed, and nothing is in it"


def expected(right: Right, actor: str, visibility: Visibility) -> str | type[CrmError]:
    if actor in ("nobody", "deactivated"):
        return NotSignedIn
    reads, changes = actor in MAY_READ[visibility], actor in MAY_CHANGE
    match right:
        case Right.ANYBODY:
            return ALLOWED
        case Right.ADMIN:
            return ALLOWED if actor == "admin" else NotAllowed
        case Right.OWNER:
            return ALLOWED if actor in ("owner", "admin") else NotAllowed
        case Right.MANAGER:
            return ALLOWED if actor in MANAGE else NotAllowed
        case Right.MANAGER_SEES:
            return ALLOWED if actor in MANAGE else NotAllowed if reads else NotFound
        case Right.MANAGER_LISTS:
            return ALLOWED if actor in MANAGE else EMPTY
        case Right.AUTHOR:
            return ALLOWED if actor == "owner" else NotAllowed
        case Right.OWNER_SEES:
            return ALLOWED if actor in ("owner", "admin") else NotFound
        case Right.OWNER_LISTS:
            return ALLOWED if actor in ("owner", "admin") else EMPTY
        case Right.LIST:
            return ALLOWED if reads else EMPTY
        case Right.READ:
            return ALLOWED if reads else NotFound
        case Right.CHANGE | Right.BULK:
            return ALLOWED if changes else NotAllowed if reads else NotFound


def public_functions() -> Iterator[Callable[..., Any]]:
    """Every function that a screen, a route or a script may call."""
    for package, ending in ((crm_core.services, "_service"), (crm_core.analytics, "")):
        for found in pkgutil.iter_modules(package.__path__):
            if not found.name.endswith(ending):
                continue
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__ and not name.startswith("_"):
                    yield function


def test_every_public_function_has_its_row():
    assert {each for each in public_functions() if each.__name__ not in NO_SESSION} == set(MATRIX)


@pytest.fixture
def world(database: Database) -> World:
    with database.write(at=NOW) as session:
        make = Make(session)
        north, south, _ = (make.team(name).id for name in ("North", "South", "Nobody's"))
        rita = make.user("Rita", email="rita@example.com", team_id=north).id
        actors = {
            "nobody": 2**31 - 1,
            "stranger": make.user("Sue", team_id=south).id,
            "teammate": make.user("Tom", team_id=north).id,
            "owner": rita,
            "manager": make.user("Max", team_id=north, role=Role.MANAGER).id,
            "admin": make.user("Ada", role=Role.ADMIN).id,
            "deactivated": make.user("Dan", team_id=north, role=Role.ADMIN, is_active=False).id,
        }
        settings_service.get_settings(session).has_demo_data = True
    with database.write(at=NOW, actor=rita) as session:
        view = saved_view_service.create_view(session, VIEW.model_copy(update={"name": "Rita's"})).id
        lead_service.create_lead(session, LeadCreate(name="Hers", owner_id=rita))
        action = undo_service.current_transaction(session)
    with database.write(at=NOW) as session:
        make = Make(session)
        acme = make.company("Acme", owner_id=rita, industry="Energy", country="Chile").id
        person = make.contact("Paul", company_id=acme, owner_id=rita).id
        deal = {"company_id": acme, "contact_id": person, "owner_id": rita, "source": "Web"}
        make.lost(5, **deal)
        return World(
            actors=actors,
            deal=make.opportunity(stage=S.PROPOSAL, **deal).id,
            won=make.won(5, **deal).id,
            gone=make.opportunity(deleted_at=NOW, **deal).id,
            company=acme,
            bare_company=make.company("Bare", owner_id=rita).id,
            gone_company=make.company("Gone", owner_id=rita, deleted_at=NOW).id,
            contact=person,
            bare_contact=make.contact("Bea", owner_id=rita).id,
            gone_contact=make.contact("Gil", owner_id=rita, deleted_at=NOW).id,
            lead=make.lead(
                status=LeadStatus.QUALIFIED, owner_id=rita, source="Web", email="grace@example.com"
            ).id,
            gone_lead=make.lead(owner_id=rita, deleted_at=NOW).id,
            team=north,
            token=token_service.create_token(session, rita).token.id,
            view=view,
            action=action,
            target=make.target(7, user_id=rita).id,
        )


@pytest.mark.parametrize("visibility", Visibility)
def test_who_may(database, world, visibility, subtests):
    with database.write() as session:
        session.get_one(Settings, 1).visibility = visibility
    before = every_row(database)
    for function, (right, use) in MATRIX.items():
        with subtests.test(f"{function.__module__}.{function.__name__}"):
            outcomes = {actor: tried(database, world, actor, right, use) for actor in ACTORS}
            was, before = before, every_row(database)
            assert outcomes == {actor: expected(right, actor, visibility) for actor in outcomes}
            assert before == was


def tried(database: Database, world: World, actor: str, right: Right, use: Use) -> str | type[CrmError]:
    """What came of it. What was allowed is thrown away; after a refusal the caller goes on and commits."""
    with suppress(Discard), database.write(actor=world.actors[actor]) as session:
        try:
            answer = use(session, world)
        except NothingWasChanged as refusal:
            return kind_of(refusal.refusals[next(iter(refusal.refusals))])
        except CrmError as refusal:
            return kind_of(refusal)
        if right in (Right.LIST, Right.OWNER_LISTS, Right.MANAGER_LISTS) and not answer:
            return EMPTY
        raise Discard
    return ALLOWED


def kind_of(refusal: CrmError) -> type[CrmError]:
    return next(kind for kind in (NotSignedIn, NotAllowed, NotFound, CrmError) if isinstance(refusal, kind))


def test_nobody_points_to_what_they_may_not_read(database, world):
    stranger = world.actors["stranger"]
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN
        lead = Make(session).lead(status=LeadStatus.QUALIFIED, owner_id=stranger).id
    create, convert = opportunity_service.create_opportunity, opportunity_service.convert_lead_to_opportunity

    for use in (
        lambda session: create(session, OpportunityCreate(name="New", company_id=world.company)),
        lambda session: create(session, OpportunityCreate(name="New", contact_id=world.contact)),
        lambda session: convert(session, lead, ConversionChoice(company_id=world.company)),
        lambda session: convert(session, lead, ConversionChoice(contact_id=world.contact)),
        lambda session: convert(session, lead, ConversionChoice(opportunity_id=world.deal)),
    ):
        with database.write(actor=stranger) as session, pytest.raises(NotFound):
            use(session)
