"""What people save of their screens: who sees it, who changes it, and what a screen begins with."""

import pytest
from pydantic import ValidationError

from crm_core import history
from crm_core.errors import InvalidInput, NotSignedIn
from crm_core.models import LOCAL_USER_ID, Role
from crm_core.schemas.saved_view import SavedViewCreate, SavedViewUpdate, ViewDefinition
from crm_core.services.saved_view_service import (
    DefaultIsOnesOwn,
    ViewExists,
    ViewNotFound,
    ViewOfSomebodyElse,
    create_view,
    delete_view,
    find_default,
    get_views,
    update_view,
)
from tests.builders import Make
from tests.crm_core.services.refusals import refusal

DEFINITION = ViewDefinition(
    query={"stage": ["proposal", "negotiation"], "sort": ["-value"]}, columns=["name"]
)


def draft(name: str = "Mine", screen: str = "deals", **answers: object) -> SavedViewCreate:
    return SavedViewCreate(screen=screen, name=name, definition=DEFINITION, **answers)


@pytest.fixture
def people(database):
    with database.write() as session:
        return Make(session).people()


@pytest.mark.both_databases
def test_a_view_is_found_again_with_all_it_says(database, people):
    with database.write(actor=people.rita) as session:
        view = create_view(session, draft(is_shared=True, is_default=True))

    with database.read(actor=people.rita) as session:
        (found,) = get_views(session, "deals")
    assert found.model_dump() == {
        "id": view.id,
        "user_id": people.rita,
        "owner_name": "Rita Rep",
        "is_own": True,
        "screen": "deals",
        "name": "Mine",
        "definition": DEFINITION.model_dump(),
        "is_shared": True,
        "is_default": True,
    }


def test_ones_own_come_first_and_then_what_others_share(database, people):
    with database.write(actor=people.nora) as session:
        for name in ("beta", "Alpha"):
            create_view(session, draft(name, is_shared=True))
        create_view(session, draft("Nora's alone"))
    with database.write(actor=people.rita) as session:
        for name in ("zulu", "Yankee"):
            create_view(session, draft(name))
        create_view(session, draft("Elsewhere", screen="leads"))

    with database.read(actor=people.rita) as session:
        found = get_views(session, "deals")
    assert [(view.name, view.is_own) for view in found] == [
        ("Yankee", True),
        ("zulu", True),
        ("Alpha", False),
        ("beta", False),
    ]


def test_a_screen_begins_with_one_view_only(database, people):
    with database.write(actor=people.rita) as session:
        first = create_view(session, draft("First", is_default=True)).id
        other_screen = create_view(session, draft("First", screen="leads", is_default=True)).id
        create_view(session, draft("Second", is_default=True))
    with database.write(actor=people.nora) as session:
        create_view(session, draft("Nora's", is_default=True))

    with database.read(actor=people.rita) as session:
        assert find_default(session, "deals").name == "Second"
        assert find_default(session, "leads").id == other_screen
        assert find_default(session, "contacts") is None
        assert [view.is_default for view in get_views(session, "deals")] == [False, True]
    with database.write(actor=people.rita) as session:
        update_view(session, first, SavedViewUpdate(is_default=True))
        assert find_default(session, "deals").name == "First"
        update_view(session, first, SavedViewUpdate(is_default=False))
        assert find_default(session, "deals") is None
    with database.read(actor=people.nora) as session:
        assert find_default(session, "deals").name == "Nora's"


def test_anothers_default_is_nobody_elses(database, people):
    with database.write(actor=people.nora) as session:
        view_id = create_view(session, draft(is_shared=True, is_default=True)).id
    with database.write() as session:
        admin = Make(session).user("Ada", role=Role.ADMIN).id

    with database.read(actor=people.rita) as session:
        assert [view.is_default for view in get_views(session, "deals")] == [False]
        assert find_default(session, "deals") is None
    with database.write(actor=admin) as session, pytest.raises(DefaultIsOnesOwn):
        update_view(session, view_id, SavedViewUpdate(is_default=True))


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["Grün", "GRÜN"])
def test_nobody_has_two_views_of_one_name_on_a_screen(database, people, name):
    with database.write(actor=people.rita) as session:
        create_view(session, draft("grün"))
        other = create_view(session, draft("Rot")).id
        create_view(session, draft(name, screen="leads"))
    with database.write(actor=people.nora) as session:
        create_view(session, draft(name))

    told = "There is a view “grün” already. Choose another name."
    with refusal(database, ViewExists, told, actor=people.rita) as session:
        create_view(session, draft(name))
    with refusal(database, ViewExists, told, actor=people.rita) as session:
        update_view(session, other, SavedViewUpdate(name=name, is_default=True))


def test_a_view_may_be_called_what_it_is_called(database, people):
    with database.write(actor=people.rita) as session:
        view = create_view(session, draft("mine"))

        assert update_view(session, view.id, SavedViewUpdate(name="Mine")).name == "Mine"


