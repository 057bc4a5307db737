"""Amounts go out with the decimals of the workspace's currency, and come in with no more than those."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from crm_core.currency import Currency
from crm_core.models import LeadStatus
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import settings_service
from tests.api.conftest import fields_of, problem_of

pytestmark = pytest.mark.both_databases

DEALS, LEADS = "/api/opportunities", "/api/leads"
TOLD = {
    "JPY": ("5", "8", "13", "7"),
    "USD": ("5.00", "7.25", "12.25", "6.13"),
    "KWD": ("5.000", "7.125", "12.125", "6.063"),
}
"""Two deals, their total, and the half of it, rounded."""

TOO_FINE = {"JPY": "0.5", "USD": "0.005", "KWD": 0.0005}
CURRENCIES = pytest.mark.parametrize("code", TOLD)


@pytest.fixture
def choose(database):
    """Another currency for the workspace."""

    def choose(code: str) -> None:
        with database.write() as session:
            settings_service.update_settings(session, SettingsUpdate(currency=code))

    return choose


def created(client, at: str = DEALS, **answers: Any) -> dict[str, Any]:
    answer = client.post(at, json={"name": "Roof", **answers})
    assert answer.status_code == 201, answer.text
    return answer.json()


@CURRENCIES
def test_amounts_have_the_decimals_of_the_currency(client, choose, code):
    choose(code)
    first, second, total, half = TOLD[code]
    for amount in (first, Decimal(second)):
        created(client, stage="proposal", expected_value=float(amount), currency=code)

    page = client.get(DEALS, params={"sort": "created"}).json()
    stats = client.get(f"{DEALS}/stats").json()
    figures = [client.get(f"/api/metrics/{name}").json() for name in ("open_pipeline", "weighted_pipeline")]
    lines = client.get(DEALS, headers={"Accept": "text/csv"}, params={"sort": "created"})
    rows = csv.DictReader(io.StringIO(lines.content.decode("utf-8-sig"), newline=""))
    (entry,) = client.get(f"{DEALS}/{page['items'][1]['id']}/history").json()

    assert [row["expected_value"] for row in page["items"]] == [first, second]
    assert [row["expected_value"] for row in rows] == [first, second]
    assert (page["value"], page["weighted"]) == (total, half)
    assert (stats["open"]["value"], stats["open"]["weighted"]) == (total, half)
    assert [stage["value"] for stage in stats["stages"]].count(total) == 1
    assert [figure["value"] for figure in figures] == [total, half]
    assert {each["currency"] for each in (page, stats, *figures)} == {code}
    assert second in [change["after"] for change in entry["changes"]]


@CURRENCIES
def test_computed_amounts_are_rounded_once(client, choose, code):
    choose(code)
    amounts = [Currency(code).unit * number for number in (1, 2, 4)]
    for amount in amounts:
        deal = created(client, stage="proposal", expected_value=str(amount))
        client.post(f"{DEALS}/{deal['id']}/close", json={"outcome": "won"})

    told = client.get("/api/metrics/average_won").json()

    assert told["value"] == str(2 * Currency(code).unit)  # 7 ÷ 3
    assert told["details"]["median"] == str(2 * Currency(code).unit)
    assert client.get("/api/metrics/won").json()["value"] == str(7 * Currency(code).unit)


@CURRENCIES
def test_a_finer_amount_is_refused_and_nothing_is_written(client, choose, given, code):
    choose(code)
    with given() as make:
        lead = make.lead(status=LeadStatus.QUALIFIED).id
    deal = created(client, expected_value=3)
    fine, before = TOO_FINE[code], [client.get(at).json() for at in (DEALS, LEADS)]

    for answer in (
        client.post(DEALS, json={"name": "Boat", "expected_value": fine}),
        client.put(f"{DEALS}/{deal['id']}", json={"expected_value": fine}),
        client.post(LEADS, json={"name": "Lea", "estimated_value": fine}),
        client.put(f"{LEADS}/{lead}", json={"estimated_value": fine}),
        client.post(f"{DEALS}/convert/{lead}", json={"expected_value": fine}),
    ):
        told = problem_of(answer, 422)
        assert told["type"] == "urn:crm:finer-than-currency"
        assert f"{code} has {Currency(code).in_words}. Write it like" in told["detail"]
    many = {"ids": [deal["id"]], "changes": {"expected_value": fine}}
    assert code in problem_of(client.patch(DEALS, json=many), 409)["refusals"][0]["reason"]
    assert [client.get(at).json() for at in (DEALS, LEADS)] == before
    assert client.get(DEALS, params={"value_from": fine, "value_to": 3}).json()["total"] == 1


def test_more_decimals_than_are_stored_are_named(client):
    for sent in ("0.00001", 0.30000000000000004):
        answer = client.post(DEALS, json={"name": "Boat", "expected_value": sent})
        assert fields_of(answer) == ["expected_value"]
    assert client.get(DEALS).json()["total"] == 0


def test_amounts_in_another_currency_are_refused_and_nothing_is_written(client, given):
    with given() as make:
        lead = make.lead(status=LeadStatus.QUALIFIED).id
    deal = created(client, expected_value=3)
    before = [client.get(at).json() for at in (DEALS, LEADS)]
    euros = {"currency": "EUR"}

    for answer in (
        client.post(DEALS, json={"name": "Boat", "expected_value": 5} | euros),
        client.put(f"{DEALS}/{deal['id']}", json={"expected_value": 5} | euros),
        client.put(f"{DEALS}/{deal['id']}", json=euros),
        client.post(LEADS, json={"name": "Lea", "estimated_value": 5} | euros),
        client.put(f"{LEADS}/{lead}", json={"estimated_value": 5} | euros),
        client.post(f"{DEALS}/convert/{lead}", json={"expected_value": 5} | euros),
    ):
        told = problem_of(answer, 422)
        assert told["type"] == "urn:crm:other-currency"
        assert told["detail"].startswith("Amounts are in USD here, not in EUR. Convert them")
    many = {"ids": [deal["id"]], "changes": {"expected_value": 5} | euros}
    assert "not in EUR" in problem_of(client.patch(DEALS, json=many), 409)["refusals"][0]["reason"]
    assert fields_of(client.post(DEALS, json={"name": "Boat", "currency": "Taler"})) == ["currency"]
    assert [client.get(at).json() for at in (DEALS, LEADS)] == before


def test_a_currency_that_matches_is_not_stored(client):
    deal = created(client, expected_value=3, currency="USD")
    at = f"{DEALS}/{deal['id']}"

    assert "currency" not in deal
    assert [client.put(at, json={"currency": given}).json() for given in ("USD", None, "")] == [deal] * 3
    assert client.put(at, json={"expected_value": 4, "currency": "USD"}).json()["expected_value"] == "4.00"


def test_amounts_are_relabelled_and_told_exactly(client, choose):
    choose("KWD")
    deal = created(client, stage="proposal", expected_value="1.234")
    choose("JPY")
    created(client, stage="proposal", expected_value="100")

    page = client.get(DEALS).json()

    assert [row["expected_value"] for row in page["items"]] == ["100", "1.234"]
    assert (page["currency"], page["value"], page["weighted"]) == ("JPY", "101.234", "51")
    unchanged = client.put(f"{DEALS}/{deal['id']}", json={"name": "New", "expected_value": "1.234"})
    assert unchanged.json()["expected_value"] == "1.234"
    stale = client.put(f"{DEALS}/{deal['id']}", json={"name": "Old"}, headers={"If-Match": '"1"'})
    assert problem_of(stale, 412)["version"] == 2
