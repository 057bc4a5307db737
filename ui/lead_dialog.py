"""The drawer of one lead: its fields, what can be done with it, its notes, its past; and of a new one."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.errors import CrmError
from crm_core.models import LeadStatus
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import lead_service, opportunity_service
from ui import colors, convert_lead_dialog, drawer, words
from ui.data import actor, load, workspace
from ui.drawer import choices, duplicates, form, notes, timeline
from ui.drawer.form import Draft, Form
from ui.lead_list import FREE_STATUSES

KIND = "lead"
ENTRIES = 50


def new_button() -> None:
    """Opens the form of a new lead."""
    st.button(
        "New lead",
        key="new lead",
        icon=":material/add:",
        type="primary",
        on_click=drawer.open_new,
        args=(KIND, "lead new"),
    )


def show(lead_id: int | None) -> None:
    """The drawer of the lead with that id, or the form for a new one."""
    if lead_id is None:
        _new()
        return
    try:
        lead = load(_told, lead_id)
    except CrmError as refusal:
        _missing(refusal)
        return
    name = words.literal(lead.name, limit=80)
    st.dialog(name, position="right", width=drawer.WIDTH, on_dismiss=drawer.close)(_lead)(lead_id)


@st.dialog("New lead", position="right", width=drawer.WIDTH, on_dismiss=drawer.close)
def _new() -> None:
    drawer.draw_screen_anew()
    draft = form.draft_of("lead new", {"status": LeadStatus.NEW, "owner_id": actor()}, version=0)

    def save() -> None:
        drawer.create(draft, LeadCreate, lead_service.create_lead, KIND, "The lead is on your list.")

    fields = Form(draft, workspace())
    _fields(fields)
    duplicates.show(KIND, draft)
    drawer.buttons(draft, save, "Create lead")


@st.dialog("Lead", position="right", on_dismiss=drawer.close)
def _missing(refusal: CrmError) -> None:
    drawer.gone(refusal)


def _lead(lead_id: int) -> None:
    drawer.begin()
    try:
        lead = load(_told, lead_id)
    except CrmError as refusal:
        drawer.gone(refusal)
        return
    _head(lead)
    details, past, written = st.tabs(
        ["Details", "Timeline", "Notes"], key=f"lead {lead.id} tab", on_change="rerun"
    )
    with details:
        if details.open:
            _details(lead)
    with past:
        if past.open:
            timeline.show(load(lead_service.get_history, lead.id, limit=ENTRIES), workspace())
    with written:
        if written.open:
            notes.show(KIND, lead.id)


def _head(lead: LeadResponse) -> None:
    """Status, company and value at a glance, and what can be done."""
    space = workspace()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(lead.status.label, color=colors.LEADS[lead.status])
        if lead.company_name:
            st.markdown(f"**{words.literal(lead.company_name, limit=60)}**", width="content")
        if lead.estimated_value is not None:
            st.markdown(words.literal(words.money(lead.estimated_value, space)), width="content")
        since = space.calendar.day_of(lead.converted_at) if lead.converted_at else lead.created_on
        said = words.literal(words.day(since, space))
        st.markdown(f":gray[{'converted' if lead.converted_at else 'since'} {said}]", width="content")
    if lead.opportunity_id is not None:
        _deal(lead.opportunity_id)
    if lead.status is not LeadStatus.CONVERTED:
        _status(lead)
    with st.container(horizontal=True):
        if lead.status is LeadStatus.QUALIFIED:
            convert_lead_dialog.button(lead, has_unsaved=bool(_draft(lead).touched))
        drawer.asks_first(
            "Delete",
            f"“{words.literal(lead.name, limit=80)}” leaves every list and figure. It can be undone.",
            lambda: _delete(lead),
            key=f"lead {lead.id} delete",
            icon=":material/delete:",
            confirm="Delete this lead",
        )


def _status(lead: LeadResponse) -> None:
    """Where it stands; a click on another status sets it at once."""
    key = f"lead {lead.id} status {lead.version}"

    def changed() -> None:
        to = LeadStatus(st.session_state[key])
        if to is lead.status:
            return  # the browser repeats what stands there when the drawer closes
        changes = LeadUpdate(status=to)
        if not drawer.act(
            lambda session: lead_service.update_lead(
                session, lead.id, changes, expected_version=lead.version
            ),
            f"“{words.literal(lead.name, limit=60)}” is {to.label.lower()}.",
            once=("lead status", lead.id, lead.version),
        ):
            st.session_state[key] = lead.status

    st.segmented_control(
        "Status",
        FREE_STATUSES,
        default=lead.status,
        required=True,
        format_func=lambda each: each.label,
        label_visibility="collapsed",
        key=key,
        on_change=changed,
    )


def _deal(opportunity_id: int) -> None:
    """What it became."""
    try:
        deal = load(_told_deal, opportunity_id)
    except CrmError:
        st.caption("The deal that it became is deleted, or yours to see no more.")
        return
    worth = words.money(deal.expected_value, workspace())
    st.button(
        words.literal(f"{deal.name} · {worth} · {deal.stage.label}", limit=120),
        key=f"lead to deal {deal.id}",
        icon=":material/handshake:",
        help="The deal that this lead became",
        on_click=drawer.go,
        args=("opportunity", deal.id),
    )


def _details(lead: LeadResponse) -> None:
    now, draft = lead.model_dump(), _draft(lead)

    def save(version: int | None = None) -> None:
        drawer.save(
            draft,
            LeadUpdate,
            _update(lead.id),
            "Saved.",
            told=lambda session: _told(session, lead.id),
            version=version,
        )

    if form.is_overtaken(draft, now, lead.version):
        drawer.conflict(draft, now, lead.version, choices.say, save)
    fields = Form(draft, workspace())
    _fields(fields)
    drawer.buttons(draft, save, "Save")


def _draft(lead: LeadResponse) -> Draft:
    return form.draft_of(f"lead {lead.id}", lead.model_dump(), lead.version)


def _fields(fields: Form) -> None:
    """Who it is, and where from. What tells who it may be already is answered while typing it anew."""
    live = fields.draft.is_new
    fields.text("name", "Name", limit=200, live=live, placeholder="Who showed interest")
    left, right = st.columns(2)
    with left:
        fields.text("company_name", "Company", limit=200, live=live)
    with right:
        fields.text("job_title", "Job title", limit=200)
    left, right = st.columns(2)
    with left:
        fields.text("email", "E-mail", limit=254, kind="email", live=live, placeholder="")
    with right:
        fields.text("phone", "Phone", limit=50, kind="phone", live=live, placeholder="")
    left, right = st.columns(2)
    with left:
        fields.text("source", "Source", limit=100)
    with right:
        fields.amount("estimated_value", "Estimated value")
    left, right = st.columns(2)
    with left:
        choices.owner(fields)
    with right:
        if fields.draft.is_new:
            fields.choice("status", "Status", {each: each.label for each in FREE_STATUSES}, nothing=None)
    fields.long_text("description", "Description")


def _delete(lead: LeadResponse) -> None:
    if drawer.act(
        lambda session: lead_service.delete_lead(session, lead.id, expected_version=lead.version),
        f"“{words.literal(lead.name, limit=60)}” is deleted.",
        once=("delete lead", lead.id, lead.version),
    ):
        form.forget(f"lead {lead.id}")
        drawer.close()


def _told(session: Session, lead_id: int) -> LeadResponse:
    return listing.told(session, lead_service.get_lead(session, lead_id), LeadResponse)


def _told_deal(session: Session, opportunity_id: int) -> OpportunityResponse:
    deal = opportunity_service.get_opportunity(session, opportunity_id)
    return listing.told(session, deal, OpportunityResponse)


def _update(lead_id: int) -> Callable[[Session, LeadUpdate, int], object]:
    return lambda session, changes, version: lead_service.update_lead(
        session, lead_id, changes, expected_version=version
    )
