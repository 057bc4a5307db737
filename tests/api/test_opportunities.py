"""Every endpoint of the deals: what it answers, what it refuses, and that it agrees with the service."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm_core import clock, history
from crm_core.filters import OpportunityFilter
from crm_core.models import Assumed, LeadStatus, Opportunity, OpportunityStage, Outcome, Settings
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.services import opportunity_service, settings_service
from crm_core.sorting import OpportunitySort
from tests.api.calls import CALLS
from tests.api.conftest import as_sent, fields_of, problem_of
from tests.builders import Make, reason_id

DEALS = "/api/opportunities"
S = OpportunityStage
A_DAY = timedelta(days=1)

FULL = {
    "name": "Solar roof",
    "stage": "discovery",
    "expected_value": "12.50",
    "probability": 33,
    "expected_close_date": "2026-12-31",
    "next_step": "Call Ada",
    "next_step_date": "2026-12-01",
    "source": "Fair",
    "description": "On the barn.\nSouth side.",
}
OTHER = {
    "name": "Wind park",
    "stage": "proposal",
    "expected_value": "0.07",
    "probability": 44,
    "expected_close_date": "2027-01-31",
    "next_step": "Visit",
    "next_step_date": "2027-01-01",
    "source": "Web",
    "description": "Offshore",
}
WRONG = {
    "name": " ",
    "company_id": 0,
    "contact_id": "x",
    "owner_id": True,
    "stage": "won",
    "expected_value": "-0.01",
    "currency": "dollars",
    "probability": 101,
    "expected_close_date": "2026-02-30",
    "next_step": "x" * 501,
    "next_step_date": "soon",
    "source": "x" * 101,
    "description": "x" * 100_001,
    "request_id": "",
}
MONEY = (
    ("12.5", "12.50"),
    (12.5, "12.50"),
    (0.1, "0.10"),
    (7, "7.00"),
    ("0", "0.00"),
    ("12.500000", "12.50"),
    ("1e3", "1000.00"),
    ("9999999999999.99", "9999999999999.99"),
    (None, None),
)
"""What is sent, and what is told."""

FOLLOWS = {"version", "updated_at"}
"""What changes with every change."""


@pytest.fixture
def linked(given) -> dict[str, int]:
    with given() as make:
        company = make.company("Acme").id
        contact = make.contact("Ada", company_id=company).id
        return {"company_id": company, "contact_id": contact, "owner_id": make.user("Rita").id}


@pytest.fixture
def deal(client, linked) -> dict[str, Any]:
    return client.post(DEALS, json=FULL | linked).json()


def deal_in(client, stage: str = "proposal", **answers: Any) -> str:
    """The address of a new deal."""
    made = client.post(DEALS, json={"name": "Roof", "stage": stage} | answers)
    return made.headers["Location"]


def ids_of(page: dict[str, Any]) -> list[int]:
    return [row["id"] for row in page["items"]]


# Creating and reading one


def test_a_deal_is_created_with_everything_it_was_sent(client, linked):
    before = clock.now()

    answer = client.post(DEALS, json=FULL | linked)

    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{DEALS}/{told['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert {name: told[name] for name in FULL | linked} == FULL | linked
    assert (told["company_name"], told["contact_name"], told["owner_name"]) == ("Acme", "Ada", "Rita")
    assert (told["version"], told["closed_at"], told["lead_id"]) == (1, None, None)
    assert told["created_at"] == told["updated_at"] == told["stage_entered_at"]
    assert told["created_at"].endswith("Z")
    assert before <= datetime.fromisoformat(told["created_at"]) <= clock.now()
    again = client.get(answer.headers["Location"])
    assert (again.status_code, again.json(), again.headers["ETag"]) == (200, told, '"1"')


def test_a_deal_needs_no_more_than_a_name(client):
    told = client.post(DEALS, json={"name": "Boat"}).json()

    assert (told["stage"], told["probability"], told["expected_value"]) == ("qualification", 10, None)


def test_the_same_request_creates_one_deal(client):
    draft = {"name": "Boat", "request_id": "r1"}

    first, second = client.post(DEALS, json=draft), client.post(DEALS, json=draft)

    assert (second.json(), second.headers["Location"]) == (first.json(), first.headers["Location"])
    assert client.get(DEALS).json()["total"] == 1


@pytest.mark.on_sqlite
def test_each_wrong_field_is_named(client):
    assert set(WRONG) == set(OpportunityCreate.model_fields)

    assert sorted(fields_of(client.post(DEALS, json=WRONG))) == sorted(WRONG)
    assert fields_of(client.post(DEALS, json={})) == ["name"]
    assert fields_of(client.post(DEALS)) == [""]
    assert client.get(DEALS).json()["total"] == 0


def test_what_a_deal_points_to_is_there(client, deal):
    for field in ("company_id", "contact_id", "owner_id"):
        missing = {field: 2**31 - 1}
        for answer in (
            client.post(DEALS, json={"name": "Boat"} | missing),
            client.put(f"{DEALS}/{deal['id']}", json=missing),
        ):
            assert problem_of(answer, 404)["type"] == "urn:crm:record-not-found"
    assert client.get(DEALS).json()["items"] == [deal]


def test_nobody_who_left_gets_a_deal(client, given):
    with given() as make:
        gone = make.user("Dan", is_active=False).id

    answer = client.post(DEALS, json={"name": "Boat", "owner_id": gone})

    assert problem_of(answer, 409)["type"] == "urn:crm:owner-is-inactive"


@pytest.mark.on_sqlite
def test_a_deal_is_not_born_closed(client):
    answer = client.post(DEALS, json={"name": "Boat", "stage": "closed_won"})

    assert problem_of(answer, 409)["type"] == "urn:crm:close-needs-outcome"


def test_there_is_no_such_deal(client, world):
    for deal_id in (world.gone, 999, 2**31 - 1):
        at = f"{DEALS}/{deal_id}"
        answers = [
            client.get(at),
            client.put(at, json={"name": "Boat"}),
            client.delete(at),
            client.post(f"{at}/move", json={"to": "proposal"}),
            client.post(f"{at}/close", json={"outcome": "won"}),
            client.post(f"{at}/reopen", json={"to": "proposal"}),
            client.post(f"{DEALS}/convert/999"),
        ]
        if deal_id != world.gone:
            answers += [client.get(f"{at}/history"), client.post(f"{at}/restore")]
        for answer in answers:
            assert problem_of(answer, 404)["type"] == "urn:crm:record-not-found"


@pytest.mark.on_sqlite
def test_an_id_is_a_number_that_a_database_holds(client):
    for key in ("0", "-1", f"{2**31}", f"{2**63}", "9" * 5_000, "x", "%00", "NaN", "1.5"):
        at = f"{DEALS}/{key}"
        assert fields_of(client.get(at)) == ["opportunity_id"]
        assert fields_of(client.delete(at)) == ["opportunity_id"]
        assert fields_of(client.put(at, json={})) == ["opportunity_id"]
        assert fields_of(client.post(f"{DEALS}/convert/{key}")) == ["lead_id"]


@pytest.mark.parametrize("noun", ["opportunities", "leads"])
def test_money_is_text_with_two_decimals(client, noun):
    field = {"opportunities": "expected_value", "leads": "estimated_value"}[noun]

    for sent, told in MONEY:
        created = client.post(f"/api/{noun}", json={"name": "Roof", field: sent})
        assert created.json()[field] == told
        assert client.get(created.headers["Location"]).json()[field] == told
    listed = client.get(f"/api/{noun}", params={"sort": "created"}).json()["items"]
    assert [row[field] for row in listed] == [told for _, told in MONEY]


# Changing one


def test_what_is_not_sent_stays(client, deal, given):
    with given() as make:
        links = {"company_id": make.company("Zoo").id, "contact_id": make.contact("Bob").id}
        changes = OTHER | links | {"owner_id": make.user("Nora").id}
    assert set(changes) == set(OpportunityUpdate.model_fields) - {"currency"}
    at = f"{DEALS}/{deal['id']}"

    for version, (field, value) in enumerate(changes.items(), start=2):
        answer = client.put(at, json={field: value})
        told = answer.json()
        follows = FOLLOWS | {field.replace("_id", "_name")}
        if field == "stage":
            follows |= {"probability", "stage_entered_at"}
        assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{version}"')
        assert told[field] == value
        assert {name for name in told if told[name] != deal[name]} <= {field} | follows
        assert client.get(at).json() == told
        deal = told


def test_null_empties(client, deal):
    at = f"{DEALS}/{deal['id']}"
    filled = {"name", "stage", "probability"}
    empties = dict.fromkeys(OpportunityUpdate.model_fields.keys() - filled - {"currency"})

    told = client.put(at, json=empties).json()

    assert {name: told[name] for name in empties} == empties
    assert (told["company_name"], told["contact_name"], told["owner_name"]) == (None, None, None)
    assert {name: told[name] for name in filled} == {name: deal[name] for name in filled}
    assert set(fields_of(client.put(at, json=dict.fromkeys(filled)))) == filled
    assert client.get(at).json() == told


def test_nothing_new_is_no_change(client, deal):
    at = f"{DEALS}/{deal['id']}"

    for changes in ({}, {"name": deal["name"], "expected_value": "12.5"}):
        answer = client.put(at, json=changes)
        assert (answer.json(), answer.headers["ETag"]) == (deal, '"1"')


@pytest.mark.on_sqlite
def test_each_wrong_change_is_named(client, deal):
    wrong = {name: value for name, value in WRONG.items() if name != "request_id"}
    at = f"{DEALS}/{deal['id']}"

    assert sorted(fields_of(client.put(at, json=wrong))) == sorted(wrong)
    for field in ("id", "version", "created_at", "closed_at", "lead_id", "request_id", "deleted_at", "x"):
        assert fields_of(client.put(at, json={field: None})) == [field]
    assert client.get(at).json() == deal


def test_a_closed_deal_keeps_its_stage(client):
    at = deal_in(client)
    client.post(f"{at}/close", json={"outcome": "won"})

    assert (
        problem_of(client.put(at, json={"stage": "proposal"}), 409)["type"] == "urn:crm:opportunity-is-closed"
    )
    assert problem_of(client.put(at, json={"probability": 5}), 409)
    assert client.put(at, json={"name": "Barn"}).json()["name"] == "Barn"


def test_a_deleted_deal_is_gone_from_everything_until_it_is_restored(client, deal):
    at = f"{DEALS}/{deal['id']}"
    stats = client.get(f"{DEALS}/stats").json()
    assert stats["open"]["value"] == "12.50"

    answer = client.delete(at)

    assert (answer.status_code, answer.content) == (204, b"")
    assert problem_of(client.get(at), 404)
    assert problem_of(client.delete(at), 404)
    page = client.get(DEALS).json()
    assert (page["items"], page["total"], page["without_value"]) == ([], 0, 0)
    assert (Decimal(page["value"]), Decimal(page["weighted"])) == (0, 0)
    assert client.get(f"{DEALS}/stats").json()["open"]["deals"] == 0
    assert client.get(DEALS, headers={"Accept": "text/csv"}).text.count("\r\n") == 1

    restored = client.post(f"{at}/restore")

    told = restored.json()
    assert (restored.status_code, restored.headers["ETag"]) == (200, '"3"')
    assert {name for name in told if told[name] != deal[name]} == FOLLOWS
    assert client.get(at).json() == client.get(DEALS).json()["items"][0] == told
    assert client.get(f"{DEALS}/stats").json()["open"] == stats["open"]
    assert client.post(f"{at}/restore").json() == told


def test_a_deal_of_a_deleted_company_stays_away(client, given, deal):
    at = f"{DEALS}/{deal['id']}"
    client.put(at, json={"contact_id": None})
    client.delete(at)
    assert client.delete(f"/api/contacts/{deal['contact_id']}").status_code == 204
    assert client.delete(f"/api/companies/{deal['company_id']}").status_code == 204

    assert problem_of(client.post(f"{at}/restore"), 409)["type"] == "urn:crm:belongs-to-deleted"


# Moving, closing, reopening


def test_a_deal_is_moved(client, deal):
    at = f"{DEALS}/{deal['id']}/move"

    told = client.post(at, json={"to": "negotiation"}).json()
    assert (told["stage"], told["probability"], told["version"]) == ("negotiation", 75, 2)
    assert told["stage_entered_at"] == told["updated_at"] > deal["stage_entered_at"]
    told = client.post(at, json={"to": "discovery", "probability": 99}).json()
    assert (told["stage"], told["probability"]) == ("discovery", 99)

    assert fields_of(client.post(at, json={})) == ["to"]
    assert fields_of(client.post(at, json={"to": "won", "probability": -1})) == ["to", "probability"]
    assert fields_of(client.post(at, json={"to": "proposal", "stage": "proposal"})) == ["stage"]
    assert (
        problem_of(client.post(at, json={"to": "closed_won"}), 409)["type"] == "urn:crm:close-needs-outcome"
    )


@pytest.mark.parametrize("stage", ["proposal", "negotiation"])
def test_a_deal_is_won(client, stage):
    at = deal_in(client, stage, expected_value=5)

    answer = client.post(f"{at}/close", json={"outcome": "won", "note": "At last"})

    told = answer.json()
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    assert (told["stage"], told["probability"], told["close_note"]) == ("closed_won", 100, "At last")
    assert told["closed_at"] == told["updated_at"]
    assert told["actual_close_date"] == told["closed_at"][:10]
    assert client.get(at).json() == told
    closed = client.get(f"{DEALS}/stats").json()["closed"]
    assert (closed["won"], closed["won_value"], closed["lost"]) == (1, "5.00", 0)


def test_a_deal_is_lost_on_a_past_day(client, database, given):
    day = (clock.now() - 3 * A_DAY).date()
    with given() as make:
        deal_id = make.opportunity(created_at=clock.now() - 9 * A_DAY).id
        price = reason_id(make.session, "Price")

    answer = client.post(
        f"{DEALS}/{deal_id}/close", json={"outcome": "lost", "reason": price, "closed_on": day.isoformat()}
    )

    told = answer.json()
    assert (told["stage"], told["probability"], told["close_reason_id"]) == ("closed_lost", 0, price)
    assert (told["actual_close_date"], told["closed_at"]) == (f"{day}", f"{day}T23:59:59Z")


def test_each_rule_of_closing(client, given):
    with given() as make:
        price, other = reason_id(make.session, "Price"), reason_id(make.session, "Other")
        won = reason_id(make.session, "Price", Outcome.WON)
    early, late = deal_in(client, "discovery"), deal_in(client)
    tomorrow, yesterday = (f"{(clock.now() + days * A_DAY).date()}" for days in (2, -2))

    def refused(at: str, **close: Any) -> str:
        return problem_of(client.post(f"{at}/close", json=close), 409)["type"].removeprefix("urn:crm:")

    assert refused(early, outcome="won") == "too-early-to-win"
    assert refused(late, outcome="lost") == "loss-needs-reason"
    assert refused(late, outcome="lost", reason=won) == "wrong-reason"
    assert refused(late, outcome="won", reason=price) == "wrong-reason"
    assert refused(late, outcome="lost", reason=other) == "reason-needs-note"
    assert refused(late, outcome="won", closed_on=tomorrow) == "impossible-close-date"
    assert refused(late, outcome="won", closed_on=yesterday) == "impossible-close-date"
    assert refused(late, outcome="won", closed_on="9999-12-31") == "impossible-close-date"
    assert refused(late, outcome="won", closed_on="0001-01-01") == "impossible-close-date"
    missing = client.post(f"{late}/close", json={"outcome": "lost", "reason": 999})
    assert problem_of(missing, 404)
    assert [client.get(at).json()["version"] for at in (early, late)] == [1, 1]

    assert client.post(f"{late}/close", json={"outcome": "won"}).status_code == 200
    assert refused(late, outcome="won") == "opportunity-is-closed"


@pytest.mark.on_sqlite
def test_each_wrong_word_of_closing_is_named(client):
    at = f"{deal_in(client)}/close"
    wrong = {"outcome": "closed_won", "reason": 0, "note": "x" * 100_001, "closed_on": "2026-02-30", "on": 1}

    assert fields_of(client.post(at, json=wrong)) == list(wrong)
    assert fields_of(client.post(at, json={})) == ["outcome"]


def test_a_closed_deal_is_reopened(client):
    at = deal_in(client)
    refused = problem_of(client.post(f"{at}/reopen", json={"to": "proposal"}), 409)
    assert refused["type"] == "urn:crm:opportunity-is-open"
    client.post(f"{at}/close", json={"outcome": "won"})
    refused = problem_of(client.post(f"{at}/reopen", json={"to": "closed_lost"}), 409)
    assert refused["type"] == "urn:crm:reopen-needs-open-stage"

    answer = client.post(f"{at}/reopen", json={"to": "discovery"})

    told = answer.json()
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    assert (told["stage"], told["probability"]) == ("discovery", 25)
    assert (told["closed_at"], told["actual_close_date"], told["close_note"]) == (None, None, None)
    assert fields_of(client.post(f"{at}/reopen", json={"to": None, "probability": 1.5})) == [
        "to",
        "probability",
    ]


# Converting a lead


def test_a_lead_is_converted_once(client, given):
    with given() as make:
        lead = make.lead(
            "Grace", status=LeadStatus.QUALIFIED, company_name="Acme", estimated_value=Decimal("7.5")
        ).id

    first = client.post(f"{DEALS}/convert/{lead}")

    told = first.json()
    assert first.status_code == 201
    assert {step: told[step]["how"] for step in ("company", "contact", "opportunity")} == {
        "company": "created",
        "contact": "created",
        "opportunity": "created",
    }
    at = f"{DEALS}/{told['opportunity']['id']}"
    assert first.headers["Location"] == at
    deal = client.get(at).json()
    assert (deal["lead_id"], deal["expected_value"], deal["company_name"]) == (lead, "7.50", "Acme")
    assert client.get(f"/api/leads/{lead}").json()["status"] == "converted"
    for choice in ({}, {"json": {"name": "Another"}}, {"headers": {"If-Match": '"1"'}}):
        again = client.post(f"{DEALS}/convert/{lead}", **choice)
        assert (again.status_code, again.json(), again.headers["Location"]) == (200, told, at)
    assert [client.get(f"/api/{noun}").json()["total"] for noun in ("opportunities", "companies")] == [1, 1]


def test_a_conversion_can_be_told_what_to_take(client, given, linked):
    with given() as make:
        lead = make.lead(status=LeadStatus.QUALIFIED).id
    choice = {
        "company_id": linked["company_id"],
        "contact_id": linked["contact_id"],
        "name": "Chosen",
        "stage": "proposal",
        "expected_value": None,
        "expected_close_date": "2027-01-31",
        "owner_id": linked["owner_id"],
    }

    told = client.post(f"{DEALS}/convert/{lead}", json=choice).json()

    assert (told["company"]["how"], told["contact"]["how"]) == ("picked", "picked")
    deal = client.get(f"{DEALS}/{told['opportunity']['id']}").json()
    assert {name: deal[name] for name in choice} == choice


def test_what_does_not_convert(client, given):
    with given() as make:
        new = make.lead().id
        qualified = make.lead(status=LeadStatus.QUALIFIED).id
        won = make.won(1).id

    def refused(lead: int, **choice: Any) -> Any:
        return client.post(f"{DEALS}/convert/{lead}", json=choice)

    assert problem_of(refused(new), 409)["type"] == "urn:crm:lead-is-not-qualified"
    assert problem_of(refused(qualified, opportunity_id=won), 409)["type"] == "urn:crm:opportunity-is-closed"
    assert problem_of(refused(qualified, stage="closed_won"), 409)["type"] == "urn:crm:close-needs-outcome"
    assert problem_of(refused(qualified, company_id=999), 404)
    assert problem_of(refused(999), 404)
    assert fields_of(refused(qualified, name="", stage="won", lead_id=1)) == ["name", "stage", "lead_id"]
    stale = client.post(f"{DEALS}/convert/{qualified}", headers={"If-Match": '"2"'})
    assert problem_of(stale, 412)["version"] == 1
    assert [client.get(f"/api/{noun}").json()["total"] for noun in ("companies", "contacts")] == [0, 0]


# Changing what one has read


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [
        ("PUT", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("POST", "/move", {"to": "negotiation"}),
        ("POST", "/close", {"outcome": "won"}),
        ("POST", "/reopen", {"to": "proposal"}),
        ("POST", "/restore", None),
    ],
)
def test_a_stale_change_is_refused(client, method, verb, body):
    at = deal_in(client, expected_value="12.50")
    if verb == "/reopen":
        client.post(f"{at}/close", json={"outcome": "won"})
    client.put(at, json={"name": "Theirs", "expected_value": 13})
    now = client.get(at)
    if verb == "/restore":
        client.delete(at)
    version = now.json()["version"] + (verb == "/restore")
    sent = {} if body is None else {"json": body}

    stale = client.request(method, at + verb, headers={"If-Match": '"1"'}, **sent)

    told = problem_of(stale, 412)
    assert (told["type"], told["version"], stale.headers["ETag"]) == (
        "urn:crm:changed-meanwhile",
        version,
        f'"{version}"',
    )
    assert "was changed meanwhile by Local user" in told["detail"]
    changed = [change for entry in told["changes"] for change in entry["changes"]]
    assert ("expected_value", "12.50", "13.00") in [
        (change["field"], change["before"], change["after"]) for change in changed
    ]
    assert told["changes"][0]["at"].endswith("Z")
    assert verb == "/restore" or client.get(at).json() == now.json()

    fresh = client.request(method, at + verb, headers={"If-Match": f'"{version}"'}, **sent)

    assert fresh.status_code == (204 if method == "DELETE" else 200)


@pytest.mark.on_sqlite
def test_a_version_is_named_by_its_one_etag(client, world):
    for name in ("update_opportunity", "delete_opportunity", "restore_opportunity", "convert_lead"):
        for wrong in ("1", 'W/"1"', '"1", "2"', '"x"', '""', "", '"99999999999999999999"', '"-1"'):
            answer = CALLS[name].by(client, world, {"If-Match": wrong})
            assert "ETag" in problem_of(answer, 422)["detail"]


@pytest.mark.on_sqlite
def test_any_version_will_do(client, deal):
    at = f"{DEALS}/{deal['id']}"

    for headers in ({}, {"If-Match": "*"}):
        assert client.put(at, json={"name": f"Deal {headers}"}, headers=headers).status_code == 200


# Many at once


def test_many_deals_are_changed_at_once(client, linked):
    ids = [client.post(DEALS, json={"name": name}).json()["id"] for name in "ABC"]
    changes = {"owner_id": linked["owner_id"], "stage": "proposal"}

    answer = client.patch(
        DEALS, json={"ids": [ids[2], ids[0], ids[2]], "changes": changes, "versions": {ids[0]: 1}}
    )

    assert answer.status_code == 200
    assert [(row["id"], row["owner_name"], row["stage"], row["version"]) for row in answer.json()] == [
        (ids[2], "Rita", "proposal", 2),
        (ids[0], "Rita", "proposal", 2),
    ]
    assert client.get(f"{DEALS}/{ids[1]}").json()["version"] == 1


def test_all_are_changed_or_none(client, given):
    with given() as make:
        good, closed, changed = (
            make.opportunity(name="Good").id,
            make.won(1, name="Won").id,
            make.opportunity().id,
        )
    client.put(f"{DEALS}/{changed}", json={"name": "Changed"})
    before = client.get(DEALS).json()

    answer = client.patch(
        DEALS,
        json={
            "ids": [good, closed, changed, 999],
            "changes": {"stage": "discovery"},
            "versions": {str(changed): 1},
        },
    )

    told = problem_of(answer, 409)
    assert told["type"] == "urn:crm:nothing-was-changed"
    assert "3 of 4" in told["detail"]
    reasons = {refusal["id"]: refusal["reason"] for refusal in told["refusals"]}
    assert reasons.keys() == {closed, changed, 999}
    assert "Reopen it first" in reasons[closed]
    assert "changed meanwhile" in reasons[changed]
    assert "no opportunity 999" in reasons[999]
    assert client.get(DEALS).json() == before


@pytest.mark.on_sqlite
def test_each_wrong_field_of_many_is_named(client):
    for body, fields in (
        ({}, ["ids", "changes"]),
        ({"ids": [], "changes": {}}, ["ids"]),
        ({"ids": list(range(1, 1_002)), "changes": {}}, ["ids"]),
        ({"ids": [0, 2**63, "x", True, 1], "changes": {}}, ["ids.0", "ids.1", "ids.2", "ids.3"]),
        ({"ids": [1], "changes": {"name": "", "version": 2}}, ["changes.name", "changes.version"]),
        ({"ids": [1], "changes": {}, "versions": {"1": 2**63, "2": 0}}, ["versions.1", "versions.2"]),
        ({"ids": [1], "changes": {}, "versions": {"x": 1}}, ["versions.x.[key]"]),
        ({"ids": [1], "changes": {}, "outcome": "won"}, ["outcome"]),
    ):
        assert fields_of(client.patch(DEALS, json=body)) == fields


# The past of one


def test_a_deal_tells_its_past(client, deal, linked):
    at = f"{DEALS}/{deal['id']}"
    client.put(at, json={"expected_value": "13.5", "owner_id": None})
    client.post(f"{at}/close", json={"outcome": "lost", "reason": 7})
    client.delete(at)

    entries = client.get(f"{at}/history").json()

    assert [entry["version"] for entry in entries] == [4, 3, 2, 1]
    assert {(entry["actor_name"], entry["source"]) for entry in entries} == {("Local user", "api")}
    assert all(entry["at"].endswith("Z") and entry["at"] == entry["recorded_at"] for entry in entries)
    changes = {change.pop("field"): change for change in entries[2]["changes"]}
    assert changes == {
        "owner_id": {
            "before": linked["owner_id"],
            "after": None,
            "before_name": "Rita",
            "after_name": None,
        },
        "expected_value": {
            "before": "12.50",
            "after": "13.50",
            "before_name": None,
            "after_name": None,
        },
    }
    assert client.get(f"{at}/history", params={"limit": 1, "offset": 1}).json() == entries[1:2]
    assert client.get(f"{at}/history", params={"offset": 1_000_000}).json() == []


def test_the_past_is_told_as_the_record_is(client, deal):
    """Money, days and instants before and after look as they do in the record, in a refusal too."""
    at = f"{DEALS}/{deal['id']}"
    moved = {"expected_value": 13, "expected_close_date": "2027-01-31", "next_step_date": None}
    changed = client.put(at, json=moved).json()
    closed = client.post(f"{at}/close", json={"outcome": "lost", "reason": 7}).json()
    stale = client.delete(at, headers={"If-Match": '"1"'}).json()

    entries = client.get(f"{at}/history").json()

    about = {"kind": "opportunity", "record_id": deal["id"], "record_name": deal["name"]}
    assert [change | about for change in stale["changes"]] == entries[:2]
    for entry, before, after in ((entries[0], changed, closed), (entries[1], deal, changed)):
        for change in entry["changes"]:
            field = change["field"]
            if field in deal:
                assert (field, change["before"], change["after"]) == (field, before[field], after[field])
    told = {change["field"] for entry in entries[:2] for change in entry["changes"]}
    assert told > {*moved, "closed_at", "actual_close_date", "stage", "probability", "close_reason_id"}


def test_a_deal_tells_the_past_of_its_lead(client):
    lead = client.post("/api/leads", json={"name": "Zed", "status": "qualified"}).json()["id"]
    deal = client.post(f"{DEALS}/convert/{lead}").json()["opportunity"]["id"]
    client.put(f"/api/leads/{lead}", json={"phone": "1"})

    entries = client.get(f"{DEALS}/{deal}/history").json()

    told = [(each["kind"], each["record_id"], each["record_name"], each["version"]) for each in entries]
    assert told[0] == ("lead", lead, "Zed", 3)
    assert sorted(told[1:]) == [
        ("lead", lead, "Zed", 1),
        ("lead", lead, "Zed", 2),
        ("opportunity", deal, "Zed", 1),
    ]
    assert client.get(f"{DEALS}/{deal}/history", params={"limit": 2, "offset": 2}).json() == entries[2:4]


@pytest.mark.on_sqlite
def test_a_page_of_the_past_has_a_size(client, deal):
    at = f"{DEALS}/{deal['id']}/history"

    for query in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"offset": -1}, {"offset": 2**63}):
        assert fields_of(client.get(at, params=query)) == list(query)


# Lists and figures


@pytest.fixture
def busy(database) -> dict[str, Any]:
    """Two dozen deals that differ in everything a filter asks for, and an instant before half of that."""
    now = clock.now()
    with database.write(at=now - 60 * A_DAY) as session:
        make = Make(session)
        session.get_one(Settings, 1).time_zone = "Pacific/Auckland"
        people = make.people()
        companies = [make.company(name).id for name in ("Acme", "Zoo")]
        contacts = [make.contact(name).id for name in ("Ada", "Bob")]
        for number in range(16):
            make.opportunity(
                name=f"{('Roof', 'roof', 'Wind')[number % 3]} {number}",
                stage=list(S)[number % 4],
                owner_id=(None, people.rita, people.otto)[number % 3],
                company_id=(None, *companies)[number % 3],
                contact_id=(*contacts, None)[number % 3],
                source=("Web", "Fair", None)[number % 3],
                expected_value=None if number % 5 == 0 else Decimal(number * 1_000 + 1) / 100,
                expected_close_date=None if number % 4 == 0 else (now + (number - 8) * 9 * A_DAY).date(),
                next_step=(None, "Call", "visit")[number % 3],
                created_at=now - (60 + number % 4) * A_DAY,
            )
    with database.write(at=now - 20 * A_DAY) as session:
        make = Make(session)
        lost = {"close_reason_id": reason_id(session, "Price")}
        for number in range(4):
            at = now - (20 + number * 10) * A_DAY
            make.won(number * 7 + 1, owner_id=people.rita, closed_at=at, created_at=at - 9 * A_DAY)
            reason = lost if number else {"close_reason_id": reason_id(session, "Duplicate or test")}
            make.lost(number or None, owner_id=people.otto, closed_at=at, created_at=at - 9 * A_DAY, **reason)
        for deal_id in (1, 6, 11):
            opportunity_service.move_opportunity(session, deal_id, to=S.NEGOTIATION)
        opportunity_service.delete_opportunity(session, 8)
        bring_in(session, since=now - 50 * A_DAY, closed_at=now - 30 * A_DAY)
    team_id = 1
    return {
        "text": "ROOF 1",
        "owners": [people.rita, people.otto],
        "teams": [team_id],
        "without_owner": "true",
        "credit_at_creation": "true",
        "furthest": ["negotiation"],
        "path_unknown": "true",
        "entry_unknown": "true",
        "been_in": ["negotiation"],
        "entered_from": f"{(now - 21 * A_DAY).date()}",
        "entered_to": f"{(now - 21 * A_DAY).date()}",
        "credit_in_stage": "true",
        "without_reason": "true",
        "counted": "true",
        "without_next_step": "true",
        "created_from": f"{(now - 61 * A_DAY).date()}",
        "created_to": f"{(now - 62 * A_DAY).date()}",
        "as_of": (now - 40 * A_DAY).isoformat(),
        "stages": ["negotiation", "closed_won"],
        "is_open": "false",
        "outcomes": ["lost"],
        "companies": companies[:1],
        "contacts": contacts[1:],
        "sources": ["Web", "Fair"],
        "close_reasons": [lost["close_reason_id"]],
        "value_from": "40.01",
        "value_to": "40.01",
        "without_value": "true",
        "expected_from": f"{now.date()}",
        "expected_to": f"{now.date()}",
        "without_date": "true",
        "overdue": "true",
        "stale": "true",
        "closed_from": f"{(now - 35 * A_DAY).date()}",
        "closed_to": f"{(now - 35 * A_DAY).date()}",
    }


def bring_in(session: Session, *, since: datetime, closed_at: datetime) -> None:
    """A lost deal of a file that says in which stage it was lost, but not when it came into it."""
    deal = {"id": history.next_id(session, Opportunity), "name": "Old deal", "created_at": since}
    was_open = {"stage": S.PROPOSAL, "probability": 50, "assumed": Assumed.ENTRY}
    was_lost = {"stage": S.CLOSED_LOST, "probability": 0, "closed_at": closed_at}
    was_lost["actual_close_date"] = closed_at.date()
    history.insert_with_past(session, Opportunity, [[(since, deal | was_open), (closed_at, deal | was_lost)]])


def test_every_filter_of_the_service_is_a_parameter(client, database, busy):
    assert set(busy) == set(OpportunityFilter.model_fields)
    everything = client.get(DEALS, params={"limit": 200}).json()
    assert everything["total"] == 24

    whose = ("credit_at_creation", "credit_in_stage")
    asked = [{name: value} for name, value in busy.items() if name not in whose]
    asked += [{name: busy[name] for name in ("owners", credit)} for credit in whose]
    asked += [{name: busy[name] for name in ("owners", "sources", "is_open", "as_of")} | {"is_open": True}]
    for query in asked:
        page = client.get(DEALS, params={"limit": 200, **as_sent(query)}).json()
        with database.read(actor=1) as session:
            where = OpportunityFilter.model_validate(query)
            expected = opportunity_service.get_opportunities(session, where, limit=200)
        assert page["items"] == [row.model_dump(mode="json") for row in expected.rows], query
        assert 0 < page["total"] == expected.totals.deals == len(page["items"]), query
        assert page["items"] != everything["items"], query
        totals = (Decimal(page["value"]), Decimal(page["weighted"]), page["without_value"])
        assert totals == (
            expected.totals.value,
            expected.totals.weighted,
            expected.totals.without_value,
        ), query


def test_a_page_tells_the_totals_of_the_whole_list(client, busy):
    whole = client.get(DEALS, params={"limit": 200}).json()
    rows = whole["items"]
    known = [row for row in rows if row["expected_value"] is not None]
    weighted = sum(
        Decimal(row["expected_value"]) * row["probability"] / 100
        for row in known
        if not row["stage"].startswith("closed")
    )

    page = client.get(DEALS, params={"limit": 3}).json()

    assert len(page["items"]) == 3
    assert (page["total"], page["without_value"]) == (len(rows), len(rows) - len(known))
    assert Decimal(page["value"]) == sum(Decimal(row["expected_value"]) for row in known)
    assert Decimal(page["weighted"]) == weighted.quantize(Decimal("0.01"))
    assert page["value"][-3] == page["weighted"][-3] == "."


def test_pages_follow_each_other_in_every_order(client, database, busy):
    for sort in OpportunitySort:
        found, cursor = [], {}
        while cursor is not None:
            page = client.get(DEALS, params={"sort": sort.value, "limit": 12, **cursor}).json()
            found += page["items"]
            cursor = None if page["next_cursor"] is None else {"cursor": page["next_cursor"]}
        with database.read(actor=1) as session:
            rows = opportunity_service.get_rows(session, sort=sort, limit=200)
        assert found == [row.model_dump(mode="json") for row in rows], sort


@pytest.mark.on_sqlite
def test_the_most_valuable_come_first(client, busy):
    assert client.get(DEALS).json() == client.get(DEALS, params={"sort": "-value", "limit": 50}).json()


@pytest.mark.parametrize("sort", ["name", "-value"])
def test_pages_stay_right_while_deals_come_and_go(client, busy, sort):
    whole = client.get(DEALS, params={"sort": sort, "limit": 200}).json()["items"]
    seen, cursor, gone = [], {}, set()
    while cursor is not None:
        page = client.get(DEALS, params={"sort": sort, "limit": 4, **cursor}).json()
        seen += ids_of(page)
        client.post(DEALS, json={"name": "AAA", "expected_value": "9999"})
        ahead = [row["id"] for row in whole if row["id"] not in {*seen, *gone}]
        for doomed in (seen[-2:-1] or []) + ahead[-1:]:
            assert client.delete(f"{DEALS}/{doomed}").status_code == 204
            gone.add(doomed)
        cursor = None if page["next_cursor"] is None else {"cursor": page["next_cursor"]}

    old = {row["id"] for row in whole}
    assert len(seen) == len(set(seen))
    assert [key for key in seen if key in old] == [row["id"] for row in whole if row["id"] in seen]
    assert old - set(seen) <= gone


@pytest.mark.on_sqlite
def test_a_page_has_a_size_and_an_order(client):
    for query in (
        {"limit": 0},
        {"limit": 201},
        {"limit": "x"},
        {"limit": ""},
        {"limit": 2**63},
        {"sort": "version"},
        {"sort": ""},
        {"cursor": "x" * 2_001},
        {"offset": 1},
        {"page": 2},
    ):
        assert fields_of(client.get(DEALS, params=query)) == list(query)
    assert client.get(DEALS, params={"limit": 200}).status_code == 200


def test_a_cursor_belongs_to_its_list(client, busy):
    cursor = client.get(DEALS, params={"sort": "name", "limit": 1}).json()["next_cursor"]

    for query in ({"sort": "-name", "cursor": cursor}, {"cursor": "x"}, {"cursor": ""}):
        assert problem_of(client.get(DEALS, params=query), 422)["type"] == "urn:crm:foreign-cursor"


@pytest.mark.on_sqlite
def test_each_wrong_filter_is_named(client):
    wrong = {
        "text": "x" * 201,
        "owner_id": "x",
        "team_id": "1.5",
        "created_from": "yesterday",
        "created_to": "2026-02-30",
        "as_of": "2026-01-01T00:00:00",
        "stage": "won",
        "is_open": "maybe",
        "outcome": "closed_won",
        "value_from": "much",
        "value_to": "NaN",
        "expected_from": "x",
        "closed_to": "x",
        "without_value": "x",
        "model": "x",
    }

    named = fields_of(client.get(DEALS, params=wrong))

    assert sorted(name.removesuffix(".0") for name in named) == sorted(wrong)


def test_the_figures_are_those_of_the_service(client, database, busy):
    asked = [{}, *({name: busy[name]} for name in ("owners", "teams", "stages", "as_of", "value_from"))]
    for query in asked:
        told = client.get(f"{DEALS}/stats", params=as_sent(query)).json()
        with database.read(actor=1) as session:
            stats = opportunity_service.get_pipeline_stats(session, OpportunityFilter.model_validate(query))
        assert [stage["stage"] for stage in told["stages"]] == [stage.value for stage in S]
        assert [(stage["deals"], Decimal(stage["value"])) for stage in told["stages"]] == [
            (stage.deals, stage.value) for stage in stats.stages
        ], query
        assert {
            name: told["open"][name] for name in ("deals", "without_value", "without_date", "overdue")
        } == {
            "deals": stats.open.deals,
            "without_value": stats.open.without_value,
            "without_date": stats.open.without_date,
            "overdue": stats.open.overdue,
        }
        assert Decimal(told["open"]["weighted"]) == stats.open.weighted
        assert (told["closed"]["won"], told["closed"]["lost"]) == (stats.closed.won, stats.closed.lost)
        assert told["win_rate"]["n"] == stats.win_rate.n
        low, high = stats.win_rate.interval or (None, None)
        assert (told["win_rate"]["low"], told["win_rate"]["high"]) == (low, high)
        assert told["as_of"].endswith("Z")
        assert (told["period_from"], told["period_to"]) == (None, None)
    assert told["stages"][3]["value"][-3] == "."


def test_the_figures_of_a_period_hold_its_last_day(client, database, busy):
    with database.read(actor=1) as session:
        calendar = settings_service.get_calendar(session)
        rows = opportunity_service.get_rows(session, OpportunityFilter(is_open=False), limit=200)
    days = sorted(calendar.day_of(row.closed_at) for row in rows)
    first, last = days[0], days[-1]
    assert Counter(days)[last] == 2

    def closed(**period: Any) -> tuple[int, Any, Any]:
        told = client.get(f"{DEALS}/stats", params=period).json()
        return told["closed"]["won"] + told["closed"]["lost"], told["period_from"], told["period_to"]

    assert closed(period_from=first, period_to=last) == (9, f"{first}", f"{last}")
    assert closed(period_to=last) == (9, "1970-01-01", f"{last}")
    assert closed(period_from=last, period_to=last) == (2, f"{last}", f"{last}")
    assert closed(period_from=first, period_to=last - A_DAY)[0] == 7
    assert closed(period_from=first + A_DAY)[0] == 7
    turned = client.get(f"{DEALS}/stats", params={"period_from": f"{last}", "period_to": f"{first}"})
    assert problem_of(turned, 422)["type"] == "urn:crm:period-ends-before-it-begins"


def test_beside_a_period_that_is_over_stands_what_was_open_at_its_end(client, database):
    instants = datetime(2026, 3, 10, 12, tzinfo=UTC), datetime(2026, 3, 20, 12, tzinfo=UTC)
    for at, value in zip(instants, (10, 20), strict=True):
        with database.write(at=at) as session:
            Make(session).opportunity(
                stage=S.PROPOSAL, expected_value=Decimal(value), expected_close_date=date(2026, 3, 14)
            )
    march = {"period_from": "2026-03-01", "period_to": "2026-03-15"}

    found = client.get(f"{DEALS}/stats", params=march).json()
    earlier = client.get(f"{DEALS}/stats", params=march | {"as_of": "2026-03-12T00:00:00Z"}).json()
    now = client.get(f"{DEALS}/stats", params={"period_from": "2026-03-01"}).json()

    assert found["open_as_of"] == "2026-03-15T23:59:59.999999Z" < found["as_of"]
    assert (found["open"]["deals"], found["open"]["value"], found["open"]["overdue"]) == (1, "10.00", 1)
    assert found["stages"][2]["value"] == "10.00"
    assert (earlier["open_as_of"], earlier["open"]["overdue"]) == (earlier["as_of"], 0)
    assert (now["open_as_of"], now["open"]["value"]) == (now["as_of"], "30.00")
    page = client.get(DEALS, params={"is_open": True, "as_of": found["open_as_of"]}).json()
    assert (page["total"], page["value"]) == (1, "10.00")


def test_the_past_is_what_was_known_then(client):
    at = deal_in(client, expected_value=10)
    then = client.get(f"{DEALS}/stats").json()
    client.put(at, json={"expected_value": 20, "name": "Later"})

    earlier = client.get(f"{DEALS}/stats", params={"as_of": then["as_of"]}).json()
    page = client.get(DEALS, params={"as_of": then["as_of"]}).json()

    assert earlier == then
    assert [(row["name"], row["expected_value"]) for row in page["items"]] == [("Roof", "10.00")]
    assert client.get(f"{DEALS}/stats").json()["open"]["value"] == "20.00"
    tomorrow = (datetime.now(UTC) + A_DAY).isoformat()
    assert client.get(f"{DEALS}/stats", params={"as_of": tomorrow}).json()["open"]["value"] == "20.00"


@pytest.mark.on_sqlite
def test_figures_have_no_pages(client):
    wrong = {"limit": 1, "sort": "name", "period_from": "x", "period_to": "2026-02-30"}

    assert sorted(fields_of(client.get(f"{DEALS}/stats", params=wrong))) == sorted(wrong)


@pytest.mark.on_sqlite
def test_no_deals_are_worth_nothing(client):
    page = client.get(DEALS).json()
    told = client.get(f"{DEALS}/stats").json()

    assert page == {
        "items": [],
        "total": 0,
        "next_cursor": None,
        "currency": "USD",
        "value": "0.00",
        "weighted": "0.00",
        "without_value": 0,
    }
    assert {(stage["value"], stage["weighted"]) for stage in told["stages"]} == {("0.00", "0.00")}
    assert (told["closed"]["won_value"], told["closed"]["lost_value"]) == ("0.00", "0.00")
    assert (told["win_rate"]["value"], told["wins"]["average_value"]) == (None, None)


@pytest.mark.on_sqlite
def test_a_row_of_a_list_is_the_record(client, deal):
    row = client.get(DEALS).json()["items"][0]

    assert row == deal == client.get(f"{DEALS}/{deal['id']}").json()
    assert set(row) == set(OpportunityResponse.model_fields)
