"""A client that `openapi-python-client` makes of the description works against a running server."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from api.main import api
from crm_core.models import LOCAL_USER_ID, LeadStatus, OpportunityStage
from crm_core.services import token_service
from tests.builders import Make, People
from tests.serving import API_ALONE, Server

pytestmark = pytest.mark.on_sqlite

PACKAGE = "generated_crm_client"
PROPOSAL, NEGOTIATION = OpportunityStage.PROPOSAL, OpportunityStage.NEGOTIATION


@dataclass(frozen=True)
class Filled:
    """What the server's database has: each deal is named after its company, its owner and its stage."""

    people: People
    acme: int
    barn: int
    lead: int
    secret: str


class Client:
    """The generated package, signed in: `call` an operation, or get one of the `models`."""

    def __init__(self, address: str, secret: str) -> None:
        package = import_module(PACKAGE)
        self.models = import_module(f"{PACKAGE}.models")
        self._signed_in = package.AuthenticatedClient(address, token=secret, raise_on_unexpected_status=True)

    def call(self, operation: str, *ids: Any, **sent: Any) -> Any:
        """What the operation answers, such as `opportunities.list_opportunities`."""
        return import_module(f"{PACKAGE}.api.{operation}").sync(*ids, client=self._signed_in, **sent)

    def deals(self, **where: Any) -> list[str]:
        """The names of the deals that the filter lets through, on pages of three."""
        names, cursor = [], {}
        while True:
            page = self.call("opportunities.list_opportunities", limit=3, **cursor, **where)
            names += [deal.name for deal in page.items]
            if page.next_cursor is None:
                assert page.total == len(names)
                return sorted(names)
            cursor = {"cursor": page.next_cursor}


