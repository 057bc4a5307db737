"""The API as a program meets it: over HTTP, on a fresh database of each kind."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient

from api import door
from api.main import api
from api.parameters import name_of
from crm_core import clock
from crm_core.models import LeadStatus, OpportunityStage, TokenScope
from crm_core.services import token_service
from tests.builders import Make

HERE = "http://localhost"
THIS_MACHINE = ("127.0.0.1", 50_000)
PROBLEM = "application/problem+json"

PROTECTIVE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer, whatever it is."""

Given = Callable[[], AbstractContextManager[Make]]
Headers = dict[str, str]


@dataclass(frozen=True)
class World:
    """Rita's records, each for something else that is done to one, and the people around her."""

    deal: int
    closing: int
    won: int
    doomed: int
    gone: int
    lead: int
    qualified: int
    doomed_lead: int
    company: int
    doomed_company: int
    contact: int
    doomed_contact: int
    rita: int
    mia: int
    otto: int
    dan: int


@pytest.fixture
def client(database, monkeypatch) -> Iterator[TestClient]:
    """Whoever sits at this machine: nobody has to sign in there."""
    url = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("CRM_DATABASE_URL", url)
    with TestClient(api, base_url=HERE, client=THIS_MACHINE) as client:
        yield client
    door.database(url).close()
    door.database.cache_clear()


@pytest.fixture
def given(database) -> Given:
    """Builders in a transaction of their own, which is over when the API is asked."""

    @contextmanager
    def given() -> Iterator[Make]:
        with database.write() as session:
            yield Make(session)

    return given


@pytest.fixture
def token_of(database) -> Callable[..., Headers]:
    """The header with which a program acts as a user."""

    def token_of(user_id: int, scope: TokenScope = TokenScope.WRITE) -> Headers:
        with database.write() as session:
            made = token_service.create_token(session, user_id, scope=scope)
        return {"Authorization": f"Bearer {made.secret}"}

    return token_of


@pytest.fixture
def world(given) -> World:
    with given() as make:
        people = make.people()
        rita = {"owner_id": people.rita}
        return World(
            deal=make.opportunity(name="Roof", stage=OpportunityStage.PROPOSAL, **rita).id,
            closing=make.opportunity(stage=OpportunityStage.NEGOTIATION, **rita).id,
            won=make.won("12.50", **rita).id,
            doomed=make.opportunity(**rita).id,
            gone=make.opportunity(deleted_at=clock.now(), **rita).id,
            lead=make.lead("Lea", **rita).id,
            qualified=make.lead("Quin", status=LeadStatus.QUALIFIED, company_name="Quarry", **rita).id,
            doomed_lead=make.lead("Lou", **rita).id,
            company=make.company("Acme", **rita).id,
            doomed_company=make.company("Bankrupt", **rita).id,
            contact=make.contact("Carl", **rita).id,
            doomed_contact=make.contact("Cleo", **rita).id,
            rita=people.rita,
            mia=people.mia,
            otto=people.otto,
            dan=make.user("Dan Gone", is_active=False).id,
        )


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    """The answer as the problem that it has to be."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:crm:")
    assert told["title"]
    assert told["detail"][-1] in ".…" or told.get("errors") is not None, told["detail"]
    return told


def as_sent(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a filter under the names that the API has for them."""
    return {name_of(field): value for field, value in fields.items()}


def fields_of(answer: Any) -> list[str]:
    """The fields that the answer refuses."""
    told = problem_of(answer, 422)
    assert all(one["reason"] for one in told["errors"])
    return [one["field"] for one in told["errors"]]
