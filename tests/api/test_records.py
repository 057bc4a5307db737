"""Leads, companies and contacts, all treated alike; users, stages and reasons, which are only read."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_core import clock
from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, RecordFilter
from crm_core.models import LeadStatus, OpportunityStage
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.schemas.fields import Schema
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import company_service, contact_service, lead_service, settings_service
from crm_core.sorting import CompanySort, ContactSort, LeadSort, Sort
from tests.api.conftest import as_sent, fields_of, problem_of
from tests.builders import Make

LONG = "x" * 501
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Noun:
    """A kind of record, with something right and something wrong for each of its fields."""

    name: str
    service: Any
    filter: type[RecordFilter[Any]]
    sort: type[Sort]
    create: type[Schema]
    update: type[Schema]
    response: type[Schema]
    full: dict[str, Any]
    other: dict[str, Any]
    wrong: dict[str, Any]
    asked: dict[str, Any]

    @property
    def at(self) -> str:
        return f"/api/{self.name}"

    def rows(self, session: Any, where: Any = None, sort: Any = None) -> list[dict[str, Any]]:
        """What the service says, as the API has to tell it."""
        options = {} if sort is None else {"sort": sort}
        found = self.service.get_rows(session, where or self.filter(), limit=200, **options)
        return [row.model_dump(mode="json") for row in found]


EITHER = {"text": "AM", "owners": [2], "teams": [1]}

LEADS = Noun(
    "leads",
    lead_service,
    LeadFilter,
    LeadSort,
    LeadCreate,
    LeadUpdate,
    LeadResponse,
    full={
        "name": "Grace",
        "company_name": "Acme",
        "email": "grace@acme.example",
        "phone": "+1 555 0100",
        "job_title": "Admiral",
        "source": "Fair",
        "estimated_value": "12.50",
        "description": "Ships",
        "status": "contacted",
    },
    other={
        "name": "Ada",
        "company_name": "Zoo",
        "email": "ada@zoo.example",
        "phone": "+1 555 0199",
        "job_title": "Countess",
        "source": "Web",
        "estimated_value": "0.07",
        "description": "Engines",
        "status": "qualified",
    },
    wrong={
        "name": "",
        "company_name": LONG,
        "email": "grace",
        "phone": LONG,
        "job_title": LONG,
        "source": LONG,
        "estimated_value": "NaN",
        "currency": "dollars",
        "description": 7,
        "owner_id": 0,
        "status": "lost",
        "request_id": LONG,
    },
    asked=EITHER | {"statuses": ["qualified", "new"], "sources": ["Web"]},
)
COMPANIES = Noun(
    "companies",
    company_service,
    CompanyFilter,
    CompanySort,
    CompanyCreate,
    CompanyUpdate,
    CompanyResponse,
    full={
        "name": "Acme",
        "website": "https://www.acme.example/",
        "domain": "acme.example",
        "industry": "Energy",
        "country": "Chad",
        "description": "Anvils",
    },
    other={
        "name": "Zoo",
        "website": "zoo.example",
        "domain": "zoo.example",
        "industry": "Farming",
        "country": "Peru",
        "description": "Animals",
    },
    wrong={
        "name": LONG,
        "website": "not an address",
        "domain": "http://",
        "industry": LONG,
        "country": LONG,
        "description": [],
        "owner_id": "x",
        "request_id": "",
    },
    asked=EITHER | {"industries": ["Energy", "x"], "countries": ["Chad"]},
)
CONTACTS = Noun(
    "contacts",
    contact_service,
    ContactFilter,
    ContactSort,
    ContactCreate,
    ContactUpdate,
    ContactResponse,
    full={
        "name": "Grace",
        "email": "grace@acme.example",
        "other_emails": ["grace@navy.example"],
        "phone": "+1 555 0100",
        "other_phones": ["+1 555 0101", "+1 555 0102"],
        "job_title": "Admiral",
    },
    other={
        "name": "Ada",
        "email": "ada@zoo.example",
        "other_emails": ["ada@home.example", "ada@club.example"],
        "phone": "+1 555 0199",
        "other_phones": ["+1 555 0198"],
        "job_title": "Countess",
    },
    wrong={
        "name": None,
        "company_id": -1,
        "email": "grace@",
        "other_emails": "grace@navy.example",
        "phone": LONG,
        "other_phones": 7,
        "job_title": LONG,
        "owner_id": 2**31,
        "request_id": 7,
    },
    asked=EITHER | {"companies": [1]},
)

each_noun = pytest.mark.parametrize("noun", [LEADS, COMPANIES, CONTACTS], ids=lambda noun: noun.name)


@pytest.fixture
def links(given, noun) -> dict[str, dict[str, int]]:
    """What a record can belong to, and something else."""
    with given() as make:
        first = {"owner_id": make.user("Rita").id}
        second = {"owner_id": make.user("Nora").id}
        if noun is CONTACTS:
            first["company_id"] = make.company("Acme").id
            second["company_id"] = make.company("Zoo").id
    return {"first": first, "second": second}


@pytest.fixture
def record(client, noun, links) -> dict[str, Any]:
    return client.post(noun.at, json=noun.full | links["first"]).json()


@each_noun
def test_one_is_created_read_changed_and_deleted(client, noun, links):
    answer = client.post(noun.at, json=noun.full | links["first"])

    told = answer.json()
    at = f"{noun.at}/{told['id']}"
    assert (answer.status_code, answer.headers["Location"], answer.headers["ETag"]) == (201, at, '"1"')
    assert {name: told[name] for name in noun.full} == noun.full
    assert set(told) == set(noun.response.model_fields)
    assert told["owner_name"] == "Rita"
    assert told["created_at"] == told["updated_at"]
    assert told["created_at"].endswith("Z")
    again = client.get(at)
    assert (again.status_code, again.json(), again.headers["ETag"]) == (200, told, '"1"')
    assert client.get(noun.at).json()["items"] == [told]

    changes = noun.other | links["second"]
    assert set(changes) == set(noun.update.model_fields) - {"currency"}
    for version, (field, value) in enumerate(changes.items(), start=2):
        answer = client.put(at, json={field: value})
        changed = answer.json()
        assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{version}"')
        assert changed[field] == value
        follows = {field, field.replace("_id", "_name"), "version", "updated_at"}
        assert {name for name in changed if changed[name] != told[name]} <= follows
        assert client.get(at).json() == changed
        told = changed

    kept = {"name", "status"}
    empties = dict.fromkeys(changes.keys() - kept)
    emptied = client.put(at, json=empties).json()
    assert {name: emptied[name] or None for name in empties} == empties
    assert emptied["owner_name"] is None
    assert set(fields_of(client.put(at, json=dict.fromkeys(kept & changes.keys())))) == kept & changes.keys()
    assert client.put(at, json={}).json() == client.get(at).json() == emptied

    answer = client.delete(at)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (client.get(at), client.put(at, json={}), client.delete(at)):
        assert problem_of(gone, 404)["type"] == "urn:crm:record-not-found"
    page = client.get(noun.at).json()
    assert page == {"items": [], "total": 0, "next_cursor": None}
    assert client.get(noun.at, headers={"Accept": "text/csv"}).text.count("\r\n") == 1


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("draft", "field", "words"),
    [
        ({"other_emails": ["grace@"]}, "other_emails.0", "not an e-mail address"),
        ({"other_emails": ["a@a.example, b@a.example"]}, "other_emails.0", "on a line of its own"),
        ({"other_emails": ["a@a.example", "A@a.example"]}, None, "“A@a.example” is there twice"),
        ({"other_emails": [f"{n}@a.example" for n in range(51)]}, "other_emails", "at most 50"),
        ({"other_phones": ["1-2", "12"]}, None, "“12” is there twice"),
        ({"other_phones": ["(415) 555-0101", "+1 415 555 0101"]}, None, "“+1 415 555 0101” is there twice"),
        ({"other_phones": ["1\n2"]}, "other_phones.0", "on a line of its own"),
        ({"other_phones": [" "]}, "other_phones.0", "visible character"),
        ({"email": "a@a.example", "other_emails": ["A@a.example"]}, None, "the one to use first"),
        ({"phone": "1 2", "other_phones": ["3", "12"]}, None, "the one to use first"),
    ],
)
def test_other_addresses_are_valid_and_each_is_there_once(client, draft, field, words):
    made = client.post("/api/contacts", json={"name": "Grace"}).json()

    for answer in (
        client.post("/api/contacts", json={"name": "Grace", **draft}),
        client.put(f"/api/contacts/{made['id']}", json=draft),
    ):
        problem = problem_of(answer, 422)
        told = problem["errors"][0] if field else {"field": None, "reason": problem["detail"]}
        assert told["field"] == field
        assert words in told["reason"]
    assert client.get("/api/contacts").json()["items"] == [made]


@pytest.mark.on_sqlite
def test_what_becomes_the_one_to_use_first_leaves_the_others(client):
    draft = {"name": "Grace", "email": "a@a.example", "other_emails": ["b@a.example"]}
    at = f"/api/contacts/{client.post('/api/contacts', json=draft).json()['id']}"

    problem = problem_of(client.put(at, json={"email": "B@a.example"}), 422)
    changed = client.put(at, json={"email": "b@a.example", "other_emails": ["a@a.example"]}).json()

    assert "“B@a.example” is the one to use first" in problem["detail"]
    assert (changed["email"], changed["other_emails"]) == ("b@a.example", ["a@a.example"])


@each_noun
@pytest.mark.on_sqlite
def test_each_wrong_field_is_named(client, noun, record):
    at = f"{noun.at}/{record['id']}"
    changes = {name: value for name, value in noun.wrong.items() if name != "request_id"}
    assert set(noun.wrong) == set(noun.create.model_fields)

    assert sorted(fields_of(client.post(noun.at, json=noun.wrong))) == sorted(noun.wrong)
    assert sorted(fields_of(client.put(at, json=changes))) == sorted(changes)
    assert fields_of(client.post(noun.at, json={})) == ["name"]
    for field in ("id", "version", "created_at", "deleted_at", "external_id", "conversion"):
        assert fields_of(client.post(noun.at, json=noun.full | {field: None})) == [field]
        assert fields_of(client.put(at, json={field: None})) == [field]
    for query in ({"limit": 0}, {"limit": 201}, {"sort": "x"}, {"nothing": 1}, {"owner_id": "x"}):
        assert [name.removesuffix(".0") for name in fields_of(client.get(noun.at, params=query))] == list(
            query
        )
    assert fields_of(client.get(f"{noun.at}/0")) == fields_of(client.delete(f"{noun.at}/x"))
    assert client.get(noun.at).json()["items"] == [record]


@each_noun
def test_what_is_refused_is_not_kept(client, given, noun, record):
    at = f"{noun.at}/{record['id']}"
    with given() as make:
        gone = make.user("Dan", is_active=False).id
    client.put(at, json={"name": "Theirs"})
    now = client.get(at).json()

    for body, status in (({"owner_id": 999}, 404), ({"owner_id": gone}, 409)):
        assert problem_of(client.post(noun.at, json=noun.full | body), status)
        assert problem_of(client.put(at, json={"name": "Mine"} | body), status)
    for stale in (
        client.put(at, json={"name": "Mine"}, headers={"If-Match": '"1"'}),
        client.delete(at, headers={"If-Match": '"1"'}),
    ):
        told = problem_of(stale, 412)
        assert (told["version"], stale.headers["ETag"]) == (2, '"2"')
        assert [change["field"] for change in told["changes"][0]["changes"]] == ["name"]
    assert client.get(noun.at).json()["items"] == [now]

    assert client.put(at, json={"name": "Mine"}, headers={"If-Match": '"2"'}).status_code == 200
    assert client.delete(at, headers={"If-Match": '"3"'}).status_code == 204


@each_noun
def test_the_same_request_creates_one(client, noun):
    draft = noun.full | {"request_id": "r1"}

    first, second = client.post(noun.at, json=draft), client.post(noun.at, json=draft)

    assert first.json() == second.json()
    assert client.get(noun.at).json()["total"] == 1


@pytest.fixture
def busy(database) -> None:
    """Some of each kind, half of them made a month ago and changed since."""
    now = clock.now()
    for days in (30, 10):
        with database.write(at=now - days * A_DAY) as session:
            make = Make(session)
            owners = [None, *make.people().__dict__.values()] if days == 30 else [None, 2, 5]
            for number in range(6):
                it = {"owner_id": owners[number % len(owners)], "created_at": now - (days + number) * A_DAY}
                name = ("Ampère", "ampere", "Zed", "Åse", "Zoë", "Amp")[number]
                company = make.company(
                    f"{name} {days}",
                    industry=(None, "Energy", "Farming")[number % 3],
                    country=(None, "Chad")[number % 2],
                    domain=(None, f"{number}.example")[number % 2],
                    **it,
                )
                make.contact(
                    name,
                    company_id=(None, 1, company.id)[number % 3],
                    email=(None, "b@x.example", "A@x.example")[number % 3],
                    job_title=(None, "CEO")[number % 2],
                    **it,
                )
                make.lead(
                    name,
                    status=(LeadStatus.NEW, LeadStatus.CONTACTED, LeadStatus.QUALIFIED)[number % 3],
                    source=(None, "Web")[number % 2],
                    company_name=(None, "Zoo", "acme")[number % 3],
                    estimated_value=(None, Decimal("12.5"), Decimal(number))[number % 3],
                    **it,
                )


@each_noun
def test_every_filter_and_order_of_the_service(client, database, busy, noun):
    now = clock.now()
    asked = noun.asked | {
        "created_from": f"{(now - 30 * A_DAY).date()}",
        "created_to": f"{(now - 30 * A_DAY).date()}",
        "as_of": (now - 20 * A_DAY).isoformat(),
    }
    assert set(asked) == set(noun.filter.model_fields)
    with database.read(actor=1) as session:
        everything = noun.rows(session)
        expected = {
            field: noun.rows(session, noun.filter.model_validate({field: value}))
            for field, value in asked.items()
        }
        ordered = {sort: noun.rows(session, sort=sort) for sort in noun.sort}
    assert len(everything) == 12

    assert client.get(noun.at).json() == {"items": everything, "total": 12, "next_cursor": None}
    for field, rows in expected.items():
        page = client.get(noun.at, params=as_sent({field: asked[field]})).json()
        assert (field, page["items"], page["total"]) == (field, rows, len(rows))
        assert 0 < len(rows) < 12, field
    for sort, rows in ordered.items():
        first = client.get(noun.at, params={"sort": sort.value, "limit": 7}).json()
        rest = client.get(noun.at, params={"sort": sort.value, "cursor": first["next_cursor"]}).json()
        assert (sort, first["items"] + rest["items"]) == (sort, rows)
        assert (first["total"], rest["total"], rest["next_cursor"]) == (12, 12, None)


@each_noun
def test_a_cursor_survives_what_comes_and_goes(client, busy, noun):
    first = client.get(noun.at, params={"sort": "name", "limit": 5}).json()
    client.post(noun.at, json={"name": "AAA"})
    assert client.delete(f"{noun.at}/{first['items'][-1]['id']}").status_code in (204, 409)

    rest = client.get(noun.at, params={"sort": "name", "cursor": first["next_cursor"]}).json()

    assert not {row["id"] for row in first["items"]} & {row["id"] for row in rest["items"]}
    assert len(first["items"] + rest["items"]) == 12


def test_a_name_and_a_search_lose_what_was_pasted_around_them(client):
    pasted = {
        "name": "\u200b Ada\u00a0",
        "company_name": "\ufeffBarn & Co\u2060",
        "description": " As it is\n",
    }

    made = client.post("/api/leads", json=pasted).json()

    assert (made["name"], made["company_name"]) == ("Ada", "Barn & Co")
    assert made["description"] == pasted["description"]
    for text in ("\u2060ada\u200b", "barn & co\u00a0"):
        assert [row["id"] for row in client.get("/api/leads", params={"text": text}).json()["items"]] == [
            made["id"]
        ]
    blank = client.put(f"/api/leads/{made['id']}", json={"name": "\u200b\u2060"})
    assert problem_of(blank, 422)["detail"] == "name: Write at least one visible character."


def test_a_company_in_use_stays(client, given):
    with given() as make:
        company = make.company("Acme").id
        make.opportunity(company_id=company)

    refused = problem_of(client.delete(f"/api/companies/{company}"), 409)

    assert (refused["type"], "1 deal" in refused["detail"]) == ("urn:crm:company-is-in-use", True)


def test_a_contact_is_at_a_company_that_is_there(client):
    assert problem_of(client.post("/api/contacts", json={"name": "Ada", "company_id": 999}), 404)
    assert client.get("/api/contacts").json()["total"] == 0


def test_only_a_conversion_converts_a_lead(client, given):
    with given() as make:
        lead = make.lead(status=LeadStatus.QUALIFIED).id
    by_hand = {"name": "Grace", "status": "converted"}

    for refused in (
        client.post("/api/leads", json=by_hand),
        client.put(f"/api/leads/{lead}", json=by_hand),
    ):
        assert problem_of(refused, 409)["type"] == "urn:crm:converted-needs-conversion"
    client.post(f"/api/opportunities/convert/{lead}")
    refused = client.put(f"/api/leads/{lead}", json={"status": "new"})
    assert problem_of(refused, 409)["type"] == "urn:crm:lead-is-converted"
    told = client.get(f"/api/leads/{lead}").json()
    assert told["converted_at"] == told["updated_at"]
    assert told["opportunity_id"] == 1


def test_users_are_read(client, given):
    with given() as make:
        people = make.people()
        gone = make.user("Dan", is_active=False, email="dan@example.com").id

    everybody = client.get("/api/users").json()
    active = client.get("/api/users", params={"is_active": True}).json()
    former = client.get("/api/users", params={"is_active": False}).json()

    assert {user["id"] for user in everybody} == {1, gone, *vars(people).values()}
    assert [user["name"] for user in former] == ["Dan"]
    assert len(active) + len(former) == len(everybody)
    dan = client.get(f"/api/users/{gone}").json()
    assert dan in former
    assert (dan["role"], dan["is_active"], dan["email"]) == ("rep", False, "dan@example.com")
    assert problem_of(client.get("/api/users/999"), 404)
    assert fields_of(client.get("/api/users", params={"is_active": "x"})) == ["is_active"]
    assert fields_of(client.get("/api/users/0")) == ["user_id"]


def test_stages_are_read_in_their_order(client):
    stages = client.get("/api/stages").json()

    assert [stage["stage"] for stage in stages] == [stage.value for stage in OpportunityStage]
    assert stages[2] == {
        "stage": "proposal",
        "default_probability": 50,
        "stale_after_days": 10,
        "can_be_won": True,
    }


def test_reasons_are_read(client, database):
    with database.write() as session:
        settings_service.get_close_reason(session, 1).is_active = False

    every, active, lost = (
        client.get("/api/close-reasons", params=query).json()
        for query in ({"with_inactive": True}, {}, {"outcome": "lost"})
    )

    assert [reason for reason in every if not reason["is_active"]] == [
        {
            "id": 1,
            "outcome": "won",
            "label": "Price",
            "needs_note": False,
            "counts": True,
            "is_active": False,
        }
    ]
    assert [reason for reason in every if reason["is_active"]] == active
    assert lost == [reason for reason in active if reason["outcome"] == "lost"]
    assert fields_of(client.get("/api/close-reasons", params={"outcome": "open"})) == ["outcome"]
    assert fields_of(client.get("/api/close-reasons", params={"with_inactive": "x"})) == ["with_inactive"]


@pytest.mark.parametrize("noun", ["opportunities", "leads", "companies", "contacts"])
def test_a_request_id_never_swallows_another_record(client, noun):
    first = client.post(f"/api/{noun}", json={"name": "First", "request_id": "form-7"}).json()
    client.put(f"/api/{noun}/{first['id']}", json={"name": "Renamed"})

    again = client.post(f"/api/{noun}", json={"name": "First", "request_id": "form-7"})
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    other = client.post(f"/api/{noun}", json={"name": "Other", "request_id": "form-7"})
    assert "“Renamed”, which was created otherwise" in problem_of(other, 409)["detail"]


def test_a_version_of_what_is_not_changed_is_refused(client, world):
    bulk = {"ids": [world.deal], "changes": {"next_step": "Call"}, "versions": {world.deal + 1: 99}}

    answer = client.patch("/api/opportunities", json=bulk)

    assert "not among the ids" in problem_of(answer, 422)["detail"]
    assert client.get(f"/api/opportunities/{world.deal}").json()["next_step"] is None


@pytest.mark.parametrize("at", ["now", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00 02:00", "0"])
def test_an_instant_without_its_time_zone_is_told_how_to_write_it(client, at):
    assert "+ is %2B" in problem_of(client.get("/api/leads", params={"as_of": at}), 422)["detail"]


@pytest.mark.on_sqlite
def test_what_amounts_and_days_mean_is_told(client, database, given):
    with given() as make:
        settings_service.update_settings(
            make.session, SettingsUpdate(currency="CHF", time_zone="Europe/Zurich")
        )
        make.team("North")

    told = client.get("/api/settings").json()
    assert (told["currency"], told["time_zone"]) == ("CHF", "Europe/Zurich")
    assert [team["name"] for team in client.get("/api/teams").json()] == ["North"]


@pytest.mark.parametrize(
    ("kind", "plural", "merge"),
    [
        ("company", "companies", company_service.merge_companies),
        ("contact", "contacts", contact_service.merge_contacts),
    ],
)
def test_a_merged_record_is_gone(client, database, kind, plural, merge):
    with database.write() as session:
        kept, merged = (getattr(Make(session), kind)(name).id for name in ("Ada", "Ada L"))
        merge(session, kept, merged)

    assert client.get(f"/api/{plural}/{kept}").status_code == 200
    assert problem_of(client.get(f"/api/{plural}/{merged}"), 404)["type"] == "urn:crm:record-not-found"
