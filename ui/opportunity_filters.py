"""The filters of deals, for every screen that shows some, and links to the list of exactly some deals."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, NoReturn

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome
from crm_core.services import opportunity_service, settings_service, team_service
from ui import words
from ui.data import load, workspace
from ui.listing import addressed
from ui.listing.filter_bar import FilterBar

GOING = "going to deals"
LIST, PREFIX = "pages/sales/opportunities.py", "deals"

MINE = "mine"
ONLY = {
    MINE: "Mine",
    "without_owner": "Nobody’s",
    "overdue": "Overdue",
    "stale": "Stale",
    "without_next_step": "No next step",
    "without_date": "No date",
    "without_value": "No value",
    "without_reason": "No reason",
    "counted": "Counts in rates",
    "path_unknown": "Path unknown",
    "entry_unknown": "Entry into stage unknown",
    "credit_at_creation": "Credit at creation",
    "credit_in_stage": "Credit in that stage",
}
"""Conditions to switch on: but for the first, the filter's names for them."""

OPEN, CLOSED = "open", "closed"
STATES = {OPEN: "Open", CLOSED: "Closed"}

RANGES = ("value", "expected", "closed", "created", "entered")


def show(bar: FilterBar, *, past: bool = False) -> OpportunityFilter:
    """The fields in a row, the rarer ones behind a button; returns which deals they mean.

    With `past` there is a day to look back to.
    """
    text = bar.search("Deal, company or contact")
    stages = bar.several("stage", "Stage", _labels(OpportunityStage), "Every stage")
    owner_place = st.container(width="content")
    with st.popover("More filters", icon=":material/tune:", key=f"{bar.prefix} more filters"):
        only = bar.flags("only", "Only", ONLY)
        states = bar.flags("state", "State", STATES)
        as_of = bar.past_day("as_of", "As it was at the end of", "as of") if past else None
        teams = bar.several("team", "Team", team_labels(), "Every team", by_id=True)
        companies = bar.companies()
        sources = bar.words("source", "Source", load(opportunity_service.get_sources), "Every source")
        reasons = bar.several("reason", "Close reason", load(_reasons), "Every reason", by_id=True)
        steps = _labels(OPEN_STAGES)
        furthest = bar.several("furthest", "Furthest stage", steps, "Every stage", chip="Furthest: {}")
        been_in = bar.several("been_in", "Has been in", steps, "Any stage", chip="Has been in: {}")
        entered_from, entered_to = bar.days("entered", "Came into it")
        least, most = bar.amounts("value", "Value")
        expected_from, expected_to = bar.days("expected", "Expected close")
        closed_from, closed_to = bar.days("closed", "Closed")
        created_from, created_to = bar.days("created", "Created")
    with owner_place:
        owners = bar.owners(or_mine=MINE in only)
    return bar.understood(
        OpportunityFilter(
            text=text,
            stages=stages,
            is_open=OPEN in states if len(states) == 1 else None,
            owners=owners,
            teams=teams,
            companies=companies,
            sources=sources,
            close_reasons=reasons,
            furthest=furthest,
            been_in=been_in,
            entered_from=entered_from,
            entered_to=entered_to,
            value_from=least,
            value_to=most,
            expected_from=expected_from,
            expected_to=expected_to,
            closed_from=closed_from,
            closed_to=closed_to,
            created_from=created_from,
            created_to=created_to,
            as_of=workspace().calendar.end_of(as_of) if as_of else None,
            **{field: field in only for field in ONLY if field != MINE},
        )
    )


def link(where: OpportunityFilter, label: str, *, icon: str | None = None) -> None:
    """A link to the list of exactly these deals; the label is Markdown."""
    addressed.exact_link(LIST, label, PREFIX, address(where), icon=icon)


def go(where: OpportunityFilter) -> NoReturn:
    """Go to the list of exactly these deals."""
    addressed.go_exactly(LIST, PREFIX, address(where))


def go_later(where: OpportunityFilter) -> None:
    """`go` when the screen is drawn; for a callback."""
    st.session_state[GOING] = where


def go_on() -> None:
    """Begin a screen with this, from which a callback may go to the list."""
    where = st.session_state.pop(GOING, None)
    if where is not None:
        go(where)


def address(where: OpportunityFilter) -> dict[str, str | list[str]]:
    """What the list's filter bar has to be set to, so that it means this filter.

    What can't be said there raises `ValueError`: contacts, an instant within a day.
    """
    calendar = workspace().calendar
    asked = where.model_dump(exclude_defaults=True)
    stages = _stages(where)
    said: dict[str, Any] = {
        "search": asked.pop("text", ""),
        "stage": [stage.value for stage in OpportunityStage if stage in stages],
        "owner": _codes(where.owners),
        "team": _codes(where.teams),
        "company": _codes(where.companies),
        "source": sorted(where.sources),
        "reason": _codes(where.close_reasons),
        "furthest": [stage.value for stage in OPEN_STAGES if stage in where.furthest],
        "been_in": [stage.value for stage in OPEN_STAGES if stage in where.been_in],
        "state": "" if where.is_open is None else OPEN if where.is_open else CLOSED,
        "only": [field for field in ONLY if asked.pop(field, False)],
        "as_of": calendar.day_of(where.as_of).isoformat() if where.as_of else "",
    }
    for name in RANGES:
        for end in ("from", "to"):
            bound = asked.pop(f"{name}_{end}", None)
            said[f"{name}_{end}"] = "" if bound is None else _bound(bound)
    is_nothing = bool(where.outcomes) and not stages
    if (
        is_nothing
        or where.contacts
        or (where.as_of and where.as_of != calendar.end_of(calendar.day_of(where.as_of)))
    ):
        raise ValueError("The list has no field for this filter.")
    return {name: value for name, value in said.items() if value}


def _codes(keys: Collection[int]) -> list[str]:
    return [str(key) for key in sorted(keys)]


def team_labels() -> dict[int, str]:
    """What each team is called, by name."""
    return words.told_apart(load(_teams))


def _stages(where: OpportunityFilter) -> Collection[OpportunityStage]:
    """The stages that the filter names, itself or by its outcomes."""
    if not where.outcomes:
        return where.stages
    closed = {OpportunityStage.of(outcome) for outcome in where.outcomes}
    return closed & (where.stages or closed)


def _bound(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date) else str(float(bound))


def _labels(stages: Iterable[OpportunityStage]) -> dict[OpportunityStage, str]:
    return {stage: stage.label for stage in stages}


def _teams(session: Session) -> dict[int, str]:
    return {team.id: team.name for team in team_service.get_teams(session)}


def _reasons(session: Session) -> dict[int, str]:
    """What each reason is called that deals may have."""
    return {
        reason.id: f"{outcome.value.capitalize()}: {words.one_line(reason.label)}"
        for outcome in Outcome
        for reason in settings_service.get_close_reasons(session, outcome, with_inactive=True)
    }
