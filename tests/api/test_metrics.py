"""`/api/metrics`: every figure by its name, with the records behind it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crm_core import clock
from crm_core.analytics.metrics import METRICS, Days, MetricName, measure
from crm_core.models import Settings, Visibility
from crm_core.periods import Period, PeriodChoice
from crm_core.services.settings_service import get_calendar
from tests.api.conftest import fields_of, problem_of
from tests.builders import reason_id

QUARTER = {"period_from": "2026-01-01", "period_to": "2026-03-31"}


def days_of(name: MetricName) -> dict[str, str]:
    """The period that is asked for, where the figure takes one."""
    return QUARTER if METRICS[name].days in (Days.ANY, Days.WHOLE_MONTHS) else {}


def get(client: Any, name: str, **asked: Any) -> Any:
    answer = client.get(f"/api/metrics/{name}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", MetricName)
def test_every_figure_is_told_as_the_library_counts_it(client, database, world, name):
    told = get(client, name, explain=1, **days_of(name))

    period = Period(date(2026, 1, 1), date(2026, 4, 1)) if days_of(name) else None
    with database.read() as session:
        answer = measure(session, name, period=period, explain=True)
    figure = answer.figure
    assert (told["name"], told["label"], told["unit"]) == (name, answer.metric.label, answer.metric.unit)
    assert told["value"] == (str(figure.value) if isinstance(figure.value, Decimal) else figure.value)
    assert (told["n"], told["counted"]) == (figure.n, figure.counted.count)
    assert told["explain"]["counted"] == figure.counted.ids
    assert told["left_out"].keys() == told["explain"]["left_out"].keys() == figure.left_out.keys()
    assert [part["key"] for part in told["parts"]] == list(figure.parts)
    assert told["period_from"] == (answer.period.start.isoformat() if answer.period else None)


def test_why_there_is_no_win_rate_is_said(client, given):
    with given() as make:
        won = make.won(600).id

    for name in ("win_rate", "win_rate_by_value", "velocity"):
        assert get(client, name)["status"] == "no_lost_deals"
    stats = client.get("/api/opportunities/stats").json()
    for rate in (stats["win_rate"], stats["win_rate_by_value"]):
        assert (rate["value"], rate["n"], rate["status"]) == (None, 1, "no_lost_deals")
    funnel = get(client, "funnel", explain=1)
    assert (funnel["value"], funnel["left_out"]["path_unknown"]) == (0, 1)
    assert funnel["explain"]["left_out"]["path_unknown"] == [won]
    listed = client.get("/api/opportunities", params={"path_unknown": "true"}).json()
    assert [deal["id"] for deal in listed["items"]] == [won]


def test_a_figure_names_what_it_counts_and_what_it_leaves_out(client, given):
    with given() as make:
        lost = {"close_reason_id": reason_id(make.session, "Price")}
        never = {"close_reason_id": reason_id(make.session, "Duplicate or test")}
        won, other = make.won(600).id, make.lost(200, **lost).id
        not_known, duplicate = make.won().id, make.lost(50, **never).id

    by_count = get(client, "win_rate", explain=1)
    assert (by_count["value"], by_count["n"], by_count["counted"]) == (2 / 3, 3, 2)
    assert by_count["explain"] == {
        "counted": [won, not_known],
        "out_of": [won, other, not_known],
        "left_out": {"does_not_count": [duplicate]},
        "apart": {},
    }
    assert by_count["low"] < 2 / 3 < by_count["high"]

    by_value = get(client, "win_rate_by_value", explain=1)
    assert (by_value["value"], by_value["explain"]["counted"]) == (0.75, [won])
    assert by_value["left_out"] == {"does_not_count": 1, "without_value": 1}
    assert get(client, "won")["explain"] is None


def test_a_figure_is_told_as_it_was(client, database, given):
    with given() as make:
        deal = make.opportunity(expected_value=Decimal("12.50")).id
    before = clock.now()
    client.post(f"/api/opportunities/{deal}/move", json={"to": "proposal"})
    client.post(f"/api/opportunities/{deal}/close", json={"outcome": "won"})

    assert (get(client, "open_pipeline")["value"], get(client, "won")["value"]) == ("0.00", "12.50")
    then = get(client, "open_pipeline", as_of=before.isoformat(), explain=1)
    assert (then["value"], then["explain"]["counted"]) == ("12.50", [deal])
    assert then["as_of"] == before.isoformat().replace("+00:00", "Z")
    assert get(client, "won", as_of=before.isoformat())["value"] == "0.00"


@pytest.mark.on_sqlite
def test_a_figure_takes_every_filter_of_a_list(client, given):
    with given() as make:
        rita = make.user().id
        hers = make.won(5, owner_id=rita, source="web").id
        make.won(7, source="web")
        make.won(11, owner_id=rita)

    told = get(client, "won", owner_id=rita, source="web", explain=1)

    assert (told["value"], told["explain"]["counted"]) == ("5.00", [hers])


def test_a_period_has_a_name(client, database, given):
    with given() as make:
        make.session.get_one(Settings, 1).fiscal_year_start_month = 2
        inside = make.won(600, closed_at=datetime(2026, 4, 30, 23, tzinfo=UTC)).id
        make.won(70, closed_at=datetime(2026, 5, 1, tzinfo=UTC))
        make.won(70, closed_at=datetime(2026, 1, 31, 23, tzinfo=UTC))

    days = get(client, "won", period_from="2026-02-01", period_to="2026-04-30", explain=1)
    assert (days["value"], days["explain"]["counted"], days["period_label"]) == (
        "600.00",
        [inside],
        "Q1 FY27",
    )
    assert get(client, "won", period_from="2026-02-01", period_to="2026-04-29")["period_label"] is None

    now = clock.now()
    for choice in PeriodChoice:
        found = get(client, "won", period=choice)
        with database.read() as session:
            calendar = get_calendar(session)
        if choice is PeriodChoice.ALL_TIME:
            asked = None, None, None
        else:
            period = calendar.around(choice, calendar.day_of(now))
            asked = f"{period.start}", f"{period.last_day}", calendar.label(period)
        assert (found["period_from"], found["period_to"], found["period_label"]) == asked


def test_a_period_by_its_name_is_seen_from_the_instant_asked_for(client, given):
    with given() as make:
        make.session.get_one(Settings, 1).fiscal_year_start_month = 2

    found = get(client, "won", period="last_quarter", as_of="2026-03-18T12:00:00Z")

    assert (found["period_from"], found["period_to"]) == ("2025-11-01", "2026-01-31")
    assert found["period_label"] == "Q4 FY26"


@pytest.mark.on_sqlite
def test_what_can_not_be_counted_is_null(client):
    for name, days in ((name, days_of(name)) for name in MetricName):
        told = get(client, name, **days)
        if told["unit"] in ("ratio", "days", "money_per_day") and name != "pace":
            assert told["value"] is None, name
        assert told["n"] == 0


@pytest.mark.on_sqlite
def test_the_catalogue_has_every_figure(client):
    told = client.get("/api/metrics").json()

    assert [each["name"] for each in told] == list(MetricName)
    assert {each["of"] for each in told} == {"opportunities", "leads"}


@pytest.mark.on_sqlite
def test_an_unknown_figure_is_refused_with_those_that_there_are(client):
    answer = client.get("/api/metrics/revenue")

    assert fields_of(answer) == ["name"]
    assert "open_pipeline" in problem_of(answer, 422)["detail"]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("name", "asked", "refusal"),
    [
        ("overdue", QUARTER, "takes-no-period"),
        ("gap", {}, "needs-period"),
        ("gap", {"period": "all_time"}, "needs-period"),
        ("overdue", {"period": "this_month"}, "takes-no-period"),
        ("won", {"period": "this_month", "period_to": "2026-03-31"}, "two-periods"),
        ("won", {"period": "last_year", "as_of": "0001-01-01T00:00:00Z"}, "no-such-period"),
        ("gap", {"period_from": "2026-01-02"}, "no-whole-months"),
        ("pace", {**QUARTER, "stale": True}, "not-asked-of-targets"),
        ("lead_conversion", {"overdue": True}, "not-asked-of-leads"),
    ],
)
def test_what_makes_no_sense_is_refused(client, name, asked, refusal):
    told = problem_of(client.get(f"/api/metrics/{name}", params=asked), 422)

    assert told["type"] == f"urn:crm:{refusal}"


@pytest.mark.on_sqlite
def test_a_refusal_names_filters_as_the_api_does(client):
    asked = {"company_id": 1, "close_reason_id": 1, "stage": "proposal", "source": "Web"}
    for name, named in (
        ("lead_conversion", "close_reason_id, company_id, stage."),
        ("pace", "close_reason_id, company_id, source, stage out of the filter."),
    ):
        query = asked | (QUARTER if name == "pace" else {})
        told = problem_of(client.get(f"/api/metrics/{name}", params=query), 422)
        assert named in told["detail"]


@pytest.mark.on_sqlite
def test_days_must_come_in_their_order(client):
    answer = client.get("/api/metrics/won", params={"period_from": "2026-03-31", "period_to": "2026-01-01"})

    assert problem_of(answer, 422)["type"] == "urn:crm:period-ends-before-it-begins"


def test_nobody_is_told_of_what_they_may_not_read(client, database, world, token_of):
    with database.write() as session:
        session.get_one(Settings, 1).visibility = Visibility.OWN

    for name in ("won", "days_in_stage", "funnel", "lead_conversion", "stale"):
        path = f"/api/metrics/{name}?explain=1"
        assert client.get(path, headers=token_of(world.rita)).json()["explain"]["out_of"], name
        assert not client.get(path, headers=token_of(world.otto)).json()["explain"]["out_of"], name
