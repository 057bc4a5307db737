"""The description is what the API does, so that a generated client is usable."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

import api as package
from api.main import api
from tests.api.calls import CALLS, Right
from tests.api.conftest import PROBLEM, on_sqlite

Operation = dict[str, Any]


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return json.loads(json.dumps(api.openapi()))


@pytest.fixture(scope="module")
def operations(description) -> dict[str, Operation]:
    """Every operation by its id, with its method and its path."""
    return {
        told["operationId"]: told | {"method": method.upper(), "path": path}
        for path, methods in description["paths"].items()
        for method, told in methods.items()
    }


def functions() -> Iterator[str]:
    """The names of the functions behind the routes of every noun."""
    for found in pkgutil.iter_modules(package.__path__):
        router = getattr(importlib.import_module(f"{package.__name__}.{found.name}"), "router", None)
        if router is not None:
            yield from (route.endpoint.__name__ for route in router.routes if isinstance(route, APIRoute))


def parameters(operation: Operation, place: str) -> dict[str, Any]:
    return {each["name"]: each for each in operation.get("parameters", []) if each["in"] == place}


def references(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        if "$ref" in told:
            yield told["$ref"]
        for each in told.values():
            yield from references(each)
    if isinstance(told, list):
        for each in told:
            yield from references(each)


def names(told: Any) -> Iterator[str]:
    """Every key, wherever in it."""
    if isinstance(told, dict):
        yield from told
    for each in told.values() if isinstance(told, dict) else told if isinstance(told, list) else []:
        yield from names(each)


def test_an_operation_is_called_like_its_function(description, operations):
    names = list(functions())

    assert len(names) == len(set(names)) == sum(map(len, description["paths"].values()))
    assert set(operations) == set(names)


def test_every_operation_is_tried_in_these_tests(operations):
    assert set(CALLS) == set(operations)
    for name, call in CALLS.items():
        told = operations[name]
        assert call.method == told["method"]
        assert call.path.count("/") == told["path"].removeprefix("/api").count("/")


def test_every_operation_says_what_it_does(operations):
    for name, told in operations.items():
        assert told["summary"], name
        assert told["description"][-1] in ".?", name
        assert told["tags"], name


def test_every_operation_names_its_errors(operations):
    for name, told in operations.items():
        if name == "health":
            continue
        expected = {"400", "401", "403", "422", "500", "503"}
        if "requestBody" in told:
            expected |= {"409", "413", "415"}
        if any(each.endswith("_id") for each in parameters(told, "path")):
            expected |= {"404"}
        if "if-match" in parameters(told, "header"):
            expected |= {"404", "412"}
        assert expected <= told["responses"].keys(), name
        for status, answer in told["responses"].items():
            assert answer["description"], (name, status)
            if status >= "400":
                assert answer["content"] == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}, (
                    name,
                    status,
                )


def test_every_reference_leads_somewhere(description):
    known = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}

    assert set(references(description)) <= known


def test_what_is_made_leads_to_what_can_be_done_with_it(operations):
    for name, parameter in (
        ("create_opportunity", "opportunity_id"),
        ("create_lead", "lead_id"),
        ("create_company", "company_id"),
        ("create_contact", "contact_id"),
        ("convert_lead", "opportunity_id"),
    ):
        links = operations[name]["responses"]["201"]["links"]
        followers = {each for each, told in operations.items() if parameter in parameters(told, "path")}
        assert set(links) == {link["operationId"] for link in links.values()} == followers
        assert all(parameter in link["parameters"] for link in links.values())
    assert "convert_lead" in operations["create_lead"]["responses"]["201"]["links"]


def test_every_bound_is_told(description):
    """Pydantic leaves a bound that JSON Schema does not know under its own name."""
    assert {"ge", "gt", "le", "lt"} & set(names(description["components"])) == set()


def test_who_needs_a_token_is_told(operations):
    for name, told in operations.items():
        assert bool(told.get("security")) == (CALLS[name].right is not Right.ANYBODY)


def test_every_operation_answers_as_it_is_described(client, world, description, operations):
    for name, call in CALLS.items():
        answer = call.by(client, world)
        told = operations[name]["responses"][str(answer.status_code)]
        if answer.status_code == 204:
            assert (answer.content, "content" in told) == (b"", False)
            continue
        schema = told["content"][answer.headers["content-type"]]["schema"]
        whole = schema | {"components": description["components"]}
        wrong = [str(each) for each in Draft202012Validator(whole).iter_errors(answer.json())]
        assert not wrong, (name, wrong)


@on_sqlite
def test_a_problem_is_as_it_is_described(client, world, description):
    schema = description["components"]["schemas"]["Problem"]

    for answer in (
        client.get("/api/opportunities/999"),
        client.post("/api/opportunities", json={}),
        client.post(f"/api/opportunities/{world.won}/move", json={"to": "proposal"}),
        client.put(f"/api/leads/{world.lead}", json={}, headers={"If-Match": '"7"'}),
        client.get("/api/nowhere"),
    ):
        assert list(Draft202012Validator(schema).iter_errors(answer.json())) == []


@on_sqlite
def test_the_documentation_shows_the_same(client, description):
    assert client.get("/api/openapi.json").json() == description
