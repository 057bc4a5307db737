"""Dashboard: what is open, what it is worth, what was won, and what needs a look."""

import streamlit as st

from crm_core.analytics import dashboard
from crm_core.filters import OpportunityFilter
from crm_core.reporting import charts
from crm_core.reporting import tiles as figures
from crm_core.services import opportunity_service
from ui import empty, opportunity_filters
from ui.dashboard import panels, report_button, tiles
from ui.data import load, workspace
from ui.listing.filter_bar import FilterBar

opportunity_filters.go_on()
st.title("Dashboard")

space = workspace()
bar = FilterBar("dashboard")
with st.container(horizontal=True, vertical_alignment="bottom"):
    choice = bar.period()
    owners = bar.owners()
    teams = bar.several("team", "Team", opportunity_filters.team_labels(), "Every team", by_id=True)
    sources = bar.several(
        "source",
        "Source",
        {source: source for source in load(opportunity_service.get_sources)},
        "Every source",
    )
    as_of = bar.past_day("as_of", "As of", "as of")
    report_place = st.container(width="content")
where = bar.understood(
    OpportunityFilter(
        owners=owners,
        teams=teams,
        sources=sources,
        as_of=space.calendar.end_of(as_of) if as_of else None,
    )
)
bar.show_chips()

board = load(dashboard.overview, choice, where)
if not board.has_deals:
    empty.no_opportunities()
    st.stop()

with report_place:
    report_button.show(choice, where)
st.caption(figures.caption(board, space))

with st.grid(4, min_column_width=200):
    for tile in board.tiles:
        tiles.show(tile, board, space)

as_of_then = figures.open_note(board, space)
open_note = as_of_then and f"Open deals {as_of_then}"
months = [segment for pair in board.months.values() for segment in pair]

panels.attention(board.attention, space, on=board.open_moment.today, note=open_note)

with st.grid(2, min_column_width=420):
    panels.show_segments(
        "Opportunities by stage",
        charts.by_stage,
        board.stages,
        space,
        labels=[each.label for each in board.stages],
        head="Stage",
        note=panels.as_of(open_note),
    )
    panels.show(
        "Time in stage",
        charts.times,
        board.times.stages,
        space,
        panels.lines_of_times(board.times.stages, space),
        ("Stage", "Median days", "Stays", "Going on", "Deals"),
        note=panels.left_out(board.times.path_unknown, space, figures.TIMES_LEAVE_OUT),
    )
    panels.show_segments(
        "Expected close by month",
        charts.by_expected_close,
        board.expected,
        space,
        labels=charts.stages(board.expected),
        head="Month",
        note=panels.as_of(open_note),
    )
    panels.show_segments(
        "Won and lost by month",
        charts.won_and_lost,
        months,
        space,
        labels=charts.months(months, space),
        head="Month",
    )
    panels.show(
        "Win rate by owner",
        charts.win_rates,
        board.owners,
        space,
        panels.lines_of_rates(board.owners, space),
        ("Owner", "Win rate", "Won", "Closed"),
        note=panels.without_rate(board.owners),
    )
    panels.show_segments(
        "Lost reasons",
        charts.lost_reasons,
        board.reasons,
        space,
        labels=[each.label for each in board.reasons],
        head="Reason",
    )
panels.show_segments(
    "Funnel",
    charts.funnel,
    board.funnel.segments,
    space,
    labels=charts.funnel_parts(board.funnel.segments),
    head="Stage",
    note=panels.left_out(board.funnel.path_unknown, space, figures.FUNNEL_LEAVES_OUT),
)
panels.recent(board.recent)
