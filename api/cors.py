"""Which pages of other servers may call the API from a browser: those that were configured, with a token."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import METHODS
from crm_core import config

ASKED = ("Authorization", "Content-Type", "If-Match", "Idempotency-Key")
TOLD = ("ETag", "Location")


class Cors:
    """Invites the origins of `CRM_CORS_ORIGINS`; to all others it is as if there were no such thing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = _inviting(self.app) if _is_invited(scope) else self.app
        await app(scope, receive, send)


def _is_invited(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["path"].startswith("/api/")
        and Headers(scope=scope).get("origin") in config.current().origins
    )


def _inviting(app: ASGIApp) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=config.current().origins,
        allow_methods=METHODS,
        allow_headers=ASKED,
        expose_headers=TOLD,
    )
