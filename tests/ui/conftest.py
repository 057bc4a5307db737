"""Sessions as `app.py` sets them up."""

import pytest

from ui import uncut


@pytest.fixture(autouse=True, scope="session")
def every_request_is_done() -> None:
    uncut.take_over()
