"""One call of every operation, what it takes to make it, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import Headers, World


class Right(StrEnum):
    ANYBODY = "whoever comes along"
    SIGNED_IN = "whoever is signed in"
    READ = "whoever may read the record; to the others it does not exist"
    CREATE = "whoever is signed in and may write"
    CHANGE = "the owner, their manager, an admin"
    BULK = "the same, for many at once"

    @property
    def writes(self) -> bool:
        return self in (Right.CREATE, Right.CHANGE, Right.BULK)


@dataclass(frozen=True)
class Call:
    """`body` is made for the records that there are; they are named in `path`, too."""

    right: Right
    method: str
    path: str
    status: int = 200
    body: Callable[[World], Any] | None = None

    def by(self, client: TestClient, world: World, headers: Headers | None = None) -> Any:
        """What somebody is answered who makes it."""
        sent = {} if self.body is None else {"json": self.body(world)}
        return client.request(
            self.method, f"/api{self.path.format(**vars(world))}", headers=headers or {}, **sent
        )


def _new(_world: World) -> dict[str, str]:
    return {"name": "New"}


def _other(_world: World) -> dict[str, str]:
    return {"name": "Other"}


CALLS = {
    "health": Call(Right.ANYBODY, "GET", "/health"),
    "list_opportunities": Call(Right.SIGNED_IN, "GET", "/opportunities"),
    "get_opportunity_stats": Call(Right.SIGNED_IN, "GET", "/opportunities/stats"),
    "get_opportunity": Call(Right.READ, "GET", "/opportunities/{deal}"),
    "get_opportunity_history": Call(Right.READ, "GET", "/opportunities/{deal}/history"),
    "create_opportunity": Call(Right.CREATE, "POST", "/opportunities", 201, _new),
    "update_opportunities": Call(
        Right.BULK, "PATCH", "/opportunities", body=lambda w: {"ids": [w.deal], "changes": {"source": "Fair"}}
    ),
    "update_opportunity": Call(Right.CHANGE, "PUT", "/opportunities/{deal}", body=_other),
    "delete_opportunity": Call(Right.CHANGE, "DELETE", "/opportunities/{doomed}", 204),
    "restore_opportunity": Call(Right.CHANGE, "POST", "/opportunities/{gone}/restore"),
    "move_opportunity": Call(
        Right.CHANGE, "POST", "/opportunities/{deal}/move", body=lambda w: {"to": "negotiation"}
    ),
    "close_opportunity": Call(
        Right.CHANGE, "POST", "/opportunities/{closing}/close", body=lambda w: {"outcome": "won"}
    ),
    "reopen_opportunity": Call(
        Right.CHANGE, "POST", "/opportunities/{won}/reopen", body=lambda w: {"to": "proposal"}
    ),
    "convert_lead": Call(Right.CHANGE, "POST", "/opportunities/convert/{qualified}", 201),
    "list_metrics": Call(Right.SIGNED_IN, "GET", "/metrics"),
    "get_metric": Call(Right.SIGNED_IN, "GET", "/metrics/funnel"),
    "list_leads": Call(Right.SIGNED_IN, "GET", "/leads"),
    "get_lead": Call(Right.READ, "GET", "/leads/{lead}"),
    "create_lead": Call(Right.CREATE, "POST", "/leads", 201, _new),
    "update_lead": Call(Right.CHANGE, "PUT", "/leads/{lead}", body=_other),
    "delete_lead": Call(Right.CHANGE, "DELETE", "/leads/{doomed_lead}", 204),
    "list_companies": Call(Right.SIGNED_IN, "GET", "/companies"),
    "get_company": Call(Right.READ, "GET", "/companies/{company}"),
    "create_company": Call(Right.CREATE, "POST", "/companies", 201, _new),
    "update_company": Call(Right.CHANGE, "PUT", "/companies/{company}", body=_other),
    "delete_company": Call(Right.CHANGE, "DELETE", "/companies/{doomed_company}", 204),
    "list_contacts": Call(Right.SIGNED_IN, "GET", "/contacts"),
    "get_contact": Call(Right.READ, "GET", "/contacts/{contact}"),
    "create_contact": Call(Right.CREATE, "POST", "/contacts", 201, _new),
    "update_contact": Call(Right.CHANGE, "PUT", "/contacts/{contact}", body=_other),
    "delete_contact": Call(Right.CHANGE, "DELETE", "/contacts/{doomed_contact}", 204),
    "list_users": Call(Right.SIGNED_IN, "GET", "/users"),
    "get_user": Call(Right.SIGNED_IN, "GET", "/users/{rita}"),
    "list_teams": Call(Right.SIGNED_IN, "GET", "/teams"),
    "get_settings": Call(Right.SIGNED_IN, "GET", "/settings"),
    "list_stages": Call(Right.SIGNED_IN, "GET", "/stages"),
    "list_close_reasons": Call(Right.SIGNED_IN, "GET", "/close-reasons"),
}
