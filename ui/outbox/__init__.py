"""What a component of ours tells the server: each event in its order, until it is answered, and done once.

Streamlit may lose a trigger. One that waits for the end of a run gives way to a newer one, and is forgotten
when the whole screen is asked for; a run that is cut short leaves undone what its callback has begun. So a
component tells everything that was not answered yet, each event with its number, and tells it again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import uuid4

import streamlit as st

HERE = Path(__file__).parent
SCRIPT = (HERE / "outbox.js").read_text()

_answers = st.components.v2.component("answers", js=(HERE / "answers.js").read_text())

Redraw: TypeAlias = Literal["app"] | Sequence[str] | None
"""What has to be drawn anew after an event: everything, some fragments by their keys, or what tells it."""

SESSION = "outbox session"
ANSWERED = "outbox answered"
CHANGED = "outbox changed"


def script(file: Path) -> str:
    """A component's script, which may use what is in `outbox.js`."""
    return SCRIPT + file.read_text()


def answer() -> None:
    """Tell every component what was done; first of all, for drawing the screen may take a while."""
    with st.container(key="answers"):
        _answers(key="answers_told", data=_numbers(ANSWERED).copy(), height="content")


def answered(key: str) -> int:
    """The number of the last event of the component with that key that was done."""
    return _numbers(ANSWERED).get(key, 0)


def changed(key: str) -> int:
    """... of those that were about a record at a version."""
    return _numbers(CHANGED).get(key, 0)


def addressed(key: str, data: Mapping[str, Any], *, answered: int) -> dict[str, Any]:
    """What the component with that key is to show, so that its script knows which drawing is the latest.

    What shows the same has the same number: it is the same message, which Streamlit does not send again.
    """
    told = {**data, "key": key, "answered": answered}
    content = hash(json.dumps(told))
    drawn, number = st.session_state.get(f"{key} drawing", (None, 0))
    if drawn != content:
        number += 1
        st.session_state[f"{key} drawing"] = (content, number)
    return {**told, "session": st.session_state.setdefault(SESSION, uuid4().hex), "drawing": number}


def on_told(key: str, handlers: Mapping[str, Callable[[Any], Redraw]]) -> Callable[[], None]:
    """The component's `on_told_change`: does each event that is new by the handler of its name."""

    def told() -> None:
        redraws = []
        for each in st.session_state[key]["told"]:
            if int(each["number"]) > answered(key):
                redraws.append(_do(key, each, handlers[each["event"]]))
        _draw_anew(redraws)

    return told


def _do(key: str, told: Mapping[str, Any], handler: Callable[[Any], Redraw]) -> Redraw:
    number, value = int(told["number"]), told["value"]
    _numbers(ANSWERED)[key] = number
    if "version" in value:
        _numbers(CHANGED)[key] = number
    return handler(value)


def _draw_anew(redraws: Sequence[Redraw]) -> None:
    if "app" in redraws:
        st.rerun()
    fragments = {fragment for redraw in redraws if redraw is not None for fragment in redraw}
    if fragments:
        st.rerun(sorted(fragments))


def _numbers(of: str) -> dict[str, int]:
    numbers: dict[str, int] = st.session_state.setdefault(of, {})
    return numbers
