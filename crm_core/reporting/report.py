"""The dashboard as one HTML page that needs nothing else: for a meeting, to print, or to send."""

from collections.abc import Sequence
from datetime import date
from io import StringIO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy.orm import Session

from crm_core import words
from crm_core.analytics import dashboard
from crm_core.analytics.cards import Card
from crm_core.analytics.dashboard import Overview
from crm_core.database import instant
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.periods import Period, PeriodChoice
from crm_core.reporting import charts, tiles
from crm_core.services import settings_service
from crm_core.services.settings_service import Workspace

CHART_WIDTH = 420

templates = Environment(
    loader=PackageLoader("crm_core", "reporting"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report(
    session: Session,
    choice: PeriodChoice | Period = PeriodChoice.THIS_QUARTER,
    where: OpportunityFilter = EVERYTHING,
) -> str:
    """The page for a period and a filter, as known at the filter's instant, or now.

    What it shows is `dashboard.overview`: figures, charts as SVG, and what needs attention as a table.
    """
    space = settings_service.get_workspace(session)
    board = dashboard.overview(session, choice, where)
    return templates.get_template("report.html.j2").render(
        title="Sales report",
        caption=tiles.caption(board, space),
        made=words.moment(instant(session), space),
        figures=[tiles.told(tile, space) for tile in board.tiles],
        target=tiles.target(board, space),
        open_note=tiles.open_note(board, space),
        charts=_charts(board, space),
        needs=[(each.need.label, words.number(each.totals.deals, space)) for each in board.attention.needs],
        rows=[_row(card, space, board.open_moment.today) for card in board.attention.cards],
    )


def _charts(board: Overview, space: Workspace) -> Sequence[tuple[str, Markup, str]]:
    """Each chart's title, its drawing, and a note below it, which may be empty."""
    months = [segment for pair in board.months.values() for segment in pair]
    note = tiles.open_note(board, space)
    of_open = f", {note}" if note else ""
    drawn = {
        f"Opportunities by stage{of_open}": charts.by_stage(board.stages, space),
        "Time in stage": charts.times(board.times.stages, space),
        f"Expected close by month{of_open}": charts.by_expected_close(board.expected, space),
        "Won and lost by month": charts.won_and_lost(months, space),
        "Win rate by owner": charts.win_rates(board.owners, space),
        "Lost reasons": charts.lost_reasons(board.reasons, space),
        "Funnel": charts.funnel(board.funnel.segments, space),
    }
    notes = {
        "Time in stage": tiles.left_out(board.times.path_unknown, space),
        "Win rate by owner": tiles.without_rate(board.owners),
        "Funnel": tiles.left_out(board.funnel.path_unknown, space),
    }
    return [(title, _svg(chart), notes.get(title, "")) for title, chart in drawn.items()]


def _svg(chart: charts.Drawn) -> Markup:
    """The chart as SVG, in which texts are escaped; drawn without a browser or a network."""
    written = StringIO()
    chart.properties(width=CHART_WIDTH).configure_view(stroke=None).save(written, format="svg")
    return Markup(written.getvalue())  # noqa: S704 written by the renderer, which escapes the labels


def _row(card: Card, space: Workspace, today: date) -> dict[str, str]:
    """A deal that needs attention, with why."""
    deal = card.deal
    last = deal.expected_close_date
    reasons = {
        "overdue": card.is_overdue,
        "stale": card.is_stale,
        "no next step": card.has_no_next_step,
        "closing soon": last is not None and not card.is_overdue and (last - today).days < 7,
    }
    return {
        "name": words.one_line(deal.name),
        "company": words.one_line(deal.company_name or words.NONE),
        "value": words.money(deal.expected_value, space),
        "stage": deal.stage.label,
        "expected": words.day(last, space),
        "owner": words.one_line(deal.owner_name or words.NONE),
        "why": ", ".join(reason for reason, holds in reasons.items() if holds),
    }
