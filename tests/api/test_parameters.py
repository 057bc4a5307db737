"""A filter has one name in the API: in the singular, as the record's field is called."""

from typing import Any

import pytest

from api.main import described
from api.parameters import NAMES
from crm_core.models import OpportunityStage
from tests.api.conftest import fields_of

ANYBODYS = {"owner_id", "team_id"}
OF_DEALS = ANYBODYS | {
    "stage",
    "outcome",
    "furthest",
    "been_in",
    "company_id",
    "contact_id",
    "source",
    "close_reason_id",
}
REPEATABLE = {
    "/api/opportunities": OF_DEALS,
    "/api/opportunities/stats": OF_DEALS,
    "/api/metrics/{name}": OF_DEALS,
    "/api/leads": ANYBODYS | {"status", "source"},
    "/api/companies": ANYBODYS | {"industry", "country"},
    "/api/contacts": ANYBODYS | {"company_id"},
}
"""What takes several values, by the path."""


def query_of(path: str) -> list[dict[str, Any]]:
    operation = described()["paths"][path].get("get", {})
    return [each for each in operation.get("parameters", []) if each["in"] == "query"]


@pytest.mark.on_sqlite
def test_what_takes_several_values_is_named_in_the_singular():
    found = {
        path: {each["name"] for each in query_of(path) if each["schema"].get("type") == "array"}
        for path in described()["paths"]
    }

    assert {path: names for path, names in found.items() if names} == REPEATABLE


@pytest.mark.on_sqlite
@pytest.mark.parametrize("path", REPEATABLE)
@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_the_names_of_the_library_are_unknown(client, path, accept):
    for name in (*NAMES, "owner", "stage_id"):
        answer = client.get(path.format(name="won"), params={name: "1"}, headers={"Accept": accept})
        assert fields_of(answer) == [name]


@pytest.mark.on_sqlite
def test_no_description_has_a_name_of_the_library():
    told = {each["name"]: each.get("description", "") for path in REPEATABLE for each in query_of(path)}

    assert [name for name, words in told.items() if any(f"`{field}`" in words for field in NAMES)] == []


@pytest.mark.both_databases
def test_deals_are_filtered_by_stage_company_and_owner(client, given):
    with given() as make:
        owner, acme, zoo = make.user("Rita").id, make.company("Acme").id, make.company("Zoo").id
        for stage in (OpportunityStage.QUALIFICATION, OpportunityStage.DISCOVERY, OpportunityStage.PROPOSAL):
            make.opportunity(name=stage.value, stage=stage, company_id=acme, owner_id=owner)
        make.opportunity(name="elsewhere", stage=OpportunityStage.PROPOSAL, company_id=zoo)

    def names(query: str) -> set[str]:
        return {deal["name"] for deal in client.get(f"/api/opportunities?{query}").json()["items"]}

    assert names("stage=qualification") == {"qualification"}
    assert names("stage=qualification&stage=proposal") == {"qualification", "proposal", "elsewhere"}
    assert names(f"stage=proposal&company_id={acme}&owner_id={owner}") == {"proposal"}
    assert names(f"company_id={acme}&company_id={zoo}&stage=proposal") == {"proposal", "elsewhere"}
