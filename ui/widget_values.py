"""What a browser says that widgets are set to, as far as a browser can say it.

Streamlit hands on whatever comes: a choice that a widget does not offer, a text for a number, a day that is
none. A script that relies on its own widgets would break on it, and do so again at each run.
"""

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.common import WidgetMetadata, unpack_widget_state_value

MOST_WIDGETS = 5_000
"""Of one request; the fullest of our screens has some hundreds."""

LONGEST_JSON = 4_000_000
"""Characters of what a component says."""

JSON = {"json_value", "json_trigger_value"}

READ_WITHOUT_A_TRACE = {
    *("bool_value", "int_value", "double_value", "string_value", "json_value"),
    *("int_array_value", "double_array_value", "string_array_value"),
}
"""Kinds of values; of the others, such as files, Streamlit forgets what it has read once."""

log = logging.getLogger("crm.ui")


def possible(states: WidgetStates, known: Mapping[str, WidgetMetadata[Any]]) -> WidgetStates:
    """Those of the states that the widgets can be in; the others stay as they were."""
    fitting = [state for state in states.widgets[:MOST_WIDGETS] if _fits(state, known.get(state.id))]
    if len(fitting) == len(states.widgets):
        return states
    log.debug("%d widget states are refused", len(states.widgets) - len(fitting))
    return WidgetStates(widgets=fitting)


def _fits(state: WidgetState, widget: WidgetMetadata[Any] | None) -> bool:
    kind = state.WhichOneof("value")
    if kind in JSON and not _is_readable(getattr(state, kind)):
        return False
    if widget is None or kind is None:
        return True
    if kind != widget.value_type:
        return False
    return kind not in READ_WITHOUT_A_TRACE or _can_be_set(widget, unpack_widget_state_value(state))


def _is_readable(text: str) -> bool:
    """Whether it is JSON as components say it; Streamlit fails on any other, or is busy for long."""
    if len(text) > LONGEST_JSON:
        return False
    try:
        return not text or isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _can_be_set(widget: WidgetMetadata[Any], said: Any) -> bool:
    try:
        value = widget.deserializer(said)
    except Exception:  # each kind of widget fails in a way of its own
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    offered = getattr(getattr(widget.deserializer, "__self__", None), "options", None)
    return offered is None or value is None or isinstance(value, list) or value in offered
