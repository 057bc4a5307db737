"""Store ids and codes in saved views instead of labels, so that they outlive new names.

A view held what a person reads: the owner's name, the stage's label. Each is looked up by what things are called
now. What nothing is called any more stays, marked so that it is not taken for an id: it is shown as unknown, matches
nothing as before, and is listed in the log.
"""

import logging
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

log = logging.getLogger("crm.migrations")

NOT_UNDERSTOOD = "~"
LONGEST = 500
"""Characters of a parameter's value."""

LOCAL_USER = 1
OWNING = {
    "opportunities": ("owner_id", "credited_owner_id"),
    "leads": ("owner_id",),
    "companies": ("owner_id",),
    "contacts": ("owner_id",),
}

OPEN_STAGES = ("qualification", "discovery", "proposal", "negotiation")
STAGES = (*OPEN_STAGES, "closed_won", "closed_lost")
STATUSES = ("new", "contacted", "qualified", "unqualified", "converted")
DAYS = (
    *("last_month", "this_month", "next_month"),
    *("last_quarter", "this_quarter", "next_quarter"),
    *("this_year", "next_year"),
)
ONLY = {
    "Mine": "mine",
    "Nobody’s": "without_owner",
    "Overdue": "overdue",
    "Stale": "stale",
    "No next step": "without_next_step",
    "No date": "without_date",
    "No value": "without_value",
    "No reason": "without_reason",
    "Counts in rates": "counted",
    "Path unknown": "path_unknown",
    "Entry into stage unknown": "entry_unknown",
    "Credit at creation": "credit_at_creation",
    "Credit in that stage": "credit_in_stage",
}

ALPHABETICAL = ("A to Z", "Z to A")
BY_SIZE = ("lowest first", "highest first")
IN_STEPS = ("first to last", "last to first")
TO_COME = ("soonest first", "latest first")
PAST = ("oldest first", "newest first")
WAYS = {
    "value": BY_SIZE,
    "estimated_value": BY_SIZE,
    "probability": BY_SIZE,
    "stage": IN_STEPS,
    "status": IN_STEPS,
    "expected_close": TO_COME,
    "next_step_date": TO_COME,
    "closed": PAST,
    "created": PAST,
    "changed": PAST,
    "days_in_stage": ("fewest first", "most first"),
}
SCREENS = ("deals", "leads", "companies", "contacts")
COLUMNS = (
    *("name", "company", "contact", "email", "job_title", "domain", "industry", "country", "source", "owner"),
    *("value", "estimated_value", "probability", "stage", "days_in_stage", "status", "next_step"),
    *("next_step_date", "expected_close", "closed", "created", "changed"),
)

FIELDS = {
    "owner": "Owner",
    "team": "Team",
    "company": "Company",
    "reason": "Close reason",
    "stage": "Stage",
    "furthest": "Furthest stage",
    "been_in": "Has been in",
    "status": "Status",
    "only": "Only",
    "state": "State",
    "sort": "Sort by",
    "entered": "Came into it",
    "expected": "Expected close",
    "closed": "Closed",
    "created": "Created",
}
"""What the fields of the parameters are called that hold choices."""

DIRECTION_CHANGES = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

