"""What has begun is done whole, and what waits is done in its order, though something else is asked for."""

import os
import shutil
import subprocess
import sys

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunData, StopException
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.testing.v1 import AppTest

from crm_core.config import PROJECT
from ui.uncut import MOST_BYTES_WAITING, MOST_WAITING, Requests


def screen() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from ui import messages

    def act() -> None:
        get_script_run_ctx().script_requests._state = ScriptRequestType.STOP  # type: ignore[union-attr]
        st.session_state["done"] = "whole"

    def say() -> None:
        messages.later("It is saved.", ":material/check:")

    from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType

    st.button("Act", on_click=act)
    st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1
    st.button("Say", on_click=say)
    messages.show(lambda _: None)


def press(page: AppTest, label: str) -> None:
    next(each for each in page.button if each.label == label).click().run()


def pressed(widget: str = "save", **more: str) -> RerunData:
    states = WidgetStates()
    states.widgets.add(id=widget, trigger_value=True)
    return RerunData(widget_states=states, **more)


def typed(**texts: str) -> RerunData:
    states = WidgetStates()
    for widget, text in texts.items():
        states.widgets.add(id=widget, string_value=text)
    return RerunData(widget_states=states)


def done(requests: Requests) -> list[RerunData]:
    """What is done of what was asked for, in its order."""
    taken = []
    while (request := requests.on_scriptrunner_ready()).type is ScriptRequestType.RERUN:
        taken.append(request.rerun_data)
    return taken


def test_an_action_is_cut_short_only_at_its_end():
    page = AppTest.from_function(screen).run()
    press(page, "Act")

    assert page.session_state["done"] == "whole"
    assert page.session_state["drawn"] == 1


def test_each_that_waits_is_done():
    """A button in a drawer, and a screen from the menu: the screen would take the place of both."""
    requests = Requests()
    asked = [pressed(fragment_id="drawer"), RerunData(page_script_hash="leads"), pressed("other")]
    for each in asked:
        requests.request_rerun(each)

    taken = done(requests)

    assert [each.widget_states for each in taken] == [each.widget_states for each in asked]
    assert [each.page_script_hash for each in taken] == ["", "leads", ""]


def test_what_was_typed_is_not_lost_with_the_screen_that_is_left():
    requests = Requests()
    requests.request_rerun(typed(name="Solar roof"))
    requests.request_rerun(RerunData(page_script_hash="leads", widget_states=WidgetStates()))

    assert [each.page_script_hash for each in done(requests)] == ["", "leads"]


def test_what_says_more_takes_the_place_of_what_waits():
    requests = Requests()
    for text in ("S", "So", "Solar"):
        requests.request_rerun(typed(name=text, owner="Mia"))

    assert done(requests) == [typed(name="Solar", owner="Mia")]


def test_what_waits_is_done_before_the_end():
    """The tab is closed, or loaded anew, right after the button was pressed."""
    requests = Requests()
    requests.request_rerun(pressed())
    requests.request_stop()

    request = requests.on_scriptrunner_yield()
    assert request
    assert request.rerun_data == pressed()
    assert requests.on_scriptrunner_yield().type is ScriptRequestType.STOP
    assert not requests.request_rerun(pressed())


def test_a_run_gives_way_to_a_screen_and_not_to_a_part_of_one():
    requests = Requests()
    requests.request_rerun(pressed(fragment_id="board"))
    assert requests.on_scriptrunner_yield() is None

    requests.request_rerun(RerunData(page_script_hash="leads"))
    taken = [requests.on_scriptrunner_yield(), requests.on_scriptrunner_yield()]

    assert [each and each.rerun_data.page_script_hash for each in taken] == ["", "leads"]


def test_the_queue_has_an_end():
    requests = Requests()
    for number in range(10 * MOST_WAITING):
        requests.request_rerun(pressed(f"button {number}"))

    taken = done(requests)

    assert len(taken) == MOST_WAITING + 1
    assert {state.id for each in taken for state in each.widget_states.widgets} == {
        f"button {number}" for number in range(10 * MOST_WAITING)
    }


def test_what_waits_has_no_more_bytes_than_memory_can_hold():
    requests = Requests()
    for number in range(MOST_WAITING):
        large = pressed(f"button {number}")
        large.widget_states.widgets.add(id="text", string_value="x" * (MOST_BYTES_WAITING // 10))
        requests.request_rerun(large)

    taken = done(requests)

    assert sum(each.widget_states.ByteSize() for each in taken) < 1.3 * MOST_BYTES_WAITING
    assert {state.id for each in taken for state in each.widget_states.widgets} == {
        "text",
        *(f"button {number}" for number in range(MOST_WAITING)),
    }


@pytest.mark.parametrize("command", ["streamlit.web.bootstrap.load_config_options({})", "app.app"])
def test_one_run_at_a_time_wherever_and_however_it_is_started(migrated_file, tmp_path, command):
    """As a start by Streamlit reads its settings, and as uvicorn does, which leaves that to the app."""
    file = shutil.copy(migrated_file, tmp_path / "crm.db")
    script = (
        f"import app, streamlit.config, streamlit.web.bootstrap; {command};"
        " print(streamlit.config.get_option('runner.fastReruns'))"
    )
    settings = {
        "STREAMLIT_RUNNER_FAST_RERUNS": "true",
        "CRM_DATABASE_URL": f"sqlite:///{file}",
        "PYTHONPATH": str(PROJECT),
    }

    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )

    assert ran.stdout.splitlines()[-1:] == ["False"], ran.stderr


def test_a_message_waits_until_it_is_really_said(monkeypatch):
    def cut_short(*_: object, **__: object) -> None:
        raise StopException

    page = AppTest.from_function(screen).run()
    with monkeypatch.context() as patched:
        patched.setattr(st, "toast", cut_short)
        press(page, "Say")
    assert not page.toast

    page.run()
    assert [each.value for each in page.toast] == ["It is saved."]
    page.run()
    assert not page.toast
