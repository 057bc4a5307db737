"""Targets: what people and teams are meant to win."""

import streamlit as st

from crm_core.permissions import require_manager
from crm_core.services.target_service import CHANGE
from ui.settings import form, targets

st.title("Targets")
st.caption(
    "What was won is held against them on the dashboard and in the figures, for past periods too. No deal"
    " changes."
)

targets.show(may_change=form.may_change(CHANGE, require_manager))
targets.show_dialog()
