"""Which connections count as direct ones from this machine."""

from typing import Any

import pytest
from starlette.types import Scope

from api import local_only

OF_PROXIES = (
    # RFCs, and what nginx, Apache, HAProxy, Caddy, Traefik, Squid, Varnish and their users send
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Protocol",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-User",
    "X-Forwarded-Path",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded",
    "X_Forwarded_For",
    "Forwarded-For",
    "Forwarded-For-IP",
    "Z-Forwarded-For",
    "Via",
    "X-BlueCoat-Via",
    "Max-Forwards",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Surrogate-Capability",
    "Early-Data",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Real-IP",
    "X-RealIP",
    "X-Client-IP",
    "Client-IP",
    "X-Cluster-Client-IP",
    "X-ProxyUser-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Originating-IP",
    "X-Client-Port",
    "X-Host",
    "X-Http-Host-Override",
    "X-Original-For",
    "X-Original-Host",
    "X-Original-Proto",
    "X-Original-URL",
    "X-Original-Forwarded-For",
    "X-Rewrite-URL",
    "X-Replaced-Path",
    "X-Scheme",
    "X-Url-Scheme",
    "X-Script-Name",
    "X-NginX-Proxy",
    "X-Accel-Internal",
    "X-Varnish",
    "X-HAProxy-Server-State",
    "X-Request-Start",
    "X-Queue-Start",
    "Front-End-Https",
    "SSL-Client-Verify",
    "X-SSL-Client-Cert",
    "X-Client-Verify",
    "WL-Proxy-Client-IP",
    "WL-Proxy-SSL",
    # sign-in in front
    "Remote-User",
    "Remote-Groups",
    "X-Remote-User",
    "X-Webauth-User",
    "X-Auth-Request-Email",
    "X-Authentik-Username",
    "X-Pomerium-Jwt-Assertion",
    "X-Goog-Authenticated-User-Email",
    "X-Goog-IAP-JWT-Assertion",
    "X-MS-Client-Principal",
    # networks and platforms
    "CF-Connecting-IP",
    "CF-IPCountry",
    "CF-Ray",
    "CF-Visitor",
    "CF-Access-Authenticated-User-Email",
    "True-Client-IP",
    "CDN-Loop",
    "CloudFront-Viewer-Address",
    "X-Amz-Cf-Id",
    "X-Amzn-Trace-Id",
    "X-Amzn-Oidc-Identity",
    "Akamai-Origin-Hop",
    "X-Akamai-Edgescape",
    "Fastly-Client-IP",
    "Fastly-SSL",
    "Fastly-FF",
    "X-Cloud-Trace-Context",
    "X-AppEngine-Country",
    "X-GFE-Request-Trace",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "X-Azure-Ref",
    "X-FD-HealthProbe",
    "X-ARR-SSL",
    "X-ARR-Log-Id",
    "X-AppGW-Trace-Id",
    "Disguised-Host",
    "Fly-Client-IP",
    "Fly-Region",
    "Rndr-Id",
    "X-Railway-Edge",
    "X-Vercel-Id",
    "X-Vercel-Forwarded-For",
    "X-NF-Client-Connection-IP",
    "DO-Connecting-IP",
    "Ali-CDN-Real-IP",
    "Incap-Client-IP",
    "X-Sucuri-ClientIP",
    "X-Envoy-External-Address",
    "X-Envoy-Expected-Rq-Timeout-Ms",
    "L5d-Dst-Canonical",
    "X-Kong-Request-Id",
    "X-Consumer-Username",
    "Tailscale-User-Login",
    "Tailscale-Funnel-Request",
    "Ngrok-Skip-Browser-Warning",
    "X-ProxyContextPath",
)
OF_CLIENTS = (
    # Chromium, Firefox, Safari, WebViews
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Local-Network",
    "Access-Control-Request-Method",
    "Access-Control-Request-Private-Network",
    "Alt-Used",
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "DNT",
    "DPR",
    "Device-Memory",
    "Downlink",
    "ECT",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Keep-Alive",
    "Last-Event-ID",
    "Origin",
    "Ping-From",
    "Ping-To",
    "Pragma",
    "Priority",
    "Purpose",
    "RTT",
    "Range",
    "Referer",
    "Save-Data",
    "Sec-CH-Prefers-Color-Scheme",
    "Sec-CH-UA",
    "Sec-CH-UA-Form-Factors",
    "Sec-CH-UA-Full-Version-List",
    "Sec-CH-UA-Mobile",
    "Sec-CH-UA-Platform",
    "Sec-CH-Viewport-Width",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-Storage-Access",
    "Sec-Fetch-User",
    "Sec-GPC",
    "Sec-Purpose",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Service-Worker",
    "TE",
    "Upgrade",
    "Upgrade-Insecure-Requests",
    "User-Agent",
    "Viewport-Width",
    "Width",
    "X-Client-Data",
    "X-Moz",
    "X-Requested-With",
    "X-Xsrftoken",
    # curl, wget, httpx, requests, and integrations
    "Authorization",
    "B3",
    "Baggage",
    "Expect",
    "From",
    "HTTP2-Settings",
    "Idempotency-Key",
    "If-Match",
    "If-Unmodified-Since",
    "Prefer",
    "Transfer-Encoding",
    "Traceparent",
    "Tracestate",
    "X-Api-Key",
    "X-B3-TraceId",
    "X-Correlation-ID",
    "X-Csrf-Token",
    "X-Request-ID",
)


