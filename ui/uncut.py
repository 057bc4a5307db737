"""What somebody asks of the screen is done, whole and in its order; only drawings are cut short.

Streamlit draws for the newest request alone. One that still waits is thrown away when the run is stopped
for another, or gives way to it: the button that was pressed, or what was typed, is forgotten. A run is cut
short in its callbacks, too. So a form that is sent just before its screen is left would not be saved, and
nobody would hear of it.
"""

import json
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from streamlit import config
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx, script_runner
from streamlit.runtime.scriptrunner_utils.script_requests import (
    RerunData,
    ScriptRequest,
    ScriptRequests,
    ScriptRequestType,
)
from streamlit.runtime.scriptrunner_utils.script_requests import _has_active_trigger_value as _is_pressed
from streamlit.runtime.state import SafeSessionState

WAITING = ScriptRequestType.RERUN

MOST_WAITING = 100
"""Requests of one session; any more are merged, as Streamlit does with any two."""

MOST_BYTES_WAITING = 32_000_000
"""Of one session's requests before the newest; more are merged."""

MOST_WIDGETS = 5_000
"""Of one request; the fullest of our screens has some hundreds."""

LONGEST_JSON = 4_000_000
"""Characters of what a component says."""

log = logging.getLogger("crm.ui")


_was_left: WeakKeyDictionary[PagesManager, str] = WeakKeyDictionary()
"""The screen before the present one, by the session's pages."""


def take_over() -> None:
    """Let every session queue what is asked of it, however the server was started and set up."""
    _do_one_after_the_other()
    config.on_config_parsed(_do_one_after_the_other, force_connect=True)
    script_runner.ScriptRequests = Requests  # type: ignore[attr-defined]
    script_runner.SafeSessionState = State  # type: ignore[attr-defined]


def _do_one_after_the_other() -> None:
    """Else Streamlit begins a second run beside the one that is still at it.

    It reads its settings again whenever one of their files changes.
    """
    config.set_option("runner.fastReruns", False)


def turn() -> object:
    """The same for all callbacks of one request."""
    requests = _requests()
    return requests.turn if requests else object()


class State(SafeSessionState):
    """A session's state, whose callbacks are never cut short, and get only what can be read."""

    def on_script_will_rerun(self, fresh_widget_states: WidgetStates | None, **more: Any) -> None:
        if fresh_widget_states is not None:
            fresh_widget_states = _readable(fresh_widget_states)
        requests = _requests()
        if requests is None:
            super().on_script_will_rerun(fresh_widget_states, **more)
            return
        requests.is_acting, requests.turn = True, object()
        try:
            super().on_script_will_rerun(fresh_widget_states, **more)
        finally:
            requests.is_acting = False


def _requests() -> "Requests | None":
    context = get_script_run_ctx(suppress_warning=True)
    requests = context.script_requests if context else None
    return requests if isinstance(requests, Requests) else None


def _readable(states: WidgetStates) -> WidgetStates:
    """No browser sends so much, or JSON that is none: Streamlit would fail, or be busy for long."""
    readable = [state for state in states.widgets[:MOST_WIDGETS] if _is_readable(state)]
    if len(readable) == len(states.widgets):
        return states
    log.debug("%d widget states are refused", len(states.widgets) - len(readable))
    return WidgetStates(widgets=readable)


def _is_readable(state: WidgetState) -> bool:
    kind = state.WhichOneof("value")
    if kind not in {"json_value", "json_trigger_value"}:
        return True
    text = getattr(state, kind)
    if len(text) > LONGEST_JSON:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return not text
    return True


