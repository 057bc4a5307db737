"""What can be done with users, and what can't."""

import pytest

from crm_core.errors import NotFound, NotSignedIn
from crm_core.models import LOCAL_USER_ID, Role, User
from crm_core.permissions import NeedsAdmin
from crm_core.schemas.user import UserCreate, UserUpdate
from crm_core.services.records import RecordNotFound
from crm_core.services.team_service import TeamNotFound
from crm_core.services.user_service import (
    EmailTaken,
    LastAdmin,
    LocalUserStays,
    ManagesTeam,
    NamesakeNeedsEmail,
    UserRow,
    create_user,
    get_owners,
    get_user,
    get_user_called,
    get_users,
    update_user,
)
from tests.builders import Make
from tests.crm_core.services.refusals import refusal

CHANGES = {
    "create": lambda session, _: create_user(session, UserCreate(name="Max")),
    "update": lambda session, user_id: update_user(session, user_id, UserUpdate(name="Max")),
}
LOSING_POWER = [{"role": Role.REP}, {"role": Role.MANAGER}, {"is_active": False}]


@pytest.fixture
def rita(database):
    """The id of an active rep in no team."""
    with database.write() as session:
        return Make(session).user("Rita Rep").id


def make_the_last_admin(database):
    """Somebody else than the local user, as where people sign in; the local user is left without rights."""
    with database.write() as session:
        session.get_one(User, LOCAL_USER_ID).is_active = False
        make = Make(session)
        make.user("Gone", role=Role.ADMIN, is_active=False)
        return make.user("Ann Admin", role=Role.ADMIN).id


def test_a_new_user_is_an_active_rep_unless_told_otherwise(session, make):
    team = make.team()

    plain = create_user(session, UserCreate(name="Rita"))
    chosen = create_user(
        session, UserCreate(name="Max", email="max@example.com", role=Role.MANAGER, team_id=team.id)
    )

    assert get_user(session, plain.id) is plain
    assert (plain.role, plain.email, plain.team_id, plain.is_active) == (Role.REP, None, None, True)
    assert (chosen.role, chosen.email, chosen.team_id) == (Role.MANAGER, "max@example.com", team.id)


@pytest.mark.parametrize("name", ["Rita Rep", "RITA rep"])
def test_two_of_one_name_are_told_apart_by_an_address(database, rita, name):
    with refusal(database, NamesakeNeedsEmail, r"a Rita Rep without an e-mail address already") as s:
        create_user(s, UserCreate(name=name))
    with database.write() as session:
        namesake = create_user(session, UserCreate(name=name, email="rita@example.com")).id
    with refusal(database, NamesakeNeedsEmail, "Give one of them an address") as s:
        update_user(s, namesake, UserUpdate(email=None))
    with database.write() as session:
        update_user(session, namesake, UserUpdate(email=None, name="Rita Two"))
        update_user(session, namesake, UserUpdate(email=None, name="Rita Two"))
    with refusal(database, NamesakeNeedsEmail, "could tell the two apart") as s:
        update_user(s, namesake, UserUpdate(name="rita rep"))


def test_whoever_left_under_that_name_can_be_activated_again(database, rita):
    with database.write() as session:
        update_user(session, rita, UserUpdate(is_active=False))

    with refusal(database, NamesakeNeedsEmail, r"activate Rita Rep again\.$") as s:
        create_user(s, UserCreate(name="Rita Rep"))


def test_a_list_shows_everybody_with_their_teams(session, make):
    team = make.team("North")
    make.user("rita", team_id=team.id, email="rita@example.com")
    make.user("Max", role=Role.MANAGER, is_active=False)

    local, left, member = get_users(session)

    assert local.name == "Local user"
    assert (left.name, left.role, left.team_name, left.is_active) == ("Max", Role.MANAGER, None, False)
    assert member == UserRow(
        id=member.id,
        name="rita",
        email="rita@example.com",
        role=Role.REP,
        team_id=team.id,
        team_name="North",
        is_active=True,
    )


def test_a_list_can_be_of_those_who_still_work_here(session, make):
    make.user("Rita")
    make.user("Max", is_active=False)

    for is_active, names in (
        (None, ["Local user", "Max", "Rita"]),
        (True, ["Local user", "Rita"]),
        (False, ["Max"]),
    ):
        assert [user.name for user in get_users(session, is_active=is_active)] == names


