"""What every request has to pass, and the security headers that every answer of screens and API carries."""

import logging
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import file_util

from api import local_only, problems
from api.content_policy import inline_scripts, policy
from crm_core import incidents
from crm_core.errors import NotAllowed

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


class ForeignPage(NotAllowed):
    def __init__(self) -> None:
        super().__init__("Only this server's own pages may connect to its screens. Open one in a browser.")


class FrontDoor:
    """Serves only direct connections from this machine, and lets only our own pages talk to the screens.

    A foreign page that lets its own name point here (DNS rebinding) is sent away by its host's name; one that
    connects under our name, by its origin, and that includes other programs' pages on this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_protected(message: Message) -> None:
            nonlocal has_begun
            if message["type"].endswith("http.response.start"):  # a refused websocket has one, too
                has_begun = True
                _protect(MutableHeaders(scope=message), scope["path"], Headers(scope=scope).get("host", ""))
            await send(message)

        try:
            await (_refusal(scope) or self.app)(scope, receive, send_protected)
        except Exception as error:
            if has_begun or scope["type"] == "websocket":
                raise
            told = SOMETHING_BROKE.format(number=incidents.record(log, error))
            await PlainTextResponse(told, 500)(scope, receive, send_protected)


def _refusal(scope: Scope) -> ASGIApp | None:
    refusal: NotAllowed | None = local_only.refusal(scope)
    if refusal is None and scope["type"] == "websocket" and not local_only.is_own_origin(scope):
        refusal = ForeignPage()
    if refusal is None:
        return None
    is_of_api = scope["path"].startswith("/api/")
    return problems.refused(refusal) if is_of_api else PlainTextResponse(str(refusal), 403)


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
    can_be_named = local_only.is_local_host(host) and not host.startswith("[")
    return f"connect-src 'self' ws://{host} wss://{host}" if can_be_named else "connect-src 'self'"
