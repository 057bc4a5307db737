"""People and teams, added and changed on screen."""

import pytest

from crm_core.models import LOCAL_USER_ID, User
from crm_core.models.user import Role
from crm_core.schemas.team import TeamUpdate
from crm_core.schemas.user import UserUpdate
from crm_core.services import team_service, user_service
from tests.pages.settings import boxes, button, plain, selected, typed
from ui import words

PEOPLE = "pages/settings/people.py"
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"


def people(database) -> dict[str, user_service.UserRow]:
    with database.read() as session:
        return {person.name: person for person in user_service.get_users(session)}


def teams(database) -> dict[str, int | None]:
    with database.read() as session:
        return {team.name: team.manager_id for team in team_service.get_teams(session)}


def box(page, label):
    return next(box for box in page.checkbox if box.label == label)


def test_adds_a_person(open_page, database, given):
    with given() as make:
        north = make.team("North").id
    page = open_page(PEOPLE)

    button(page, "Add a person").click().run()
    typed(page, "Name").set_value("Rita Rep")
    typed(page, "E-mail").set_value(" rita@example.com ")
    boxes(page)["Role"].set_value(Role.MANAGER)
    boxes(page)["Team"].set_value(north)
    button(page, "Add").click().run()

    rita = people(database)["Rita Rep"]
    assert (rita.email, rita.role, rita.team_id) == ("rita@example.com", Role.MANAGER, north)
    assert rita.is_active
    assert "Rita Rep is added" in page.toast[0].value
    assert button(page, "Rita Rep")
    assert any(r"rita\@" in text.value and "North" in text.value for text in page.markdown)


def test_a_new_person_needs_no_more_than_a_name(open_page, database):
    page = open_page(PEOPLE)

    button(page, "Add a person").click().run()
    typed(page, "Name").set_value("Rita")
    button(page, "Add").click().run()

    rita = people(database)["Rita"]
    assert (rita.email, rita.role, rita.team_id) == (None, Role.REP, None)


def test_a_second_one_of_that_name_needs_an_address(open_page, database):
    page = open_page(PEOPLE)
    for _ in range(2):
        button(page, "Add a person").click().run()
        typed(page, "Name").set_value("Rita")
        button(page, "Add").click().run()

    assert "There is a Rita without an e-mail address" in plain(page.error[0].value)
    assert typed(page, "Name").value == "Rita"
    assert len(people(database)) == 2


def test_changes_everything_about_a_person(open_page, database, given):
    with given() as make:
        north = make.team("North").id
        make.user("Rita Rep", email="rita@example.com", team_id=north)
    page = open_page(PEOPLE)

    button(page, "Rita Rep").click().run()
    assert selected(page, "Team") == north
    typed(page, "Name").set_value("Rita Manager")
    typed(page, "E-mail").set_value("")
    boxes(page)["Role"].set_value(Role.MANAGER)
    boxes(page)["Team"].set_value(0)
    box(page, "Works here").uncheck()
    button(page, "Save").click().run()

    rita = people(database)["Rita Manager"]
    assert (rita.email, rita.role, rita.team_id, rita.is_active) == (None, Role.MANAGER, None, False)
    assert any("Inactive" in text.value for text in page.markdown)


def test_only_what_was_changed_is_sent(open_page, database, given):
    with given() as make:
        rita = make.user("Rita Rep").id
    page = open_page(PEOPLE)
    button(page, "Rita Rep").click().run()
    with database.write() as session:
        user_service.update_user(session, rita, UserUpdate(role=Role.ADMIN, email="a@example.com"))

    typed(page, "Name").set_value("Rita R.")
    button(page, "Save").click().run()

    changed = people(database)["Rita R."]
    assert (changed.role, changed.email) == (Role.ADMIN, "a@example.com")


