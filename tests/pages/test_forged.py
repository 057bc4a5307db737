"""What no script of ours says is refused: nothing is changed, nothing shown, and the log is silent."""

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest

from crm_core.models import Opportunity, Transaction
from tests.pages import boards, tables

PIPELINE = "pages/sales/pipeline.py"
OPPORTUNITIES = "pages/sales/opportunities.py"
EVENTS = ("moved", "opened", "acted", "added", "more", "folded", "sorted", "edited")
DEEP = 100_000

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.sampled_from(["1", 1.0, True, None, -1, 0, 2**31, 10**30, float("nan"), [1], {"id": 1}])
"""Of a record that is there, but not as any script of ours says them."""

values = st.fixed_dictionaries(
    {"id": NUMBERS, "version": NUMBERS, "column": st.sampled_from([None, 3, "x" * 9_999, ["name"]])},
    optional={"from": anything, "to": anything, "ids": anything, "action": anything, "value": anything},
)
told = st.lists(
    anything
    | st.fixed_dictionaries(
        {"number": anything, "event": st.sampled_from(EVENTS) | anything, "value": anything}
    )
    | st.fixed_dictionaries(
        {
            "number": st.integers(1, 50),
            "event": st.sampled_from(EVENTS) | st.text(),
            "value": values | anything,
        }
    ),
    max_size=4,
)


def say(page: AppTest, component: str, raw: str, *, kind: str = "json_trigger_value") -> None:
    """Send these very characters in the name of a component."""
    element = next(
        each for each in page.get("bidi_component") if each.proto.component_name.endswith(component)
    )
    states = page._tree.get_widget_states()
    widget = element.proto.id if kind == "json_value" else _make_trigger_id(element.proto.id, "events")
    setattr(states.widgets.add(id=widget), kind, raw)
    page._run(states)


def transactions(database: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Transaction)) or 0


@pytest.fixture(params=[(PIPELINE, "board"), (OPPORTUNITIES, "table")], ids=["board", "table"])
def screen(request, open_page, database) -> tuple[AppTest, str]:
    from tests.builders import Make

    with database.write() as session:
        Make(session).opportunity(name="Solar roof")
    path, component = request.param
    return open_page(path), component


def complaints(page: AppTest) -> list[str]:
    return [each.value for each in (*page.error, *page.toast, *page.exception)]


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=told | anything)
def test_forged_events_are_refused_quietly(screen, database, caplog, said):
    page, component = screen
    before = transactions(database)
    caplog.clear()

    with caplog.at_level(logging.INFO):
        say(page, component, json.dumps([{"event": "told", "value": said}]))

    assert transactions(database) == before
    assert complaints(page) == []
    assert [each for each in caplog.records if each.name.startswith("crm")] == []


@pytest.mark.parametrize(
    "raw",
    [
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        '[{"event": "told", "value": [{"number": %s}]}]' % ("9" * 5_000),
        '[{"event": "told", "value": "' + "x" * 5_000_000 + '"}]',
        "no json",
        "17",
    ],
    ids=["open", "deep", "gigantic", "long", "no JSON", "a number"],
)
def test_what_can_not_be_read_is_refused_quietly(screen, database, raw):
    page, component = screen
    before = transactions(database)

    say(page, component, raw)

    assert transactions(database) == before
    assert complaints(page) == []


@pytest.mark.parametrize(
    "selected",
    [
        7,
        [1],
        {"ids": 1},
        {"ids": [[1]], "cleared": 0},
        {"ids": ["1"], "cleared": 0},
        {"ids": [10**30], "cleared": 0},
    ],
)
def test_a_forged_selection_selects_nothing(open_page, given, selected):
    with given() as make:
        make.opportunity()
    page = open_page(OPPORTUNITIES)

    say(page, "table", json.dumps({"selected": selected}), kind="json_value")

    assert complaints(page) == []
    assert not [each for each in page.button if each.label.startswith("Delete")]


def test_an_event_of_a_deal_that_is_gone_is_told(open_page, database, given):
    with given() as make:
        deal = make.opportunity(name="Solar roof")
    page = open_page(PIPELINE)
    card = boards.card(page, "Solar roof")
    with given() as make:
        make.session.get_one(Opportunity, deal.id).name = "Solar field"

    tables.send_event(
        page,
        boards._element(page),
        "moved",
        {"id": card["id"], "version": 1, "from": "qualification", "to": "proposal", "ids": [card["id"]]},
    )

    assert page.toast
    with database.read() as session:
        assert session.get_one(Opportunity, deal.id).stage == "qualification"


def test_many_events_are_done_in_several_messages(open_page, database, given):
    """Thirty cards that are moved at once are all moved, and five thousand events are not done in one go."""
    with given() as make:
        for number in range(30):
            make.opportunity(name=f"Deal {number}")
    page = open_page(PIPELINE)
    boards.press(page, "more", "qualification")
    cards = [boards.card(page, f"Deal {number}") for number in range(30)]
    said = [
        {
            "number": next(tables.NUMBERS),
            "event": "moved",
            "value": {
                "id": card["id"],
                "version": card["version"],
                "from": "qualification",
                "to": "proposal",
                "ids": [card["id"]],
            },
        }
        for card in cards
    ]

    before = transactions(database)
    more = [
        {"number": next(tables.NUMBERS), "event": "folded", "value": {"column": "closed"}}
        for _ in range(4_970)
    ]
    boards.tell_again(page, said + more)
    assert transactions(database) == before + 20
    assert page.session_state["outbox answered"]["pipeline"] == said[19]["number"]

    boards.tell_again(page, said[20:])
    assert transactions(database) == before + 30
    assert len(boards.names(page, "proposal")) >= 25


def test_what_is_said_many_times_in_one_message_is_done_once(open_page, database, given):
    with given() as make:
        make.opportunity(name="Solar roof")
    page = open_page(PIPELINE)
    event = {"event": "told", "value": [{"number": 1, "event": "opened", "value": {"id": 1}}] * 50}

    heard: list[object] = []
    from ui import outbox

    original = outbox.understood
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "understood", lambda *args: heard.append(args) or original(*args))
        say(page, "board", json.dumps([event] * 50))

    assert 0 < len(heard) <= 2 * 50
