"""Saved views from before ids and codes were stored mean what they meant; what is not known is said."""

import json
import logging
from typing import Any

import pytest
from sqlalchemy import select, text

from crm_core import migrate
from crm_core.database import Database
from crm_core.models import LOCAL_USER_ID, CloseReason, Outcome, SavedView, User
from crm_core.periods import Days
from crm_core.schemas.saved_view import ViewDefinition
from crm_core.sorting import CompanySort, ContactSort, LeadSort, OpportunitySort
from tests.builders import Make

pytestmark = pytest.mark.both_databases

BEFORE = "0011"
INSERT = text(
    "INSERT INTO saved_views (user_id, screen, name, definition, is_shared, is_default)"
    " VALUES (:user, :screen, :name, :definition, :no, :no)"
)


@pytest.fixture
def keys(empty_database: Database) -> dict[str, Any]:
    """Two people called Ann, one of them inactive, teams, companies, and a reason that is not offered."""
    migrate.upgrade(empty_database)
    with empty_database.write() as session:
        make = Make(session)
        chosen = select(CloseReason).where(CloseReason.outcome == Outcome.LOST).order_by(CloseReason.id)
        reason = session.scalars(chosen.limit(1)).one()
        reason.label, reason.is_active = "Price", False
        return {
            "ann": make.user("Ann").id,
            "other_ann": make.user("Ann", is_active=False).id,
            "north": make.team(" North \t pole").id,
            "acme": make.company("Acme").id,
            "price": reason.id,
        }


def upgraded(database: Database, screen: str, query: dict[str, list[str]]) -> dict[str, list[str]]:
    """What becomes of a view that was saved before."""
    migrate.downgrade(database, BEFORE)
    save(database, screen, {f"{screen}_{name}": values for name, values in query.items()})
    migrate.upgrade(database)
    found = stored(database)
    assert found["columns"] == ["name"]
    return {name.removeprefix(f"{screen}_"): values for name, values in found["query"].items()}


def save(database: Database, screen: str, query: dict[str, list[str]]) -> None:
    definition = json.dumps({"query": query, "columns": ["name"]})
    answers = {"user": LOCAL_USER_ID, "screen": screen, "name": "Mine", "definition": definition, "no": False}
    with database.migration() as connection:
        connection.execute(INSERT, answers)


def stored(database: Database) -> dict[str, Any]:
    with database.read() as session:
        definition = session.scalars(select(SavedView.definition)).one()
    assert ViewDefinition.model_validate(definition)
    return definition


def test_labels_become_ids_and_codes(empty_database, keys):
    found = upgraded(
        empty_database,
        "deals",
        {
            "owner": ["Ann", f"Ann ({keys['other_ann']})"],
            "team": ["North pole"],
            "company": [f"As it was called #{keys['acme']}"],
            "reason": ["Lost: Price"],
            "stage": ["Proposal", "Closed won"],
            "furthest": ["Discovery"],
            "been_in": ["Negotiation"],
            "state": ["Open"],
            "only": ["Mine", "Nobody’s", "Entry into stage unknown", "Credit in that stage"],
            "expected": ["Next quarter"],
            "sort": ["Days in stage, most first"],
            "source": ["Proposal"],
            "search": ["Ann"],
            "value_from": ["100.0"],
            "closed_from": ["2026-01-31"],
        },
    )

    assert found == {
        "owner": [str(keys["ann"]), str(keys["other_ann"])],
        "team": [str(keys["north"])],
        "company": [str(keys["acme"])],
        "reason": [str(keys["price"])],
        "stage": ["proposal", "closed_won"],
        "furthest": ["discovery"],
        "been_in": ["negotiation"],
        "state": ["open"],
        "only": ["mine", "without_owner", "entry_unknown", "credit_in_stage"],
        "expected": ["next_quarter"],
        "sort": ["-days_in_stage"],
        "source": ["Proposal"],
        "search": ["Ann"],
        "value_from": ["100.0"],
        "closed_from": ["2026-01-31"],
    }


@pytest.mark.parametrize(
    ("screen", "orders"),
    [("deals", OpportunitySort), ("leads", LeadSort), ("companies", CompanySort), ("contacts", ContactSort)],
)
def test_every_order_of_every_list_is_known(empty_database, screen, orders):
    migrate.upgrade(empty_database)

    found = upgraded(empty_database, screen, {"sort": [order.label for order in orders]})

    assert found == {"sort": [order.value for order in orders]}


def test_the_other_lists_have_their_own_choices(empty_database, keys):
    found = upgraded(
        empty_database,
        "leads",
        {"status": ["Unqualified"], "only": ["Mine"], "created": [each.label for each in Days]},
    )

    assert found == {"status": ["unqualified"], "only": ["mine"], "created": [each.value for each in Days]}


UNKNOWN = {
    "owner": "2026",
    "team": "7",
    "company": "Acme #999",
    "reason": "Lost: Nothing",
    "stage": "Demo",
    "sort": "Mood, best first",
}


def test_what_nobody_knows_stays_marked_and_is_listed(empty_database, keys, caplog):
    with caplog.at_level(logging.WARNING, "crm.migrations"):
        found = upgraded(empty_database, "deals", {name: [label] for name, label in UNKNOWN.items()})

    assert found == {name: [f"~{label}"] for name, label in UNKNOWN.items()}
    fields = ("Owner", "Team", "Company", "Close reason", "Stage", "Sort by")
    listed = [record.getMessage() for record in caplog.records if record.name == "crm.migrations"]
    assert sorted(listed) == sorted(
        f"View “Mine” of Local user (deals): {field} “{label}” is not known."
        for field, label in zip(fields, UNKNOWN.values(), strict=True)
    )


def test_the_local_user_has_a_name_only_with_records(empty_database, keys):
    with empty_database.write() as session:
        session.get_one(User, LOCAL_USER_ID).name = "Ann"
    assert upgraded(empty_database, "leads", {"owner": ["Ann"]}) == {"owner": [str(keys["ann"])]}

    with empty_database.write() as session:
        session.delete(session.scalars(select(SavedView)).one())
        Make(session).company("Theirs", owner_id=LOCAL_USER_ID)
    found = upgraded(empty_database, "leads", {"owner": ["Ann", f"Ann ({keys['ann']})"]})
    assert found == {"owner": [str(LOCAL_USER_ID), str(keys["ann"])]}


def test_it_can_be_undone(empty_database, keys):
    query = {
        "deals_owner": ["Ann", f"Ann ({keys['other_ann']})"],
        "deals_company": [f"Acme #{keys['acme']}"],
        "deals_reason": ["Lost: Price"],
        "deals_team": ["Gone"],
        "deals_sort": ["Value, lowest first"],
        "deals_search": ["~"],
    }
    migrate.downgrade(empty_database, BEFORE)
    save(empty_database, "deals", query)

    migrate.upgrade(empty_database)
    assert stored(empty_database)["query"] != query
    migrate.downgrade(empty_database, BEFORE)

    assert stored(empty_database)["query"] == query


@pytest.mark.parametrize("screen", ["deals", "pipeline"])
def test_a_view_without_parameters_of_a_list_stays_as_it_is(empty_database, screen):
    migrate.upgrade(empty_database)
    definition = {"owners": ["Ann"]}
    with empty_database.write() as session:
        session.add(SavedView(user_id=LOCAL_USER_ID, screen=screen, name="Odd", definition=definition))
    migrate.downgrade(empty_database, BEFORE)

    migrate.upgrade(empty_database)

    with empty_database.read() as session:
        assert session.scalars(select(SavedView.definition)).one() == definition
