"""Who is let in, from where, with what: for every operation, by one call of each."""

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient, WebSocketDenialResponse

from api.main import api
from api.protection import LARGEST_BODY
from crm_core import clock
from crm_core.models import ApiToken, Settings, Source, TokenScope, Transaction, User, Visibility
from crm_core.services import token_service
from tests.api.calls import CALLS, Call, Right
from tests.api.conftest import HERE, PROTECTIVE, World, problem_of

DEALS = "/api/opportunities"
JSON = {"Content-Type": "application/json"}

FOREIGN = (
    "evil.example:8501",
    "localhost.evil.example",
    "localhost@evil.example",
    "127.0.0.2",
    "127.0.0.1.",
    "0.0.0.0",
    "[::2]",
    "::1",
    "[",
    "[::1]evil.example",
    "localhost:8501, evil.example",
    "localhost:8501@evil.example",
    "localhost.",
    "localhost:http",
    "",
)
NOT_JSON = (
    "text/plain",
    "multipart/form-data; boundary=x",
    "text/json",
    "application/jsonx",
    "application/merge-patch+json",
    "application/ json",
    "",
)
DOCUMENTS = ("/api/health", "/docs", "/api/openapi.json", "/api/docs-assets/swagger-ui.css", "/api/nowhere")
A_FEW = {name: CALLS[name] for name in ("list_opportunities", "restore_opportunity", "list_stages")}
SIGNED_IN_ONLY = {name: call for name, call in CALLS.items() if call.right is not Right.ANYBODY}


def address(call: Call, world: World) -> str:
    return f"/api{call.path.format(**vars(world))}"


def expected(call: Call, actor: str, visibility: Visibility) -> int:
    if call.right is Right.ANYBODY:
        return 200
    if actor == "deactivated":
        return 401
    if call.right.writes and actor == "reads only":
        return 403
    if actor != "stranger" or call.right in (Right.SIGNED_IN, Right.CREATE):
        return call.status
    if call.right is Right.BULK:
        return 409
    if visibility is Visibility.OWN:
        return 404
    return 200 if call.right is Right.READ else 403


@pytest.mark.parametrize(("visibility", "allowed"), [(Visibility.ALL, "owner"), (Visibility.OWN, "manager")])
def test_who_may(client, database, world, token_of, visibility, allowed):
    headers = {
        "deactivated": token_of(world.dan),
        "reads only": token_of(world.rita, TokenScope.READ),
        "stranger": token_of(world.otto),
        allowed: token_of({"owner": world.rita, "manager": world.mia}[allowed]),
    }
    with database.write() as session:
        session.get_one(Settings, 1).visibility = visibility

    answers = {
        (actor, name): call.by(client, world, sent)
        for actor, sent in headers.items()
        for name, call in CALLS.items()
    }

    assert {made: answer.status_code for made, answer in answers.items()} == {
        (actor, name): expected(call, actor, visibility) for actor in headers for name, call in CALLS.items()
    }
    for answer in answers.values():
        if answer.status_code >= 400:
            problem_of(answer, answer.status_code)


def test_a_stranger_reads_only_what_is_theirs(client, database, world, token_of):
    otto = token_of(world.otto)
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN

    pages = [client.get(f"/api/{noun}", headers=otto).json() for noun in ("opportunities", "leads")]

    assert [(page["items"], page["total"]) for page in pages] == [([], 0), ([], 0)]
    assert client.get(f"{DEALS}/stats", headers=otto).json()["open"]["deals"] == 0


@pytest.mark.on_sqlite
def test_who_is_refused_is_told_who_could(client, world, token_of):
    answer = client.put(f"{DEALS}/{world.deal}", json={"name": "Mine"}, headers=token_of(world.otto))

    assert problem_of(answer, 403)["detail"] == (
        "“Roof” belongs to Rita Rep. Rita Rep, Mia Manager or an admin can change it."
    )


