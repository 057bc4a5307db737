"""The drawer of one deal: its fields, what can be done with it, its notes, its past; and of a new one."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.errors import CrmError
from crm_core.filters import OpportunityFilter
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.services import opportunity_service, settings_service
from ui import close_dialog, colors, drawer, opportunity_list, words
from ui.data import actor, load, today, workspace
from ui.drawer import choices, form, notes, timeline
from ui.drawer.form import Form

KIND = "opportunity"
NEW = "deal new"
RELATED = 10


def new_button() -> None:
    """Opens the form of a new deal."""
    st.button(
        "New deal",
        key="new deal",
        icon=":material/add:",
        type="primary",
        on_click=drawer.open_new,
        args=(KIND, "deal new"),
    )


def open_new_in(stage: str) -> None:
    """Open the form of a new deal that begins in that stage; for a callback."""
    form.suggest(NEW, {"stage": OpportunityStage(stage)})
    drawer.open_(KIND, drawer.NEW)


def show(opportunity_id: int | None) -> None:
    """The drawer of the deal with that id, or the form for a new one."""
    if opportunity_id is None:
        _new()
        return
    try:
        deal = load(opportunity_service.get_row, opportunity_id)
    except CrmError as refusal:
        _missing(refusal)
        return
    name = words.literal(deal.name, limit=80)
    st.dialog(name, position="right", width=drawer.WIDTH, on_dismiss=drawer.close)(_deal)(opportunity_id)


@st.dialog("New deal", position="right", width=drawer.WIDTH, on_dismiss=drawer.close)
def _new() -> None:
    drawer.draw_screen_anew()
    suggested = {"stage": OpportunityStage.QUALIFICATION, "owner_id": actor()}
    draft = form.draft_of(NEW, suggested, version=0)

    def save() -> None:
        drawer.create(
            draft,
            OpportunityCreate,
            opportunity_service.create_opportunity,
            KIND,
            "The deal is in your pipeline.",
        )

    fields = Form(draft, workspace())
    fields.text("name", "Name", limit=200, placeholder="What you are selling, and to whom")
    fields.choice("stage", "Stage", {stage: stage.label for stage in OPEN_STAGES}, nothing=None)
    _fields(fields)
    drawer.buttons(draft, save, "Create deal")


@st.dialog("Deal", position="right", on_dismiss=drawer.close)
def _missing(refusal: CrmError) -> None:
    drawer.gone(refusal)


def _deal(opportunity_id: int) -> None:
    drawer.begin()
    try:
        deal = load(opportunity_service.get_row, opportunity_id)
    except CrmError as refusal:
        drawer.gone(refusal)
        return
    _head(deal)
    details, past, written, related = st.tabs(
        ["Details", "Timeline", "Notes", "Related"], key=f"deal {deal.id} tab", on_change="rerun"
    )
    with details:
        if details.open:
            _details(deal)
    with past:
        if past.open:
            timeline.show_whole(KIND, deal.id, opportunity_service.get_whole_history)
    with written:
        if written.open:
            notes.show(KIND, deal.id)
    with related:
        if related.open:
            _related(deal)


def _head(deal: OpportunityResponse) -> None:
    """Stage, value and days at a glance, and what can be done."""
    space = workspace()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(deal.stage.label, color=colors.BADGES[deal.stage])
        st.markdown(f"**{words.literal(words.money(deal.expected_value, space))}**", width="content")
        st.markdown(_when(deal), width="content")
    with st.container(horizontal=True):
        if deal.stage.is_closed:
            _reopen(deal)
        else:
            _move(deal)
            with st.popover("Close deal", icon=":material/flag:", key=f"deal {deal.id} close"):
                close_dialog.form(deal, drawer.saved)
        drawer.asks_first(
            "Delete",
            f"“{words.literal(deal.name, limit=80)}” leaves every list and figure. It can be undone.",
            lambda: _delete(deal),
            key=f"deal {deal.id} delete",
            icon=":material/delete:",
            confirm="Delete this deal",
        )


def _when(deal: OpportunityResponse) -> str:
    space = workspace()
    if deal.actual_close_date:
        return f"closed {words.literal(words.day(deal.actual_close_date, space))}"
    if deal.expected_close_date is None:
        return ":gray[no expected close]"
    said = words.literal(words.day(deal.expected_close_date, space))
    return f":red[{said} · overdue]" if deal.expected_close_date < today() else f"expected {said}"


def _details(deal: OpportunityResponse) -> None:
    now = deal.model_dump()
    draft = form.draft_of(f"deal {deal.id}", now, deal.version)

    def save(version: int | None = None) -> None:
        drawer.save(
            draft,
            OpportunityUpdate,
            _update(deal.id),
            "Saved.",
            told=lambda session: opportunity_service.get_row(session, deal.id),
            version=version,
        )

    if form.is_overtaken(draft, now, deal.version):
        drawer.conflict(draft, now, deal.version, _say, save)
    fields = Form(draft, workspace())
    fields.text("name", "Name", limit=200)
    if deal.stage.is_closed:
        _how_it_ended(deal)
    else:
        fields.percent("probability", "Probability (%)")
    _fields(fields)
    drawer.buttons(draft, save, "Save")


def _fields(fields: Form) -> None:
    """What a deal has from its first day on."""
    left, right = st.columns(2)
    with left:
        fields.amount("expected_value", "Value")
    with right:
        fields.day("expected_close_date", "Expected close")
    left, right = st.columns(2)
    with left:
        fields.text("next_step", "Next step", limit=500)
    with right:
        fields.day("next_step_date", "Next step on")
    choices.contact(fields, choices.company(fields))
    left, right = st.columns(2)
    with left:
        choices.owner(fields)
    with right:
        fields.text("source", "Source", limit=100)
    fields.long_text("description", "Description")


def _move(deal: OpportunityResponse) -> None:
    key = f"deal {deal.id} move from {deal.stage}"
    with st.popover("Move", icon=":material/arrow_forward:", key=key):
        others = [stage for stage in OPEN_STAGES if stage is not deal.stage]
        following = min(OPEN_STAGES.index(deal.stage), len(others) - 1)
        st.radio("To", others, index=following, format_func=lambda stage: stage.label, key=f"{key} to")
        st.caption("Its probability follows the stage.")
        st.button(
            "Move",
            key=f"deal {deal.id} move {deal.version}",
            type="primary",
            on_click=_moved,
            args=(deal, f"{key} to"),
        )


def _reopen(deal: OpportunityResponse) -> None:
    key = f"deal {deal.id} to reopen"
    with st.popover("Reopen", icon=":material/lock_open:", key=key):
        last = len(OPEN_STAGES) - 1
        st.radio("Into", OPEN_STAGES, index=last, format_func=lambda stage: stage.label, key=f"{key} into")
        st.caption("How it was closed stays in its timeline.")
        st.button(
            "Reopen",
            key=f"deal {deal.id} reopen {deal.version}",
            type="primary",
            on_click=_reopened,
            args=(deal, f"{key} into"),
        )


def _moved(deal: OpportunityResponse, field: str) -> None:
    to = OpportunityStage(st.session_state[field])  # what is chosen now, whenever the button was drawn
    drawer.act(
        lambda session: opportunity_service.move_opportunity(
            session, deal.id, to=to, expected_version=deal.version
        ),
        f"Moved to {to.label.lower()}.",
        once=("deal moved", deal.id, deal.version),
    )


def _reopened(deal: OpportunityResponse, field: str) -> None:
    to = OpportunityStage(st.session_state[field])
    drawer.act(
        lambda session: opportunity_service.reopen_opportunity(
            session, deal.id, to=to, expected_version=deal.version
        ),
        f"Reopened into {to.label.lower()}.",
        once=("deal reopened", deal.id, deal.version),
    )


def _delete(deal: OpportunityResponse) -> None:
    if drawer.act(
        lambda session: opportunity_service.delete_opportunity(
            session, deal.id, expected_version=deal.version
        ),
        f"“{words.literal(deal.name, limit=60)}” is deleted.",
        once=("deal deleted", deal.id, deal.version),
    ):
        form.forget(f"deal {deal.id}")
        drawer.close()


def _how_it_ended(deal: OpportunityResponse) -> None:
    reason = load(_reason, deal.close_reason_id) if deal.close_reason_id else None
    told = [words.literal(part, limit=500) for part in (reason, deal.close_note) if part]
    st.markdown(f"Closed as {deal.stage.label.split()[-1]}. {' · '.join(told)}")


def _related(deal: OpportunityResponse) -> None:
    """The company and the contact, each with its other deals."""
    if deal.company_id is None and deal.contact_id is None:
        st.caption("No company and no contact yet. Choose them under Details.")
    if deal.company_id is not None:
        _link("company", deal.company_id, deal.company_name)
        _others(deal, OpportunityFilter(companies=frozenset({deal.company_id})))
    if deal.contact_id is not None:
        _link("contact", deal.contact_id, deal.contact_name)
        _others(deal, OpportunityFilter(contacts=frozenset({deal.contact_id})))


def _others(deal: OpportunityResponse, where: OpportunityFilter) -> None:
    others = [row for row in load(opportunity_service.get_rows, where, limit=RELATED) if row.id != deal.id]
    if not others:
        st.caption("No other deals.")
        return
    kind = "company" if where.companies else "contact"
    opportunity_list.show_few(f"deal {deal.id} others {kind}", others, on_open=lambda key: _go(KIND, key))


def _link(kind: str, key: int, name: str | None) -> None:
    st.button(
        words.literal(name, limit=80),
        key=f"deal to {kind} {key}",
        icon={"company": ":material/domain:", "contact": ":material/person:"}[kind],
        on_click=_go,
        args=(kind, key),
    )


def _go(kind: str, record_id: int) -> None:
    drawer.open_(kind, record_id)
    drawer.saved()


def _reason(session: Session, reason_id: int) -> str:
    return settings_service.get_close_reason(session, reason_id).label


def _update(opportunity_id: int) -> Callable[[Session, OpportunityUpdate, int], object]:
    return lambda session, changes, version: opportunity_service.update_opportunity(
        session, opportunity_id, changes, expected_version=version
    )


def _say(name: str, value: object) -> str:
    """A field's value as people write it; of a key, what it stands for."""
    if name in choices.NAMED and isinstance(value, int):
        return load(choices.name_of, name, value)
    return timeline.say(value, workspace(), name=name)