def test_the_same_changed_meanwhile_is_shown_and_asked(open_page, database, given):
    with given() as make:
        rita = make.user("Rita Rep", email="old@example.com").id
    page = open_page(PEOPLE)
    button(page, "Rita Rep").click().run()
    boxes(page)["Role"].set_value(Role.MANAGER)
    with database.write() as session:
        user_service.update_user(session, rita, UserUpdate(role=Role.ADMIN, email=None))

    button(page, "Save").click().run()

    assert "it is “Admin” now, yours is “Manager”" in plain(page.error[0].value)
    assert people(database)["Rita Rep"].role is Role.ADMIN
    assert (selected(page, "Role"), typed(page, "E-mail").value) == (Role.MANAGER, "")

    button(page, "Save").click().run()

    assert people(database)["Rita Rep"].role is Role.MANAGER


def test_another_team_and_another_manager_chosen_meanwhile_are_told_by_name(open_page, database, given):
    with given() as make:
        north, south = make.team("North").id, make.team("South").id
        rita = make.user("Rita Rep").id
        mia = make.user("Mia Manager", role=Role.MANAGER).id

    page = open_page(PEOPLE)
    button(page, "Rita Rep").click().run()
    boxes(page)["Team"].set_value(south)
    with database.write() as session:
        user_service.update_user(session, rita, UserUpdate(team_id=north))
    button(page, "Save").click().run()
    assert "Team was changed meanwhile: it is “North” now, yours is “South”" in plain(page.error[0].value)

    page = open_page(PEOPLE)
    button(page, "North").click().run()
    boxes(page)["Manager"].set_value(mia)
    with database.write() as session:
        team_service.update_team(session, north, TeamUpdate(manager_id=LOCAL_USER_ID))
    button(page, "Save").click().run()
    assert "it is “Local user” now, yours is “Mia Manager”" in plain(page.error[0].value)


@pytest.mark.parametrize(
    ("label", "change", "sentence"),
    [
        ("Local user", lambda page: boxes(page)["Role"].set_value(Role.REP), "Add a user for yourself"),
        ("Mia Manager", lambda page: box(page, "Works here").uncheck(), "manages “North”"),
        (
            "Rita Rep",
            lambda page: typed(page, "E-mail").set_value("MIA@example.com"),
            "is the e-mail address of Mia Manager",
        ),
        (
            "Rita Rep",
            lambda page: typed(page, "E-mail").set_value("nowhere"),
            "This is not an e-mail address",
        ),
        ("Rita Rep", lambda page: typed(page, "Name").set_value(" "), "at least one visible character"),
    ],
)
def test_a_refusal_stands_beside_the_form(open_page, database, given, label, change, sentence):
    with given() as make:
        north = make.team("North")
        mia = make.user("Mia Manager", role=Role.MANAGER, email="mia@example.com")
        north.manager_id = mia.id
        make.user("Rita Rep")
    before = people(database)
    page = open_page(PEOPLE)

    button(page, label).click().run()
    change(page)
    button(page, "Save").click().run()

    assert sentence in plain(page.error[0].value)
    assert not page.toast
    assert people(database) == before


def test_whoever_loses_the_right_meanwhile_is_refused_beside_the_form(open_page, database, given):
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
    page = open_page(PEOPLE)
    button(page, "Ann Admin").click().run()
    boxes(page)["Role"].set_value(Role.REP)
    with given() as make:
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    button(page, "Save").click().run()

    assert "Only an admin can add or change users" in plain(page.error[0].value)
    assert people(database)["Ann Admin"].role is Role.ADMIN


def test_finds_people_by_name_address_and_team(open_page, given):
    with given() as make:
        north = make.team("North").id
        make.user("Rita Rep", team_id=north)
        make.user("Max", email="max@acme.com")

    def found(searched: str) -> list[str]:
        page = open_page(PEOPLE, people_search=searched)
        return [name for name in ("Rita Rep", "Max", "Local user") if name in {b.label for b in page.button}]

    assert found("rita") == ["Rita Rep"]
    assert found("NORTH") == ["Rita Rep"]
    assert found("acme") == ["Max"]
    assert found("") == ["Rita Rep", "Max", "Local user"]
    assert "Nobody is called so" in open_page(PEOPLE, people_search="zzz").info[0].value


def test_many_people_are_paged(open_page, given):
    with given() as make:
        for number in range(45):
            make.user(f"Person {number:02}")

    page = open_page(PEOPLE)
    assert "1–20 of 46 people" in [text.value for text in page.caption]

    page.get("pagination")[0].set_value(3).run()
    assert "41–46 of 46 people" in [text.value for text in page.caption]