def scope_of(*headers: tuple[str, str], host: str | None = "localhost:8501", **more: Any) -> Scope:
    """A direct request from this machine, but for what is given."""
    sent = ([] if host is None else [("Host", host)]) + list(headers)
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8501),
        **more,
    }


def test_what_a_proxy_adds_gives_it_away():
    for name in OF_PROXIES:
        for spelt in (name, name.upper(), name.replace("-", "_")):
            for value in ("192.0.2.1", ""):
                assert local_only.refusal(scope_of((spelt, value))) is not None, spelt


def test_the_refusal_names_the_header(monkeypatch):
    monkeypatch.delenv("CRM_ALLOWED_HOSTS", raising=False)

    refusal = local_only.refusal(scope_of(("Accept", "*/*"), ("CF-Ray", "1")))

    assert str(refusal) == (
        "This server has no sign-in yet, so it answers only on the machine that it runs on, at"
        " http://localhost:8501. This request came through a proxy: it has the header cf-ray."
    )


def test_what_browsers_and_programs_send_by_themselves_is_no_sign_of_a_proxy():
    refused = {name for name in OF_CLIENTS if local_only.refusal(scope_of((name, "1")))}

    assert refused == set()


def test_headers_count_in_any_case():
    """A server may hand them over as they were sent."""
    scope = scope_of()
    scope["headers"].append((b"X-Forwarded-For", b"192.0.2.1"))

    assert local_only.refusal(scope) is not None


@pytest.mark.parametrize(
    ("version", "is_served"), [("0.9", False), ("1.0", False), ("1.1", True), ("2", False), ("3", False)]
)
def test_browsers_talk_to_it_in_one_version_of_http(version, is_served):
    assert (local_only.refusal(scope_of(http_version=version)) is None) == is_served


@pytest.mark.parametrize("path", ["http://localhost:8501/", "http://crm.example.com/", "localhost:8501", "*"])
def test_a_whole_address_is_asked_of_a_proxy(path):
    assert "to a proxy" in str(local_only.refusal(scope_of(path=path)))


@pytest.mark.parametrize(
    "peer",
    ["127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::1%lo"],
)
def test_this_machine_has_several_addresses(peer):
    assert local_only.refusal(scope_of(client=(peer, 50_000))) is None


@pytest.mark.parametrize(
    "client",
    [
        None,  # a unix socket's
        ("", 0),
        ("testclient", 50_000),
        ("localhost", 50_000),
        ("0.0.0.0", 50_000),
        ("10.0.0.1", 50_000),
        ("128.0.0.1", 50_000),
        ("172.17.0.1", 50_000),
        ("192.168.1.20", 50_000),
        ("203.0.113.7", 50_000),
        ("::", 50_000),
        ("::2", 50_000),
        ("::127.0.0.1", 50_000),
        ("::ffff:10.0.0.1", 50_000),
        ("fe80::1%lo", 50_000),
        ("2001:db8::1", 50_000),
        ("127.0.0.1, 10.0.0.1", 50_000),
        ("0177.0.0.1", 50_000),
    ],
)
def test_every_other_peer_is_elsewhere(client):
    assert "from elsewhere" in str(local_only.refusal(scope_of(client=client)))


def test_one_host_has_to_be_named_and_only_one():
    twice = scope_of(("Host", "localhost:8501"))
    another = scope_of(("Host", "crm.example.com"))

    for scope in (scope_of(host=None), scope_of(host=""), twice, another):
        assert "another name" in str(local_only.refusal(scope))


def test_without_a_port_the_refusal_names_no_address():
    for server in (None, ("/run/crm.sock", None)):
        sentence = str(local_only.refusal(scope_of(server=server, client=None)))
        assert "the machine that it runs on. This" in sentence


def test_the_setting_that_once_opened_it_is_answered(monkeypatch):
    monkeypatch.setenv("CRM_ALLOWED_HOSTS", "crm.example.com")

    sentence = str(local_only.refusal(scope_of(host="crm.example.com")))

    assert sentence.endswith("This request is for another name. CRM_ALLOWED_HOSTS no longer changes that.")


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "is_own"),
    [
        ("http", "localhost:8501", "http://localhost:8501", True),
        ("ws", "localhost:8501", "http://localhost:8501", True),
        ("ws", "LocalHost:8501", "http://localhost:8501", True),
        ("ws", "[::1]:8501", "http://[::1]:8501", True),
        ("wss", "localhost:8501", "https://localhost:8501", True),
        ("ws", "localhost:8501", "https://localhost:8501", False),
        ("ws", "localhost:8501", "http://127.0.0.1:8501", False),
        ("ws", "localhost:8501", "http://localhost:8502", False),
        ("ws", "localhost:8501", "http://localhost", False),
        ("ws", "localhost:8501", "http://localhost:8501/", False),
        ("ws", "localhost:8501", "ws://localhost:8501", False),
        ("ws", "localhost:8501", "null", False),
        ("ws", "localhost:8501", "", False),
    ],
)
def test_a_page_of_this_server_has_its_scheme_name_and_port(scheme, host, origin, is_own):
    assert local_only.is_own_origin(scope_of(("Origin", origin), host=host, scheme=scheme)) is is_own


def test_a_page_has_one_origin():
    own = ("Origin", "http://localhost:8501")

    assert local_only.is_own_origin(scope_of(own))
    assert not local_only.is_own_origin(scope_of())
    assert not local_only.is_own_origin(scope_of(own, ("Origin", "https://evil.example")))
