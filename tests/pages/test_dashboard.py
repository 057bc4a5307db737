"""The dashboard shows what the database holds, in words a manager reads at a glance."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from crm_core.config import PROJECT
from crm_core.models import OpportunityStage

DASHBOARD = "pages/insight/dashboard.py"


def figures(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def notes(page) -> str:
    return " ".join(caption.value for caption in page.caption)


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(DASHBOARD)

    assert not page.metric
    assert "No opportunities yet" in page.markdown[0].value


def test_shows_the_four_figures(open_page, given):
    with given() as make:
        make.opportunity(stage=OpportunityStage.PROPOSAL, expected_value=Decimal(12_000))
        make.opportunity(stage=OpportunityStage.QUALIFICATION, expected_value=None)
        make.won(99_000)
        make.lost(5_000)

    page = open_page(DASHBOARD)

    assert figures(page) == {
        "Total pipeline value": "$12,000",
        "Weighted value": "$6,000",
        "Win rate": ":gray[50%]",
        "Won in the period": "$99,000",
    }
    assert "2 open deals, 1 without a value" in notes(page)


def test_an_empty_win_rate_is_a_dash(open_page, given):
    with given() as make:
        make.opportunity()

    assert figures(open_page(DASHBOARD))["Win rate"] == "–"


def test_the_period_changes_what_counts_as_won(open_page, given):
    with given() as make:
        make.won(700, closed_at=datetime.now(UTC) - timedelta(days=800))

    page = open_page(DASHBOARD)
    assert figures(page)["Won in the period"] == "$0"

    page.selectbox(key="period").select_index(6).run()
    assert figures(page)["Won in the period"] == "$700"


def test_the_owner_filter_holds_for_every_figure(open_page, given):
    with given() as make:
        ada, bob = make.user("Ada"), make.user("Bob")
        make.opportunity(owner_id=ada.id, expected_value=Decimal(100), probability=50)
        make.opportunity(owner_id=bob.id, expected_value=Decimal(900), probability=50)
        make.won(70, owner_id=bob.id)

    page = open_page(DASHBOARD)
    page.multiselect(key="owner").select("Ada").run()

    assert figures(page) == {
        "Total pipeline value": "$100",
        "Weighted value": "$50",
        "Win rate": "–",
        "Won in the period": "$0",
    }


def test_a_change_elsewhere_shows_at_the_next_look(open_page, given):
    with given() as make:
        make.opportunity(expected_value=Decimal(100))
    page = open_page(DASHBOARD)

    with given() as make:
        make.opportunity(expected_value=Decimal(50))

    assert figures(page.run())["Total pipeline value"] == "$150"


def test_every_figure_is_explained(open_page, given):
    with given() as make:
        make.opportunity()
    explained = (PROJECT / "docs" / "metrics.md").read_text()

    page = open_page(DASHBOARD)

    shown = [*figures(page), *(heading.value for heading in page.subheader)]
    assert all(f"| {name} |" in explained for name in shown)
