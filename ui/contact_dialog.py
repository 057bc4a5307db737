"""The drawer of one contact: their fields, their company and deals, their past; and of a new one."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.analytics.pipeline import list_totals
from crm_core.errors import CrmError
from crm_core.filters import ContactFilter, OpportunityFilter
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.services import contact_service
from ui import drawer, opportunity_list, words
from ui.data import actor, load, workspace
from ui.drawer import choices, duplicates, form, merge_form, notes, related, timeline
from ui.drawer.form import Form
from ui.drawer.merge_form import Merging

KIND = "contact"

LABELS = {
    "name": "Name",
    "company_id": "Company",
    "job_title": "Job title",
    "email": "E-mail",
    "other_emails": "Other e-mails",
    "phone": "Phone",
    "other_phones": "Other phones",
    "owner_id": "Owner",
}


def new_button() -> None:
    """Opens the form of a new contact."""
    st.button(
        "New contact",
        key="new contact",
        icon=":material/add:",
        type="primary",
        on_click=drawer.open_new,
        args=(KIND, "contact new"),
    )


def show(contact_id: int | None) -> None:
    """The drawer of the contact with that id, or of the one it was merged into; or the form for a new one."""
    if contact_id is None:
        _new()
        return
    try:
        contact = load(_standing, contact_id)
    except CrmError as refusal:
        _missing(refusal)
        return
    name = words.literal(contact.name, limit=80)
    draw = st.dialog(name, position="right", width=drawer.WIDTH, on_dismiss=drawer.close)(_contact)
    draw(contact.id, stands_in=contact.id != contact_id)


@st.dialog("New contact", position="right", width=drawer.WIDTH, on_dismiss=drawer.close)
def _new() -> None:
    drawer.draw_screen_anew()
    draft = form.draft_of("contact new", {"owner_id": actor()}, version=0)

    def save() -> None:
        drawer.create(
            draft, ContactCreate, contact_service.create_contact, KIND, "The contact is in your list."
        )

    _fields(Form(draft, workspace()))
    duplicates.show(KIND, draft)
    drawer.buttons(draft, save, "Create contact")


@st.dialog("Contact", position="right", on_dismiss=drawer.close)
def _missing(refusal: CrmError) -> None:
    drawer.gone(refusal)


def _contact(contact_id: int, *, stands_in: bool) -> None:
    drawer.begin()
    try:
        contact = load(_told, contact_id)
    except CrmError as refusal:
        drawer.gone(refusal)
        return
    if stands_in:
        merge_form.say_merged("contact")
    _head(contact)
    details, dealt, past, written = st.tabs(
        ["Details", "Deals", "Timeline", "Notes"], key=f"contact {contact.id} tab", on_change="rerun"
    )
    with details:
        if details.open:
            _details(contact)
    with dealt:
        if dealt.open:
            _deals(contact)
    with past:
        if past.open:
            timeline.show_whole(KIND, contact.id, contact_service.get_whole_history)
    with written:
        if written.open:
            notes.show(KIND, contact.id)


def _head(contact: ContactResponse) -> None:
    """Who it is at a glance, and what can be done."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if contact.job_title:
            st.markdown(words.literal(contact.job_title, limit=80), width="content")
        if contact.company_id is not None:
            related.link("company", contact.company_id, contact.company_name)
    with st.container(horizontal=True):
        MERGING.button(contact)
        drawer.asks_first(
            "Delete",
            f"“{words.literal(contact.name, limit=80)}” leaves every list. It can be undone.",
            lambda: _delete(contact),
            key=f"contact {contact.id} delete",
            icon=":material/delete:",
            confirm="Delete this contact",
        )


def _deals(contact: ContactResponse) -> None:
    """What they are spoken to about, open or closed."""
    where = OpportunityFilter(contacts=frozenset({contact.id}))
    totals = load(list_totals, where)
    with st.container(horizontal=True, vertical_alignment="center"):
        if totals.deals:
            opportunity_list.show_totals(totals)
        else:
            st.caption("On no deal yet.")
        related.new_button("New deal", "opportunity", "deal new", _suggested(contact))
    with st.container(gap="xxsmall"):
        related.deals(where, totals.deals)


def _suggested(contact: ContactResponse) -> dict[str, object]:
    """What a new deal with them begins with."""
    return {
        "company_id": contact.company_id,
        "company_name": contact.company_name,
        "contact_id": contact.id,
        "contact_name": contact.name,
    }


def _details(contact: ContactResponse) -> None:
    now = contact.model_dump()
    draft = form.draft_of(f"contact {contact.id}", now, contact.version)

    def save(version: int | None = None) -> None:
        drawer.save(
            draft,
            ContactUpdate,
            _update(contact.id),
            "Saved.",
            told=lambda session: _told(session, contact.id),
            version=version,
        )

    if form.is_overtaken(draft, now, contact.version):
        drawer.conflict(draft, now, contact.version, choices.say, save)
    _fields(Form(draft, workspace()))
    drawer.buttons(draft, save, "Save")


def _fields(fields: Form) -> None:
    """Who it is, and where. For a new one, the fields that find duplicates are answered while typing."""
    live = fields.draft.is_new
    fields.text("name", LABELS["name"], limit=200, live=live)
    choices.company(fields)
    left, right = st.columns([3, 2])
    with left:
        fields.text("email", LABELS["email"], limit=254, kind="email", live=live)
        fields.texts("other_emails", LABELS["other_emails"])
    with right:
        fields.text("phone", LABELS["phone"], limit=50, kind="phone", live=live)
        fields.texts("other_phones", LABELS["other_phones"])
    left, right = st.columns([3, 2])
    with left:
        fields.text("job_title", LABELS["job_title"], limit=200)
    with right:
        choices.owner(fields)


def _delete(contact: ContactResponse) -> None:
    if drawer.act(
        lambda session: contact_service.delete_contact(session, contact.id, expected_version=contact.version),
        f"“{words.literal(contact.name, limit=60)}” is deleted.",
        once=("delete", KIND, contact.id, contact.version),
    ):
        form.forget(f"contact {contact.id}")
        drawer.close()


def _told(session: Session, contact_id: int) -> ContactResponse:
    return listing.told(session, contact_service.get_contact(session, contact_id), ContactResponse)


def _standing(session: Session, contact_id: int) -> ContactResponse:
    return listing.told(session, contact_service.get_standing_contact(session, contact_id), ContactResponse)


def _update(contact_id: int) -> Callable[[Session, ContactUpdate, int], object]:
    return lambda session, changes, version: contact_service.update_contact(
        session, contact_id, changes, expected_version=version
    )


def _merge(session: Session, kept_id: int, merged_id: int, version: int, merged_version: int) -> None:
    contact_service.merge_contacts(
        session, kept_id, merged_id, expected_version=version, merged_expected_version=merged_version
    )


def _find(text: str) -> list[ContactResponse]:
    return load(contact_service.get_rows, ContactFilter(text=text), limit=merge_form.OFFERED)


MERGING = Merging(
    kind=KIND,
    labels=LABELS,
    find=_find,
    describe=lambda contact: " · ".join(filter(None, (contact.company_name, contact.email))),
    told=_told,
    preview=contact_service.preview_merge,
    merge=_merge,
)
