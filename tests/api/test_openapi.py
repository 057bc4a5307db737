"""The description is what the API does, so that a generated client is usable."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

import api as package
from api.examples import ANSWERS, EXAMPLES
from api.main import api
from crm_core.schemas.company import CompanyResponse
from crm_core.schemas.contact import ContactResponse
from crm_core.schemas.user import UserResponse
from tests.api.calls import CALLS, Right
from tests.api.conftest import PROBLEM

Operation = dict[str, Any]

DESCRIBED = ("ETag", "Location", "Content-Disposition", "WWW-Authenticate")
"""Headers that a program goes by."""


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


def wrong(value: Any, schema: Any, description: dict[str, Any]) -> list[str]:
    """What speaks against the value being one of those that the schema describes."""
    whole = schema | {"components": description["components"]}
    return [str(each) for each in Draft202012Validator(whole).iter_errors(value)]


def contents(operation: Operation) -> Iterator[tuple[str, str, Any]]:
    """Every body that the operation takes and gives: which one, its media type, and what is said of it."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, content
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            yield status, kind, content


def keywords(told: Any) -> Iterator[str]:
    """Every key in the description, however deep."""
    if isinstance(told, dict):
        yield from told
        for each in told.values():
            yield from keywords(each)
    if isinstance(told, list):
        for each in told:
            yield from keywords(each)


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
        if "If-Match" in parameters(told, "header"):
            expected |= {"404", "412"}
        assert expected <= told["responses"].keys(), name
        for status, answer in told["responses"].items():
            assert answer["description"], (name, status)
            if status >= "400":
                assert answer["content"].keys() == {PROBLEM}, (name, status)
                assert answer["content"][PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_body_and_every_answer_has_an_example_that_is_right(description, operations):
    for name, told in operations.items():
        for which, kind, content in contents(told):
            assert wrong(content["example"], content["schema"], description) == [], (name, which)
            if kind == PROBLEM:
                assert content["example"]["status"] == int(which), name
                assert content["example"]["title"] == HTTPStatus(int(which)).phrase, name


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_example_is_what_the_program_itself_makes_of_it(kind):
    example = EXAMPLES[kind]

    read = kind.model_validate(example).model_dump(mode="json")

    assert {name: read[name] for name in example} == example


def test_the_examples_tell_one_story(description):
    """A key stands for the same name everywhere."""
    called = {}
    records = [each for each in (*EXAMPLES.values(), *ANSWERS.values()) if isinstance(each, dict)]
    for record in records:
        for name, value in record.items():
            if name.endswith("_name") and record.get(name.replace("_name", "_id")) is not None:
                key = name, record[name.replace("_name", "_id")]
                assert called.setdefault(key, value) == value
    for kind, name in ((CompanyResponse, "company"), (ContactResponse, "contact"), (UserResponse, "owner")):
        assert called[f"{name}_name", EXAMPLES[kind]["id"]] == EXAMPLES[kind]["name"]


@pytest.mark.on_sqlite
def test_every_example_of_a_body_is_taken(client, world, operations):
    """A record that it names may be missing here, or a rule may speak against it; it is never invalid."""
    for name, told in operations.items():
        if "requestBody" in told:
            body = told["requestBody"]["content"]["application/json"]["example"]
            path = f"/api{CALLS[name].path.format(**vars(world))}"
            answer = client.request(told["method"], path, json=body)
            assert answer.status_code in (200, 201, 404, 409), (name, answer.text)


def test_every_filter_that_is_not_obvious_is_explained(operations):
    for name, told in operations.items():
        for parameter, each in parameters(told, "query").items():
            obvious = {"sort", "stage", "status", "source", "industry", "country", "outcome"}
            assert parameter in obvious or each["description"][-1] == ".", (name, parameter)


def test_what_can_be_left_out_is_not_described_as_null(operations):
    """A generated client would send it: there is no null in an address, nor a body that is null."""
    for name, told in operations.items():
        body = told.get("requestBody", {}).get("content", {"": {"schema": {}}})
        sent = [each["schema"] for each in (*told["parameters"], *body.values())]
        assert [each for each in sent if {"type": "null"} in each.get("anyOf", [])] == [], name


def test_only_a_post_takes_an_idempotency_key(operations):
    for name, told in operations.items():
        assert ("Idempotency-Key" in parameters(told, "header")) == (told["method"] == "POST"), name


def test_bounds_are_told_in_words_that_a_schema_knows(description):
    assert set(keywords(description)) & {"ge", "gt", "le", "lt", "max_length", "min_length"} == set()


def test_money_and_instants_are_told_exactly(description):
    schemas = description["components"]["schemas"]
    deal = schemas["OpportunityResponse"]["properties"]
    money, instant = deal["expected_value"]["anyOf"][0], deal["created_at"]

    for value in ("12.50", "0", "1.234"):
        assert wrong(value, money, description) == [], value
    for value in ("12.", "1e3", "-1.00"):
        assert wrong(value, money, description), value
    for value in ("2026-03-18T14:05:12.345678Z", "2026-03-18T14:05:12Z"):
        assert wrong(value, instant, description) == []
    assert wrong("2026-03-18T14:05:12+01:00", instant, description)
    taken = schemas["OpportunityCreate"]["properties"]["expected_value"]
    for value in (12.5, 0, "12.50", "9999999999999.99", None):
        assert wrong(value, taken, description) == []
    for value in (-1, 1e14, "much", "-1", True):
        assert wrong(value, taken, description), value


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


@pytest.mark.on_sqlite
def test_a_list_in_an_address_may_name_something_twice(client, operations):
    assert "uniqueItems" not in set(keywords([parameters(told, "query") for told in operations.values()]))
    for query in ("owner_id=1&owner_id=1", "stage=proposal&stage=proposal", "source=Fair&source=Fair"):
        assert client.get(f"/api/opportunities?{query}").status_code == 200


def test_who_needs_a_token_is_told(operations):
    for name, told in operations.items():
        assert bool(told.get("security")) == (CALLS[name].right is not Right.ANYBODY)


def test_every_operation_answers_as_it_is_described(client, world, description, operations):
    for name, call in CALLS.items():
        answer = call.by(client, world)
        told = operations[name]["responses"][str(answer.status_code)]
        told_headers = told.get("headers", {}).keys() - {"Content-Disposition"}  # it comes with CSV
        assert told_headers == {each for each in DESCRIBED if each in answer.headers}, name
        if answer.status_code == 204:
            assert (answer.content, "content" in told) == (b"", False)
            continue
        schema = told["content"][answer.headers["content-type"]]["schema"]
        assert wrong(answer.json(), schema, description) == [], name


@pytest.mark.on_sqlite
def test_a_problem_is_as_it_is_described(client, world, description):
    schema = {"$ref": "#/components/schemas/Problem"}

    for answer in (
        client.get("/api/opportunities/999"),
        client.post("/api/opportunities", json={}),
        client.post(f"/api/opportunities/{world.won}/move", json={"to": "proposal"}),
        client.put(f"/api/leads/{world.lead}", json={}, headers={"If-Match": '"7"'}),
        client.get("/api/nowhere"),
    ):
        assert wrong(answer.json(), schema, description) == []


@pytest.mark.on_sqlite
def test_the_documentation_shows_the_same(client, description):
    assert client.get("/api/openapi.json").json() == description
