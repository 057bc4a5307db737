"""What has begun is done whole, though the browser asks for something else meanwhile."""

import streamlit as st
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest


def screen() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from ui import messages, uncut

    def act() -> None:
        with uncut.whole(), uncut.whole():
            get_script_run_ctx().script_requests.request_stop()  # type: ignore[union-attr]
            st.session_state["done"] = "whole"
        st.session_state["after"] = "never"

    def say() -> None:
        messages.later("It is saved.", ":material/check:")

    st.button("Act", on_click=act)
    st.button("Say", on_click=say)
    messages.show(lambda _: None)


def press(page: AppTest, label: str) -> None:
    next(each for each in page.button if each.label == label).click().run()


def test_an_action_is_cut_short_only_at_its_end():
    page = AppTest.from_function(screen).run()
    press(page, "Act")

    assert page.session_state["done"] == "whole"
    assert "after" not in page.session_state


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
