"""Whoever comes first is served first, and who gives up is not waited for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from crm_core import waiting_line
from crm_core.waiting_line import WaitingLine

PATIENCE = 60.0


def wait_until(line: WaitingLine, waiting: int) -> None:
    while len(line._latches) < waiting:
        threading.Event().wait(0.001)


def test_turns_come_in_the_order_they_were_asked_for():
    line, served = WaitingLine(), []
    assert line.acquire(PATIENCE)

    def visit(number: int) -> None:
        assert line.acquire(PATIENCE)
        served.append(number)
        line.release()

    with ThreadPoolExecutor(20) as visitors:
        for number in range(20):
            visitors.submit(visit, number)
            wait_until(line, number + 1)
        line.release()

    assert served == list(range(20))


def test_who_gives_up_leaves_the_line():
    line = WaitingLine()
    assert line.acquire(PATIENCE)

    assert not line.acquire(0.01)

    line.release()
    assert line.acquire(0.01)


class Ended(BaseException):
    """Somebody has pressed Ctrl-C."""


def test_who_is_interrupted_leaves_the_line(monkeypatch):
    line, latch = WaitingLine(), Mock(acquire=Mock(side_effect=[True, Ended]))
    assert line.acquire(PATIENCE)
    monkeypatch.setattr(waiting_line.threading, "Lock", lambda: latch)

    with pytest.raises(Ended):
        line.acquire(PATIENCE)

    line.release()
    assert line.acquire(0.01)


def test_who_is_interrupted_when_its_turn_has_come_gives_it_back(monkeypatch):
    line = WaitingLine()
    assert line.acquire(PATIENCE)

    def be_let_in(**_timeout: float) -> None:
        line.release()
        raise Ended

    latch = Mock(acquire=lambda **timeout: be_let_in(**timeout) if timeout else True)
    monkeypatch.setattr(waiting_line.threading, "Lock", lambda: latch)

    with pytest.raises(Ended):
        line.acquire(PATIENCE)

    assert line.acquire(0.01)


def test_only_one_is_inside():
    line, inside, most = WaitingLine(), [], []

    def visit(_number: int) -> None:
        for _ in range(50):
            assert line.acquire(PATIENCE)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            line.release()

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(visit, range(8)))

    assert (max(most), len(most)) == (1, 400)
