"""What every request has to pass before anybody reads it."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import HEADERS, problem
from crm_core import config

LARGEST_BODY = 1_000_000
"""Bytes."""

HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:\[\]]*)(?::[0-9]*)?")

UNKNOWN_HOST = "This server does not answer under that name. Add it to CRM_ALLOWED_HOSTS."

NOT_JSON = "Send JSON: the Content-Type has to be application/json."
LONGEST_LENGTH = 20
"""Digits; Python takes no number of thousands of them."""

TOO_LARGE = f"A request has at most {LARGEST_BODY:,} bytes. Send less at once."


class TooLarge(HTTPException):
    """A body that goes on after it should have ended. FastAPI takes other errors for a body it can't read."""

    def __init__(self) -> None:
        super().__init__(413, TOO_LARGE)


class Protection:
    """Serves only the hosts that were configured, and reads only JSON of a sensible size.

    A foreign page that lets its own name point here (DNS rebinding) is sent away by its host's name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise TooLarge
            return message

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                carried = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    carried.setdefault(name, value)
            await send(message)

        refusal = _refusal(headers)
        if refusal is not None:
            await refusal(scope, receive, send_protected)
            return
        await self.app(scope, receive_some, send_protected)


def is_known_host(host: str) -> bool:
    """Whether a Host header, with or without a port, is a name that was configured."""
    found = HOST.fullmatch(host)  # IPv6 addresses stand in brackets
    return found is not None and found["name"].lower() in config.current().hosts


def _refusal(headers: Headers) -> ASGIApp | None:
    if not is_known_host(headers.get("host", "")):
        return problem(400, UNKNOWN_HOST)
    length = headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in headers
    if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return problem(415, NOT_JSON)
    if length.isdecimal() and (len(length) > LONGEST_LENGTH or int(length) > LARGEST_BODY):
        return problem(413, TOO_LARGE)
    return None
