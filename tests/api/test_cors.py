"""Pages of other servers are invited only from where it was configured, and need a token even then."""

from typing import Any

import pytest

from tests.api.calls import CALLS
from tests.api.conftest import PROTECTIVE, problem_of

DEALS = "/api/opportunities"
SHOP = "https://shop.example"
FOREIGN = (
    "https://evil.example",
    "http://shop.example",
    "https://shop.example:444",
    "https://shop.example.evil.example",
    "https://evil.shop.example",
    "https://shop.example/",
    "null",
    "*",
    "",
)

pytestmark = pytest.mark.on_sqlite


@pytest.fixture(autouse=True)
def configured(monkeypatch) -> None:
    monkeypatch.setenv("CRM_CORS_ORIGINS", f"{SHOP}, http://LocalHost:3000/")


def preflight(client: Any, path: str = DEALS, method: str = "PUT", origin: str = SHOP, **more: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return client.options(path, headers=asked | more)


def invitation(answer: Any) -> dict[str, str]:
    """What the answer tells a browser about pages of other servers."""
    prefix = "access-control-"
    return {
        name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)
    }


def test_a_page_of_a_configured_origin_may_ask_for_everything(client, world):
    headers = {"Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key"}

    for call in CALLS.values():
        answer = preflight(client, f"/api{call.path.format(**vars(world))}", call.method, **headers)
        assert answer.status_code == 200
        told = invitation(answer)
        assert (told["allow-origin"], call.method in told["allow-methods"]) == (SHOP, True)
        assert "allow-credentials" not in told
        assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE


def test_a_page_of_a_configured_origin_reads_answers_and_refusals(client, world, token_of):
    shop = {"Origin": SHOP}
    token = shop | token_of(world.rita)

    for answer in (
        client.get(f"{DEALS}/{world.deal}", headers=token),
        client.post(DEALS, json={"name": "Boat"}, headers=token),
        client.get(f"{DEALS}/999", headers=token),
        client.get(DEALS, headers=shop),
        client.put(f"{DEALS}/{world.deal}", json={}, headers=token | {"If-Match": '"7"'}),
    ):
        assert invitation(answer) == {"allow-origin": SHOP, "expose-headers": "ETag, Location"}
        assert "Origin" in answer.headers["Vary"]


def test_who_is_invited_needs_a_token(client, world):
    for origin in (SHOP, "http://localhost:3000"):
        answers = [
            client.get(DEALS, headers={"Origin": origin}),
            client.post(f"{DEALS}/{world.gone}/restore", headers={"Origin": origin}),
        ]
        assert [problem_of(answer, 401)["type"] for answer in answers] == ["urn:crm:not-signed-in"] * 2


def test_nobody_else_is_invited(client, world, token_of):
    for origin in FOREIGN:
        refused = preflight(client, origin=origin)
        read = client.get(DEALS, headers=token_of(world.rita) | {"Origin": origin})
        assert (refused.status_code, invitation(refused)) == (405, {})
        assert (read.status_code, invitation(read)) == (200, {})


def test_nobody_is_invited_unless_it_is_configured(client, monkeypatch):
    for configured in ("", " , "):
        monkeypatch.setenv("CRM_CORS_ORIGINS", configured)
        for origin in (SHOP, *FOREIGN):
            answer = preflight(client, origin=origin)
            assert (answer.status_code, invitation(answer)) == (405, {})


def test_only_the_api_is_offered(client):
    for path in ("/docs", "/nowhere"):
        answer = client.get(path, headers={"Origin": SHOP})
        assert invitation(answer) == invitation(preflight(client, path)) == {}


def test_no_other_header_and_no_other_method(client):
    assert preflight(client, method="TRACE").status_code == 400
    assert preflight(client, **{"Access-Control-Request-Headers": "x-other"}).status_code == 400


def test_a_name_that_is_not_served_invites_nobody(client):
    answer = preflight(client, Host="evil.example")

    assert "another name" in problem_of(answer, 403)["detail"]
    assert invitation(answer) == {}
