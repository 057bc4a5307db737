"""The benchmark of the library runs; what it measures is no test."""

import contextlib

from bench import library
from bench.library import Row
from crm_core import demo
from crm_core.database import Database
from tests.conftest import NOW


def filled(url):
    return lambda _deals: contextlib.nullcontext(url)


def test_every_case_is_measured_beside_what_it_takes_by_hand(database, capsys, monkeypatch):
    monkeypatch.setattr(library, "SECONDS", 0.0)
    monkeypatch.setattr(library, "BROUGHT_IN", 100)
    demo.fill(database, opportunities=1500, seed=1, at=NOW)
    url = database.url.render_as_string(hide_password=False)

    rows = library.print_table([filled(url)], [1500])

    lines = capsys.readouterr().out.splitlines()[2:]
    with contextlib.closing(Database(url)) as again:
        names = [case.name for case in library.Bench(again).cases()]
    assert [row.name for row in rows] == names == [line.split(" | ")[2] for line in lines]
    assert all(0 < row.p50 <= row.p95 for row in rows)
    assert [row.name for row in rows if row.by_hand is None] == [
        "dashboard",
        "... again",
        "dashboard after a move",
    ]
    assert [row.name for row in rows if row.columns] == [
        "open totals of a past day",
        "funnel",
        "time in stage",
    ]


def test_only_a_ratio_that_has_more_than_doubled_is_told():
    def row(name: str, p50: float, by_hand: float | None) -> Row:
        return Row("sqlite", 10, name, p50, p50, by_hand, None, "–")

    rows = [row("as ever", 4.0, 1.0), row("slower", 5.0, 1.0), row("new", 9.0, 1.0), row("alone", 9.0, None)]

    told = library.overstepped(rows, {"as ever": 2.0, "slower": 2.0, "alone": 2.0})

    assert told == ["slower: 5.0 times what it takes by hand, where 2.0 is known"]
