"""Close reasons: what people choose from when they close a deal."""

import streamlit as st

from crm_core.models import Outcome
from crm_core.services.settings_service import CHANGE
from ui.settings import form, reasons

st.title("Close reasons")
st.caption("A reason is retired, never deleted: deals that were closed for it keep it.")

may_change = form.may_change(CHANGE)
lost, won = st.columns(2)
with lost:
    reasons.show(Outcome.LOST, may_change=may_change)
with won:
    reasons.show(Outcome.WON, may_change=may_change)

reasons.show_dialog()
