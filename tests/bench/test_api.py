"""The benchmark of the API runs; what it measures is no test."""

from bench import api
from crm_core import demo
from tests.conftest import NOW


def test_every_call_is_measured(sqlite_url, capsys):
    with api.opened(sqlite_url) as database:
        demo.fill(database, opportunities=60, seed=1, at=NOW)

    api.measure(sqlite_url, calls=1, clients=(1,))

    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    names = [str(call) for call in api.CALLS]
    assert [row[0] for row in rows] == [*(f"| {name}" for name in names), "| bare, the same bytes"]
    assert all(row[2].endswith(" ms") for row in rows)
