"""What each user prefers: kept for them alone, as JSON can tell it."""

import pytest

from crm_core import history
from crm_core.errors import InvalidInput, NotSignedIn
from crm_core.services.preference_service import find_preference, find_preferences, set_preference
from tests.builders import Make

NESTED: list[object] = []
for _ in range(5000):
    NESTED = [NESTED]


@pytest.fixture
def people(database):
    with database.write() as session:
        return Make(session).people()


@pytest.mark.both_databases
def test_a_preference_is_ones_own(database, people):
    value = {"columns": ["name", "value"], "width": 1.5, "“Ж𝄞”": None, "deep": {"is": [True, {}]}}
    with database.write(actor=people.rita) as session:
        set_preference(session, "deals", value)
        assert find_preference(session, "deals") == value

    with database.read(actor=people.rita) as session:
        assert find_preference(session, "deals") == value
        assert find_preference(session, "leads") is None
    with database.read(actor=people.nora) as session:
        assert find_preference(session, "deals") is None


def test_the_last_one_counts_and_none_forgets(database, people):
    for value in ({"first": 1}, {"second": 2}, {}, None, None):
        with database.write(actor=people.rita) as session:
            set_preference(session, "deals", value)
        with database.read(actor=people.rita) as session:
            assert find_preference(session, "deals") == value


def test_another_session_sees_at_once_that_something_changed(database, people):
    """Screens keep answers by the revision."""
    revisions = []
    for value in ({"first": 1}, {"second": 2}, None):
        with database.write(actor=people.rita) as session:
            set_preference(session, "deals", value)
        with database.read() as session:
            revisions.append(history.revision(session))

    assert len(set(revisions)) == 3


@pytest.mark.both_databases
def test_those_under_names_that_begin_alike_are_found_together(database, people):
    with database.write(actor=people.rita) as session:
        for name in ("board.a", "board.%", "Board.b", "boards", "board_a"):
            set_preference(session, name, {"of": name})
    with database.write(actor=people.nora) as session:
        set_preference(session, "board.c", {"of": "Nora"})

    with database.read(actor=people.rita) as session:
        found = find_preferences(session, "board.")
        assert found == {"a": {"of": "board.a"}, "%": {"of": "board.%"}}
        assert find_preferences(session, "board%") == {}
    with database.read() as session:
        assert find_preferences(session, "board.") == {}


@pytest.mark.both_databases
def test_what_json_can_not_hold_is_refused_and_the_last_one_stays(database, people):
    with database.write(actor=people.rita) as session:
        set_preference(session, "deals", {"last": 1})

    for value in (
        {"text": "x" * 20_000},
        {"text": "\x00"},
        {"\x00": "text"},
        {"text": "\ud800"},
        {"number": float("nan")},
        {"number": float("inf")},
        {"number": 10**5000},
        {"number": {1, 2}},
        {"deep": NESTED},
    ):
        with database.write(actor=people.rita) as session, pytest.raises(InvalidInput):
            set_preference(session, "deals", value)
        with database.read(actor=people.rita) as session:
            assert find_preference(session, "deals") == {"last": 1}


def test_no_preference_is_called_so(database, people):
    for name in ("", "x" * 101, "\x00", "\ud800"):
        with database.write(actor=people.rita) as session, pytest.raises(InvalidInput):
            set_preference(session, name, {})


def test_the_system_prefers_nothing(session):
    with pytest.raises(NotSignedIn):
        set_preference(session, "deals", {})
    assert find_preference(session, "deals") is None
