"""Who calls, and the one transaction that a call is."""

import hashlib
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic_core import to_json
from sqlalchemy.orm import Session

from api import local_only
from crm_core import config
from crm_core.database import Database
from crm_core.errors import InvalidInput, NotAllowed, NotSignedIn
from crm_core.models import LOCAL_USER_ID, Source, TokenScope
from crm_core.services import idempotency_service, token_service

ETAG = re.compile(r'"([0-9]{1,9})"')

bearer = HTTPBearer(auto_error=False, description="A token of `python -m crm_core token create`.")


class ReadOnlyToken(NotAllowed):
    def __init__(self) -> None:
        super().__init__("This token may only read. Create one that may write.")


@dataclass(frozen=True)
class Answer:
    """What a change answers: a record, the status, and where the record is."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Door:
    """One call by somebody who is known."""

    database: Database
    user_id: int
    may_write: bool
    idempotency_key: str | None
    fingerprint: str

    def read(self) -> AbstractContextManager[Session]:
        """A snapshot of what the caller may see."""
        return self.database.read(actor=self.user_id)

    def change(self, action: Callable[[Session], Answer]) -> Response:
        """Do it in one transaction, committed before the answer leaves.

        With an idempotency key the answer is kept in the same transaction, and given again.
        """
        if not self.may_write:
            raise ReadOnlyToken
        with self.database.write(actor=self.user_id, source=Source.API) as session:
            if self.idempotency_key is None:
                answer = action(session)
            else:
                answer = self._once(session, self.idempotency_key, action)
        if answer.status == 204:
            return Response(status_code=204, headers=answer.headers)
        return Response(to_json(answer.content), answer.status, answer.headers, "application/json")

    def _once(self, session: Session, key: str, action: Callable[[Session], Answer]) -> Answer:
        kept = idempotency_service.find_answer(session, key, self.fingerprint)
        if kept is not None:
            return Answer(**kept)
        answer = action(session)
        stored = {
            "content": jsonable_encoder(answer.content),
            "status": answer.status,
            "headers": answer.headers,
        }
        idempotency_service.keep_answer(session, key, self.fingerprint, stored)
        return answer


@cache
def database(url: str) -> Database:
    """The one that every call shares."""
    return Database(url)


async def fingerprint(request: Request) -> str:
    """What makes two requests the same: the method, the address and the body."""
    told = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + await request.body()
    return hashlib.sha256(told).hexdigest()


async def door(
    request: Request,
    afterwards: BackgroundTasks,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Of your choice. The same request with the same key, sent again within a day, gets"
            " the first answer.",
        ),
    ] = None,
) -> Door:
    """Let in who has a token, and without one the local user: `Protection` serves this machine alone."""
    opened = database(config.current().database_url)
    key = idempotency_key if request.method == "POST" else None
    same_as = await fingerprint(request)  # reads the whole body: one too large is refused
    if credentials is not None:
        token = await run_in_threadpool(token_service.use_token, opened, credentials.credentials)
        if token.is_news:
            afterwards.add_task(token_service.note_use, opened, token.id)
            request.state.afterwards = afterwards  # a refusal is an answer, too
        return Door(opened, token.user_id, token.scope is TokenScope.WRITE, key, same_as)
    if "authorization" in request.headers or not _is_from_here(request):
        raise NotSignedIn("Send a token: Authorization: Bearer …")
    return Door(opened, LOCAL_USER_ID, True, key, same_as)


async def if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag that the change is based on; another version is refused.",
            json_schema_extra={"pattern": f"^({ETAG.pattern}|\\*)$"},
        ),
    ] = None,
) -> int | None:
    """The version that the caller knows. Raises `InvalidInput` for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput('If-Match takes the one ETag that the record came with, such as "7".')
    return int(found[1])


def _is_from_here(request: Request) -> bool:
    """Whether a program of this machine or a page of this server sent it, not a foreign page in a browser.

    A foreign web page can send a request without a body, and measure how long the answer takes; browsers
    tell where it comes from.
    """
    is_own_origin = "origin" not in request.headers or local_only.is_own_origin(request.scope)
    return is_own_origin and request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


DoorDep = Annotated[Door, Depends(door)]
VersionDep = Annotated[int | None, Depends(if_match)]
