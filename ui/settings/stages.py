"""What holds in each stage."""

import streamlit as st
from sqlalchemy.orm import Session

from crm_core.models import CLOSED_STAGES, OPEN_STAGES, OpportunityStage
from crm_core.schemas.settings import StageSettingsResponse, StageSettingsUpdate
from crm_core.services import settings_service
from ui import colors
from ui.data import load
from ui.settings import form
from ui.settings.form import Field, Form

CARD_WIDTH = 200
LONGEST = 3650
"""Days, as many as the settings take."""

WON_FROM = {True: "yes", False: "no"}

EXPLAINED = """\
* **Probability**: new deals and deals that change stage get it, unless somebody says otherwise. Deals keep
  the probability they have.
* **Stale after**: a deal that nobody touched for more days counts as stale, at once and for past days too.
  Nothing else happens to it. Empty: never.
* **Can be won from here**: deals in other stages can't be closed as won. Deals that were won stay won, and
  losing is possible from everywhere.
"""
KEEPS = "* Deals that change stage keep their probability at present: the workspace's rules say so.\n"


def show(*, may_change: bool) -> None:
    """A card for each open stage, saved together; the closed ones are fixed."""
    stages = load(_stages)
    st.markdown(EXPLAINED if load(_follows) else EXPLAINED + KEEPS)
    opened = form.on_page("stages", _fields(), _shown(stages))
    with st.form(f"stages {opened.id}", border=False):
        with st.grid(len(OPEN_STAGES), min_column_width=CARD_WIDTH) as grid:
            for stage in OPEN_STAGES:
                with grid.cell(), st.container(border=True):
                    _card(opened, stage, disabled=not may_change)
        form.refusal(opened)
        st.form_submit_button("Save", type="primary", disabled=not may_change, on_click=_save, args=(opened,))
    _fixed([settings for settings in stages if settings.stage in CLOSED_STAGES])


def _card(opened: Form, stage: OpportunityStage, *, disabled: bool) -> None:
    st.badge(stage.label, color=colors.BADGES[stage])
    st.number_input(
        "Probability, %",
        key=opened.key(f"{stage}.default_probability"),
        value=None,
        min_value=0,
        max_value=100,
        step=5,
        persist_state="page",
        required=True,
        disabled=disabled,
    )
    st.number_input(
        "Stale after, days",
        key=opened.key(f"{stage}.stale_after_days"),
        value=None,
        min_value=1,
        max_value=LONGEST,
        step=1,
        placeholder="Never",
        persist_state="page",
        disabled=disabled,
    )
    st.checkbox(
        "Can be won from here",
        key=opened.key(f"{stage}.can_be_won"),
        persist_state="page",
        disabled=disabled,
    )


def _fixed(closed: list[StageSettingsResponse]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(":gray[Fixed:]", width="content")
        for settings in closed:
            st.badge(settings.stage.label, color=colors.BADGES[settings.stage])
            st.markdown(f":gray[{settings.default_probability} %, never stale]", width="content")


def _fields() -> dict[str, Field]:
    fields = {}
    for stage in OPEN_STAGES:
        fields[f"{stage}.default_probability"] = Field(f"Probability in {stage.label.lower()}")
        fields[f"{stage}.stale_after_days"] = Field(f"Stale after, in {stage.label.lower()}")
        fields[f"{stage}.can_be_won"] = Field(f"Can be won from {stage.label.lower()}", WON_FROM.__getitem__)
    return fields


def _shown(stages: list[StageSettingsResponse]) -> dict[str, object]:
    return {
        f"{settings.stage}.{name}": getattr(settings, name)
        for settings in stages
        if settings.stage in OPEN_STAGES
        for name in StageSettingsUpdate.model_fields
    }


def _stages(session: Session) -> list[StageSettingsResponse]:
    found = settings_service.get_all_stage_settings(session)
    return [StageSettingsResponse.model_validate(settings) for settings in found]


def _follows(session: Session) -> bool:
    return settings_service.get_settings(session).probability_follows_stage


def _save(opened: Form) -> None:
    def update(session: Session) -> None:
        def loses_its_wins(stage: OpportunityStage) -> bool:
            return opened.typed[f"{stage}.can_be_won"] is False

        for stage in sorted(OPEN_STAGES, key=loses_its_wins):  # another may take its place
            now = settings_service.get_stage_settings(session, stage)
            changes = opened.changes(StageSettingsUpdate, now, f"{stage}.")
            settings_service.update_stage_settings(session, stage, changes)

    opened.save("Stages: saved.", update)
