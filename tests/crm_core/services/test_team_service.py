"""What can be done with teams, and what can't."""

import pytest

from crm_core.errors import NotSignedIn
from crm_core.models import LOCAL_USER_ID, Role
from crm_core.permissions import NeedsAdmin
from crm_core.schemas.team import TeamCreate, TeamUpdate
from crm_core.services.records import RecordNotFound
from crm_core.services.team_service import (
    NotAManager,
    TeamExists,
    TeamIsInUse,
    TeamNotFound,
    create_team,
    delete_team,
    get_team,
    get_teams,
    update_team,
)
from tests.builders import Make
from tests.crm_core.services.refusals import refusal

CHANGES = {
    "create": lambda session, _: create_team(session, TeamCreate(name="South")),
    "update": lambda session, team_id: update_team(session, team_id, TeamUpdate(name="South")),
    "delete": delete_team,
}


@pytest.fixture
def north(database):
    """The id of a team without members."""
    with database.write() as session:
        return Make(session).team("North").id


def test_a_team_is_set_up_with_its_manager(session, make):
    manager = make.user(role=Role.MANAGER)

    team = create_team(session, TeamCreate(name="North", manager_id=manager.id))

    assert get_team(session, team.id) is team
    assert (team.name, team.manager_id) == ("North", manager.id)


def test_teams_come_by_name(session, make):
    for name in ("south", "North", "west"):
        make.team(name)

    assert [team.name for team in get_teams(session)] == ["North", "south", "west"]


def test_what_is_not_sent_stays_and_null_takes_the_manager_away(session, make):
    team = make.team("North", manager_id=make.user(role=Role.MANAGER).id)

    update_team(session, team.id, TeamUpdate(name="Far north"))
    assert (team.name, team.manager_id is None) == ("Far north", False)

    update_team(session, team.id, TeamUpdate(manager_id=None))
    assert (team.name, team.manager_id) == ("Far north", None)


@pytest.mark.parametrize("role", [Role.REP, Role.MANAGER])
def test_only_an_admin_changes_teams(database, north, role, subtests):
    with database.write() as session:
        actor = Make(session).user(role=role).id
    words = r"Only an admin can change teams\. Ask Local user"

    for name, change in CHANGES.items():
        with subtests.test(name), refusal(database, NeedsAdmin, words, actor=actor) as session:
            change(session, north)


@pytest.mark.parametrize(
    ("change", "left"), [("create", ["North", "South"]), ("update", ["South"]), ("delete", [])]
)
def test_an_admin_changes_teams(database, north, change, left):
    with database.write(actor=LOCAL_USER_ID) as session:
        CHANGES[change](session, north)

    with database.read() as session:
        assert [team.name for team in get_teams(session)] == left


def test_everybody_who_works_here_reads_teams_and_nobody_else(database, north):
    with database.write() as session:
        make = Make(session)
        rep, gone = make.user(), make.user("Gone", is_active=False)

    with database.read(actor=rep.id) as session:
        assert get_teams(session) == [get_team(session, north)]
    for stranger in (gone.id, 99):
        with database.read(actor=stranger) as session:
            with pytest.raises(NotSignedIn):
                get_teams(session)
            with pytest.raises(NotSignedIn):
                get_team(session, north)


@pytest.mark.both_databases
def test_a_team_has_a_name_of_its_own(database, north):
    with database.write() as session:
        make = Make(session)
        make.team("Übersee")
        manager = make.user(role=Role.MANAGER).id

    words = "There is a team “Übersee” already. Choose another name"
    for name in ("Übersee", "übersee", "ÜBERSEE"):
        with refusal(database, TeamExists, words) as session:
            create_team(session, TeamCreate(name=name))
        with refusal(database, TeamExists, "“Übersee”") as session:
            update_team(session, north, TeamUpdate(manager_id=manager, name=name))


