"""What somebody asked for is done whole, and no drawing overtakes it.

Streamlit cuts a run short at its next look at the session's state as soon as something else is asked of the
screen, in callbacks too: what was to be saved would be rolled back, or saved and never told. And it begins
the next run beside the one that is still at it, which would show what was before.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

ACTING = "acting"
_GUARD = threading.Lock()


@contextmanager
def whole() -> Iterator[None]:
    """Do this to its end; what has come meanwhile cuts the run short after it."""
    context = get_script_run_ctx(suppress_warning=True)
    requests = context.script_requests if context else None
    if requests is None or "on_scriptrunner_yield" in vars(requests):
        yield
        return
    with _acting():
        requests.on_scriptrunner_yield = lambda: None  # type: ignore[method-assign]
        try:
            yield
        finally:
            del requests.on_scriptrunner_yield


def wait() -> None:
    """Until what the session has begun is done."""
    if get_script_run_ctx(suppress_warning=True):
        with _acting():
            pass


def _acting() -> threading.RLock:
    """The session's own lock: who does something has it."""
    with _GUARD:
        lock: threading.RLock = st.session_state.setdefault(ACTING, threading.RLock())
    return lock
