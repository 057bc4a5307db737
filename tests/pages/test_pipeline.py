"""The pipeline: a column for each stage, whose totals count every deal and not only the cards."""

from datetime import UTC, date, datetime
from decimal import Decimal

from crm_core.models import OpportunityStage

PIPELINE = "pages/sales/pipeline.py"


def text(page) -> str:
    return " ".join(element.value for element in page.markdown)


def test_says_what_to_do_when_there_is_nothing(open_page):
    assert "No opportunities yet" in text(open_page(PIPELINE))


def test_totals_count_deals_that_have_no_card(open_page, given):
    with given() as make:
        for _ in range(25):
            make.opportunity(stage=OpportunityStage.DISCOVERY, expected_value=Decimal(1_000))

    page = open_page(PIPELINE)

    assert "25 deals" in text(page)
    assert "25,000" in text(page)
    assert any("15 more deals" in caption.value for caption in page.caption)


def test_shows_only_the_stages_asked_for(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
        make.opportunity(name="Late", stage=OpportunityStage.PROPOSAL)

    page = open_page(PIPELINE, board_stage=["Proposal"])

    assert "Late" in text(page)
    assert "Early" not in text(page)


def test_a_name_is_shown_as_typed(open_page, given):
    with given() as make:
        make.opportunity(name="**bold** [x](javascript:alert(1)) $a$ :red[y]")

    assert r"\*\*bold\*\*" in text(open_page(PIPELINE))


def cards(page) -> dict[str, str]:
    """What each card says below its name."""
    lines = [element.value.split("  \n") for element in page.markdown if ":small[" in element.value]
    return {name.strip("*").removeprefix(":small[")[:-1]: " ".join(rest) for name, *rest in lines}


def test_a_card_says_when_the_deal_was_closed_or_is_expected_to(open_page, given):
    expected = date(2026, 3, 18)
    with given() as make:
        make.opportunity(name="Open", expected_close_date=expected)
        make.won(name="Won", expected_close_date=expected, closed_at=datetime(2026, 2, 3, tzinfo=UTC))
        make.opportunity(name="Undated")

    shown = cards(open_page(PIPELINE))

    assert "Mar 18, 2026" in shown["Open"]
    assert "Feb 3, 2026" in shown["Won"]
    assert "Mar 18" not in shown["Won"]
    assert "no date" in shown["Undated"]