class Requests(ScriptRequests):
    """The requests of one session: each has its callbacks run, though its drawing may be cut short.

    The newest is where Streamlit has its only one; those before it stand in a queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_acting = False
        self.turn = object()
        self._earlier: deque[RerunData] = deque()
        self._ends = False

    def request_stop(self) -> None:
        """End the run, and the session's runs after what is waiting."""
        if get_script_run_ctx(suppress_warning=True):
            raise StopException  # `st.stop()` is about this run alone
        with self._lock:
            self._ends = self._state is WAITING
        if not self._ends:
            super().request_stop()

    def _request_rerun_locked(self, new_data: RerunData) -> bool:
        context = get_script_run_ctx(suppress_warning=True)
        if context and any(_leaves(each, context.page_script_hash) for each in self._waiting):
            return True  # the script asks for its screen again, which somebody is leaving
        is_one_more = self._state is WAITING and not _includes(new_data, self._rerun_data)
        if is_one_more and self._has_room():
            self._earlier.append(self._rerun_data)
            self._state = ScriptRequestType.CONTINUE
        self._ends = False
        return super()._request_rerun_locked(new_data)

    def on_scriptrunner_yield(self) -> ScriptRequest | None:
        """What the run gives way to. Streamlit asks at almost every call."""
        if self.is_acting or self._state is ScriptRequestType.CONTINUE:
            return None
        with self._lock:
            if self._state is WAITING:
                gives_way = self._ends or any(map(_cuts_short, self._waiting))
                return self._take() if gives_way else None
        return super().on_scriptrunner_yield()

    def on_scriptrunner_ready(self) -> ScriptRequest:
        """What comes next, after a run."""
        with self._lock:
            if self._state is WAITING:
                return self._take()
        return super().on_scriptrunner_ready()

    def _has_room(self) -> bool:
        sizes = (data.widget_states.ByteSize() for data in self._waiting if data.widget_states)
        return len(self._earlier) < MOST_WAITING and sum(sizes) <= MOST_BYTES_WAITING

    @property
    def _waiting(self) -> list[RerunData]:
        return [*self._earlier, self._rerun_data] if self._state is WAITING else []

    def _take(self) -> ScriptRequest:
        if self._earlier:
            return ScriptRequest(WAITING, _on_its_screen(self._earlier.popleft()))
        oldest, self._rerun_data = self._rerun_data, RerunData()
        self._state = ScriptRequestType.STOP if self._ends else ScriptRequestType.CONTINUE
        return ScriptRequest(WAITING, _on_its_screen(oldest))


def _on_its_screen(data: RerunData) -> RerunData:
    """The request; for the screen that is there now, if it comes late from the one that was left.

    Browsers send what is pressed a moment later than a change of screen that follows it.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not _is_other(data, context.page_script_hash):
        return data
    is_late = _was_left.get(context.pages_manager) == data.page_script_hash and _presses(data)
    if not data.fragment_id_queue and not is_late:
        _was_left[context.pages_manager] = context.page_script_hash
        return data
    return replace(
        data,
        page_script_hash=context.page_script_hash,
        fragment_id_queue=[],
        is_fragment_scoped_rerun=False,
    )


def _is_other(data: RerunData, page: str) -> bool:
    """Whether it is about another screen; of an address that was typed in, nobody knows yet."""
    return bool(page and data.page_script_hash) and data.page_script_hash != page


def _leaves(data: RerunData, page: str) -> bool:
    return _is_other(data, page) and not data.fragment_id_queue


def _includes(newer: RerunData, older: RerunData) -> bool:
    """Whether the newer request says everything that the older one does."""
    if older == RerunData():
        return True
    if older.is_history_navigation or older.page_script_hash != newer.page_script_hash:
        return False
    known = {state.id for state in _states(newer)}
    return not _presses(older) and all(state.id in known for state in _states(older))


def _cuts_short(data: RerunData) -> bool:
    """Whether a run gives way to it: a part of the screen waits until the rest is drawn."""
    return data.is_fragment_scoped_rerun or not data.fragment_id_queue


def _presses(data: RerunData) -> bool:
    return any(map(_is_pressed, _states(data)))


def _states(data: RerunData) -> Iterable[WidgetState]:
    return data.widget_states.widgets if data.widget_states else ()
