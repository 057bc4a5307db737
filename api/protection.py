"""What every request has to pass before anybody reads it."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import local_only
from api.problems import HEADERS, problem, refused

LARGEST_BODY = 1_000_000
"""Bytes."""

NOT_JSON = "Send JSON: the Content-Type has to be application/json."
LONGEST_LENGTH = 20
"""Digits; Python takes no number of thousands of them."""

TOO_LARGE = f"A request has at most {LARGEST_BODY:,} bytes. Send less at once."


class TooLarge(HTTPException):
    """A body that goes on after it should have ended. FastAPI takes other errors for a body it can't read."""

    def __init__(self) -> None:
        super().__init__(413, TOO_LARGE)


class Protection:
    """Serves only direct connections from this machine, and reads only JSON of a sensible size."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise TooLarge
            return message

        async def send_protected(message: Message) -> None:
            if message["type"].endswith("http.response.start"):  # a refused websocket has one, too
                carried = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    carried.setdefault(name, value)
            await send(message)

        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_protected)
            return
        await self.app(scope, receive_some, send_protected)


def _refusal(scope: Scope) -> ASGIApp | None:
    elsewhere = local_only.refusal(scope)
    if elsewhere is not None:
        return refused(elsewhere)
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in headers
    if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return problem(415, NOT_JSON)
    if length.isdecimal() and (len(length) > LONGEST_LENGTH or int(length) > LARGEST_BODY):
        return problem(413, TOO_LARGE)
    return None
