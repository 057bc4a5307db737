"""Dashboard: what is open, what it is worth, and what was won."""

import streamlit as st

from crm_core.analytics import dashboard
from crm_core.filters import OpportunityFilter
from ui import charts, empty, figures, filters, words
from ui.data import load, workspace

st.title("Dashboard")

with st.container(horizontal=True, vertical_alignment="bottom"):
    choice = filters.period("period")
    where = OpportunityFilter(owners=filters.owners("owner"))

space = workspace()
board = load(dashboard.overview, choice, where)

if not board.has_deals:
    empty.no_opportunities()
    st.stop()

closed, before, rate = board.closed, board.before, board.closed.win_rate
span = words.days(board.elapsed.start, board.elapsed.last_day, space)
so_far = " so far" if board.elapsed != board.period else ""

if board.before_period:
    compared = words.days(board.before_period.start, board.before_period.last_day, space)
    st.caption(f"{span}{so_far}, compared with {compared}")
else:
    st.caption(span)

pipeline = board.open

with st.grid(4, min_column_width=190):
    figures.show(
        "Total pipeline value",
        words.total(pipeline.value, space, deals=pipeline.deals, without_value=pipeline.without_value),
        note=words.counted(pipeline.deals, pipeline.without_value, space, "open", pipeline.overdue),
        meaning="The values of all open deals, as of now. Deals without a value are left out.",
    )
    figures.show(
        "Weighted value",
        words.total(pipeline.weighted, space, deals=pipeline.deals, without_value=pipeline.without_value),
        note="By the probability of each deal",
        meaning="Value × probability of each open deal, added up. Won and lost deals are never inside.",
    )
    figures.show(
        "Win rate",
        figures.rate(rate, space),
        note=figures.won_and_lost(closed, space),
        meaning=f"Won ÷ (won + lost), by count, closed in the period. {figures.certainty(rate, space)}",
    )
    figures.show(
        "Won in the period",
        words.total(closed.won_value, space, deals=closed.won, without_value=closed.won_without_value),
        change=figures.change(closed.known_won_value, before.known_won_value, space) if before else None,
        note=words.counted(closed.won, closed.won_without_value, space),
        meaning="The values of the deals won in the period, by the day they were closed.",
    )

left, right = st.columns(2)
with left, st.container(border=True, height="stretch"):
    st.subheader("Opportunities by stage")
    charts.by_stage(board.stages, space)
with right, st.container(border=True, height="stretch"):
    st.subheader("Won by month")
    charts.won_by_month(board.months, space)
