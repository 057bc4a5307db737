"""Who or what a new record may be already, shown while it is typed. It says so, and forbids nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from crm_core.errors import CrmError
from crm_core.services import company_service, contact_service, lead_service
from crm_core.services.duplicates import Duplicate
from ui import drawer, words
from ui.data import load
from ui.drawer.form import Draft

ICONS = {"lead": ":material/person_add:", "contact": ":material/contacts:", "company": ":material/domain:"}


@dataclass(frozen=True)
class Hints:
    """What is asked about a new record, by which fields of its form, and what stands above the answer."""

    find: Callable[..., list[Duplicate]]
    fields: tuple[str, ...]
    heading: str


PERSON = ":material/group: **You may know this person already:**"
COMPANY = ":material/domain: **This company may be here already:**"

CONTACT = ("name", "email", "phone", "company_id", "other_emails", "other_phones")

HINTS = {
    "lead": Hints(lead_service.find_duplicates, ("name", "email", "phone", "company_name"), PERSON),
    "contact": Hints(contact_service.find_duplicates, CONTACT, PERSON),
    "company": Hints(company_service.find_duplicates, ("name", "domain", "website"), COMPANY),
}


def show(kind: str, draft: Draft) -> None:
    """Records that may be the same as the one in the form; a click opens one. Stands after all fields.

    What was typed is there again when the form is opened the next time.
    """
    hints = HINTS[kind]
    try:
        found = load(hints.find, **{name: draft.value_of(name) for name in hints.fields})
    except CrmError:
        return  # the company that was chosen is gone, as saving says
    if not found:
        return
    with st.container(border=True, gap="xsmall", key="duplicates"):
        st.markdown(hints.heading)
        for duplicate in found:
            _link(duplicate)


def _link(duplicate: Duplicate) -> None:
    who = " · ".join(filter(None, (duplicate.name, duplicate.company_name)))
    st.button(
        f"{words.literal(who, limit=100)} :gray[{duplicate.kind} · {duplicate.rule.label}]",
        key=f"duplicate {duplicate.kind} {duplicate.id}",
        icon=ICONS[duplicate.kind],
        type="tertiary",
        on_click=drawer.go,
        args=(duplicate.kind, duplicate.id),
    )
