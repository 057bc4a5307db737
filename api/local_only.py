"""Who is served as long as there are no accounts: direct connections from the server's own machine.

Everybody who is served is the local user, an admin, so in doubt a connection counts as one from elsewhere.
"""

import os
import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from crm_core.errors import NotAllowed

REMOVED_SETTING = "CRM_ALLOWED_HOSTS"
"""It once named the hosts to serve, and people may still set it."""

LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]*)?", re.IGNORECASE | re.ASCII)

PROXY_HEADER = re.compile(
    r"""
      forward | prox(y|ied) | gateway | tunnel | surrogate | \b(via|hops?|cdn)\b   # it was passed on
    | \b(original|rewrite|replaced|script-name)\b | -(host|port|proto)\b          # sent to another address
    | (request|queue)-start | early-data | unique-id | cloud-trace                # noted on its way
    | \b(ip|addr|address)\b | (client|real|remote|socket)-?(ip|addr|port)         # sent from there
    | \bremote | auth-request | webauth | authenticated | client-principal        # by this user
    | \b(ssl|tls)\b | client-(cert|dn|verify) | -https\b | ^x-(\w+-)?scheme\b     # who came encrypted
    | ^(x-)?(                                                                     # passed on by this product
        accel | akamai | amzn? | appengine | appgw | arr | authelia | authentik | azure | bluecoat | caddy
      | cf | cloudfront | consumer | envoy | fastly | fd | fly | gfe | goog-iap | haproxy | heroku | incap
      | istio | kong | l5d | nf | nginx | ngrok | pomerium | railway | rndr | squid | sucuri | tailscale
      | traefik | varnish | vercel | waws | wl | zscaler
      )\b
    """,
    re.VERBOSE,
)
"""What proxies name headers after; no header that browsers and HTTP libraries send by themselves has it."""

ANOTHER_NAME = "This request is for another name."


class OnlyOnThisMachine(NotAllowed):
    def __init__(self, reason: str, *, port: int | None = None) -> None:
        where = f", at http://localhost:{port}" if port else ""
        setting = f" {REMOVED_SETTING} no longer changes that." if REMOVED_SETTING in os.environ else ""
        super().__init__(
            "This server has no sign-in yet, so it answers only on the machine that it runs on"
            f"{where}. {reason}{setting}"
        )


def refusal(scope: Scope) -> OnlyOnThisMachine | None:
    """Why this connection is not served, or None for a direct one from this machine."""
    reason = _sign_of_proxy(scope) or _sign_of_elsewhere(scope)
    _, port = scope.get("server") or ("", None)
    return OnlyOnThisMachine(reason, port=port) if reason else None


def is_local_host(host: str) -> bool:
    """Whether a Host header, with or without a port, is one of this machine's own names."""
    return LOCAL_HOST.fullmatch(host) is not None


def is_own_origin(scope: Scope) -> bool:
    """Whether the page that sent this came from this server; a program is no page and has no origin."""
    headers = Headers(scope=scope)
    own = f"{scope['scheme'].replace('ws', 'http')}://{headers.get('host', '')}"
    return [origin.lower() for origin in headers.getlist("origin")] == [own.lower()]


def ignore_upgrades_in_old_requests() -> None:
    """Leave an HTTP/1.0 request for a websocket an HTTP/1.0 request, as RFC 9110 says in 7.8.

    uvicorn makes a websocket in HTTP/1.1 of it, which hides the proxy that it came through.
    """
    should_upgrade = AutoHTTPProtocol._should_upgrade  # type: ignore[attr-defined]

    def should_upgrade_if_new(protocol: Any) -> bool:
        return bool(protocol.scope["http_version"] == "1.1" and should_upgrade(protocol))

    AutoHTTPProtocol._should_upgrade = should_upgrade_if_new  # type: ignore[attr-defined]


def _sign_of_proxy(scope: Scope) -> str | None:
    for name in Headers(scope=scope):
        if _is_of_proxies(name):
            return f"This request came through a proxy: it has the header {name}."
    version = scope.get("http_version", "1.1")
    if version != "1.1":  # browsers talk to this server in HTTP/1.1, many proxies in HTTP/1.0
        return f"This request came through a proxy: it is in HTTP/{version}."
    if not scope["path"].startswith("/"):
        return "This request is written as one to a proxy: it asks for a whole address."
    return None


@lru_cache(maxsize=128)  # a browser sends the same twenty each time
def _is_of_proxies(name: str) -> bool:
    return PROXY_HEADER.search(name.lower().replace("_", "-")) is not None


def _sign_of_elsewhere(scope: Scope) -> str | None:
    hosts = Headers(scope=scope).getlist("host")
    if len(hosts) != 1 or not is_local_host(hosts[0]):  # also a foreign page whose name points here
        return ANOTHER_NAME
    if not _is_loopback(scope.get("client")):
        return "This request came from elsewhere."
    return None


def _is_loopback(peer: tuple[str, int] | None) -> bool:
    """A peer without an address, such as that of a unix socket, can be a proxy."""
    try:
        address = ip_address(peer[0] if peer else "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
