"""Teams: a row for each, and the forms to add, change and delete one."""

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.models import Role
from crm_core.schemas.team import TeamCreate, TeamResponse, TeamUpdate
from crm_core.services import team_service, user_service
from crm_core.services.user_service import UserRow
from ui import words
from ui.data import load, workspace
from ui.settings import choices, form, targets
from ui.settings.form import Field, Form

NAME, DELETED = "team", "deleted_team"
NAME_LIMIT = 200
NONE = 0
"""Stands for no team and no manager among those to choose from."""
NO_TEAM, NOBODY = "No team", "Nobody"
GONE = "Somebody or something that is no longer there"

FIELDS = {
    "name": Field("Name"),
    "manager_id": Field("Manager", lambda user_id: _people().get(user_id, GONE), blank=NONE),
}
NEW = {"name": "", "manager_id": None}


def show(*, may_change: bool) -> None:
    """Every team by name, with its manager and how many belong to it."""
    with st.container(border=True):
        st.subheader("Teams")
        people, teams = load(user_service.get_users), load(_teams)
        if not teams:
            st.caption("There are none yet. A team lets its manager change what its members own.")
        for team in teams:
            _row(team, people, may_change=may_change)
        if may_change:
            st.button(
                "Add a team",
                key="add_team",
                icon=":material/group_add:",
                on_click=form.open_dialog,
                args=(NAME, FIELDS, NEW.copy()),
            )


def show_dialog() -> None:
    """The form over the screen, if one is open."""
    if opened := form.in_dialog(NAME):
        draw = _add if opened.is_new else _change
        draw(opened)
    elif opened := form.in_dialog(DELETED):
        _delete(opened)


def labels(session: Session) -> dict[int, str]:
    """Every team to choose from by its name, and none."""
    return {NONE: NO_TEAM} | {team.id: words.one_line(team.name) for team in team_service.get_teams(session)}


def _row(team: TeamResponse, people: list[UserRow], *, may_change: bool) -> None:
    name = words.literal(team.name)
    members = sum(person.team_id == team.id for person in people)
    manager = next((person.name for person in people if person.id == team.manager_id), None)
    told = f"{words.number(members, workspace())} {'member' if members == 1 else 'members'}"
    led = f"managed by {words.literal(manager)}" if manager else "without a manager"
    shown = team.model_dump(include=set(FIELDS))
    with st.container(gap=None):
        form.opener(name, NAME, FIELDS, shown, team.id, may_change=may_change)
        st.markdown(f":small[:gray[{told}, {led}]]")


@st.dialog("Add a team", on_dismiss=form.close_dialog)
def _add(opened: Form) -> None:
    _draw(opened)


@st.dialog("Change a team", on_dismiss=form.close_dialog)
def _change(opened: Form) -> None:
    _draw(opened)


@st.dialog("Delete a team", on_dismiss=form.close_dialog)
def _delete(opened: Form) -> None:
    form.leave_once_done(opened)
    st.markdown(f"“{words.literal(opened.shown['name'])}” goes away for good.")
    st.caption(
        "No person and no record goes with it: only a team without members and targets can be deleted."
    )
    form.refusal(opened)
    targets.link(opened.record_id)
    st.button("Delete", key=f"delete {opened.id}", type="primary", on_click=_save_deletion, args=(opened,))


def _draw(opened: Form) -> None:
    form.leave_once_done(opened)
    with st.form(f"team {opened.id}", border=False):
        form.text(
            opened,
            "name",
            "Shown wherever the team is. Nothing else follows from it.",
            limit=NAME_LIMIT,
            required=True,
        )
        form.choice(
            opened,
            "manager_id",
            "May change what the members own, like every manager who belongs to the team. Nobody's role,"
            " team or records change.",
            _managers(),
        )
        form.refusal(opened)
        st.form_submit_button(
            "Add" if opened.is_new else "Save", type="primary", on_click=_save, args=(opened,)
        )
    if not opened.is_new:
        st.button(
            "Delete this team",
            key=f"ask {opened.id}",
            type="tertiary",
            icon=":material/delete:",
            on_click=form.open_dialog,
            args=(DELETED, {}, {"name": opened.shown["name"]}, opened.record_id),
        )


def _people() -> dict[int, str]:
    """Everybody by a label of their own, and nobody."""
    return {NONE: NOBODY} | choices.people()


def _managers() -> dict[int, str]:
    """Whoever can manage a team, and nobody."""
    may = {
        person.id for person in load(user_service.get_users, is_active=True) if person.role is not Role.REP
    }
    return {user_id: label for user_id, label in _people().items() if user_id in may | {NONE}}


def _teams(session: Session) -> list[TeamResponse]:
    return [TeamResponse.model_validate(team) for team in team_service.get_teams(session)]


def _save(opened: Form) -> None:
    def update(session: Session) -> None:
        if opened.record_id is None:
            team_service.create_team(session, opened.answers(TeamCreate))
            return
        team = team_service.get_team(session, opened.record_id)
        team_service.update_team(session, opened.record_id, opened.changes(TeamUpdate, team))

    opened.save(f"The team {opened.written('name')} is {'added' if opened.is_new else 'saved'}.", update)


def _save_deletion(opened: Form) -> None:
    team_id = opened.record_id or 0
    opened.save("The team is deleted.", lambda session: team_service.delete_team(session, team_id))