@pytest.fixture(scope="module")
def server(module_in_turn) -> Iterator[Server]:
    server = Server(module_in_turn.database.url.render_as_string(hide_password=False), API_ALONE)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def printed(server, tmp_path_factory) -> Iterator[str]:
    """What the generator says; its client can be imported."""
    folder = tmp_path_factory.mktemp("generated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
                *("--url", f"{server.address}/api/openapi.json", "--output-path", folder / PACKAGE),
            ],
            capture_output=True,
            encoding="utf-8",
        )
        patch.syspath_prepend(folder)
        yield ran.stdout.removeprefix(f"Generating {folder / PACKAGE}").strip() + ran.stderr
    for name in [each for each in sys.modules if each.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def filled(module_in_turn) -> Filled:
    with module_in_turn.database.write() as session:
        make = Make(session)
        people, acme, barn = make.people(), make.company("Acme").id, make.company("Barn").id
        for company, company_id in (("Acme", acme), ("Barn", barn), ("nobody", None)):
            for owner, owner_id in (("Rita", people.rita), ("Otto", people.otto), ("nobody", None)):
                for stage in (PROPOSAL, NEGOTIATION):
                    make.opportunity(
                        name=f"{company} {owner} {stage}",
                        company_id=company_id,
                        owner_id=owner_id,
                        stage=stage,
                    )
        lead = make.lead(status=LeadStatus.QUALIFIED, company_name="Navy").id
        secret = token_service.create_token(session, LOCAL_USER_ID).secret
    return Filled(people, acme, barn, lead, secret)


@pytest.fixture(scope="module")
def client(server, printed, filled) -> Client:
    return Client(server.address, filled.secret)


@pytest.fixture
def refusal_of(client) -> Callable[..., Any]:
    """The problem as which the generated client returns what was refused."""

    def refusal_of(operation: str, *ids: Any, **sent: Any) -> Any:
        answer = client.call(operation, *ids, **sent)
        assert isinstance(answer, client.models.Problem)
        return answer

    return refusal_of


def test_the_generator_has_nothing_to_say(printed):
    assert printed == ""


def test_every_operation_can_be_called(client):
    for methods in api.openapi()["paths"].values():
        for told in methods.values():
            module = import_module(f"{PACKAGE}.api.{told['tags'][0]}.{told['operationId']}")
            assert callable(module.sync_detailed)


def test_what_needs_no_id_is_read(client):
    read = [
        f"{methods['get']['tags'][0]}.{methods['get']['operationId']}"
        for path, methods in api.openapi()["paths"].items()
        if "get" in methods and "{" not in path
    ]

    assert len(read) > 10
    for operation in read:
        answer = client.call(operation)
        assert answer is not None, operation
        assert not isinstance(answer, client.models.Problem), operation


def test_the_whole_list_is_read_page_by_page(client):
    names = client.deals(without_value=True)

    assert len(names) == len(set(names)) == 18


def test_a_filter_takes_several_values(client, filled):
    stages = [client.models.OpportunityStage(stage) for stage in (PROPOSAL, NEGOTIATION)]

    assert client.deals(
        stage=stages, company_id=[filled.acme, filled.barn], owner_id=[filled.people.rita, filled.people.otto]
    ) == sorted(
        f"{company} {owner} {stage}"
        for company in ("Acme", "Barn")
        for owner in ("Rita", "Otto")
        for stage in (PROPOSAL, NEGOTIATION)
    )
    assert client.deals(
        stage=stages[:1], company_id=[filled.acme], owner_id=[filled.people.rita, filled.people.otto]
    ) == [f"Acme Otto {PROPOSAL}", f"Acme Rita {PROPOSAL}"]


def test_a_deal_is_created_moved_changed_and_closed(client, filled):
    models = client.models
    draft = models.OpportunityCreate(
        name="Wind turbine",
        company_id=filled.barn,
        expected_value="98000.50",
        expected_close_date=datetime(2026, 6, 30, tzinfo=UTC).date(),
        description="By the sea.",
    )
    created = client.call("opportunities.create_opportunity", body=draft, idempotency_key="order-1815")
    again = client.call("opportunities.create_opportunity", body=draft, idempotency_key="order-1815")
    move = models.Move(models.OpportunityStage.NEGOTIATION)
    moved = client.call("opportunities.move_opportunity", created.id, body=move, if_match='"1"')
    changes = models.OpportunityUpdate(description="On the hill.", expected_close_date=None)
    changed = client.call("opportunities.update_opportunity", created.id, body=changes)
    reasons = client.call("settings.list_close_reasons", outcome=models.Outcome.LOST)
    price = next(reason.id for reason in reasons if reason.label == "Price")
    close = models.Close(models.Outcome.LOST, reason=price, note="Too loud.")
    client.call("opportunities.close_opportunity", created.id, body=close)
    closed = client.call("opportunities.get_opportunity", created.id)
    history = client.call("opportunities.get_opportunity_history", created.id)

    assert (created.id, created.expected_value, created.description) == (again.id, "98000.50", "By the sea.")
    assert moved.stage is models.OpportunityStage.NEGOTIATION
    assert (changed.name, changed.description, changed.expected_close_date) == (
        "Wind turbine",
        "On the hill.",
        None,
    )
    assert (closed.stage, closed.close_note) == (models.OpportunityStage.CLOSED_LOST, "Too loud.")
    assert closed.closed_at > closed.created_at > datetime(2026, 1, 1, tzinfo=UTC)
    assert [entry.version for entry in history] == [4, 3, 2, 1]


def test_a_lead_is_converted_once(client, filled):
    choice = client.models.ConversionChoice(name="Compiler")
    done = client.call("opportunities.convert_lead", filled.lead, body=choice)

    assert (done.opportunity.name, done.company.name, done.company.how) == ("Compiler", "Navy", "created")
    assert client.call("opportunities.convert_lead", filled.lead) == done


def test_a_field_that_is_wrong_is_named(client, refusal_of):
    problem = refusal_of("leads.create_lead", body=client.models.LeadCreate(name="Ada", email="nowhere"))

    assert (problem.status, problem.type_) == (422, "urn:crm:invalid-input")
    assert [one.field for one in problem.errors] == ["email"]


def test_what_was_changed_meanwhile_is_told(client, refusal_of):
    lead = client.call("leads.create_lead", body=client.models.LeadCreate(name="Ada"))
    client.call("leads.update_lead", lead.id, body=client.models.LeadUpdate(job_title="Countess"))
    late = client.models.LeadUpdate(job_title="Mathematician")

    problem = refusal_of("leads.update_lead", lead.id, body=late, if_match='"1"')

    assert (problem.status, problem.version) == (412, 2)
    assert [one.after for entry in problem.changes for one in entry.changes] == ["Countess"]


def test_what_is_not_there_is_told(refusal_of):
    problem = refusal_of("companies.get_company", 999)

    assert (problem.status, problem.type_, problem.detail[-1]) == (404, "urn:crm:record-not-found", ".")