def test_adds_changes_and_deletes_a_team(open_page, database, given):
    with given() as make:
        mia = make.user("Mia Manager", role=Role.MANAGER).id
        make.user("Rita Rep")
    page = open_page(PEOPLE)
    assert "There are none yet" in " ".join(text.value for text in page.caption)

    button(page, "Add a team").click().run()
    assert "Rita Rep" not in boxes(page)["Manager"].options
    typed(page, "Name").set_value("North")
    boxes(page)["Manager"].set_value(mia)
    button(page, "Add").click().run()
    assert teams(database) == {"North": mia}
    assert any("0 members, managed by Mia Manager" in text.value for text in page.markdown)

    button(page, "North").click().run()
    typed(page, "Name").set_value("North-West")
    boxes(page)["Manager"].set_value(0)
    button(page, "Save").click().run()
    assert teams(database) == {"North-West": None}

    button(page, words.literal("North-West")).click().run()
    button(page, "Delete this team").click().run()
    assert teams(database) == {"North-West": None}
    button(page, "Delete").click().run()
    assert teams(database) == {}
    assert "deleted" in page.toast[0].value


def test_a_team_with_members_is_not_deleted(open_page, database, given):
    with given() as make:
        make.user("Rita Rep", team_id=make.team("North").id)
    page = open_page(PEOPLE)

    button(page, "North").click().run()
    button(page, "Delete this team").click().run()
    button(page, "Delete").click().run()

    assert "“North” has members: Rita Rep" in plain(page.error[0].value)
    assert teams(database) == {"North": None}


def test_a_second_team_of_that_name_is_refused(open_page, database, given):
    with given() as make:
        make.team("North")
    page = open_page(PEOPLE)

    button(page, "Add a team").click().run()
    typed(page, "Name").set_value("NORTH")
    button(page, "Add").click().run()

    assert "There is a team “North” already" in plain(page.error[0].value)
    assert typed(page, "Name").value == "NORTH"
    assert teams(database) == {"North": None}


def test_a_team_that_was_deleted_meanwhile_says_so(open_page, database, given):
    with given() as make:
        north = make.team("North").id
        make.user("Rita Rep")
    page = open_page(PEOPLE)
    button(page, "Rita Rep").click().run()
    boxes(page)["Team"].set_value(north)
    with database.write() as session:
        team_service.delete_team(session, north)

    button(page, "Save").click().run()

    assert "it may have been deleted" in plain(page.error[0].value)
    boxes(page)["Team"].set_value(0)
    button(page, "Save").click().run()
    assert not [e.value for e in page.error]


def test_namesakes_among_the_managers_are_told_apart(open_page, given):
    with given() as make:
        make.user("Mia", role=Role.MANAGER, email="one@example.com")
        make.user("Mia", role=Role.MANAGER, email="two@example.com")
    page = open_page(PEOPLE)

    button(page, "Add a team").click().run()

    assert boxes(page)["Manager"].options[-2:] == ["Mia (one@example.com)", "Mia (two@example.com)"]


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        team = make.team(HOSTILE)
        team.manager_id = make.user(HOSTILE, role=Role.MANAGER, team_id=team.id).id
        make.user("y" * 200)

    page = open_page(PEOPLE)

    labels = [found.label for found in page.button]
    assert labels.count(words.literal(HOSTILE)) == 2
    assert "y" * 200 in labels
    button(page, words.literal(HOSTILE)).click().run()
    assert typed(page, "Name").value == HOSTILE
    assert HOSTILE in boxes(page)["Team"].options


def test_whoever_is_no_admin_sees_everybody_and_changes_nothing(open_page, given):
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
        make.team("North")
        make.session.get_one(User, LOCAL_USER_ID).role = Role.REP

    page = open_page(PEOPLE)

    shown = " ".join(text.value for text in page.markdown)
    assert "Ann Admin" in shown
    assert "North" in shown
    assert not page.button
    assert "Ask Ann Admin" in page.info[0].value