def test_who_sits_at_this_machine_is_the_local_user(client, database, world):
    answers = {name: call.by(client, world).status_code for name, call in CALLS.items()}

    assert answers == {name: call.status for name, call in CALLS.items()}
    with database.read() as session:
        newest = select(Transaction).order_by(Transaction.id.desc()).limit(5)
        assert {(each.actor_id, each.source) for each in session.scalars(newest)} == {(1, Source.API)}


@pytest.mark.on_sqlite
def test_what_a_program_does_is_its_users_doing(client, world, token_of):
    answer = client.post(DEALS, json={"name": "Boat"}, headers=token_of(world.rita))

    history = client.get(f"{answer.headers['Location']}/history").json()
    assert [(each["actor_id"], each["actor_name"], each["source"]) for each in history] == [
        (world.rita, "Rita Rep", "api")
    ]


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "Sec-Fetch-Site": ["cross-site", "same-site", ""],
        "Origin": [
            "https://evil.example",
            "http://localhost:3000",
            "https://localhost",
            "http://[::1",
            "null",
            "",
        ],
        "Authorization": ["Basic cml0YTp4", "Bearer", "", "Bearer crm_unknown", "Bearer \u00ff\u0080"],
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.on_sqlite
def test_a_foreign_page_is_not_the_local_user_and_needs_a_token(client, world, token_of, name, values):
    for value in values:
        sent = {name: value.encode("latin-1")}
        for call in A_FEW.values():
            answer = call.by(client, world, sent)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "token" in problem_of(answer, 401)["detail"]
        if name != "Authorization":
            assert client.get(DEALS, headers=sent | token_of(world.rita)).status_code == 200


@pytest.mark.on_sqlite
def test_a_page_of_this_server_is_not_foreign(client, world):
    answer = client.put(
        f"{DEALS}/{world.deal}",
        json={"name": "Boat"},
        headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    )
    typed = client.get(DEALS, headers={"Sec-Fetch-Site": "none"})

    assert (answer.status_code, typed.status_code) == (200, 200)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"Host": "crm.example.com"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"CF-Connecting-IP": "192.0.2.1"},
        {"X-Forwarded-Proto": ""},
    ],
    ids=lambda elsewhere: "".join(elsewhere),
)
@pytest.mark.on_sqlite
def test_nothing_is_served_elsewhere_not_even_with_a_token(
    client, database, world, token_of, monkeypatch, elsewhere
):
    """No setting opens it: there is no sign-in yet."""
    monkeypatch.setenv("CRM_ALLOWED_HOSTS", "crm.example.com")
    calls = {address(call, world): call for call in CALLS.values()}
    token = token_of(world.rita)
    with database.read() as session:
        before = session.scalar(select(func.max(Transaction.id)))

    answers = [call.by(client, world, elsewhere | sent) for call in calls.values() for sent in ({}, token)]
    answers += [client.get(document, headers=elsewhere | token) for document in DOCUMENTS]

    for answer in answers:
        told = problem_of(answer, 403)
        assert told["type"] == "urn:crm:only-on-this-machine"
        assert told["detail"].startswith("This server has no sign-in yet, so it answers only on the machine")
        assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE
    with database.read() as session:
        assert session.scalar(select(func.max(Transaction.id))) == before


@pytest.mark.on_sqlite
def test_a_peer_that_is_elsewhere_is_served_nothing(client, token_of, world):
    for peer in ("192.168.1.20", "::ffff:10.0.0.1", "testclient"):
        there = TestClient(api, base_url=HERE, client=(peer, 50_000))
        for path in (DEALS, *DOCUMENTS):
            assert (
                "from elsewhere" in problem_of(there.get(path, headers=token_of(world.rita)), 403)["detail"]
            )


