"""Demo data: believable, consistent, and the same for the same seed; recounted here row by row."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Table, select

from crm_core import check, demo
from crm_core.database import Database
from crm_core.demo.workdays import is_working_day
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    VERSIONS,
    Base,
    CloseReason,
    Company,
    Contact,
    Lead,
    LeadStatus,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    Role,
    Source,
    StageSettings,
    Target,
    Team,
    Transaction,
    User,
)
from crm_core.services import settings_service
from tests.builders import PROBABILITIES
from tests.databases import create_database, drop_database, url_of

AT = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
WON, LOST = OpportunityStage.CLOSED_WON, OpportunityStage.CLOSED_LOST

Row = dict[str, Any]


@dataclass
class Rows:
    """Every row of a filled database; the versions of a record are in the order of their numbers."""

    of: dict[str, list[Row]]
    versions: dict[str, dict[int, list[Row]]] = field(default_factory=dict)

    def by_id(self, model: type[Base]) -> dict[int, Row]:
        return {row["id"]: row for row in self.of[model.__table__.name]}

    def all(self, model: type[Base]) -> list[Row]:
        return self.of[model.__table__.name]

    def history(self, model: type[Base]) -> dict[int, list[Row]]:
        return self.versions[model.__table__.name]


def rows_of(database: Database, table: Table) -> list[Row]:
    with database.read() as session:
        found = session.execute(select(table).order_by(*table.primary_key.columns)).mappings()
        return [dict(row) for row in found]


def everything(database: Database) -> Rows:
    rows = Rows({table.name: rows_of(database, table) for table in Base.metadata.sorted_tables})
    for model, versions in VERSIONS.items():
        histories: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(rows.of[versions.name], key=lambda row: (row["id"], row["version"])):
            histories[row["id"]].append(row)
        rows.versions[model.__table__.name] = histories
    return rows


def fill(database: Database, opportunities: int, *, seed: int = 1, at: datetime = AT) -> demo.DemoSummary:
    return demo.fill(database, opportunities=opportunities, seed=seed, at=at)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with the demo data of the first start."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("demo") / "crm.db"
        template: Path = request.getfixturevalue("migrated_file")
        shutil.copy(template, file)
        database = Database(f"sqlite:///{file}")
        fill(database, demo.DEFAULT_OPPORTUNITIES)
        yield database
        database.close()
    else:
        server = request.getfixturevalue("server")
        name = create_database(server, request.getfixturevalue("migrated_template"))
        database = Database(url_of(name))
        fill(database, demo.DEFAULT_OPPORTUNITIES)
        yield database
        database.close()
        drop_database(server, name)


@pytest.fixture(scope="module")
def rows(filled: Database) -> Rows:
    return everything(filled)


def test_the_same_seed_gives_the_same_rows_on_both_databases(sqlite_url: str, postgres_url: str) -> None:
    embedded, server = Database(sqlite_url), Database(postgres_url)

    assert str(fill(embedded, 60)) == str(fill(server, 60))

    assert everything(embedded).of == everything(server).of
    embedded.close()
    server.close()


def test_another_seed_gives_other_rows(migrated_file: Path, tmp_path: Path) -> None:
    names = []
    for number, seed in enumerate((1, 1, 2)):
        file = tmp_path / f"{number}.db"
        shutil.copy(migrated_file, file)
        database = Database(f"sqlite:///{file}")
        fill(database, 30, seed=seed)
        names.append([row["name"] for row in rows_of(database, Opportunity.__table__)])
        database.close()

    first, again, other = names
    assert first == again
    assert not set(first) & set(other)


@pytest.mark.parametrize("opportunities", [1, 3, 20])
def test_a_few_deals_are_enough(database: Database, opportunities: int) -> None:
    told: list[int] = []

    summary = demo.fill(database, opportunities=opportunities, seed=7, at=AT, progress=told.append)

    assert (
        sum(told) == summary.opportunities == len(rows_of(database, Opportunity.__table__)) == opportunities
    )
    assert f"opportunities {opportunities}," in str(summary)
    assert check.findings(database) == []


@pytest.mark.parametrize("seed", range(2, 12))
def test_every_seed_adds_up(sqlite_url: str, seed: int) -> None:
    """Other seeds at other instants: a weekend, a holiday, before and after work, a leap day."""
    instants = (
        "2026-03-21 12:00",
        "2025-12-25 09:00",
        "2026-03-18 03:00",
        "2026-03-18 23:59",
        "2024-02-29 12:00",
    )
    database = Database(sqlite_url)

    fill(database, 80, seed=seed, at=datetime.fromisoformat(f"{instants[seed % 5]}+00:00"))

    assert check.findings(database) == []
    database.close()


@pytest.mark.parametrize("model", [Company, Contact, Lead, Opportunity])
def test_a_database_with_records_is_refused(database: Database, model: type[Base]) -> None:
    with database.write(at=AT - timedelta(days=2000)) as session:
        extra = {"stage": OpportunityStage.DISCOVERY, "probability": 25} if model is Opportunity else {}
        session.add(model(name="Ours", **extra))

    with pytest.raises(demo.NotEmpty, match="in use already"):
        fill(database, 5)

    assert rows_of(database, User.__table__)[1:] == []


def test_a_database_that_was_changed_lately_is_refused(database: Database) -> None:
    """The log has to stay in order, and the demo data begins two years ago."""
    with database.write(at=AT - timedelta(days=1)) as session:
        session.add(Team(name="Ours"))

    with pytest.raises(demo.NotEmpty):
        fill(database, 5)


def test_filling_twice_is_refused(filled: Database, rows: Rows) -> None:
    with pytest.raises(demo.NotEmpty):
        fill(filled, 5)


def test_it_says_that_there_is_demo_data(filled: Database) -> None:
    with filled.read() as session:
        assert settings_service.get_workspace(session).has_demo_data


def test_the_history_adds_up(filled: Database) -> None:
    assert check.findings(filled) == []


@pytest.mark.parametrize("model", VERSIONS)
def test_a_live_row_is_its_last_version(rows: Rows, model: type[Base]) -> None:
    live = rows.by_id(model)
    histories = rows.history(model)
    assert live.keys() == histories.keys()
    for record_id, versions in histories.items():
        last = {name: versions[-1][name] for name in live[record_id]}
        assert last == live[record_id]


@pytest.mark.parametrize("model", VERSIONS)
def test_versions_have_no_gap_and_no_overlap(rows: Rows, model: type[Base]) -> None:
    for versions in rows.history(model).values():
        assert [version["version"] for version in versions] == list(range(1, len(versions) + 1))
        assert all(earlier["valid_to"] == later["valid_from"] for earlier, later in pairwise(versions))
        assert all(version["updated_at"] == version["valid_from"] <= AT for version in versions)
        assert {version["created_at"] for version in versions} == {versions[0]["valid_from"]}
        assert versions[-1]["valid_to"] is None


@pytest.mark.parametrize("model", VERSIONS)
def test_a_state_came_from_the_action_of_its_instant(rows: Rows, model: type[Base]) -> None:
    log = rows.by_id(Transaction)
    for versions in rows.history(model).values():
        for version in versions:
            action = log[version["transaction_id"]]
            assert action["at"] == version["valid_from"]
            assert action["actor_id"] is not None


def test_the_log_is_in_order_and_ends_with_the_filling(rows: Rows) -> None:
    log = rows.all(Transaction)
    assert [row["id"] for row in log] == list(range(1, len(log) + 1))
    assert all(earlier["at"] < later["at"] for earlier, later in pairwise(log))
    assert log[-1]["at"] == AT
    assert log[-1]["note"] == "Demo data"
    assert {row["source"] for row in log[:-1]} == {Source.UI, Source.API, Source.IMPORT}


def test_deals_change_by_their_owner_or_a_manager(rows: Rows) -> None:
    log, users = rows.by_id(Transaction), rows.by_id(User)
    for versions in rows.history(Opportunity).values():
        for version in versions:
            actor = log[version["transaction_id"]]["actor_id"]
            assert actor == version["owner_id"] or users[actor]["role"] is Role.MANAGER


def test_everything_happens_in_working_hours(rows: Rows) -> None:
    for action in rows.all(Transaction)[:-1]:
        assert is_working_day(action["at"].date())
        assert time(8, 30) <= action["at"].time() < time(18)


def test_working_hours_and_days_are_those_of_the_workspace(database: Database) -> None:
    zone = ZoneInfo("Australia/Adelaide")
    with database.write(at=AT - timedelta(days=2000)) as session:
        settings_service.get_settings(session).time_zone = zone.key

    fill(database, 40)

    for action in rows_of(database, Transaction.__table__)[1:-1]:
        assert time(8, 30) <= action["at"].astimezone(zone).time() < time(18)
    closed = [row for row in rows_of(database, Opportunity.__table__) if row["closed_at"]]
    assert all(row["actual_close_date"] == row["closed_at"].astimezone(zone).date() for row in closed)
    assert any(row["actual_close_date"] != row["closed_at"].date() for row in closed)


def test_targets_are_those_of_the_fiscal_quarters(database: Database) -> None:
    with database.write(at=AT - timedelta(days=2000)) as session:
        settings_service.get_settings(session).fiscal_year_start_month = 2

    fill(database, 40)

    starts = {target["starts_on"] for target in rows_of(database, Target.__table__)}
    first_days = [(2026, 2), (2025, 11), (2025, 8), (2025, 5), (2025, 2)]
    assert starts == {datetime(year, month, 1, tzinfo=UTC).date() for year, month in first_days}


def test_a_closed_state_says_how_it_was_closed(rows: Rows) -> None:
    reasons = rows.by_id(CloseReason)
    for versions in rows.history(Opportunity).values():
        for number, version in enumerate(versions):
            assert version["probability"] == PROBABILITIES[version["stage"]]
            outcome = {WON: Outcome.WON, LOST: Outcome.LOST}.get(version["stage"])
            if outcome is None:
                unset = (
                    "closed_at",
                    "actual_close_date",
                    "close_reason_id",
                    "close_note",
                    "credited_owner_id",
                )
                assert [version[name] for name in unset] == [None] * 5
                continue
            before = versions[number - 1]
            assert version["closed_at"] == version["valid_from"]
            assert version["actual_close_date"] == version["valid_from"].date()
            assert version["credited_owner_id"] == before["owner_id"] == version["owner_id"]
            assert version["expected_close_date"] == before["expected_close_date"]
            reason = reasons.get(version["close_reason_id"])
            assert reason is not None or outcome is Outcome.WON
            assert reason is None or reason["outcome"] is outcome
            assert bool(version["close_note"]) == (reason is not None and reason["needs_note"])


def test_deals_are_won_only_from_where_they_can_be_won(rows: Rows) -> None:
    winnable = {row["stage"] for row in rows.all(StageSettings) if row["can_be_won"]}
    moves = [
        (earlier["stage"], later["stage"])
        for versions in rows.history(Opportunity).values()
        for earlier, later in pairwise(versions)
    ]
    assert {earlier for earlier, later in moves if later is WON and earlier is not WON} <= winnable
    assert not {(WON, LOST), (LOST, WON), (WON, WON), (LOST, LOST)} & set(moves)


def test_a_converted_lead_and_its_deal_point_at_each_other(rows: Rows) -> None:
    deals, contacts = rows.by_id(Opportunity), rows.by_id(Contact)
    converted = [row for row in rows.all(Lead) if row["status"] is LeadStatus.CONVERTED]
    assert converted
    for lead in converted:
        deal = deals[lead["opportunity_id"]]
        assert deal["lead_id"] == lead["id"]
        assert lead["converted_at"] == deal["created_at"] == contacts[deal["contact_id"]]["created_at"]
        assert rows.history(Lead)[lead["id"]][-2]["status"] is LeadStatus.QUALIFIED
    assert len(converted) == sum(deal["lead_id"] is not None for deal in deals.values())


def test_a_deal_knows_only_what_was_there(rows: Rows) -> None:
    companies, contacts = rows.by_id(Company), rows.by_id(Contact)
    for deal in rows.all(Opportunity):
        assert companies[deal["company_id"]]["created_at"] <= deal["created_at"]
        if deal["contact_id"] is not None:
            contact = contacts[deal["contact_id"]]
            assert contact["created_at"] <= deal["created_at"]
            assert contact["company_id"] == deal["company_id"]
    for note in rows.all(Note):
        assert rows.by_id(Opportunity)[note["opportunity_id"]]["created_at"] <= note["created_at"] <= AT


def test_addresses_exist_nowhere(rows: Rows) -> None:
    people = [row for model in (User, Contact, Lead) for row in rows.all(model) if row["email"]]
    assert len(people) > 100
    assert all(row["email"].endswith(".example") and row["email"].isascii() for row in people)
    assert all(row["domain"].endswith(".example") for row in rows.all(Company))
    assert all("555-01" in row["phone"] for row in rows.all(Contact) if row["phone"])


def test_names_are_varied_and_a_company_has_its_own(rows: Rows) -> None:
    deals = Counter(row["name"] for row in rows.all(Opportunity))
    assert len(deals) > 0.9 * demo.DEFAULT_OPPORTUNITIES
    companies = [row["name"] for row in rows.all(Company)]
    assert len(set(companies)) == len(companies) == demo.DEFAULT_OPPORTUNITIES // 5


def test_a_pipeline_looks_like_one(rows: Rows) -> None:
    deals = rows.all(Opportunity)
    stages = Counter(deal["stage"] for deal in deals)
    closed = stages[WON] + stages[LOST]
    still_open = [deal for deal in deals if deal["stage"] in OPEN_STAGES]
    expected = [deal["expected_close_date"] for deal in still_open if deal["expected_close_date"]]

    assert all(stages[stage] >= 3 for stage in OpportunityStage)
    assert 0.3 <= stages[WON] / closed <= 0.42
    assert 0.1 <= len(still_open) / len(deals) <= 0.3
    soon = [day for day in expected if AT.date() <= day <= AT.date() + timedelta(days=120)]
    assert len(soon) > len(expected) / 2
    assert AT - timedelta(days=732) <= min(deal["created_at"] for deal in deals)
    recent = sum(deal["created_at"] > AT - timedelta(days=365) for deal in deals)
    assert recent > 1.1 * (len(deals) - recent)


def test_some_deals_need_attention(rows: Rows) -> None:
    limits = {row["stage"]: row["stale_after_days"] for row in rows.all(StageSettings)}
    still_open = [deal for deal in rows.all(Opportunity) if deal["stage"] in OPEN_STAGES]

    def share(of: list[bool]) -> float:
        return sum(of) / len(still_open)

    assert (
        0.05 <= share([(AT - deal["updated_at"]).days > limits[deal["stage"]] for deal in still_open]) <= 0.45
    )
    overdue = [deal["expected_close_date"] and deal["expected_close_date"] < AT.date() for deal in still_open]
    assert 0.03 <= share([bool(late) for late in overdue]) <= 0.3
    assert 0 < share([deal["expected_value"] is None for deal in still_open]) <= 0.3
    assert 0 < share([deal["expected_close_date"] is None for deal in still_open]) <= 0.2
    assert 0.3 <= share([bool(deal["next_step"] and deal["next_step_date"]) for deal in still_open]) <= 0.9


def test_deals_go_back_slip_change_hands_and_are_reopened(rows: Rows) -> None:
    seen: Counter[str] = Counter()
    order = list(OpportunityStage)
    for versions in rows.history(Opportunity).values():
        for earlier, later in pairwise(versions):
            was_open = earlier["stage"] in OPEN_STAGES
            went_back = order.index(later["stage"]) < order.index(earlier["stage"])
            seen["reopened"] += earlier["stage"] in CLOSED_STAGES and later["stage"] in OPEN_STAGES
            seen["back"] += was_open and went_back
            seen["owner"] += earlier["owner_id"] != later["owner_id"]
            seen["value"] += earlier["expected_value"] != later["expected_value"]
            seen["date"] += earlier["expected_close_date"] != later["expected_close_date"]
    assert all(seen[kind] >= 3 for kind in ("reopened", "back", "owner", "value", "date"))
    assert len(rows.of["opportunity_versions"]) > 3 * demo.DEFAULT_OPPORTUNITIES


def test_prices_are_round(rows: Rows) -> None:
    values = [deal["expected_value"] for deal in rows.all(Opportunity) if deal["expected_value"] is not None]
    assert all(value > 0 and value % 50 == 0 for value in values)
    assert max(values) > 10 * min(values)


def test_leads_are_in_every_status(rows: Rows) -> None:
    assert {lead["status"] for lead in rows.all(Lead)} == set(LeadStatus)


def test_reps_belong_to_led_teams_and_have_targets(rows: Rows) -> None:
    users, teams = rows.by_id(User), rows.by_id(Team)
    reps = [user for user in users.values() if user["role"] is Role.REP]
    assert 8 <= len(reps) <= 12
    assert sum(not rep["is_active"] for rep in reps) == 1
    assert all(users[team["manager_id"]]["team_id"] == team_id for team_id, team in teams.items())
    targets = defaultdict(set)
    for target in rows.all(Target):
        targets[target["starts_on"]].add(target["user_id"])
    assert max(targets) == datetime(2026, 1, 1, tzinfo=UTC).date()
    assert len(targets) == 5
    assert {rep["id"] for rep in reps if rep["is_active"]} <= targets[max(targets)]
    owners = {deal["owner_id"] for deal in rows.all(Opportunity) if deal["stage"] in OPEN_STAGES}
    assert all(users[owner]["is_active"] for owner in owners)
