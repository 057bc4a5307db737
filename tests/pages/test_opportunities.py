"""The list of opportunities: filtered, sorted and paged by the database."""

import json
from datetime import date
from decimal import Decimal

from crm_core.models import OpportunityStage

OPPORTUNITIES = "pages/sales/opportunities.py"


def names(page) -> list[str]:
    return list(page.dataframe[0].value["Name"])


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(OPPORTUNITIES)

    assert "No opportunities yet" in page.markdown[0].value
    assert not page.dataframe


def test_shows_each_deal_with_what_a_rep_needs(open_page, given):
    with given() as make:
        make.opportunity(
            name="Solar roof",
            company_id=make.company("Sun & Sons").id,
            owner_id=make.user("Ada").id,
            expected_value=Decimal("1234.50"),
            stage=OpportunityStage.NEGOTIATION,
            expected_close_date=date(2026, 3, 18),
        )

    row = open_page(OPPORTUNITIES).dataframe[0].value.iloc[0]

    assert row["Name"] == "Solar roof"
    assert row["Company"] == "Sun & Sons"
    assert row["Value"] == "$1,234.50"
    assert list(row["Stage"]) == ["Negotiation"]
    assert row["Expected close"] == "Mar 18, 2026"
    assert row["Owner"] == "Ada"


def test_what_is_unknown_is_a_dash(open_page, given):
    with given() as make:
        make.opportunity()

    row = open_page(OPPORTUNITIES).dataframe[0].value.iloc[0]

    assert list(row[["Company", "Value", "Expected close", "Owner"]]) == ["–"] * 4


def test_each_stage_has_a_badge_in_its_colour(open_page, given):
    with given() as make:
        make.opportunity()

    columns = json.loads(open_page(OPPORTUNITIES).dataframe[0].proto.columns)

    badges = columns["Stage"]["type_config"]["options"]
    assert {badge["value"]: badge["color"] for badge in badges} == {
        "Qualification": "gray",
        "Discovery": "blue",
        "Proposal": "violet",
        "Negotiation": "orange",
        "Closed won": "green",
        "Closed lost": "red",
    }


def test_finds_by_deal_and_by_company_in_any_case(open_page, given):
    with given() as make:
        make.opportunity(name="ÜBER roof")
        make.opportunity(name="Other", company_id=make.company("Roofers").id)
        make.opportunity(name="100%_")

    page = open_page(OPPORTUNITIES, deals_search="über")
    assert names(page) == ["ÜBER roof"]

    page.text_input(key="deals_search").set_value("ROOF").run()
    assert set(names(page)) == {"ÜBER roof", "Other"}

    page.text_input(key="deals_search").set_value("%_").run()
    assert names(page) == ["100%_"]


def test_filters_by_stage_from_the_address(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
        make.opportunity(name="Late", stage=OpportunityStage.PROPOSAL)

    assert names(open_page(OPPORTUNITIES, deals_stage=["Proposal"])) == ["Late"]


def test_a_filter_that_matches_nothing_says_so(open_page, given):
    with given() as make:
        make.opportunity()

    page = open_page(OPPORTUNITIES, deals_search="nowhere")

    assert "No deal matches" in page.info[0].value


def test_sorts_the_whole_list_and_unknown_values_come_last(open_page, given):
    with given() as make:
        make.opportunity(name="Unknown")
        make.opportunity(name="Small", expected_value=Decimal(1))
        make.opportunity(name="Big", expected_value=Decimal(9))

    page = open_page(OPPORTUNITIES)
    assert names(page) == ["Big", "Small", "Unknown"]

    page.selectbox(key="sort").select("Value, lowest first").run()
    assert names(page) == ["Small", "Big", "Unknown"]


def test_pages_through_the_list_and_goes_back_to_the_first_when_a_filter_changes(open_page, given):
    with given() as make:
        for number in range(120):
            make.opportunity(name=f"Deal {number:03}", expected_value=Decimal(1000 - number))

    page = open_page(OPPORTUNITIES)
    page.get("pagination")[0].set_value(3).run()
    assert names(page)[0] == "Deal 100"
    assert "101–120 of 120 deals" in page.caption[0].value

    page.text_input(key="deals_search").set_value("Deal").run()
    assert names(page)[0] == "Deal 000"
