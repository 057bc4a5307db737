"""What every answer of the server carries, and who is sent away; started in each way that is promised."""

import http.client
import shutil
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from front_door import FrontDoor
from tests.serving import WITH_SCREENS, Server

STARTS = {"streamlit run": WITH_SCREENS, "uvicorn": ("uvicorn", "app:app", "--port")}

SCREENS = ("/", "/opportunities", "/nowhere", "/docsy", "/api", "/static/js/nothing.js")
"""All of them answer with Streamlit's page."""

FILES = ("/favicon.png", "/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/_stcore/nothing")
COMPONENTS = ("/component/nothing/index.html",)
MADE_BY_PEOPLE = ("/media/nothing.csv", "/media/nothing.html")
OF_THE_API = ("/docs", "/docs/nothing", "/api/health", "/api/nothing", "/api/docs-assets/swagger-ui.css")
NO_ADDRESSES = ("//evil.example/x", "/../app.py", "/opportunities/")
EVERY = SCREENS + FILES + COMPONENTS + MADE_BY_PEOPLE + OF_THE_API + NO_ADDRESSES

PROTECTIVE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOREIGN_HOSTS = ("evil.example", "localhost.evil.example", "localhost@evil.example", "127.0.0.2", "")
FOREIGN_ORIGINS = ("https://evil.example", "http://localhost:1", "http://127.0.0.1:8501", "null", "")


@pytest.fixture(scope="module", params=STARTS)
def server(request, migrated_file, tmp_path_factory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("doors") / "crm.db"
    shutil.copy(migrated_file, file)
    server = Server(f"sqlite:///{file}", STARTS[request.param])
    server.start()
    yield server
    server.stop()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """The answer to a request exactly as written, read to its end."""
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    if answer.status != 101:
        answer.read()
    connection.close()
    return answer


def connect(server: Server, **headers: str) -> int:
    """The status with which the screens' websocket answers."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    return ask(server, "/_stcore/stream", **upgrade, **key, **headers).status


def allowed(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The answer's policy, by directive."""
    directives = answer.headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, _, sources in (each.partition(" ") for each in directives)}


def test_every_answer_is_protected(server):
    for path in EVERY:
        answer, policy = ask(server, path), allowed(ask(server, path))
        assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE, path
        assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert (policy["default-src"], policy["base-uri"], policy["object-src"]) == ("'none'",) * 3, path
        assert "unsafe-eval" not in answer.headers["Content-Security-Policy"], path
        assert "unsafe-inline" not in policy.get("script-src", ""), path
        framed = path in COMPONENTS
        assert policy["frame-ancestors"] == ("'self'" if framed else "'none'"), path
        assert answer.headers["X-Frame-Options"] == ("SAMEORIGIN" if framed else "DENY"), path


def test_a_screen_loads_from_this_server_alone(server):
    host = server.address.removeprefix("http://")

    for path in SCREENS:
        policy = allowed(ask(server, path))
        sources = {source for each in policy.values() for source in each.split()}
        hashes = {source for source in sources if source.startswith("'sha256-")}
        assert len(hashes) == 1
        assert sources - hashes == {
            *("'self'", "'none'", "'unsafe-inline'", "data:", "blob:", f"ws://{host}", f"wss://{host}")
        }
        assert policy["form-action"] == "'self'"


def test_a_policy_names_only_hosts_that_it_can_name(server):
    port = server.address.rpartition(":")[2]

    for host in (f"[::1]:{port}", "evil.example"):
        assert allowed(ask(server, "/", Host=host))["connect-src"] == "'self'"


def test_what_people_made_is_sealed_and_kept_nowhere(server):
    for path in MADE_BY_PEOPLE:
        answer = ask(server, path)
        assert allowed(answer)["sandbox"] == ""
        assert "script-src" not in allowed(answer)
        assert answer.headers["Cache-Control"] == "no-store"


def test_only_what_is_the_same_for_everybody_may_be_kept(server):
    for path in SCREENS + OF_THE_API:
        assert ask(server, path).headers["Cache-Control"] == "no-store", path
    assert "max-age" in ask(server, "/favicon.png").headers["Cache-Control"]


def test_a_name_that_was_not_configured_is_not_served(server):
    for path in EVERY:
        for host in FOREIGN_HOSTS:
            answer = ask(server, path, Host=host)
            assert answer.status == 400, (path, host)
            assert answer.headers["Content-Type"].startswith(("text/plain", "application/problem+json"))


def test_only_a_page_of_this_server_may_connect(server):
    host = server.address.removeprefix("http://")

    assert connect(server, Origin=f"http://{host}") == 101
    assert connect(server, Origin=f"https://{host}") == 101  # a proxy in front speaks TLS
    assert connect(server) == 101  # no browser
    for origin in FOREIGN_ORIGINS:
        assert connect(server, Origin=origin) == 403, origin
    for foreign in FOREIGN_HOSTS:
        assert connect(server, Host=foreign) == 403, foreign
        assert connect(server, Host=foreign, Origin=f"http://{foreign}") == 403, foreign


def test_programs_have_one_way_in_which_is_the_api(server):
    assert ask(server, "/_stcore/agent/interact", "POST").status == 403


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """A site in two lines, which breaks where it is told to."""
    if scope["type"] == "websocket":
        websocket = WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.close()
        return
    if scope["path"] == "/breaks":
        raise ZeroDivisionError("Zanzibar")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/breaks-off":
        raise ZeroDivisionError("Zanzibar")
    await send({"type": "http.response.body", "body": b"Hello"})


def test_a_configured_name_is_served(monkeypatch):
    monkeypatch.setenv("CRM_ALLOWED_HOSTS", "crm.example.com")
    client = TestClient(FrontDoor(greet), base_url="https://crm.example.com")

    answer = client.get("/")
    assert (answer.text, client.get("/", headers={"Host": "localhost"}).status_code) == ("Hello", 400)
    assert "wss://crm.example.com" in answer.headers["Content-Security-Policy"]
    with client.websocket_connect("wss://crm.example.com/", headers={"Origin": "https://crm.example.com"}):
        pass
    for headers in ({"Origin": "https://evil.example"}, {"Host": "localhost"}):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("wss://crm.example.com/", headers=headers),
        ):
            pass


def test_what_breaks_on_the_way_is_an_incident(caplog):
    client = TestClient(FrontDoor(greet), base_url="http://localhost")

    answer = client.get("/breaks")

    assert answer.status_code == 500
    number = answer.text.removesuffix(".").rpartition(" ")[2]
    assert answer.text == f"Something went wrong on our side. Tell your administrator incident {number}."
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert f"Incident {number}" in caplog.text
    assert "ZeroDivisionError: Zanzibar" in caplog.text


def test_an_answer_that_breaks_off_is_not_mended(caplog):
    with pytest.raises(ZeroDivisionError):
        TestClient(FrontDoor(greet), base_url="http://localhost").get("/breaks-off")