def test_what_is_not_sent_stays(database, people):
    changed = ViewDefinition(query={}, columns=None)
    with database.write(actor=people.rita) as session:
        view_id = create_view(session, draft(is_default=True)).id
    with database.write(actor=people.rita) as session:
        update_view(session, view_id, SavedViewUpdate(definition=changed))

    with database.read(actor=people.rita) as session:
        found = find_default(session, "deals")
    assert (found.name, found.definition, found.is_shared) == ("Mine", changed, False)


def test_a_shared_view_is_its_owners_and_an_admins(database, people):
    with database.write(actor=people.nora) as session:
        view_id = create_view(session, draft(is_shared=True)).id
    with database.write() as session:
        admin = Make(session).user("Ada", role=Role.ADMIN).id

    told = "“Mine” belongs to Nora North. Nora North or an admin can change it."
    for actor in (people.rita, people.mia):
        with refusal(database, ViewOfSomebodyElse, told, actor=actor) as session:
            update_view(session, view_id, SavedViewUpdate(name="Ours"))
        with refusal(database, ViewOfSomebodyElse, told, actor=actor) as session:
            delete_view(session, view_id)
    with database.write(actor=admin) as session:
        update_view(session, view_id, SavedViewUpdate(name="Ours"))
        delete_view(session, view_id)
        assert get_views(session, "deals") == []


def test_what_somebody_keeps_to_themselves_does_not_exist_for_others(database, people):
    with database.write(actor=people.nora) as session:
        view_id = create_view(session, draft()).id

    for actor in (people.rita, LOCAL_USER_ID, None):
        with database.write(actor=actor) as session:
            assert get_views(session, "deals") == []
            with pytest.raises(ViewNotFound):
                update_view(session, view_id, SavedViewUpdate(name="Ours"))
            with pytest.raises(ViewNotFound):
                delete_view(session, view_id)


def test_no_view_has_such_an_id(session):
    for view_id in (-1, 0, 99, 2**31, 2**63):
        with pytest.raises(ViewNotFound):
            delete_view(session, view_id)


def test_the_system_has_no_views(session):
    with pytest.raises(NotSignedIn):
        create_view(session, draft())
    assert find_default(session, "deals") is None


def test_another_session_sees_at_once_that_something_changed(database, people):
    """Screens keep answers by the revision."""
    revisions = []

    def note() -> None:
        with database.read() as session:
            revisions.append(history.revision(session))

    note()
    with database.write(actor=people.rita) as session:
        view_id = create_view(session, draft()).id
    note()
    with database.write(actor=people.rita) as session:
        update_view(session, view_id, SavedViewUpdate(name="Ours"))
    note()
    with database.write(actor=people.rita) as session:
        delete_view(session, view_id)
    note()
    assert len(set(revisions)) == len(revisions)


def test_a_view_has_bounds():
    for wrong in (
        {"name": ""},
        {"name": " \u200b"},
        {"name": "x" * 101},
        {"name": "x\x00"},
        {"screen": ""},
        {"screen": "x" * 51},
        {"definition": {"query": {"text": ["x" * 501]}, "columns": None}},
        {"definition": {"query": {"text": ["\x00"]}, "columns": None}},
        {"definition": {"query": {"text": ["\ud800"]}, "columns": None}},
        {"definition": {"query": {"x" * 101: ["x"]}, "columns": None}},
        {"definition": {"query": {"text": ["x"] * 501}, "columns": None}},
        {"definition": {"query": {"text": ["x" * 500] * 50}, "columns": None}},
        {"definition": {"query": {str(number): ["x"] for number in range(51)}, "columns": None}},
        {"definition": {"query": {"text": "x"}, "columns": None}},
        {"definition": {"query": {}, "columns": ["name", "name"]}},
        {"definition": {"query": {}, "columns": [str(number) for number in range(101)]}},
        {"definition": {"query": {}, "columns": None, "more": 1}},
        {"definition": {}},
    ):
        with pytest.raises(ValidationError):
            SavedViewCreate.model_validate({**draft().model_dump(), **wrong})


@pytest.mark.parametrize("screen", ["x" * 51, "\x00"])
def test_no_screen_is_called_so(database, screen):
    with pytest.raises(InvalidInput), database.read() as session:
        get_views(session, screen)


def test_views_that_were_called_alike_before_that_was_refused_can_be_changed(database, people):
    with database.write(actor=people.rita) as session:
        view = create_view(session, draft("Süd"))
        create_view(session, draft("Other")).name = "Sud"

    with database.write(actor=people.rita) as session:
        assert update_view(session, view.id, SavedViewUpdate(name="Süd", is_shared=True)).is_shared
        with pytest.raises(ViewExists):
            update_view(session, view.id, SavedViewUpdate(name="SÜD"))
