"""The report is the dashboard on paper: the same figures, nothing that runs, and nothing from elsewhere."""

import html
import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from crm_core import clock
from crm_core.analytics import dashboard
from crm_core.cli import app
from crm_core.filters import OpportunityFilter
from crm_core.models import OpportunityStage
from crm_core.periods import PeriodChoice
from crm_core.reporting import tiles
from crm_core.reporting.report import report
from crm_core.services import settings_service
from tests.builders import Make
from tests.conftest import NOW

HOSTILE = "<script>alert(1)</script> & <img src=x onerror=alert(2)> **x** ‮"


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.fixture
def deals(make):
    hostile = make.user(HOSTILE).id
    company = make.company(HOSTILE).id
    make.opportunity(name=HOSTILE, company_id=company, owner_id=hostile, expected_value=Decimal(70_000))
    make.opportunity(stage=OpportunityStage.PROPOSAL, expected_value=None)
    make.won(99_000, owner_id=hostile)
    make.lost(5_000, owner_id=hostile)


def test_it_shows_what_the_dashboard_shows(session, deals):
    space = settings_service.get_workspace(session)
    board = dashboard.overview(session, PeriodChoice.THIS_QUARTER)

    page = html.unescape(report(session, PeriodChoice.THIS_QUARTER))

    for tile in board.tiles:
        said = tiles.told(tile, space)
        for text in (said.label, said.value, said.deals, said.notes, said.meaning):
            assert text in page
    assert tiles.caption(board, space) in page
    assert page.count("<svg") == 7
    assert "no next step" in page


def test_other_peoples_texts_are_only_text(session, deals):
    page = report(session)

    assert "&lt;script&gt;alert(1)" in page
    elements = Elements(page)
    assert not {"script", "img", "iframe", "object", "foreignobject"} & set(elements.tags)
    assert not [name for name in elements.attributes if name.startswith("on") or name == "href"]


def test_it_needs_nothing_from_elsewhere(session, deals):
    page = report(session)

    assert set(re.findall(r"https?://[^\"'\s<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "url(" not in page.replace("url(#", "")
    assert "default-src 'none'" in page


def test_an_empty_workspace_has_a_page_too(session):
    page = report(session, PeriodChoice.ALL_TIME)

    assert "Total pipeline value" in page
    assert "<table>" not in page


def test_it_knows_what_was_known_then(database):
    with database.write(at=NOW) as session:
        Make(session).opportunity(expected_value=Decimal(123), created_at=NOW)
    with database.write(at=NOW + timedelta(days=1)) as session:
        Make(session).opportunity(expected_value=Decimal(1_000), created_at=NOW)
    with database.read() as session:
        now, then = report(session), report(session, where=OpportunityFilter(as_of=NOW))

    assert "$1,123" in now
    assert "$1,123" not in then
    assert "as known at the end of Mar 18, 2026" in then


def test_a_period_that_is_over_is_shown_with_what_was_open_at_its_end(database):
    with database.write(at=NOW) as session:
        settings_service.get_settings(session).fiscal_year_start_month = 2
        Make(session).opportunity(expected_value=Decimal(123), created_at=NOW)
    with database.write(at=NOW + timedelta(days=60)) as session:
        Make(session).opportunity(expected_value=Decimal(1_000))
    with database.read(at=NOW + timedelta(days=90)) as session:
        page = html.unescape(report(session, PeriodChoice.LAST_QUARTER))

    assert "$123" in page
    assert "$1,123" not in page
    assert "Q1 FY27: Feb 1, 2026 – Apr 30, 2026, compared with Q4 FY26" in page
    assert "what is open, as of Apr 30, 2026, compared with Jan 31, 2026" in page
    for title in ("Opportunities by stage", "Expected close by month", "Needs attention"):
        assert f"<h2>{title}, as of Apr 30, 2026</h2>" in page


def test_the_command_writes_it(database, monkeypatch, tmp_path):
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))
    out = tmp_path / "report.html"

    ran = CliRunner().invoke(app, ["report", "--out", str(out), "--period", "last_month"])

    assert ran.exit_code == 0, ran.output
    assert str(out.name) in ran.output.replace("\n", "")
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert clock.now().strftime("%Y") in out.read_text(encoding="utf-8")


def test_a_file_that_can_not_be_written_is_a_sentence(database, monkeypatch, tmp_path):
    monkeypatch.setenv("CRM_DATABASE_URL", database.url.render_as_string(hide_password=False))

    ran = CliRunner().invoke(app, ["report", "--out", str(tmp_path / "nowhere" / "report.html")])

    assert ran.exit_code == 1
    assert "can't be written" in ran.output.replace("\n", " ")
