"""What every answer of the server carries, and who is sent away; started in each way that is promised."""

import http.client
import shutil
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from front_door import FrontDoor
from tests.serving import API_ALONE, WITH_SCREENS, Server

STARTS = {
    "streamlit run": WITH_SCREENS,
    "uvicorn": ("uvicorn", "app:app", "--port"),
    "the API alone": API_ALONE,
}

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
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
NOT_SERVED = "This server has no sign-in yet, so it answers only on the machine that it runs on, at "
BY_PROXIES = (
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"x-real-ip": "127.0.0.1"},
    {"Forwarded": "for=192.0.2.1"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "192.0.2.1"},
    {"True-Client-IP": "192.0.2.1"},
    {"Tailscale-User-Login": "ann@example.com"},
)
FOREIGN_HOSTS = (
    "crm.example.com",
    "evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "127.0.0.2",
    "",
)
FOREIGN_ORIGINS = ("https://evil.example", "http://localhost:1", "http://127.0.0.1:8501", "null", "")


@pytest.fixture(scope="module")
def start(migrated_file, tmp_path_factory) -> Iterator[Callable[[str], Server]]:
    """The server that was started that way; it serves all tests."""
    servers: dict[str, Server] = {}

    def start(way: str) -> Server:
        if way not in servers:
            file = tmp_path_factory.mktemp("doors") / "crm.db"
            shutil.copy(migrated_file, file)
            servers[way] = Server(f"sqlite:///{file}", STARTS[way])
            servers[way].start()
        return servers[way]

    yield start
    for server in servers.values():
        server.stop()


@pytest.fixture(params=["streamlit run", "uvicorn"])
def server(request, start) -> Server:
    """One with screens."""
    return start(request.param)


