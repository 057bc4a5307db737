"""The benchmark of the screen runs; what it measures is no test."""

from itertools import chain

import pytest

from bench import ui
from bench.browser import CHROMIUM
from crm_core import demo
from tests import forms
from tests.bench.apart import apart
from tests.conftest import NOW

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"{CHROMIUM} is not there: nothing to measure with"
)

FIRST = ["dashboard, nothing counted"]
LIST = [
    "50 rows, after the menu",
    "filter by stage",
    "... after a change elsewhere",
    "search, from the last key",
    "sort by a head",
    "next page",
    "drawer of a row",
    "save in the drawer, seen in the table",
    "dashboard, in a new window",
    "dashboard, after the menu",
    "dashboard, after a change elsewhere",
]
BOARD = [
    "board, after the menu",
    "show more of a column",
    "drag by 15 moves, main thread",
    "drop, saved and counted",
]


PARTS = forms.either({"board": BOARD}, {"list": LIST, "board": BOARD})
"""The list takes most of the time; what measures it is the same."""


def test_every_wait_is_measured(sqlite_url, capsys):
    waits = [*FIRST, *chain(*PARTS.values())]
    with ui.opened(sqlite_url) as database:
        demo.fill(database, opportunities=800, seed=1, at=NOW)

    told = apart(ui.measure, sqlite_url, deals=800, times=1, parts=list(PARTS))

    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2 : 2 + len(waits)]]
    assert [row[0] for row in rows] == [f"| {name}" for name in waits]
    assert all(cell.endswith(" ms") for row in rows for cell in row[1:4])
    assert [wait.name for wait in told.waits] == waits
    assert all(min(wait.p50, wait.bare) > 0 for wait in told.waits)
