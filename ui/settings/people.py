"""Who works here: a row for each person, found by name, and the form to add or change one."""

from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.folding import fold
from crm_core.models import LOCAL_USER_ID, Role
from crm_core.schemas.user import UserCreate, UserUpdate
from crm_core.services import user_service
from crm_core.services.user_service import UserRow
from ui import words
from ui.data import load
from ui.settings import form, paging, teams
from ui.settings.form import Field, Form

NAME = "person"
NAME_LIMIT, EMAIL_LIMIT = 200, 254
ROLE_COLORS = {Role.REP: "gray", Role.MANAGER: "blue", Role.ADMIN: "violet"}
ROLES = {role: role.label for role in Role}
YES = {True: "yes", False: "no"}

FIELDS = {
    "name": Field("Name"),
    "email": Field("E-mail", blank=""),
    "role": Field("Role", lambda role: ROLES[role]),
    "team_id": Field("Team", lambda team_id: load(teams.labels).get(team_id, teams.GONE), blank=teams.NONE),
    "is_active": Field("Works here", YES.__getitem__),
}
NEW = {"name": "", "email": None, "role": Role.REP, "team_id": None}


def show(*, may_change: bool) -> None:
    """Everybody by name, a page at a time."""
    with st.container(border=True):
        st.subheader("People")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            searched = st.text_input(
                "Search",
                key="people_search",
                type="search",
                placeholder="Name, e-mail or team",
                max_chars=NAME_LIMIT,
                live=True,
                bind="query-params",
            )
            if may_change:
                st.button(
                    "Add a person",
                    key="add_person",
                    icon=":material/person_add:",
                    on_click=form.open_dialog,
                    args=(NAME, {name: FIELDS[name] for name in NEW}, NEW.copy()),
                )
        found = [person for person in load(user_service.get_users) if _matches(person, searched or "")]
        if not found:
            st.info("Nobody is called so. Search for another word.", icon=":material/person_off:")
            return
        draw = partial(_row, may_change=may_change)
        paging.show(found, draw, key=f"people_page {searched}", noun="people")


def show_dialog() -> None:
    """The form over the screen, if one is open."""
    if opened := form.in_dialog(NAME):
        draw = _add if opened.is_new else _change
        draw(opened)


def _row(person: UserRow, *, may_change: bool) -> None:
    name = words.literal(person.name)
    told = [words.literal(known) for known in (person.email, person.team_name) if known]
    if person.id == LOCAL_USER_ID:
        told.append("whoever does not sign in")
    badges = [f":{ROLE_COLORS[person.role]}-badge[{person.role.label}]"]
    if not person.is_active:
        badges.append(":orange-badge[Inactive]")
    shown = {field: getattr(person, field) for field in FIELDS}
    with st.container(gap=None):
        form.opener(name, NAME, FIELDS, shown, person.id, may_change=may_change)
        st.markdown(f":small[{' '.join(badges)} :gray[{' · '.join(told)}]]")


@st.dialog("Add a person", on_dismiss=form.close_dialog)
def _add(opened: Form) -> None:
    _draw(opened)


@st.dialog("Change a person", on_dismiss=form.close_dialog)
def _change(opened: Form) -> None:
    _draw(opened)


def _draw(opened: Form) -> None:
    form.leave_once_done(opened)
    with st.form(f"person {opened.id}", border=False):
        form.text(
            opened,
            "name",
            "Shown at everything of theirs, past changes too.",
            limit=NAME_LIMIT,
            required=True,
        )
        form.text(opened, "email", "Tells people apart. Nothing is sent to it.", limit=EMAIL_LIMIT)
        form.choice(
            opened,
            "role",
            "Reps change their own records and those without an owner, managers their team's as well, admins"
            " everything. It changes no record and no figure.",
            ROLES,
        )
        form.choice(
            opened,
            "team_id",
            "Its manager may change their records, and its figures count them, those of the past too."
            " The records stay theirs.",
            load(teams.labels),
        )
        if not opened.is_new:
            form.tick(
                opened,
                "is_active",
                "Without it they can do nothing here and get no new records. They keep the records they have"
                " and the credit for what they won.",
            )
        form.refusal(opened)
        st.form_submit_button(
            "Add" if opened.is_new else "Save", type="primary", on_click=_save, args=(opened,)
        )


def _matches(person: UserRow, searched: str) -> bool:
    known = fold(f"{person.name} {person.email or ''} {person.team_name or ''}")
    return all(word in known for word in fold(searched).split())


def _save(opened: Form) -> None:
    def update(session: Session) -> None:
        if opened.record_id is None:
            user_service.create_user(session, opened.answers(UserCreate))
            return
        person = user_service.get_user(session, opened.record_id)
        changes = opened.changes(UserUpdate, person)
        user_service.update_user(session, opened.record_id, changes)

    opened.save(f"{opened.written('name')} is {'added' if opened.is_new else 'saved'}.", update)
