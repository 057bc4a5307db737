"""Pipeline: the deals in each stage, and what they add up to."""

import streamlit as st

from crm_core.analytics import pipeline
from ui import cards, empty, filters
from ui.data import load, workspace

st.title("Pipeline")

with st.container(horizontal=True, vertical_alignment="bottom"):
    where = filters.opportunities("board")

space = workspace()
stages = load(pipeline.by_stage, where)

if not stages["deals"].sum():
    empty.nothing_matches() if where.is_narrowed else empty.no_opportunities()
    st.stop()

cards.board(stages, where, space)
