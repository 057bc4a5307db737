"""What `/api/openapi.json` says beyond what FastAPI gathers from the routes."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from api.problems import Problem

Told = dict[str, Any]

ID, NEW_DEAL = "$response.body#/id", "$response.body#/opportunity/id"

MADE_BY = {
    "create_opportunity": ("opportunity_id", ID),
    "create_lead": ("lead_id", ID),
    "create_company": ("company_id", ID),
    "create_contact": ("contact_id", ID),
    "convert_lead": ("opportunity_id", NEW_DEAL),
}
"""Which operations make a record, what its id is called in paths, and where the answer has it."""


def of(api: FastAPI) -> Told:
    """The whole description, made once."""
    if api.openapi_schema is None:
        told = FastAPI.openapi(api)
        told["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        operations = [*_operations(told)]
        for operation in operations:
            _add_links(operation, operations)
    return FastAPI.openapi(api)


def _operations(told: Told) -> Iterator[Told]:
    for methods in told["paths"].values():
        yield from methods.values()


def _add_links(made: Told, operations: list[Told]) -> None:
    """Say of an operation that makes a record what can be done with that record next."""
    if made["operationId"] not in MADE_BY:
        return
    name, where = MADE_BY[made["operationId"]]
    links = {
        next_["operationId"]: {"operationId": next_["operationId"], "parameters": {name: where}}
        for next_ in operations
        if name in {each["name"] for each in next_.get("parameters", [])}
    }
    for status in ("200", "201"):
        if status in made["responses"]:
            made["responses"][status]["links"] = links
