"""What somebody asked for is done whole, whatever is asked for meanwhile.

Streamlit cuts a run short at its next look at the session's state as soon as something else is asked of the
screen, in callbacks too: what was to be saved would be rolled back, or saved and never told.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime.scriptrunner import get_script_run_ctx


@contextmanager
def whole() -> Iterator[None]:
    """Do this to its end; what has come meanwhile cuts the run short after it."""
    context = get_script_run_ctx(suppress_warning=True)
    requests = context.script_requests if context else None
    if requests is None or "on_scriptrunner_yield" in vars(requests):
        yield
        return
    requests.on_scriptrunner_yield = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del requests.on_scriptrunner_yield
