"""What `/api/openapi.json` says beyond what FastAPI makes of the routes: problems, links and examples."""

import io
from collections.abc import Iterator
from typing import Any

from api.example_problems import problem_of
from api.examples import ANSWERS, EXAMPLES
from api.problems import MEDIA_TYPE, Problem
from crm_core.exporting import write_csv

Told = dict[str, Any]

SCHEMAS = "#/components/schemas/"

ID, NEW_DEAL = "$response.body#/id", "$response.body#/opportunity/id"

MADE_BY = {
    "create_opportunity": ("opportunity_id", ID),
    "create_lead": ("lead_id", ID),
    "create_company": ("company_id", ID),
    "create_contact": ("contact_id", ID),
    "convert_lead": ("opportunity_id", NEW_DEAL),
}
"""Which operations make a record, what its id is called in paths, and where the answer has it."""

HEADERS: Told = {
    "ETag": {
        "description": "The version of the record, for If-Match.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"4"',
    },
    "Location": {
        "description": "The path of the record that was created.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/opportunities/13",
    },
    "Content-Disposition": {
        "description": "With CSV: the name of the file.",
        "schema": {"type": "string"},
        "example": 'attachment; filename="opportunities.csv"',
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "schema": {"type": "string", "const": "Bearer"},
        "example": "Bearer",
    },
}


def complete(told: Told) -> Told:
    """The description as FastAPI made it, with all the rest that a program needs to know."""
    schemas = told["components"]["schemas"]
    problem = Problem.model_json_schema(mode="serialization", ref_template=SCHEMAS + "{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for kind, example in EXAMPLES.items():
        schemas[kind.__name__]["examples"] = [example]
    for method, operation in _operations(told):
        operation["summary"] = operation["summary"].capitalize()
        operation["parameters"] = [
            each | {"schema": _sent(each["schema"])}
            for each in operation.get("parameters", [])
            if each["name"] != "Idempotency-Key" or method == "post"
        ]
        for status, answer in operation["responses"].items():
            _complete_answer(operation, status, answer, schemas)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["schema"] = _without_null(content["schema"])
            content["example"] = _example(content["schema"], schemas)
    _add_links({operation["operationId"]: operation for _, operation in _operations(told)})
    return told


def _operations(told: Told) -> Iterator[tuple[str, Told]]:
    for methods in told["paths"].values():
        yield from methods.items()


def _add_links(operations: dict[str, Told]) -> None:
    """Say of each operation that makes a record what can be done with that record next."""
    for maker, (name, where) in MADE_BY.items():
        links = {
            key: {"operationId": key, "parameters": {name: where}}
            for key, operation in operations.items()
            if (name, "path") in {(each["name"], each["in"]) for each in operation["parameters"]}
        }
        for status, answer in operations[maker]["responses"].items():
            if status in ("200", "201"):
                answer["links"] = links


def _sent(schema: Told) -> Told:
    """As it stands in an address: left out rather than null, and a list may name something twice."""
    return {name: value for name, value in _without_null(schema).items() if name != "uniqueItems"}


def _without_null(schema: Told) -> Told:
    """Parameters and bodies are left out rather than sent as null."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if not kinds:
        return rest
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _complete_answer(operation: Told, status: str, answer: Told, schemas: Told) -> None:
    contents = answer.get("content", {})
    headers = list(_headers(operation, status, contents, schemas))
    if headers:
        answer["headers"] = {name: HEADERS[name] for name in headers}
    for kind, content in contents.items():
        if kind == MEDIA_TYPE:
            content["example"] = problem_of(operation, int(status))
        elif kind == "text/csv":
            content["example"] = _table(contents["application/json"]["example"])
        else:
            usual = ANSWERS.get((operation["operationId"], status))
            content["example"] = usual or _example(content["schema"], schemas)


def _headers(operation: Told, status: str, contents: Told, schemas: Told) -> Iterator[str]:
    schema = contents.get("application/json", {}).get("schema", {})
    if status == "412" or {"id", "version"} <= _resolved(schema, schemas).get("properties", {}).keys():
        yield "ETag"
    if status == "201" or (operation["operationId"], status) == ("convert_lead", "200"):
        yield "Location"
    if "text/csv" in contents:
        yield "Content-Disposition"
    if status == "401":
        yield "WWW-Authenticate"


def _resolved(schema: Told, schemas: Told) -> Told:
    name = schema.get("$ref", "").removeprefix(SCHEMAS)
    return dict(schemas[name]) if name else schema


def _example(schema: Told, schemas: Told) -> Any:
    """The schema's own example, or one put together from those of its parts."""
    match _resolved(schema, schemas):
        case {"examples": [first, *_]}:
            return first
        case {"items": items}:
            return [_example(items, schemas)]
        case other:
            return {name: _example(each, schemas) for name, each in other["properties"].items()}


def _table(page: Told) -> str:
    """The rows of the page as CSV."""
    kind = next(kind for kind, example in EXAMPLES.items() if example == page["items"][0])
    text = io.StringIO(newline="")
    write_csv(text, list(kind.model_fields), [kind.model_validate(row) for row in page["items"]])
    return text.getvalue()
