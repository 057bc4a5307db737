"""What a component of ours tells the server: each event in its order, until it is answered, and done once.

A message may be lost with its connection, and Streamlit ignores one from a part of the screen that is being
replaced. So a component says everything that was not answered yet, each event with its number, and says it
again.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar
from uuid import uuid4

import streamlit as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_core.schemas.fields import LARGEST_ID
from ui import uncut

HERE = Path(__file__).parent
SCRIPT = (HERE / "outbox.js").read_text()

_answers = st.components.v2.component("answers", js=(HERE / "answers.js").read_text())

Redraw: TypeAlias = Literal["app"] | Sequence[str] | None
"""What has to be drawn anew after an event: everything, some fragments by their keys, or what tells it."""

MOST_AT_ONCE = 20
"""Events that are done before the screen is drawn; as many as a script sends at once."""

MOST_TOLD = 200
"""Events of one message that are looked at."""

LONGEST_NAME = 200

log = logging.getLogger("crm.ui")

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


class Said(BaseModel):
    """What a script of ours can say; anything else is forged."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Number = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""A record's id, its version, or an event's number."""

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
"""A column, an action, an event: something of ours."""

S = TypeVar("S", bound=Said)
V = TypeVar("V", bound=Said)


class _Event(Said):
    number: Number
    event: Name
    value: dict[str, Any]


@dataclass(frozen=True)
class Handler(Generic[V]):
    """What is done about an event that says `value`, and what is then drawn anew."""

    value: type[V]
    do: Callable[[V], Redraw]


def understood(schema: type[S], said: object) -> S | None:
    """What a component says, or None if no script of ours can have said it."""
    try:
        return schema.model_validate(said)
    except ValidationError as forged:
        log.debug("A component says what is no %s, in %d places", schema.__name__, forged.error_count())
        return None


def on_told(key: str, handlers: Mapping[str, Handler[Any]]) -> Callable[[], None]:
    """The component's `on_told_change`: does the first events that are new, each by the handler of its name.

    The script sends the others again. One that is forged is passed over, and counts as done.
    """

    def told() -> None:
        if st.session_state.get(f"{key} turn") is (turn := uncut.turn()):
            return  # Streamlit calls once for each time that the browser says it
        st.session_state[f"{key} turn"] = turn
        said = st.session_state[key].get("told")
        if not isinstance(said, list):
            return
        events = (understood(_Event, each) for each in said[:MOST_TOLD])
        new = [each for each in events if each and each.number > answered(key)]
        _draw_anew([_do(key, each, handlers) for each in new[:MOST_AT_ONCE] if each.number > answered(key)])

    return told


def _do(key: str, told: _Event, handlers: Mapping[str, Handler[Any]]) -> Redraw:
    _numbers(ANSWERED)[key] = told.number
    if "version" in told.value:
        _numbers(CHANGED)[key] = told.number
    handler = handlers.get(told.event)
    value = understood(handler.value, told.value) if handler else None
    return handler.do(value) if handler and value else None


def _draw_anew(redraws: Sequence[Redraw]) -> None:
    if "app" in redraws:
        st.rerun()
    fragments = {fragment for redraw in redraws if redraw is not None for fragment in redraw}
    if fragments:
        st.rerun(sorted(fragments))


def _numbers(of: str) -> dict[str, int]:
    numbers: dict[str, int] = st.session_state.setdefault(of, {})
    return numbers
