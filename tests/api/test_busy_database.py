"""Whoever only reads is answered while another process holds the write lock for long."""

import time

import pytest
from sqlalchemy import select

from crm_core import clock
from crm_core.database import Database
from crm_core.models import ApiToken, TokenScope
from tests.api.calls import CALLS
from tests.databases import as_another_process

READING = {name: call for name, call in CALLS.items() if call.method == "GET"}

pytestmark = pytest.mark.both_databases


@pytest.fixture
def another_process(database):
    """Another process's way to the database, as far as locks are concerned."""
    opened = as_another_process(database)
    yield opened
    opened.close()


def uses(database: Database) -> list[bool]:
    """Of each token, whether a use was noted."""
    with database.read() as session:
        return [at is not None for at in session.scalars(select(ApiToken.last_used_at).order_by(ApiToken.id))]


def test_every_reading_call_is_answered(client, database, world, token_of, another_process):
    tokens = {name: token_of(world.rita, TokenScope.READ) for name in READING}
    with another_process.write():
        began = time.monotonic()
        answers = {name: call.by(client, world, tokens[name]) for name, call in READING.items()}
        took = time.monotonic() - began

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(READING, 200)
    assert took < database.patience * len(READING) / 3  # each was made to wait for its whole patience
    assert uses(database) == [False] * len(READING)


def test_a_use_that_was_left_out_is_noted_by_the_next_call(
    client, database, world, token_of, another_process
):
    token = token_of(world.rita)
    with another_process.write():
        READING["get_opportunity"].by(client, world, token)
    assert uses(database) == [False]

    READING["get_opportunity"].by(client, world, token)

    assert uses(database) == [True]


def test_a_call_that_is_refused_is_a_use(client, database, world, token_of):
    before = clock.now()

    answer = client.get("/api/opportunities/999999", headers=token_of(world.rita))

    assert answer.status_code == 404
    with database.read() as session:
        assert session.scalars(select(ApiToken.last_used_at)).one() >= before
