"""The page at /docs in a real browser: whoever tries an operation out there gets a real answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy.orm import Session

from crm_core.database import Database
from crm_core.models import Lead, LeadStatus, Opportunity, OpportunityStage
from tests.builders import Make

DEAL, DOOMED, CLOSING, LEAD = 1, 2, 3, 1
"""Ids of what the workplace has."""


@dataclass(frozen=True)
class Try:
    """What is typed in, what comes back, and what the database has then, when the answer is looked at."""

    status: int
    is_kept: Callable[[Session, Any], bool]
    path: dict[str, int] | None = None
    body: dict[str, Any] | None = None


TRIES = {
    "list_opportunities": Try(200, lambda session, told: told["items"][0]["name"] == "Bakery"),
    "get_opportunity_stats": Try(200, lambda session, told: Decimal(told["open"]["value"]) >= 30_000),
    "get_opportunity": Try(
        200, lambda session, told: told["name"] == "Bakery", path={"opportunity_id": DEAL}
    ),
    "create_opportunity": Try(
        201,
        lambda session, told: session.get_one(Opportunity, told["id"]).expected_value == Decimal("12.50"),
        body={"name": "Wind farm", "expected_value": "12.50"},
    ),
    "update_opportunity": Try(
        200,
        lambda session, told: session.get_one(Opportunity, DEAL).next_step == "Call them",
        path={"opportunity_id": DEAL},
        body={"next_step": "Call them"},
    ),
    "delete_opportunity": Try(
        204,
        lambda session, told: session.get_one(Opportunity, DOOMED).deleted_at is not None,
        path={"opportunity_id": DOOMED},
    ),
    "convert_lead": Try(
        201,
        lambda session, told: session.get_one(Lead, LEAD).opportunity_id == told["opportunity"]["id"],
        path={"lead_id": LEAD},
        body={},
    ),
    "close_opportunity": Try(
        200,
        lambda session, told: session.get_one(Opportunity, CLOSING).is_won,
        path={"opportunity_id": CLOSING},
        body={"outcome": "won"},
    ),
}


@pytest.fixture
def workplace(database: Database) -> Database:
    with database.write() as session:
        make = Make(session)
        made = [
            make.opportunity(name="Bakery", expected_value=Decimal(30_000)).id,
            make.opportunity(name="Doomed").id,
            make.opportunity(name="Closing", stage=OpportunityStage.NEGOTIATION).id,
        ]
        assert [*made, make.lead(status=LeadStatus.QUALIFIED).id] == [DEAL, DOOMED, CLOSING, LEAD]
    return database


def test_every_noun_is_listed_and_an_operation_can_be_tried_out(look, address, workplace):
    seen = look(address)
    docs = seen.page
    docs.goto(f"{address}/docs")
    for noun in ("opportunities", "leads", "companies", "contacts", "users", "settings", "health"):
        expect(docs.locator(f"#operations-tag-{noun}")).to_be_visible()
    assert docs.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    for name, wanted in TRIES.items():
        operation = docs.locator(f"#operations-opportunities-{name}")
        told = try_out(docs, operation, wanted)
        shown = operation.locator(".live-responses-table tbody .response-col_status")
        expect(shown).to_have_text(str(wanted.status))
        with workplace.read() as session:
            assert wanted.is_kept(session, told), name
        operation.locator(".opblock-summary-control").click()  # those left open make the page twice as slow
        expect(operation.get_by_role("button", name="Execute")).to_have_count(0)
    assert (seen.complaints, seen.foreign) == ([], [])


def try_out(docs: Page, operation: Locator, wanted: Try) -> Any:
    """Fill the operation in and send it; what is answered."""
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    for parameter, value in (wanted.path or {}).items():
        operation.locator(f'tr[data-param-name="{parameter}"] input').fill(str(value))
    if wanted.body is not None:
        operation.locator("textarea").fill(json.dumps(wanted.body))
    with docs.expect_response("**/api/opportunities**") as answered:
        operation.get_by_role("button", name="Execute").click()
    return None if wanted.status == 204 else answered.value.json()
