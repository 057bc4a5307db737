"""What a form offers to choose from: people, companies and contacts, by their keys."""

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.filters import CompanyFilter, ContactFilter
from crm_core.models import Company, Contact, User
from crm_core.services import company_service, contact_service, user_service
from crm_core.services.records import RecordNotFound
from crm_core.services.records import get as get_record
from ui import words
from ui.data import load, workspace
from ui.drawer import timeline
from ui.drawer.form import Draft, Form

OFFERED = 50
"""More than one reads; a search narrows them."""


NAMED: dict[str, type[Company] | type[Contact] | type[User]] = {
    "owner_id": User,
    "company_id": Company,
    "contact_id": Contact,
}
"""What the keys stand for."""

Choosable = type[Company] | type[Contact]


def name_of(session: Session, field: str, key: int) -> str:
    """What the record behind a key is called."""
    model = NAMED[field]
    if issubclass(model, User):
        return user_service.get_user(session, key).name
    return get_record(session, model, key, deleted=True).name


def say(name: str, value: object) -> str:
    """A field's value as people write it; of a key, what it stands for."""
    if name in NAMED and isinstance(value, int):
        return load(name_of, name, value)
    return timeline.say(value, workspace(), name=name)


def owners() -> dict[int, str]:
    """Everybody who works here, by name."""
    return {user.id: user.name for user in load(user_service.get_users, is_active=True)}


def owner(form: Form) -> None:
    """Whose the record is."""
    form.choice("owner_id", "Owner", _known(form.draft, "owner") | owners(), nothing="Nobody")


def company(form: Form, *, nothing: str = "None") -> int | None:
    """Which company it belongs to, among those that a search finds; returns its id."""
    with st.container(horizontal=True):
        has_many = len(load(company_service.get_rows, CompanyFilter(), limit=OFFERED)) == OFFERED
        where = CompanyFilter(text=_search(form.draft, "company") if has_many else "")
        names = {row.id: row.name for row in load(company_service.get_rows, where, limit=OFFERED)}
        chosen: int | None = form.choice(
            "company_id",
            "Company",
            names | _known(form.draft, "company") | _chosen(form.draft, Company),
            nothing=nothing,
        )
    return chosen


def contact(form: Form, company_id: int | None, *, nothing: str = "Nobody") -> None:
    """Who is spoken to: those of the company, or of all where there is none, that a search finds."""
    draft = form.draft
    companies = frozenset({company_id} if company_id else ())
    has_many = (
        len(load(contact_service.get_rows, ContactFilter(companies=companies), limit=OFFERED)) == OFFERED
    )
    with st.container(horizontal=True):
        text = _search(draft, "contact") if has_many else ""
        found = load(contact_service.get_rows, ContactFilter(companies=companies, text=text), limit=OFFERED)
        names = {row.id: row.name for row in found}
        if company_id == draft.base.get("company_id"):
            names |= _known(draft, "contact")
        names |= _chosen(draft, Contact, at=company_id)
        slot = draft.widget("contact_id")
        if st.session_state.get(slot) not in (None, *names):
            st.session_state[slot] = None  # another company has other people
        form.choice("contact_id", "Contact", names, nothing=nothing)


def _search(draft: Draft, kind: str) -> str:
    """A field that narrows what is offered."""
    typed = st.text_input(
        f"Find a {kind}",
        key=draft.widget(f"find {kind}"),
        live=True,
        max_chars=200,
        icon=":material/search:",
        placeholder="Part of the name",
    )
    return words.one_line(typed or "")


def _known(draft: Draft, kind: str) -> dict[int, str]:
    """What the record has now, whatever the search finds."""
    key, name = draft.base.get(f"{kind}_id"), draft.base.get(f"{kind}_name")
    return {key: name or str(key)} if key is not None else {}


def _chosen(draft: Draft, model: Choosable, *, at: int | None = None) -> dict[int, str]:
    """What is chosen, even if the search finds others; nothing if it is gone, or not `at` the company."""
    key = draft.typed(f"{model.__name__.lower()}_id")
    name = None if key is None else load(_name_at, model, key, at)
    return {} if name is None else {key: name}


def _name_at(session: Session, model: Choosable, key: int, company_id: int | None) -> str | None:
    try:
        record = get_record(session, model, key, deleted=True)
    except RecordNotFound:
        return None
    is_elsewhere = isinstance(record, Contact) and company_id not in (None, record.company_id)
    return None if is_elsewhere else record.name