def test_what_is_not_sent_stays_and_null_empties(session, make):
    team = make.team()
    user = make.user("Rita", email="rita@example.com", team_id=team.id, role=Role.MANAGER)

    update_user(session, user.id, UserUpdate(email=None))
    assert (user.name, user.email, user.team_id, user.role) == ("Rita", None, team.id, Role.MANAGER)

    update_user(session, user.id, UserUpdate(team_id=None, name="Rita Roe", is_active=False))
    assert (user.name, user.team_id, user.is_active) == ("Rita Roe", None, False)


@pytest.mark.parametrize("role", [Role.REP, Role.MANAGER])
def test_only_an_admin_changes_users(database, rita, role, subtests):
    with database.write() as session:
        actor = Make(session).user(role=role).id

    words = r"Only an admin can add or change users\. Ask Local user"
    for name, change in CHANGES.items():
        with subtests.test(name), refusal(database, NeedsAdmin, words, actor=actor) as session:
            change(session, rita)


@pytest.mark.parametrize("sent", [{"role": Role.ADMIN}, {"name": "Boss"}], ids=str)
def test_nobody_changes_their_own_account_but_an_admin(database, rita, sent):
    with refusal(database, NeedsAdmin, "Only an admin", actor=rita) as session:
        update_user(session, rita, UserUpdate(**sent))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_admin_changes_users(database, rita, change):
    with database.write(actor=LOCAL_USER_ID) as session:
        change(session, rita)

    with database.read() as session:
        assert "Max" in [user.name for user in get_users(session)]


def test_everybody_who_works_here_reads_users_and_nobody_else(database, rita):
    with database.write() as session:
        gone = Make(session).user("Gone", is_active=False).id

    with database.read(actor=rita) as session:
        assert get_user(session, rita).name == "Rita Rep"
        assert {user.id for user in get_users(session)} == {LOCAL_USER_ID, rita, gone}
        assert {owner.id for owner in get_owners(session)} == {rita, gone}
    for stranger in (gone, 99):
        with database.read(actor=stranger) as session:
            for read in (get_users, get_owners, lambda session: get_user(session, rita)):
                with pytest.raises(NotSignedIn):
                    read(session)


@pytest.mark.both_databases
def test_an_address_in_any_case_belongs_to_one_user(database, rita):
    with database.write() as session:
        Make(session).user("Jürgen", email="Jürgen@example.com")

    words = r"Jürgen@example.com is the e-mail address of Jürgen already\. Choose another\."
    for email in ("jürgen@example.com", "JÜRGEN@example.com", "Jürgen@EXAMPLE.com"):
        with refusal(database, EmailTaken, words) as session:
            create_user(session, UserCreate(name="Max", email=email))
        with refusal(database, EmailTaken, words) as session:
            update_user(session, rita, UserUpdate(name="Max", email=email))


def test_somebody_who_comes_back_is_activated_rather_than_added_again(database):
    with database.write() as session:
        Make(session).user("Rita", email="rita@example.com", is_active=False)

    with refusal(database, EmailTaken, "Choose another, or activate Rita again") as session:
        create_user(session, UserCreate(name="Rita", email="rita@example.com"))


def test_ones_own_address_can_be_written_otherwise(session, make):
    user = make.user("Rita", email="rita@example.com")

    assert update_user(session, user.id, UserUpdate(email="Rita@example.com")).email == "Rita@example.com"


def test_two_users_can_swap_their_addresses(database):
    with database.write() as session:
        make = Make(session)
        rita, max_ = make.user("Rita", email="r@example.com").id, make.user("Max", email="m@example.com").id

    with database.write() as session:
        update_user(session, rita, UserUpdate(email=None))
        update_user(session, max_, UserUpdate(email="r@example.com"))
        update_user(session, rita, UserUpdate(email="m@example.com"))

    with database.read() as session:
        assert (get_user(session, rita).email, get_user(session, max_).email) == (
            "m@example.com",
            "r@example.com",
        )


def test_a_team_exists(database, rita):
    with refusal(database, TeamNotFound, "There is no team 99") as session:
        create_user(session, UserCreate(name="Max", team_id=99))
    with refusal(database, TeamNotFound, "There is no team 99") as session:
        update_user(session, rita, UserUpdate(name="Max", team_id=99))


