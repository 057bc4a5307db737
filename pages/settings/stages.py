"""Stages: how likely deals in them are, when they go stale, where they can be won."""

import streamlit as st

from crm_core.services.settings_service import CHANGE
from ui.settings import form, stages

st.title("Stages")

stages.show(may_change=form.may_change(CHANGE))