def test_a_teams_own_name_can_be_written_otherwise(session, make):
    team = make.team("North")

    assert update_team(session, team.id, TeamUpdate(name="NORTH")).name == "NORTH"


@pytest.mark.parametrize(
    ("role", "is_active", "words"),
    [
        (Role.REP, True, "Rita Rep is a rep. A team's manager is an active manager or admin"),
        (Role.MANAGER, False, "Rita Rep no longer works here"),
        (Role.ADMIN, False, "Rita Rep no longer works here"),
    ],
)
def test_a_team_is_managed_by_an_active_manager(database, north, role, is_active, words):
    with database.write() as session:
        user = Make(session).user("Rita Rep", role=role, is_active=is_active).id

    with refusal(database, NotAManager, words) as session:
        create_team(session, TeamCreate(name="South", manager_id=user))
    with refusal(database, NotAManager, words) as session:
        update_team(session, north, TeamUpdate(name="South", manager_id=user))


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
def test_managers_and_admins_manage_teams(session, make, role):
    team, user = make.team(), make.user(role=role)

    assert update_team(session, team.id, TeamUpdate(manager_id=user.id)).manager_id == user.id


def test_a_manager_exists(database, north):
    with refusal(database, RecordNotFound, "There is no user 99") as session:
        create_team(session, TeamCreate(name="South", manager_id=99))
    with refusal(database, RecordNotFound, "There is no user 99") as session:
        update_team(session, north, TeamUpdate(name="South", manager_id=99))


@pytest.mark.parametrize("is_active", [True, False])
def test_a_team_with_members_stays(database, north, is_active):
    with database.write() as session:
        Make(session).user("Rita Rep", team_id=north, is_active=is_active)

    words = "“North” has members: Rita Rep. Move them to another team first"
    with refusal(database, TeamIsInUse, words) as session:
        delete_team(session, north)


def test_a_large_team_is_not_named_as_a_whole(database, north):
    with database.write() as session:
        make = Make(session)
        for name in ("Ada", "Bea", "Cleo", "Dora", "Eve"):
            make.user(name, team_id=north)

    with refusal(database, TeamIsInUse, "has members: Ada, Bea, Cleo and 2 more. Move") as session:
        delete_team(session, north)


def test_a_team_with_targets_stays(database, north):
    with database.write() as session:
        Make(session).target(team_id=north)

    with refusal(database, TeamIsInUse, "“North” has targets. Delete them under Settings") as session:
        delete_team(session, north)


def test_an_empty_team_goes_and_its_manager_stays(database):
    with database.write() as session:
        make = Make(session)
        manager = make.user(role=Role.MANAGER)
        north, south = make.team("North", manager_id=manager.id), make.team("South")
        make.user("Sue", team_id=south.id)

    with database.write() as session:
        delete_team(session, north.id)
        assert get_teams(session) == [get_team(session, south.id)]

    with database.read() as session:
        with pytest.raises(TeamNotFound, match="it may have been deleted"):
            get_team(session, north.id)
        assert get_team(session, south.id).name == "South"


def test_a_team_that_does_not_exist_is_not_found(database):
    for unknown in (0, -1, 99, 2**31, 2**70):
        words = f"There is no team {unknown}"
        with refusal(database, TeamNotFound, words) as session:
            get_team(session, unknown)
        with refusal(database, TeamNotFound, words) as session:
            update_team(session, unknown, TeamUpdate(name="South"))
        with refusal(database, TeamNotFound, words) as session:
            delete_team(session, unknown)


def test_teams_that_were_called_alike_before_that_was_refused_can_be_changed(session, make):
    team, _ = make.team("Süd"), make.team("Sud")
    manager = make.user(role=Role.MANAGER)

    update_team(session, team.id, TeamUpdate(name="Süd", manager_id=manager.id))

    assert team.manager_id == manager.id
    with pytest.raises(TeamExists):
        update_team(session, team.id, TeamUpdate(name="SÜD"))
