"""A server that is killed under its clients loses no change that it answered, and makes none twice."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from threading import Event
from typing import Any

import httpx2
import pytest

from crm_core import check, clock
from crm_core.models import OPEN_STAGES
from tests import forms
from tests.builders import reason_id
from tests.reliability.workers import PATIENCE, address
from tests.serving import API_ALONE, WITH_SCREENS, Server

CLIENTS = 4

LONGEST_LIFE = 0.5
"""Seconds that a server may go on after it was fit to work."""

PAUSE = 0.02
"""Seconds until a client tries again to reach a server that is gone."""

DEALS = "/api/opportunities"

Told = dict[str, Any]
"""A deal as it was answered."""


class Client:
    """Makes deals and changes its own; it sends each request until it is answered."""

    def __init__(self, url: str, number: int, loss_reason: int) -> None:
        self.http = httpx2.Client(base_url=url, timeout=PATIENCE)
        self.number = number
        self.loss_reason = loss_reason
        self.chance = random.Random(number)
        self.deals: dict[int, Told] = {}
        """What was answered last about each."""
        self.changes = Counter[int]()
        """How many were answered, by deal."""
        self.done_unheard = 0
        """Changes that were made, but answered only when they were sent again."""

    def work(self, end: Event) -> None:
        with self.http:
            while not end.is_set():
                changes = [self.create, self.create, self.move, self.update, self.close]
                told = self.chance.choice(changes if self.open_deals() else [self.create])()
                self.deals[told["id"]] = told
                self.changes[told["id"]] += 1

    def open_deals(self) -> list[Told]:
        return [deal for deal in self.deals.values() if deal["closed_at"] is None]

    def create(self) -> Told:
        return self.post(DEALS, {"name": self.mark()})

    def move(self) -> Told:
        deal = self.chance.choice(self.open_deals())
        to = self.chance.choice([stage for stage in OPEN_STAGES if stage != deal["stage"]])
        return self.post(f"{DEALS}/{deal['id']}/move", {"to": to})

    def close(self) -> Told:
        deal = self.chance.choice(self.open_deals())
        return self.post(f"{DEALS}/{deal['id']}/close", {"outcome": "lost", "reason": self.loss_reason})

    def update(self) -> Told:
        """Whoever heard nothing, and then that somebody was faster, looks whether it was himself."""
        deal, mark = self.chance.choice(self.open_deals()), self.mark()
        path, seen = f"{DEALS}/{deal['id']}", {"If-Match": f'"{deal["version"]}"'}
        answer, was_sent_before = self.send("PUT", path, json={"next_step": mark}, headers=seen)
        if was_sent_before and answer.status_code == 412:
            self.done_unheard += 1
            answer, _ = self.send("GET", path)
        assert (answer.status_code, answer.json()["next_step"]) == (200, mark), answer.text
        return answer.json()

    def post(self, path: str, body: Told) -> Told:
        key = {"Idempotency-Key": self.mark()}
        answer, was_sent_before = self.send("POST", path, json=body, headers=key)
        assert answer.status_code in (200, 201), answer.text
        done_at = datetime.fromisoformat(answer.json()["updated_at"])
        self.done_unheard += was_sent_before and done_at < self.sent_at
        return answer.json()

    def mark(self) -> str:
        return f"{self.number}.{self.changes.total()}"

    def send(self, method: str, path: str, **request: Any) -> tuple[httpx2.Response, bool]:
        """The answer, and whether the same was sent before and never answered."""
        was_sent_before = False
        while True:
            self.sent_at = clock.now()
            try:
                return self.http.request(method, path, **request), was_sent_before
            except httpx2.TransportError:
                was_sent_before = True
                time.sleep(PAUSE)


@contextmanager
def at_work(clients: list[Client]) -> Iterator[None]:
    """All at the same time; at the end each gets the answer that it still waits for."""
    end = Event()
    with ThreadPoolExecutor(len(clients)) as threads:
        working = [threads.submit(client.work, end) for client in clients]
        try:
            yield
        finally:
            end.set()
        for each in working:
            each.result()


def every_deal(url: str) -> Iterator[Told]:
    cursor = None
    with httpx2.Client(base_url=url, timeout=PATIENCE) as http:
        while True:
            page = http.get(DEALS, params={"limit": 200} | ({"cursor": cursor} if cursor else {})).json()
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


@pytest.mark.parametrize(
    ("command", "kills"),
    [(API_ALONE, forms.either(2, 20)), (WITH_SCREENS, forms.either(1, 2))],
    ids=["api", "screens"],
)
def test_no_answered_change_is_lost_and_none_is_made_twice(database, command, kills, record_property):
    with database.read() as session:
        loss_reason = reason_id(session, "Price")
    database.close()  # who starts after a kill shall be the only one, and have to recover it
    server, chance, starts = Server(address(database), command), random.Random(0), []
    server.start()
    clients = [Client(server.address, number, loss_reason) for number in range(CLIENTS)]

    with at_work(clients):
        for _ in range(kills):
            time.sleep(chance.uniform(0, LONGEST_LIFE))
            server.kill()
            starts.append(server.start())
    found = list(every_deal(server.address))
    server.stop()

    record_property("seconds until it served again", [round(each, 2) for each in starts])
    record_property("done unheard", sum(client.done_unheard for client in clients))
    assert sorted(found, key=itemgetter("id")) == sorted(
        (deal for client in clients for deal in client.deals.values()), key=itemgetter("id")
    )
    assert {deal["id"]: deal["version"] for deal in found} == sum(
        (client.changes for client in clients), Counter()
    )
    assert check.findings(database) == []