@pytest.mark.on_sqlite
def test_a_websocket_is_refused_like_everything_else(client):
    for path in (DEALS, "/docs"):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect(path, headers={"Host": "crm.example.com"}),
        ):
            pass
        assert "another name" in problem_of(refused.value, 403)["detail"]
        assert {name: refused.value.headers.get(name) for name in PROTECTIVE} == PROTECTIVE


def test_a_token_that_ended_opens_nothing(client, database, world, token_of):
    expired, revoked, deactivated = token_of(world.rita), token_of(world.rita), token_of(world.mia)
    assert [client.get(DEALS, headers=each).status_code for each in (expired, revoked, deactivated)] == [
        200
    ] * 3

    with database.write() as session:
        first, second, _ = session.scalars(select(ApiToken).order_by(ApiToken.id)).all()
        first.expires_at = clock.now()
        token_service.revoke_token(session, second.id)
        session.get_one(User, world.mia).is_active = False

    for call in A_FEW.values():
        for headers in (expired, revoked, deactivated):
            answer = call.by(client, world, headers)
            assert problem_of(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.on_sqlite
def test_no_other_name_is_served(client):
    for host in FOREIGN:
        for path in (DEALS, *DOCUMENTS):
            answer = client.get(path, headers={"Host": host})
            assert "another name" in problem_of(answer, 403)["detail"], host


@pytest.mark.on_sqlite
def test_this_machine_has_several_names(client):
    hosts = ["localhost:8501", "LocalHost", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80"]

    for path in (DEALS, "/docs"):
        assert {client.get(path, headers={"Host": host}).status_code for host in hosts} == {200}


@pytest.mark.on_sqlite
def test_no_foreign_page_is_invited(client, world):
    foreign = {"Origin": "https://evil.example"}

    answers = [call.by(client, world, foreign) for call in CALLS.values()]
    preflights = [
        client.options(address(call, world), headers=foreign | {"Access-Control-Request-Method": call.method})
        for call in CALLS.values()
    ]

    assert {answer.status_code for answer in preflights} == {405}
    headers = {name.lower() for answer in answers + preflights for name in answer.headers}
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.on_sqlite
def test_only_json_is_read(client, world):
    sneaky = b'{"name": "Sneaky"}'
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    untyped = [{}, *({"Content-Type": kind} for kind in NOT_JSON)]

    answers = [
        client.request(call.method, address(call, world), content=sneaky, headers=form)
        for call in CALLS.values()
    ]
    answers += [client.post(DEALS, content=sneaky, headers=headers) for headers in untyped]
    answers += [client.post(DEALS, content=iter([sneaky]), headers=headers) for headers in untyped]
    answers += [client.post(DEALS, data={"name": "Sneaky"}), client.post(DEALS, files={"name": b"Sneaky"})]

    for answer in answers:
        assert "application/json" in problem_of(answer, 415)["detail"]
    assert client.get(DEALS, params={"text": "Sneaky"}).json()["total"] == 0


@pytest.mark.on_sqlite
def test_json_may_name_its_charset(client):
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        answer = client.post(DEALS, content=b'{"name": "Boat"}', headers={"Content-Type": kind})
        assert answer.status_code == 201


@pytest.mark.on_sqlite
def test_a_large_body_is_refused(client, world):
    for call in SIGNED_IN_ONLY.values():
        for body in (b" " * (LARGEST_BODY + 1), iter([b" " * LARGEST_BODY, b" "])):
            answer = client.request(call.method, address(call, world), content=body, headers=JSON)
            assert "1,000,000 bytes" in problem_of(answer, 413)["detail"]


@pytest.mark.on_sqlite
def test_a_body_may_be_as_large_as_is_said(client):
    body = b'{"name": "Boat"}'.ljust(LARGEST_BODY)

    for sent in (body, iter([body])):
        assert client.post(DEALS, content=sent, headers=JSON).status_code == 201


@pytest.mark.on_sqlite
def test_every_answer_says_how_to_treat_it(client, world):
    for call in CALLS.values():
        answer = call.by(client, world)
        assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE
