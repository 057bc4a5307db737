"""The filters of deals, for every screen that shows some, and links to the list of exactly some deals."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, NoReturn

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome
from crm_core.services import opportunity_service, settings_service, team_service
from ui import words
from ui.data import load, workspace
from ui.drawer import choices
from ui.listing import addressed, filter_bar
from ui.listing.filter_bar import FilterBar

GOING = "going to deals"
LIST, PREFIX = "pages/sales/opportunities.py", "deals"

MINE, OVERDUE, STALE, NO_DATE, NO_VALUE = "Mine", "Overdue", "Stale", "No date", "No value"
ONLY = {
    MINE: "mine",
    "Nobody’s": "without_owner",
    OVERDUE: "overdue",
    STALE: "stale",
    "No next step": "without_next_step",
    NO_DATE: "without_date",
    NO_VALUE: "without_value",
    "No reason": "without_reason",
    "Counts in rates": "counted",
    "Path unknown": "path_unknown",
    "Entry into stage unknown": "entry_unknown",
    "Credit at creation": "credit_at_creation",
    "Credit in that stage": "credit_in_stage",
}
"""Conditions to switch on, and the filter's names for them."""

STATES = {"Open": True, "Closed": False}

RANGES = ("value", "expected", "closed", "created", "entered")


def show(bar: FilterBar, *, past: bool = False) -> OpportunityFilter:
    """The fields in a row, the rarer ones behind a button; returns which deals they mean.

    With `past` there is a day to look back to.
    """
    text = bar.search("Deal, company or contact")
    stages = bar.several("stage", "Stage", _labels(OpportunityStage), "Every stage")
    owner_place = st.container(width="content")
    with st.popover("More filters", icon=":material/tune:", key=f"{bar.prefix} more filters"):
        only = bar.flags("only", "Only", list(ONLY))
        states = bar.flags("state", "State", list(STATES))
        as_of = bar.past_day("as_of", "As it was at the end of", "as of") if past else None
        teams = bar.several("team", "Team", team_labels(), "Every team")
        companies = bar.companies()
        sources = bar.words("source", "Source", load(opportunity_service.get_sources), "Every source")
        reasons = bar.several("reason", "Close reason", load(_reasons), "Every reason")
        steps = _labels(OPEN_STAGES)
        furthest = bar.several("furthest", "Furthest stage", steps, "Every stage", told="Furthest: {}")
        been_in = bar.several("been_in", "Has been in", steps, "Any stage", told="Has been in: {}")
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
            is_open=STATES[next(iter(states))] if len(states) == 1 else None,
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
            **{field: label in only for label, field in ONLY.items() if label != MINE},
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

    What can't be said there raises `ValueError`: contacts, an instant within a day, who or what is unknown.
    """
    calendar = workspace().calendar
    asked = where.model_dump(exclude_defaults=True)
    stages = _stages(where)
    told: dict[str, Any] = {
        "search": asked.pop("text", ""),
        "stage": [stage.label for stage in OpportunityStage if stage in stages],
        "owner": _named(filter_bar.owner_labels(), where.owners),
        "team": _named(team_labels(), where.teams),
        "company": [
            filter_bar.company_label(key, load(choices.name_of, "company_id", key))
            for key in sorted(where.companies)
        ],
        "source": sorted(where.sources),
        "reason": _named(load(_reasons), where.close_reasons),
        "furthest": [stage.label for stage in OPEN_STAGES if stage in where.furthest],
        "been_in": [stage.label for stage in OPEN_STAGES if stage in where.been_in],
        "state": [label for label, is_open in STATES.items() if is_open is where.is_open],
        "only": [label for label, field in ONLY.items() if asked.pop(field, False)],
        "as_of": calendar.day_of(where.as_of).isoformat() if where.as_of else "",
    }
    for name in RANGES:
        for end in ("from", "to"):
            bound = asked.pop(f"{name}_{end}", None)
            told[f"{name}_{end}"] = "" if bound is None else _told(bound)
    is_nothing = bool(where.outcomes) and not stages
    if (
        is_nothing
        or where.contacts
        or (where.as_of and where.as_of != calendar.end_of(calendar.day_of(where.as_of)))
    ):
        raise ValueError("The list has no field for this filter.")
    return {name: value for name, value in told.items() if value}


def _named(by_label: Mapping[str, int], keys: Collection[int]) -> list[str]:
    """What the keys are called. Raises `ValueError` if one of them has no name."""
    found = {key: label for label, key in by_label.items() if key in keys}
    if found.keys() != set(keys):
        raise ValueError("The filter names what is not known.")
    return list(found.values())


def team_labels() -> dict[str, int]:
    """Teams by their names, which are unique."""
    return {words.one_line(name): key for key, name in load(_teams)}


def _stages(where: OpportunityFilter) -> Collection[OpportunityStage]:
    """The stages that the filter names, itself or by its outcomes."""
    if not where.outcomes:
        return where.stages
    closed = {OpportunityStage.of(outcome) for outcome in where.outcomes}
    return closed & (where.stages or closed)


def _told(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date) else str(float(bound))


def _labels(stages: Iterable[OpportunityStage]) -> dict[str, OpportunityStage]:
    return {stage.label: stage for stage in stages}


def _teams(session: Session) -> list[tuple[int, str]]:
    return [(team.id, team.name) for team in team_service.get_teams(session)]


def _reasons(session: Session) -> dict[str, int]:
    """Every reason that deals may have, by what it is called."""
    return {
        f"{outcome.value.capitalize()}: {words.one_line(reason.label)}": reason.id
        for outcome in Outcome
        for reason in settings_service.get_close_reasons(session, outcome, with_inactive=True)
    }