@pytest.fixture(params=STARTS)
def any_server(request, start) -> Server:
    return start(request.param)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """The answer to a request exactly as written, read to its end."""
    connection = http.client.HTTPConnection(host_of(server), timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    if answer.status != 101:
        answer.text = answer.read().decode(errors="replace")
    connection.close()
    return answer


def host_of(server: Server) -> str:
    return server.address.removeprefix("http://")


def connect(server: Server, **headers: str) -> http.client.HTTPResponse:
    """How the screens' websocket answers."""
    return ask(server, "/_stcore/stream", **UPGRADE, **headers)


def send(address: tuple[str, int], request_line: str, **headers: str) -> str:
    """What comes back for a request that no library would send, up to the end of its head."""
    lines = [request_line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as answer:
        connection.sendall("\r\n".join(lines).encode())
        return b"".join(iter(answer.readline, b"\r\n")).decode() + answer.read(400).decode()


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
    host = host_of(server)

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


def test_no_other_name_is_served(any_server):
    for path in EVERY:
        for host in FOREIGN_HOSTS:
            answer = ask(any_server, path, Host=host)
            assert_not_served(answer, any_server)


def test_nothing_is_served_through_a_proxy(any_server):
    for path in EVERY:
        for headers in BY_PROXIES:
            assert_not_served(ask(any_server, path, **headers), any_server)


def assert_not_served(answer: http.client.HTTPResponse, server: Server) -> None:
    assert answer.status == 403
    assert NOT_SERVED + server.address in answer.text
    assert answer.headers["Content-Type"].startswith(("text/plain", "application/problem+json"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_only_http_1_1_is_served(any_server):
    """A proxy that adds no header often speaks HTTP/1.0; it gets no websocket in it, either."""
    host = host_of(any_server)
    own = {"Host": host, "Origin": f"http://{host}"}

    for path in EVERY:
        assert send(peer_of(any_server), f"GET {path} HTTP/1.0", **own).startswith("HTTP/1.1 403"), path
    for headers in (own, {"Host": host}, {}):
        answer = send(peer_of(any_server), "GET /_stcore/stream HTTP/1.0", **UPGRADE, **headers)
        assert answer.startswith("HTTP/1.1 403")
        assert "through a proxy: it is in HTTP/1.0" in answer


def peer_of(server: Server) -> tuple[str, int]:
    name, _, port = host_of(server).partition(":")
    return name, int(port)


def test_a_host_is_named_once_and_the_target_is_a_path(any_server):
    host, peer = host_of(any_server), peer_of(any_server)

    assert send(peer, "GET /api/health HTTP/1.1", Host=host, Connection="close").startswith("HTTP/1.1 200")
    for refused in (
        send(peer, "GET /api/health HTTP/1.1", Connection="close"),
        send(peer, "GET /api/health HTTP/1.1", Host=host, host="evil.example", Connection="close"),
        send(peer, "GET /api/health HTTP/1.1", Host=host, host=host, Connection="close"),
        send(peer, f"GET http://{host}/api/health HTTP/1.1", Host=host, Connection="close"),
        send(peer, "GET http://evil.example/api/health HTTP/1.1", Host=host, Connection="close"),
        send(peer, "OPTIONS * HTTP/1.1", Host=host, Connection="close"),
    ):
        assert refused.startswith(("HTTP/1.1 400", "HTTP/1.1 403"))


def test_it_listens_on_one_address_of_this_machine(any_server):
    _, port = peer_of(any_server)

    with socket.socket() as another:
        assert another.connect_ex(("127.0.0.2", port)) != 0


def test_only_a_page_of_this_server_may_connect(server):
    host = host_of(server)
    own = {"Origin": f"http://{host}"}

    assert connect(server, **own).status == 101
    for origin in (*FOREIGN_ORIGINS, f"https://{host}"):
        assert connect(server, Origin=origin).status == 403, origin
    without = connect(server)
    assert (without.status, without.text) == (
        403,
        "Only this server's own pages may connect to its screens. Open one in a browser.",
    )
    assert {name: without.headers.get(name) for name in PROTECTIVE} == PROTECTIVE
    for foreign in FOREIGN_HOSTS:
        assert_not_served(connect(server, Host=foreign), server)
        assert_not_served(connect(server, Host=foreign, Origin=f"http://{foreign}"), server)
    for headers in BY_PROXIES:
        assert_not_served(connect(server, **own, **headers), server)


class Proxy(socketserver.ThreadingTCPServer):
    """Passes each connection on, after changing the head of its request as it is given."""

    daemon_threads = True

    def __init__(self, server: Server, rewrite: Callable[[str], str]) -> None:
        self.target, self.rewrite = peer_of(server), rewrite
        super().__init__(("127.0.0.1", 0), PassedOn)


class PassedOn(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n")).decode()
        with socket.create_connection(self.server.target, timeout=10) as target:
            target.sendall(self.server.rewrite(head).encode() + b"\r\n")
            while answer := target.recv(65536):
                self.wfile.write(answer)


@contextmanager
def proxy(server: Server, rewrite: Callable[[str], str]) -> Iterator[tuple[str, int]]:
    with Proxy(server, rewrite) as passing:
        Thread(target=passing.serve_forever, daemon=True).start()
        yield passing.server_address
        passing.shutdown()


def test_proxies_of_the_usual_kinds_get_nothing(server):
    host = host_of(server)
    public = {"Host": "crm.example.com", "Origin": "https://crm.example.com", "Connection": "close"}
    kinds: dict[str, Callable[[str], str]] = {
        "passes the host on": lambda head: head,
        "names its client": lambda head: (
            head.replace("crm.example.com", host).replace("https", "http") + "X-Forwarded-For: 192.0.2.1\r\n"
        ),
        "speaks HTTP/1.0": lambda head: (
            head.replace("crm.example.com", host).replace("https", "http").replace("HTTP/1.1", "HTTP/1.0")
        ),
    }

    for kind, rewrite in kinds.items():
        with proxy(server, rewrite) as address:
            for path in ("/", "/api/opportunities", "/_stcore/health"):
                answer = send(address, f"GET {path} HTTP/1.1", **public)
                assert answer.startswith("HTTP/1.1 403"), (kind, path)
            answer = send(address, "GET /_stcore/stream HTTP/1.1", **public | UPGRADE)
            assert answer.startswith("HTTP/1.1 403"), kind


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


def site(base_url: str = "http://localhost:8501", peer: str = "127.0.0.1") -> TestClient:
    return TestClient(FrontDoor(greet), base_url=base_url, client=(peer, 50_000))


def test_no_setting_opens_it_to_another_name(monkeypatch):
    monkeypatch.setenv("CRM_ALLOWED_HOSTS", "crm.example.com, localhost")
    client = site("https://crm.example.com")

    for path in ("/", "/api/opportunities"):
        answer = client.get(path)
        assert (answer.status_code, "CRM_ALLOWED_HOSTS no longer" in answer.text) == (403, True)
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("wss://crm.example.com/", headers={"Origin": "https://crm.example.com"}),
    ):
        pass
    assert refused.value.text == answer.json()["detail"]


def test_another_machine_gets_nothing():
    """As it would with `--server.address 0.0.0.0`."""
    own = {"Origin": "http://localhost:8501"}

    assert site().get("/").text == "Hello"
    with site().websocket_connect("ws://localhost:8501/", headers=own):
        pass
    for peer in ("192.168.1.20", "::ffff:192.168.1.20", "2001:db8::1", ""):
        assert "from elsewhere" in site(peer=peer).get("/").text
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            site(peer=peer).websocket_connect("ws://localhost:8501/", headers=own),
        ):
            pass
        assert "from elsewhere" in refused.value.text


def test_what_breaks_on_the_way_is_an_incident(caplog):
    answer = site().get("/breaks")

    assert answer.status_code == 500
    number = answer.text.removesuffix(".").rpartition(" ")[2]
    assert answer.text == f"Something went wrong on our side. Tell your administrator incident {number}."
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert f"Incident {number}" in caplog.text
    assert "ZeroDivisionError: Zanzibar" in caplog.text


def test_an_answer_that_breaks_off_is_not_mended(caplog):
    with pytest.raises(ZeroDivisionError):
        site().get("/breaks-off")
