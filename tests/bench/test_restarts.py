"""The benchmark of restarts runs; what it measures is no test."""

from bench import restarts


def test_both_starts_are_measured(sqlite_url, capsys, monkeypatch):
    monkeypatch.setattr(restarts, "APPLICATION", "api.main:api")
    monkeypatch.setattr(restarts, "UNDER_LOAD", 0.2)

    restarts.measure("SQLite", sqlite_url, times=1)

    name, usual, after_kill, ratio, _goal = capsys.readouterr().out.strip("| \n").split(" | ")
    assert name == "SQLite"
    assert usual.endswith(" s")
    assert after_kill.endswith(" s")
    assert float(ratio) > 0
