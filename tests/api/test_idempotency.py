"""A POST that is sent again with its key gives its first answer, and is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from api import door
from crm_core import clock
from crm_core.models import IdempotencyKey, LeadStatus, TokenScope, User
from crm_core.services.idempotency_service import KEPT
from tests.api.conftest import fields_of, problem_of

DEALS = "/api/opportunities"
KEY = {"Idempotency-Key": "k1"}
ROOF = {"name": "Roof", "expected_value": "12.50"}


def told(answer):
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, answer.json(), headers


def kept(database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyKey))


def test_the_same_key_gives_the_same_answer(client, database):
    first = client.post(DEALS, json=ROOF, headers=KEY)
    client.put(first.headers["Location"], json={"name": "Renamed"})
    again = client.post(DEALS, json=ROOF, headers=KEY)
    door.database.cache_clear()  # as after a restart
    later = client.post(DEALS, json=ROOF, headers=KEY)

    assert first.status_code == 201
    assert told(first) == told(again) == told(later)
    assert client.get(DEALS).json()["total"] == 1
    assert client.get(first.headers["Location"]).json()["name"] == "Renamed"


def test_without_a_key_it_is_done_again(client, database):
    answers = [client.post(DEALS, json=ROOF) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert client.get(DEALS).json()["total"] == 2
    assert kept(database) == 0


def test_another_request_needs_another_key(client, world):
    client.post(DEALS, json=ROOF, headers=KEY)
    before = client.get(DEALS).json()

    for path, body in (
        (DEALS, ROOF | {"name": "Boat"}),
        ("/api/leads", {"name": "Grace"}),
        (f"{DEALS}/{world.gone}/restore", None),
        (f"{DEALS}/convert/{world.qualified}", None),
    ):
        refused = problem_of(client.post(path, json=body, headers=KEY), 422)
        assert refused["type"] == "urn:crm:key-of-another-request"
    assert client.get(DEALS).json() == before
    assert client.post(DEALS, json=ROOF, headers={"Idempotency-Key": "k2"}).status_code == 201


def test_every_verb_keeps_its_answer(client, database, given):
    with given() as make:
        lead = make.lead(status=LeadStatus.QUALIFIED, company_name="Acme").id
    at = client.post(DEALS, json=ROOF).headers["Location"]
    verbs = (
        (f"{at}/move", {"to": "proposal"}),
        (f"{at}/close", {"outcome": "won"}),
        (f"{at}/reopen", {"to": "discovery"}),
        (f"{at}/restore", None),
        (f"{DEALS}/convert/{lead}", None),
        ("/api/leads", {"name": "Grace"}),
        ("/api/companies", {"name": "Acme"}),
        ("/api/contacts", {"name": "Ada"}),
    )

    for number, (path, body) in enumerate(verbs):
        key = {"Idempotency-Key": f"verb {number}"}
        first = client.post(path, json=body, headers=key)
        assert first.status_code in (200, 201)
        assert told(client.post(path, json=body, headers=key)) == told(first)
    assert client.get(at).json()["version"] == 4
    assert kept(database) == len(verbs)


def test_a_key_is_kept_for_a_day(client, database):
    first = client.post(DEALS, json=ROOF, headers=KEY)
    with database.write() as session:
        key = session.scalars(select(IdempotencyKey)).one()
        made = key.expires_at - KEPT
        assert abs(made - clock.now()) < timedelta(minutes=1)
        key.expires_at = clock.now()

    second = client.post(DEALS, json=ROOF | {"name": "Boat"}, headers=KEY)

    assert (first.json()["name"], second.json()["name"]) == ("Roof", "Boat")
    assert client.get(DEALS).json()["total"] == 2
    assert told(client.post(DEALS, json=ROOF | {"name": "Boat"}, headers=KEY)) == told(second)
    assert kept(database) == 1


def test_what_expired_is_forgotten(client, database):
    client.post(DEALS, json=ROOF, headers=KEY)
    with database.write() as session:
        session.scalars(select(IdempotencyKey)).one().expires_at = clock.now()

    client.post(DEALS, json=ROOF, headers={"Idempotency-Key": "k2"})

    assert kept(database) == 1


def test_each_user_has_their_own_keys(client, database, world, token_of):
    users = [token_of(user) for user in (world.rita, world.otto)]

    answers = [client.post(DEALS, json=ROOF, headers=KEY | user) for user in users]
    again = [client.post(DEALS, json=ROOF, headers=KEY | user) for user in users]

    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert [told(answer) for answer in again] == [told(answer) for answer in answers]
    assert kept(database) == 2


def test_all_tokens_of_a_user_share_keys(client, database, world, token_of):
    first, second = (client.post(DEALS, json=ROOF, headers=KEY | token_of(world.rita)) for _ in range(2))

    assert told(first) == told(second)


def test_retries_at_the_same_time_are_one(client, database):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(DEALS, json=ROOF, headers=KEY), range(8)))

    assert [told(answer) for answer in answers] == [told(answers[0])] * 8
    assert answers[0].status_code == 201
    assert client.get(DEALS).json()["total"] == 1
    assert kept(database) == 1


def test_a_refused_request_is_not_kept(client, database, given):
    with given() as make:
        dan = make.user("Dan", is_active=False).id
    draft = ROOF | {"owner_id": dan}
    for _ in range(2):
        assert problem_of(client.post(DEALS, json=draft, headers=KEY), 409)
    assert kept(database) == 0

    with database.write() as session:
        session.get_one(User, dan).is_active = True

    assert client.post(DEALS, json=draft, headers=KEY).status_code == 201
    assert client.post(DEALS, json=draft, headers=KEY).status_code == 201
    assert client.get(DEALS).json()["total"] == 1


def test_a_read_only_token_keeps_nothing(client, database, world, token_of):
    client.post(DEALS, json=ROOF, headers=KEY | token_of(world.rita))

    refused = client.post(DEALS, json=ROOF, headers=KEY | token_of(world.rita, TokenScope.READ))

    assert problem_of(refused, 403)["type"] == "urn:crm:read-only-token"
    assert kept(database) == 1


@pytest.mark.on_sqlite
def test_only_a_post_has_a_key(client, database):
    at = client.post(DEALS, json=ROOF).headers["Location"]

    for name in ("Boat", "Barn"):
        assert client.put(at, json={"name": name}, headers=KEY).json()["name"] == name
    assert client.get(at, headers=KEY).json()["name"] == "Barn"
    assert client.delete(at, headers=KEY).status_code == 204
    assert problem_of(client.delete(at, headers=KEY), 404)
    assert kept(database) == 0


@pytest.mark.parametrize("key", ["", "x" * 256])
@pytest.mark.on_sqlite
def test_a_key_has_a_length(client, key):
    answer = client.post(DEALS, json=ROOF, headers={"Idempotency-Key": key})

    assert fields_of(answer) == ["Idempotency-Key"]
    assert client.get(DEALS).json()["total"] == 0


def test_a_key_may_be_anything_that_a_header_carries(client):
    for key in (b"x" * 255, b"'; DROP TABLE idempotency_keys; --", b"\xe4\x80\xff", b"%00", b"a\tb"):
        answers = [client.post(DEALS, json=ROOF, headers={"Idempotency-Key": key}) for _ in range(2)]
        assert told(answers[0]) == told(answers[1])
    assert client.get(DEALS).json()["total"] == 5
