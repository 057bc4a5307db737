"""Workspace: currency, language, calendar, and what people see."""

import streamlit as st

from crm_core.services.settings_service import CHANGE
from ui.settings import form, workspace

st.title("Workspace")
st.caption("Holds for everybody, from the moment it is saved.")

workspace.show(may_change=form.may_change(CHANGE))
