"""People: who works here, in which role and team."""

import streamlit as st

from crm_core.services.user_service import CHANGE
from ui.settings import form, people, teams

st.title("People and teams")
st.caption("People are never deleted: whoever leaves becomes inactive.")

may_change = form.may_change(CHANGE)
left, right = st.columns([3, 2])
with left:
    people.show(may_change=may_change)
with right:
    teams.show(may_change=may_change)

people.show_dialog()
teams.show_dialog()