USERS = sa.table("users", sa.column("id", sa.Integer), sa.column("name", sa.String))
VIEWS = sa.table(
    "saved_views",
    sa.column("id", sa.Integer),
    sa.column("user_id", sa.Integer),
    sa.column("screen", sa.String),
    sa.column("name", sa.String),
    sa.column("definition", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
)

Codes = dict[str, dict[str, str]]
"""Of each parameter's name what its labels stand for."""


def upgrade() -> None:
    codes = known_codes()
    for view in each_view():

        def code(name: str, label: str, view: Any = view) -> str:
            known = numbered(label, codes[name]) if name == "company" else codes[name].get(label)
            if known is None:
                said = map(one_line, (view.name, view.owner, view.screen, FIELDS[name], label))
                log.warning("View “%s” of %s (%s): %s “%s” is not known.", *said)
            return known or f"{NOT_UNDERSTOOD}{label}"[:LONGEST]

        rewrite(view, code)


def downgrade() -> None:
    labels = {name: {code: label for label, code in known.items()} for name, known in known_codes().items()}

    def label(name: str, code: str) -> str:
        return labels[name].get(code, code.removeprefix(NOT_UNDERSTOOD))

    for view in each_view():
        rewrite(view, label)


def each_view() -> list[Any]:
    """Those of the lists, with the names of their owners."""
    chosen = sa.select(VIEWS, USERS.c.name.label("owner")).join(USERS, USERS.c.id == VIEWS.c.user_id)
    return list(op.get_bind().execute(chosen.where(VIEWS.c.screen.in_(SCREENS)).order_by(VIEWS.c.id)))


def rewrite(view: Any, changed: Callable[[str, str], str]) -> None:
    """Put what becomes of each value of a choice, by the parameter's name, in its place."""
    choices = {
        parameter: [changed(name, value) for value in values]
        for parameter, values in view.definition.get("query", {}).items()
        if (name := parameter.removeprefix(f"{view.screen}_")) in FIELDS
    }
    if choices:
        definition = view.definition | {"query": view.definition["query"] | choices}
        op.get_bind().execute(sa.update(VIEWS).where(VIEWS.c.id == view.id).values(definition=definition))


def known_codes() -> Codes:
    days = labelled(DAYS)
    return {
        "owner": owners(),
        "team": {one_line(name): str(key) for key, name in rows("SELECT id, name FROM teams")},
        "company": {
            f"{one_line(name)} #{key}": str(key) for key, name in rows("SELECT id, name FROM companies")
        },
        "reason": {
            f"{outcome.capitalize()}: {one_line(label)}": str(key)
            for key, outcome, label in rows("SELECT id, outcome, label FROM close_reasons")
        },
        "stage": labelled(STAGES),
        "furthest": labelled(OPEN_STAGES),
        "been_in": labelled(OPEN_STAGES),
        "status": labelled(STATUSES),
        "only": ONLY,
        "state": labelled(("open", "closed")),
        "sort": orders(),
        "entered": days,
        "expected": days,
        "closed": days,
        "created": days,
    }


def numbered(label: str, companies: dict[str, str]) -> str | None:
    """“Acme #12” was the company with that number, under any name."""
    number = label.rpartition(" #")[2]
    return number if number in companies.values() else None


def labelled(codes: Iterable[str]) -> dict[str, str]:
    return {code.replace("_", " ").capitalize(): code for code in codes}


def orders() -> dict[str, str]:
    found = {}
    for column in COLUMNS:
        rising, falling = WAYS.get(column, ALPHABETICAL)
        name = column.replace("_", " ").capitalize()
        found |= {f"{name}, {rising}": column, f"{name}, {falling}": f"-{column}"}
    return found


def owners() -> dict[str, str]:
    """Later namesakes had their number behind their name; the local user was there with records only."""
    found: dict[str, str] = {}
    for key, name in rows("SELECT id, name FROM users ORDER BY id"):
        if key == LOCAL_USER and not owns_any(key):
            continue
        label = one_line(name)
        found[f"{label} ({key})" if label in found else label] = str(key)
    return found


def owns_any(key: int) -> bool:
    return any(
        rows(f"SELECT id FROM {table} WHERE {column} = {key} LIMIT 1")
        for table, columns in OWNING.items()
        for column in columns
    )


def rows(statement: str) -> list[Any]:
    return list(op.get_bind().execute(sa.text(statement)))


def one_line(text: str) -> str:
    """As labels were made of names."""
    visible = "".join(
        " " if unicodedata.category(character) == "Cc" else character
        for character in text.translate(DIRECTION_CHANGES)
    )
    clean = " ".join(visible.split())
    return clean if len(clean) <= 200 else clean[:199] + "…"