def test_the_local_user_stays_an_active_admin(database):
    with database.write() as session:
        Make(session).user("Ann Admin", role=Role.ADMIN)

    for sent in LOSING_POWER:
        with refusal(database, LocalUserStays, "does not sign in works as “Local user”") as session:
            update_user(session, LOCAL_USER_ID, UserUpdate(name="Nobody", **sent))


def test_the_local_user_can_be_called_otherwise(session):
    as_it_is = UserUpdate(name="Ann", role=Role.ADMIN, is_active=True)

    assert update_user(session, LOCAL_USER_ID, as_it_is).name == "Ann"


def test_the_last_active_admin_stays(database):
    admin = make_the_last_admin(database)

    words = "Ann Admin is the last active admin. Make somebody else"
    for sent in LOSING_POWER:
        with refusal(database, LastAdmin, words) as session:
            update_user(session, admin, UserUpdate(name="Nobody", **sent))


@pytest.mark.parametrize("sent", LOSING_POWER, ids=str)
def test_one_admin_of_two_can_go(database, sent):
    admin = make_the_last_admin(database)
    with database.write() as session:
        other = create_user(session, UserCreate(name="Bea Boss", role=Role.ADMIN)).id

    with database.write(actor=other) as session:
        update_user(session, admin, UserUpdate(**sent))

    with refusal(database, LastAdmin, "Bea Boss is the last active admin") as session:
        update_user(session, other, UserUpdate(**sent))


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
@pytest.mark.parametrize("sent", [{"role": Role.REP}, {"is_active": False}], ids=str)
def test_who_manages_a_team_is_replaced_first(database, role, sent):
    with database.write() as session:
        make = Make(session)
        manager = make.user("Mia Manager", role=role).id
        north, south = make.team("North", manager_id=manager), make.team("South", manager_id=manager)

    words = "Mia Manager manages “North” and “South”. Choose another manager there first"
    with refusal(database, ManagesTeam, words) as session:
        update_user(session, manager, UserUpdate(name="Nobody", **sent))

    with database.write() as session:
        for team in (north, south):
            session.merge(team).manager_id = None
    with database.write() as session:
        update_user(session, manager, UserUpdate(**sent))


def test_who_manages_a_team_can_change_otherwise(session, make):
    manager = make.user("Mia Manager", role=Role.MANAGER)
    team = make.team("North", manager_id=manager.id)

    update_user(session, manager.id, UserUpdate(name="Mia", role=Role.ADMIN, team_id=team.id, is_active=True))

    assert (manager.name, manager.role, manager.team_id) == ("Mia", Role.ADMIN, team.id)


def test_who_leaves_keeps_the_deals(session, make):
    user = make.user("Rita")
    deal = make.won(100, owner_id=user.id)

    update_user(session, user.id, UserUpdate(is_active=False))

    assert (deal.owner_id, deal.credited_owner_id) == (user.id, user.id)
    assert "Rita" in [owner.name for owner in get_owners(session)]


def test_a_user_who_does_not_exist_is_not_found(database):
    for unknown in (0, -1, 99, 2**31, 2**70):
        with refusal(database, RecordNotFound, f"There is no user {unknown}") as session:
            get_user(session, unknown)
        with refusal(database, NotFound, f"There is no user {unknown}") as session:
            update_user(session, unknown, UserUpdate(name="Max"))


def test_somebody_is_found_by_address_name_or_number(session, make):
    rita = make.user("Rita Rep", email="rita@example.com")

    for who in ("RITA@example.com", " rita rep ", str(rita.id)):
        assert get_user_called(session, who) is rita


def test_where_nobody_alone_is_meant_everybody_is_named(session, make):
    make.user("Twin"), make.user("twin", email="twin@example.com")

    for who, why in (("Nobody", "Nobody here"), ("Twin", "Several"), ("9" * 5_000, "Nobody")):
        with pytest.raises(NotFound, match=f"{why}.*1 Local user.*twin@example.com"):
            get_user_called(session, who)


def test_users_whose_addresses_were_two_before_they_became_one_can_be_changed(session, make):
    user, _ = make.user("José", email="josé@acme.example"), make.user("Jose", email="jose@acme.example")

    update_user(session, user.id, UserUpdate(email="josé@acme.example", role=Role.MANAGER))

    assert user.role is Role.MANAGER
    with pytest.raises(EmailTaken):
        update_user(session, user.id, UserUpdate(email="JOSÉ@acme.example"))
