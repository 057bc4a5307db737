"""Converting a lead: what becomes of it is shown first. The services say what is matched and why."""

import streamlit as st

from crm_core.errors import CrmError
from crm_core.filters import OpportunityFilter
from crm_core.schemas.conversion import Conversion, ConversionChoice, ConversionStep, How
from crm_core.schemas.lead import LeadResponse
from crm_core.services import opportunity_service
from ui import drawer, words
from ui.data import load, refused, workspace
from ui.drawer import choices, form
from ui.drawer.choices import OFFERED
from ui.drawer.form import Draft, Form

NEW_COMPANY, NEW_CONTACT = "new_company", "new_contact"
WHY = {How.CREATED: "new", How.MATCHED: "known already", How.PICKED: "chosen"}


def button(lead: LeadResponse, *, has_unsaved: bool) -> None:
    """Opens what the conversion would make, with the button that makes it; all from what is saved."""
    opened = st.popover(
        "Convert",
        icon=":material/handshake:",
        type="primary",
        key=f"convert {lead.id} {lead.version}",
        on_change="rerun",
    )
    with opened:
        if opened.open:
            _preview(lead)
            if has_unsaved:
                st.caption("What you typed and did not save stays behind. Save it first to take it along.")


def _preview(lead: LeadResponse) -> None:
    """What would become of the lead, and what may be chosen otherwise."""
    try:
        found = load(opportunity_service.preview_conversion, lead.id)
    except CrmError as refusal:
        refused(refusal)
        return
    place = st.container()
    draft = _fields(lead, found)
    choice = _read(draft)
    for name, sentence in draft.errors.items():
        st.error(words.literal(f"{draft.labels.get(name, name)}: {sentence}", limit=300))
    draft.errors = {}  # they are told here, and not below the fields once more
    if choice is None:
        return
    try:
        plan = load(opportunity_service.preview_conversion, lead.id, choice)
    except CrmError as refusal:
        refused(refusal)
        return
    place.markdown("\n".join(_lines(lead, plan, choice)))
    st.button(
        "Convert to a deal",
        key=f"convert {lead.id} confirm",
        type="primary",
        on_click=_convert,
        args=(lead, draft),
    )


def _fields(lead: LeadResponse, found: Conversion) -> Draft:
    """What may be chosen; it begins as the library would do it."""
    base = {
        "name": found.opportunity.name,
        "expected_value": lead.estimated_value,
        "owner_id": lead.owner_id,
        "owner_name": lead.owner_name,
    }
    draft = form.draft_of(f"convert {lead.id}", base, lead.version)
    fields = Form(draft, workspace())
    company_id = choices.company(fields, nothing=_plain(found.company))
    if company_id is None and found.company.how is How.MATCHED:
        label = "It is another company of that name"
        is_new = st.checkbox(label, key=draft.widget(NEW_COMPANY), persist_state="session")
        company_id = None if is_new else found.company.id
    choices.contact(fields, company_id, nothing=_plain(found.contact))
    if found.contact.how is How.MATCHED and draft.typed("contact_id") is None:
        st.checkbox("It is another person", key=draft.widget(NEW_CONTACT), persist_state="session")
    if _existing_deal(fields, company_id) is None:
        fields.text("name", "Deal", limit=200)
        left, right = st.columns(2)
        with left:
            fields.amount("expected_value", "Value")
        with right:
            fields.day("expected_close_date", "Expected close")
        choices.owner(fields)
    return draft


def _read(draft: Draft) -> ConversionChoice | None:
    """What is chosen now; None if something is wrong, which the draft tells."""
    ticked = {
        name: bool(st.session_state.get(draft.widget(name))) and draft.typed(picked) is None
        for name, picked in ((NEW_COMPANY, "company_id"), (NEW_CONTACT, "contact_id"))
    }
    return draft.checked(ConversionChoice, **ticked)


def _existing_deal(fields: Form, company_id: int | None) -> int | None:
    """One of the company's open deals, where it has any, in the place of a new one."""
    if company_id is None:
        return None
    where = OpportunityFilter(companies=frozenset({company_id}), is_open=True)
    deals = {row.id: row.name for row in load(opportunity_service.get_rows, where, limit=OFFERED)}
    chosen: int | None = (
        fields.choice("opportunity_id", "Join an open deal", deals, nothing="A new deal") if deals else None
    )
    return chosen


def _plain(step: ConversionStep) -> str:
    """What is done if nothing is chosen, for a field."""
    if step.how is How.NONE:
        return "None"
    return f"{words.one_line(step.name or '', limit=60)} ({WHY[step.how]})"


def _lines(lead: LeadResponse, plan: Conversion, choice: ConversionChoice) -> list[str]:
    """Company, contact and deal, each with how it comes about."""
    deal = f"* Deal: {_told(plan.opportunity)}"
    if plan.opportunity.how is How.CREATED:
        value = choice.model_dump().get("expected_value", lead.estimated_value)
        about = (
            "value unknown" if value is None else f"worth {words.literal(words.money(value, workspace()))}"
        )
        deal += f", in {choice.stage.label.lower()}, {about}"
    return [
        "It becomes a deal of this company and this contact:",
        "",
        f"* Company: {_told(plan.company)}",
        f"* Contact: {_told(plan.contact)}",
        deal,
    ]


def _told(step: ConversionStep) -> str:
    if step.how is How.NONE:
        return "none, for nothing tells which"
    why = WHY[step.how]
    if step.rule is not None:
        why += f": {step.rule.label}"
    return f"**{words.literal(step.name, limit=80)}** :gray[({why})]"


def _convert(lead: LeadResponse, draft: Draft) -> None:
    choice = _read(draft)  # what is chosen now, whenever the button was drawn
    if choice is None:
        return
    deals: list[int | None] = []
    done = drawer.act(
        lambda session: deals.append(
            opportunity_service.convert_lead_to_opportunity(
                session, lead.id, choice, expected_version=lead.version
            ).opportunity.id
        ),
        f"“{words.literal(lead.name, limit=60)}” is a deal now.",
        once=("convert lead", lead.id, lead.version),
    )
    if done:
        form.forget(f"convert {lead.id}")
    if done and deals[0] is not None:
        drawer.go("opportunity", deals[0])
