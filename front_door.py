"""What every request has to pass, and the security headers that every answer of screens and API carries."""

import logging
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import file_util

from api.content_policy import inline_scripts, policy
from api.problems import problem
from api.protection import UNKNOWN_HOST, is_known_host
from crm_core import incidents

log = logging.getLogger("crm.web")

SOMETHING_BROKE = "Something went wrong on our side. Tell your administrator incident {number}."

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # an address holds filters, and they hold names
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}

SCRIPTS = inline_scripts((Path(file_util.get_static_dir()) / "index.html").read_text())
"""Those in the page of the Streamlit that is installed."""

SCREEN = policy(
    script_src=f"'self' blob: {SCRIPTS}",  # Streamlit imports the script of a component from a blob
    style_src="'self' 'unsafe-inline'",  # written into elements by Streamlit's scripts
    img_src="'self' data: blob:",
    font_src="'self' data:",  # a grid measures text with one
    media_src="'self'",
    worker_src="'self'",
    frame_src="'self'",  # components
    manifest_src="'self'",
    form_action="'self'",
)
"""Nothing is evaluated: charts interpret their formulas, and no element that we use needs WebAssembly."""

COMPONENT = policy(
    script_src="'self'",
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    font_src="'self' data:",
    connect_src="'self'",
    frame_ancestors="'self'",
)
"""For the page of a component, which a screen shows in a frame."""

SEALED = policy(sandbox="")
"""For files that people made: opened on their own, nothing in them runs."""


class FrontDoor:
    """Serves only the hosts that were configured, and lets only our own pages talk to the screens.

    A foreign page that lets its own name point here (DNS rebinding) is sent away by its host's name; one that
    connects under our name, by its origin, and that includes other programs' pages on this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket" if not _may_connect(Headers(scope=scope)):
                await send({"type": "websocket.close", "code": 1008})
            case _:
                await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_protected(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _protect(MutableHeaders(scope=message), scope["path"], Headers(scope=scope).get("host", ""))
            await send(message)

        try:
            app = self.app if is_known_host(Headers(scope=scope).get("host", "")) else _refusal(scope["path"])
            await app(scope, receive, send_protected)
        except Exception as error:
            if has_begun:
                raise
            told = SOMETHING_BROKE.format(number=incidents.record(log, error))
            await PlainTextResponse(told, 500)(scope, receive, send_protected)


def _may_connect(headers: Headers) -> bool:
    """Browsers name the page's origin; a program that doesn't is no page that somebody was lured to."""
    host, origin = headers.get("host", "").lower(), headers.get("origin")
    return is_known_host(host) and (origin is None or origin.lower() in (f"http://{host}", f"https://{host}"))


def _refusal(path: str) -> ASGIApp:
    return problem(400, UNKNOWN_HOST) if path.startswith("/api/") else PlainTextResponse(UNKNOWN_HOST, 400)


def _protect(headers: MutableHeaders, path: str, host: str) -> None:
    """The API has said most of this before, for itself."""
    is_component, is_media = path.startswith("/component/"), path.startswith("/media/")
    allowed = COMPONENT if is_component else SEALED if is_media else f"{SCREEN}; {_connections(host)}"
    headers.setdefault("Content-Security-Policy", allowed)
    headers.setdefault("X-Frame-Options", "SAMEORIGIN" if is_component else "DENY")
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    if is_media or headers.get("content-type", "").startswith("text/html"):
        headers["Cache-Control"] = "no-store"
    headers.setdefault("Cache-Control", "no-store")


def _connections(host: str) -> str:
    """Some browsers don't take a websocket for the page's own; a policy can't name IPv6 addresses."""
    can_be_named = is_known_host(host) and not host.startswith("[")
    return f"connect-src 'self' ws://{host} wss://{host}" if can_be_named else "connect-src 'self'"
