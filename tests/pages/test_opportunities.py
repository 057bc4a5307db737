"""The list of opportunities: filtered, sorted and paged by the database; opened, edited, changed in bulk."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from crm_core import clock
from crm_core.models import (
    CloseReason,
    Company,
    Opportunity,
    OpportunityStage,
    Outcome,
    SavedView,
    Settings,
    Team,
    User,
)
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.schemas.settings import SettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests.builders import reason_id
from tests.pages import tables
from ui.words import NOTHING

OPPORTUNITIES = "pages/sales/opportunities.py"
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"


def deal(database, deal_id: int) -> Opportunity:
    with database.read() as session:
        return session.get_one(Opportunity, deal_id)


def button(page, label: str):
    return next(each for each in page.button if each.label == label)


def field(page, label: str):
    """A field of a drawer by its label."""
    kinds = ("text_input", "text_area", "date_input", "selectbox", "number_input")
    return next(each for kind in kinds for each in page.get(kind) if each.label == label)


def said(page) -> str:
    return " ".join(each.value for kind in ("markdown", "toast", "error") for each in page.get(kind))


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(OPPORTUNITIES)

    assert "No opportunities yet" in said(page)
    assert tables.data(page) is None


def test_shows_each_deal_with_what_a_rep_needs(open_page, given):
    with given() as make:
        make.opportunity(
            name="Solar roof",
            company_id=make.company("Sun & Sons").id,
            owner_id=make.user("Ada", id=42).id,
            expected_value=Decimal("1234.50"),
            stage=OpportunityStage.NEGOTIATION,
            expected_close_date=date(2036, 3, 18),
            next_step="Call",
        )

    row = tables.rows(open_page(OPPORTUNITIES))[0]

    assert {name: row[name] for name in list(row)[:5]} == {
        "Name": "Solar roof",
        "Company": "Sun & Sons",
        "Value": "$1,234.50",
        "Stage": "Negotiation",
        "Probability": "75%",
    }
    assert (row["Expected close"], row["Owner"], row["Next step"]) == ("Mar 18, 2036", "Ada", "Call")
    assert row["Days in stage"].replace(",", "").isdecimal()


def test_what_is_unknown_is_a_dash(open_page, given):
    with given() as make:
        make.opportunity()

    row = tables.rows(open_page(OPPORTUNITIES))[0]

    assert {row[name] for name in ("Company", "Value", "Expected close", "Owner", "Next step")} == {"–"}


def test_an_overdue_deal_is_marked_in_words_and_colour(open_page, given):
    with given() as make:
        make.opportunity(expected_close_date=date(2020, 1, 2))
        make.opportunity(stage=OpportunityStage.CLOSED_WON, expected_close_date=date(2020, 1, 2))

    page = open_page(OPPORTUNITIES, deals_sort="stage")

    cells = [row["cells"]["expected_close"] for row in tables.data(page)["rows"]]
    assert cells[0]["text"] == "Jan 2, 2020 · overdue"
    assert cells[0]["tone"] == "late"
    assert cells[1]["text"] == "Jan 2, 2020"


def test_each_stage_has_a_badge_in_its_colour(open_page, given):
    with given() as make:
        for stage in OpportunityStage:
            make.opportunity(stage=stage)

    assert tables.colors(open_page(OPPORTUNITIES), "stage") == {
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
    assert tables.names(page) == ["ÜBER roof"]

    page.text_input(key="deals_search").set_value("ROOF").run()
    assert set(tables.names(page)) == {"ÜBER roof", "Other"}

    page.text_input(key="deals_search").set_value("%_").run()
    assert tables.names(page) == ["100%_"]


@pytest.fixture
def assorted(given):
    """A deal for each filter, named after it, and what others have in common."""
    today = clock.now().date()
    common = {"expected_value": Decimal(500), "expected_close_date": today + timedelta(days=400)}
    with given() as make:
        make.opportunity(name="plain", **common)
        make.opportunity(name="late stage", stage=OpportunityStage.PROPOSAL, **common)
        make.opportunity(name="closed", stage=OpportunityStage.CLOSED_WON, **common)
        make.opportunity(name="Ada's", owner_id=make.user("Ada", id=42).id, **common)
        make.opportunity(name="mine", owner_id=1, **common)
        make.opportunity(name="of Acme", company_id=make.company("Acme", id=77).id, **common)
        make.opportunity(name="from a fair", source="Fair", **common)
        make.opportunity(name="big", **common | {"expected_value": Decimal(5000)})
        make.opportunity(name="without value", **common | {"expected_value": None})
        make.opportunity(name="without date", **common | {"expected_close_date": None})
        make.opportunity(name="overdue", **common | {"expected_close_date": today - timedelta(days=800)})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"deals_stage": ["proposal"]}, {"late stage"}),
        ({"deals_state": ["closed"]}, {"closed"}),
        ({"deals_owner": ["42"]}, {"Ada's"}),
        ({"deals_only": ["mine"]}, {"mine"}),
        ({"deals_only": ["mine"], "deals_owner": ["42"]}, set()),
        ({"deals_company": ["77"]}, {"of Acme"}),
        ({"deals_company": ["no number"]}, set()),
        ({"deals_company": ["76"]}, set()),
        ({"deals_company": ["077"]}, set()),
        ({"deals_source": ["Fair"]}, {"from a fair"}),
        ({"deals_source": ["Nowhere"]}, set()),
        ({"deals_value_from": "1000"}, {"big"}),
        ({"deals_stage": ["Proposal"]}, set()),
        ({"deals_stage": ["proposal", "nope"]}, set()),
        ({"deals_owner": ["Ada"]}, set()),
        ({"deals_owner": ["41"]}, set()),
        ({"deals_owner": ["~42"]}, set()),
        ({"deals_expected": "Whenever"}, set()),
        ({"deals_expected_from": "2026-99-99"}, set()),
        ({"deals_value_from": "a lot"}, set()),
        ({"deals_company": ["9999999999"]}, set()),
        ({"deals_source": ["\x00"]}, set()),
        ({"deals_only": ["without_value"]}, {"without value"}),
        ({"deals_only": ["without_date"]}, {"without date"}),
        ({"deals_only": ["overdue"]}, {"overdue"}),
        ({"deals_expected_to": "2020-01-01"}, set()),
    ],
)
def test_every_filter_comes_from_the_address(open_page, assorted, query, found):
    page = open_page(OPPORTUNITIES, **query)

    assert set(tables.names(page)) == found


def test_this_month_means_this_month(open_page, given):
    today = clock.now().date()
    with given() as make:
        make.opportunity(name="now", expected_close_date=today)
        make.opportunity(name="long ago", expected_close_date=today - timedelta(days=62))

    assert tables.names(open_page(OPPORTUNITIES, deals_expected="this_month")) == ["now"]


def test_what_the_address_asks_for_and_nobody_knows_is_told_and_matches_nothing(open_page, assorted):
    page = open_page(OPPORTUNITIES, deals_owner=["Anna"], deals_value_from="a lot")
    chips = {
        each.label.replace("\\", "").replace(NOTHING, "")
        for each in page.button
        if "chip" in (each.key or "")
    }
    assert chips == {"Owner: Anna is not known", "Value from: a lot is not known"}
    assert tables.names(page) == []

    page.text_input(key="deals_search").set_value("i").run()
    assert tables.names(page) == []

    button(page, "Clear all").click().run()
    assert len(tables.names(page)) == 11


@pytest.mark.parametrize(
    ("name", "said", "chip", "readable", "written"),
    [
        ("value_from", "abc", "Value from: abc is not known", 1000.0, "1000"),
        ("value_to", "-1", "Value to: -1 is not known", 100.5, "100.5"),
        ("created_from", "soon", "Created from: soon is not known", date(2026, 1, 2), "2026-01-02"),
        ("closed_to", "2026-02-30", "Closed until: 2026-02-30 is not known", date(2026, 2, 28), "2026-02-28"),
    ],
)
def test_an_amount_or_a_day_that_can_not_be_read_stays_in_the_address(
    open_page, assorted, name, said, chip, readable, written
):
    key = f"deals_{name}"
    page = open_page(OPPORTUNITIES, **{key: said})
    page.text_input(key="deals_search").set_value("i").run()
    assert (chips(page), tables.names(page)) == (["“i”", chip], [])
    assert page.query_params[key] == said

    field = page.number_input if isinstance(readable, float) else page.date_input
    field(key=key).set_value(readable).run()
    assert (page.query_params[key], tables.names(page)) == ([written, said], [])

    next(each for each in page.button if plain(each.label) == chip).click().run()
    assert (chip in chips(page), page.query_params[key]) == (False, written)


def test_chips_tell_what_is_set_and_one_button_clears_it(open_page, assorted):
    page = open_page(OPPORTUNITIES, deals_only=["overdue", "stale"], deals_search="o", deals_value_from="100")

    chips = [each.label.replace("\\", "") for each in page.button if "chip" in (each.key or "")]
    assert chips == ["“o”", "Overdue", "Stale", "≥ $100"]

    next(each for each in page.button if each.label == "Stale").click().run()
    assert tables.names(page) == ["overdue"]

    button(page, "Clear all").click().run()
    assert len(tables.names(page)) == 11


@pytest.mark.parametrize(
    ("currency", "least", "field", "chip"),
    [
        ("JPY", "100", "%.0f", "≥ ¥100"),
        ("USD", "100.5", "%.2f", "≥ $100.50"),
        ("KWD", "100.5", "%.3f", "≥ KWD100.500"),
        ("USD", "0.0005", "%.4f", "≥ $0.0005"),
    ],
)
def test_an_amount_to_filter_by_has_the_currencys_decimals(
    open_page, given, assorted, currency, least, field, chip
):
    with given() as make:
        make.session.get_one(Settings, 1).currency = currency

    page = open_page(OPPORTUNITIES, deals_value_from=least)

    (shown,) = [each for each in page.number_input if each.label == "Value from"]
    assert (shown.proto.format, shown.value) == (field, float(least))
    assert chip in [each.label.replace("\\", "") for each in page.button if "chip" in (each.key or "")]


@pytest.mark.parametrize(
    ("currency", "typed", "finer", "worth", "sentence"),
    [
        ("JPY", "1,500", "1,500.5", "1500", "JPY has no decimals. Write an amount like 1,234."),
        ("USD", "1.05", "1.055", "1.05", "USD has two decimals. Write an amount like 1,234.50."),
        ("KWD", "1.005", "1.0055", "1.005", "KWD has three decimals. Write an amount like 1,234.500."),
    ],
)
def test_an_amount_is_typed_with_the_currencys_decimals(
    open_page, given, database, currency, typed, finer, worth, sentence
):
    with given() as make:
        make.session.get_one(Settings, 1).currency = currency
        it = make.opportunity().id
    page = open_page(OPPORTUNITIES)
    page.toggle[0].set_value(True).run()

    tables.edit(page, it, "value", finer)
    assert page.toast[0].value.replace("\\", "").endswith(f"“{finer}” was not saved. {sentence}")
    tables.edit(page, it, "value", typed)

    assert deal(database, it).expected_value == Decimal(worth)


def test_a_filter_that_matches_nothing_says_so(open_page, given):
    with given() as make:
        make.opportunity()

    page = open_page(OPPORTUNITIES, deals_search="nowhere")

    assert "No deal matches" in page.info[0].value
    button(page, "Clear the filters").click().run()
    assert len(tables.names(page)) == 1


def test_totals_are_of_the_whole_filtered_list(open_page, given):
    with given() as make:
        for number in range(60):
            make.opportunity(name=f"Deal {number}", expected_value=Decimal(100), probability=50)
        make.opportunity(name="Unknown")
        make.opportunity(name="Other", stage=OpportunityStage.CLOSED_LOST, expected_value=Decimal(7))

    page = open_page(OPPORTUNITIES)

    assert len(tables.names(page)) == 50
    told = said(page).replace("\\", "")
    assert "62 deals" in told
    assert "$6,007" in told
    assert "$3,000" in told
    assert "1 without a value" in told


def test_sorts_the_whole_list_by_a_click_on_a_head(open_page, given):
    with given() as make:
        make.opportunity(name="Unknown")
        make.opportunity(name="Small", expected_value=Decimal(1))
        make.opportunity(name="Big", expected_value=Decimal(9))

    page = open_page(OPPORTUNITIES)
    assert tables.names(page) == ["Big", "Small", "Unknown"]

    tables.sort_by(page, "value")
    assert tables.names(page) == ["Small", "Big", "Unknown"]

    tables.sort_by(page, "name")
    assert tables.names(page) == ["Big", "Small", "Unknown"]
    heads = {each["id"]: each.get("sorted") for each in tables.data(page)["columns"]}
    assert heads["name"] == "ascending"
    assert heads["value"] is None


def test_pages_through_the_list_and_goes_back_to_the_first_when_a_filter_changes(open_page, given):
    with given() as make:
        for number in range(120):
            make.opportunity(name=f"Deal {number:03}", expected_value=Decimal(1000 - number))

    page = open_page(OPPORTUNITIES)
    page.get("pagination")[0].set_value(3).run()
    assert tables.names(page)[0] == "Deal 100"
    assert "101–120 of 120 deals" in [each.value for each in page.caption]

    page.text_input(key="deals_search").set_value("Deal").run()
    assert tables.names(page)[0] == "Deal 000"


# ------------------------------------------------------------------------------------------------ one deal


def test_a_click_on_a_row_opens_that_deal(open_page, given):
    with given() as make:
        first, second = make.opportunity(name="First"), make.opportunity(name="Second")

    page = open_page(OPPORTUNITIES)
    rows = tables.data(page)
    tables.open_row(page, second.id)

    assert field(page, "Name").value == "Second"
    assert page.query_params["opportunity"] == str(second.id)
    assert first.id != second.id
    assert tables.data(page) == rows  # which are not sent again
    assert list(tables.answers(page)) == [rows["key"]]


@pytest.mark.parametrize("told", ["999999", "x", "-1", "0", "٣", "9" * 30])
def test_a_deal_that_is_not_there_is_told_or_ignored(open_page, given, told):
    with given() as make:
        make.opportunity()

    page = open_page(OPPORTUNITIES, opportunity=told)

    assert len(tables.names(page)) == 1
    if told == "999999":
        assert "There is no opportunity 999999" in said(page).replace("\\", "")


def test_saves_what_was_typed_and_nothing_else(open_page, given, database):
    with given() as make:
        before = make.opportunity(name="Roof", expected_value=Decimal(10), next_step="Call")

    page = open_page(OPPORTUNITIES, opportunity=str(before.id))
    field(page, "Value (USD)").set_value("1,234.50").run()
    button(page, "Save").click().run()

    after = deal(database, before.id)
    assert after.expected_value == Decimal("1234.50")
    assert (after.name, after.next_step, after.version) == ("Roof", "Call", 2)


def test_bad_input_is_told_beside_the_field_and_stays_there(open_page, given, database):
    with given() as make:
        before = make.opportunity(name="Roof", expected_value=Decimal(10))

    page = open_page(OPPORTUNITIES, opportunity=str(before.id))
    field(page, "Value (USD)").set_value("12o").run()
    field(page, "Name").set_value("   ").run()
    button(page, "Save").click().run()

    assert "Write an amount like 1,234" in said(page).replace("\\", "")
    assert "This is needed" in said(page).replace("\\", "")
    assert field(page, "Value (USD)").value == "12o"
    assert deal(database, before.id).version == 1


def test_two_at_the_same_field_see_both_values(open_page, given, database):
    with given() as make:
        before = make.opportunity(name="Roof", next_step="Call")

    page = open_page(OPPORTUNITIES, opportunity=str(before.id))
    field(page, "Next step").set_value("Mine").run()
    with database.write() as session:
        opportunity_service.update_opportunity(session, before.id, OpportunityUpdate(next_step="Theirs"))
    button(page, "Save").click().run()

    assert deal(database, before.id).next_step == "Theirs"
    assert "was changed meanwhile" in page.warning[0].value
    assert page.table[0].value.iloc[0].to_dict() == {
        "Field": "Next step",
        "Yours": "Mine",
        "Saved meanwhile": "Theirs",
    }
    assert field(page, "Next step").value == "Mine"

    button(page, "Save mine").click().run()
    assert deal(database, before.id).next_step == "Mine"


def test_their_value_can_be_kept(open_page, given, database):
    with given() as make:
        before = make.opportunity(next_step="Call")

    page = open_page(OPPORTUNITIES, opportunity=str(before.id))
    field(page, "Next step").set_value("Mine").run()
    with database.write() as session:
        opportunity_service.update_opportunity(session, before.id, OpportunityUpdate(next_step="Theirs"))
    button(page, "Save").click().run()
    button(page, "Keep theirs").click().run()

    assert field(page, "Next step").value == "Theirs"
    assert deal(database, before.id).next_step == "Theirs"


def test_another_field_of_somebody_else_is_no_quarrel(open_page, given, database):
    with given() as make:
        before = make.opportunity(next_step="Call")

    page = open_page(OPPORTUNITIES, opportunity=str(before.id))
    field(page, "Next step").set_value("Mine").run()
    with database.write() as session:
        opportunity_service.update_opportunity(session, before.id, OpportunityUpdate(source="Fair"))
    button(page, "Save").click().run()

    assert field(page, "Next step").value == "Mine"
    assert field(page, "Source").value == "Fair"
    after = deal(database, before.id)
    assert (after.next_step, after.source) == ("Mine", "Fair")


def test_what_was_typed_outlives_a_closed_drawer(open_page, given):
    with given() as make:
        first, second = make.opportunity(name="First"), make.opportunity(name="Second")

    page = open_page(OPPORTUNITIES, opportunity=str(first.id))
    field(page, "Next step").set_value("Half a tho").run()
    tables.open_row(page, second.id)
    assert field(page, "Next step").value == ""
    tables.open_row(page, first.id)

    assert field(page, "Next step").value == "Half a tho"
    button(page, "Discard changes").click().run()
    assert field(page, "Next step").value == ""


def test_a_closed_drawer_leaves_nothing_of_what_nobody_typed_in(open_page, given):
    with given() as make:
        one, other = make.opportunity(name="Solar roof").id, make.opportunity(name="Wind park").id
    page = open_page(OPPORTUNITIES, opportunity=str(one))
    field(page, "Next step").input("Call").run()
    tables.open_row(page, other)

    tables.open_row(page, one)

    assert field(page, "Next step").value == "Call"
    drafts = [each for each in page.session_state._state.filtered_state if f"deal {other} " in str(each)]
    assert not [each for each in drafts if each.endswith(("name", "next_step", "description"))]


def test_moves_closes_and_reopens(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(OPPORTUNITIES, opportunity=str(it.id))
    page.radio[0].set_value(OpportunityStage.NEGOTIATION).run()
    button(page, "Move").click().run()
    assert deal(database, it.id).stage is OpportunityStage.NEGOTIATION

    button(page, "Close as won").click().run()
    won = deal(database, it.id)
    assert won.stage is OpportunityStage.CLOSED_WON
    assert "is won" in said(page)

    page.radio[0].set_value(OpportunityStage.PROPOSAL).run()
    button(page, "Reopen").click().run()
    assert deal(database, it.id).stage is OpportunityStage.PROPOSAL


def test_a_loss_needs_a_reason_on_screen_too(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(OPPORTUNITIES, opportunity=str(it.id))
    outcome = next(each for each in page.segmented_control if each.label == "Outcome")
    outcome.set_value(Outcome.LOST).run()
    field(page, "Note").set_value("They went silent").run()
    button(page, "Close as lost").click().run()

    assert "Say why the deal was lost" in said(page)
    assert field(page, "Note").value == "They went silent"
    assert deal(database, it.id).is_open


def test_delete_asks_first_and_can_be_taken_back(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")
        make.opportunity(name="Other")

    page = open_page(OPPORTUNITIES, opportunity=str(it.id))
    button(page, "Delete this deal").click().run()
    assert tables.names(page) == ["Other"]
    assert "opportunity" not in page.query_params

    button(page, "Undo").click().run()
    assert set(tables.names(page)) == {"Roof", "Other"}
    assert deal(database, it.id).deleted_at is None


def test_creates_once_however_often_it_is_sent(open_page, database):
    page = open_page(OPPORTUNITIES, opportunity="new")
    field(page, "Name").set_value("New roof").run()
    field(page, "Value (USD)").set_value("12,000").run()
    create = button(page, "Create deal")
    create.click()
    page.run()

    with database.read() as session:
        made = session.scalars(select(Opportunity)).all()
    assert [(each.name, each.expected_value, each.owner_id) for each in made] == [
        ("New roof", Decimal(12000), 1)
    ]
    assert page.query_params["opportunity"] == str(made[0].id)


def test_a_name_is_needed(open_page, database):
    page = open_page(OPPORTUNITIES, opportunity="new")
    button(page, "Create deal").click().run()

    assert "This is needed" in said(page)
    with database.read() as session:
        assert session.scalars(select(Opportunity)).all() == []


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        it = make.opportunity(
            name=HOSTILE,
            company_id=make.company(HOSTILE).id,
            owner_id=make.user(HOSTILE).id,
            next_step=HOSTILE,
        )

    page = open_page(OPPORTUNITIES, opportunity=str(it.id), deals_owner=[str(it.owner_id)])

    row = tables.rows(page)[0]
    assert {row[name] for name in ("Name", "Company", "Owner", "Next step")} == {HOSTILE}
    shown = [each.value for each in page.markdown] + [each.label for each in page.button]
    assert not any("<img" in text.replace("\\<", "") for text in shown)
    assert not any(":red[y]" in text for text in shown)


# ------------------------------------------------------------------------------------------- many at once


def test_bulk_changes_are_all_or_nothing_and_can_be_taken_back(open_page, given, database):
    with given() as make:
        open_ = [make.opportunity(name=f"Open {number}") for number in range(3)]
        closed = make.opportunity(name="Closed", stage=OpportunityStage.CLOSED_WON)

    page = open_page(OPPORTUNITIES)
    tables.select(page, open_[0].id, open_[1].id, closed.id)
    page.radio[0].set_value(OpportunityStage.PROPOSAL).run()
    button(page, "Move 3 deals").click().run()
    assert "Nothing was changed, because 1 of 3" in said(page).replace("\\", "")
    assert deal(database, open_[0].id).stage is OpportunityStage.QUALIFICATION

    tables.select(page, open_[0].id, open_[1].id)
    page.radio[0].set_value(OpportunityStage.PROPOSAL).run()
    button(page, "Move 2 deals").click().run()
    assert [deal(database, each.id).stage.value for each in open_] == [
        "proposal",
        "proposal",
        "qualification",
    ]
    assert not any(each.label.startswith("Move") for each in page.button)

    button(page, "Undo").click().run()
    assert {deal(database, each.id).stage for each in open_} == {OpportunityStage.QUALIFICATION}


def test_all_that_match_are_meant_on_whatever_page(open_page, given, database):
    with given() as make:
        for number in range(60):
            make.opportunity(name=f"Deal {number}")
        other = make.opportunity(name="Other")

    page = open_page(OPPORTUNITIES, deals_search="Deal")
    tables.select(page, *(row["id"] for row in tables.data(page)["rows"][:2]))
    page.checkbox[-1].check().run() if page.checkbox[-1].label.startswith("All") else next(
        each for each in page.checkbox if each.label.startswith("All")
    ).check().run()
    button(page, "Delete 60 deals").click().run()

    with database.read() as session:
        live = session.scalars(select(Opportunity.id).where(Opportunity.deleted_at.is_(None))).all()
    assert live == [other.id]


# --------------------------------------------------------------------------------------- in the table


def test_edits_a_cell_in_its_place(open_page, given, database):
    with given() as make:
        it, ada = make.opportunity(name="Roof"), make.user("Ada")

    page = open_page(OPPORTUNITIES)
    page.toggle[0].set_value(True).run()
    for version, (column, value) in enumerate(
        [("value", "1,500"), ("expected_close", "2036-05-04"), ("next_step", "Call"), ("owner", str(ada.id))],
        1,
    ):
        tables.edit(page, it.id, column, value, version=version)

    after = deal(database, it.id)
    assert (after.expected_value, after.expected_close_date) == (Decimal(1500), date(2036, 5, 4))
    assert (after.next_step, after.owner_id) == ("Call", ada.id)


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("value", "12o", "“12o” was not saved. Write an amount like 1,234.50."),
        ("value", "-5", "Write an amount of 0 or more."),
        ("name", "Stolen", "This can't be changed in the table"),
        ("owner", "424242", "There is no user 424242"),
    ],
)
def test_a_cell_that_can_not_be_saved_says_why(open_page, given, database, column, value, sentence):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(OPPORTUNITIES)
    page.toggle[0].set_value(True).run()
    before = tables.data(page)
    tables.edit(page, it.id, column, value)

    assert tables.data(page) != before, "the browser has to draw the old value again"
    assert sentence in page.toast[0].value.replace("\\", "")
    assert deal(database, it.id).version == 1


def test_a_cell_that_somebody_else_changed_is_refused(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(OPPORTUNITIES)
    page.toggle[0].set_value(True).run()
    with database.write() as session:
        opportunity_service.update_opportunity(session, it.id, OpportunityUpdate(next_step="Theirs"))
    tables.edit(page, it.id, "next_step", "Mine", version=1)

    assert "was changed meanwhile" in page.toast[0].value
    assert tables.rows(page)[0]["Next step"] == "Theirs"


# ------------------------------------------------------------------------------------------------ views


def chips(page) -> list[str]:
    return [plain(each.label) for each in page.button if "chip" in (each.key or "")]


def plain(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "")


def plain_captions(page) -> list[str]:
    return [plain(each.value) for each in page.caption]


def save_view(page, name: str, *, begin: bool = False) -> None:
    page.text_input(key="deals save view name").set_value(name)
    if begin:
        page.checkbox(key="deals save view default").check()
    button(page, "Save view").click().run()


def test_a_saved_view_brings_back_filters_and_order(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
        make.opportunity(name="Late", stage=OpportunityStage.PROPOSAL)

    page = open_page(OPPORTUNITIES, deals_stage=["proposal"], deals_sort="-name")
    save_view(page, "Proposals")
    button(page, "Clear all").click().run()
    assert len(tables.names(page)) == 2

    button(page, "Proposals").click().run()
    assert tables.names(page) == ["Late"]
    assert page.selectbox(key="deals_sort").value == "-name"


def test_a_view_and_a_link_mean_the_same_after_new_names(open_page, given, database):
    with given() as make:
        north, ann, acme = make.team("North"), make.user("Ann"), make.company("Acme")
        ann.team_id = north.id
        reason = make.session.get_one(CloseReason, reason_id(make.session, "Price"))
        make.opportunity(
            name="Ann's",
            stage=OpportunityStage.CLOSED_LOST,
            owner_id=ann.id,
            company_id=acme.id,
            close_reason_id=reason.id,
        )
        make.opportunity(name="Other")
    query = {
        "deals_owner": [str(ann.id)],
        "deals_team": [str(north.id)],
        "deals_company": [str(acme.id)],
        "deals_reason": [str(reason.id)],
    }
    page = open_page(OPPORTUNITIES, **query)
    before = chips(page)
    save_view(page, "Losses of Ann")

    with database.write() as session:
        for model, named, key in (User, "name", ann), (Team, "name", north), (Company, "name", acme):
            setattr(session.get_one(model, key.id), named, f"New {key.name}")
        session.get_one(CloseReason, reason.id).label = "Too dear"

    again = open_page(OPPORTUNITIES, **query)
    assert tables.names(again) == ["Ann's"]
    assert (before, chips(again)) == (
        ["North", f"Acme #{acme.id}", "Lost: Price", "Ann"],
        ["New North", f"New Acme #{acme.id}", "Lost: Too dear", "New Ann"],
    )
    button(again, "Clear all").click().run()
    assert len(tables.names(again)) == 2
    button(again, "Losses of Ann").click().run()
    assert tables.names(again) == ["Ann's"]
    assert {name: [again.query_params[name]] for name in query} == query


def test_a_view_says_what_is_not_known_in_it(open_page, given, database):
    with given() as make:
        team = make.team("North")
        deal = make.opportunity(owner_id=make.user("Ann", team_id=team.id).id)
        definition = {"query": {"deals_owner": ["~Bob"], "deals_team": [str(team.id)]}, "columns": None}
        make.session.add(SavedView(user_id=1, screen="deals", name="Old", definition=definition))
    with database.write() as session:
        session.get_one(User, deal.owner_id).team_id = None
        session.delete(session.get_one(Team, team.id))

    page = open_page(OPPORTUNITIES)
    unknown = ["Owner: Bob is not known", f"Team: #{team.id} no longer exists"]
    assert " · ".join(unknown) in plain_captions(page)
    assert tables.names(page) == ["Solar roof"]

    button(page, "Old").click().run()
    assert tables.names(page) == []
    assert sorted(chips(page)) == unknown
    assert page.query_params["deals_owner"] == "~Bob"

    save_view(page, "As it is")
    with database.read() as session:
        chosen = select(SavedView.definition).where(SavedView.name == "As it is")
        assert session.scalars(chosen).one()["query"] == definition["query"]


def test_what_is_deleted_while_it_is_chosen_matches_nothing(open_page, given, database):
    with given() as make:
        team = make.team("North")
        make.opportunity(owner_id=make.user("Ann", team_id=team.id).id)
    page = open_page(OPPORTUNITIES, deals_team=[str(team.id)])
    assert (tables.names(page), chips(page)) == (["Solar roof"], ["North"])

    with database.write() as session:
        session.execute(update(User).values(team_id=None))
        session.delete(session.get_one(Team, team.id))
    page.run()

    assert (tables.names(page), chips(page)) == ([], ["Team: North no longer exists"])
    again = open_page(OPPORTUNITIES, deals_team=[str(team.id)])
    assert (tables.names(again), chips(again)) == ([], [f"Team: #{team.id} no longer exists"])


@pytest.mark.parametrize(
    ("query", "chip"),
    [
        ({"deals_reason": "99"}, "Close reason: #99 no longer exists"),
        ({"deals_company": "99"}, "Company: #99 no longer exists"),
        ({"deals_owner": "~99"}, "Owner: 99 is not known"),
        ({"deals_team": "099"}, "Team: 099 is not known"),
        ({"deals_stage": "3"}, "Stage: 3 is not known"),
        ({"deals_value_to": "99999999999999999999"}, "Value to: 99999999999999999999 is not known"),
    ],
)
def test_only_what_is_written_as_an_id_no_longer_exists(open_page, given, query, chip):
    with given() as make:
        make.opportunity()
    page = open_page(OPPORTUNITIES, **query)

    assert (tables.names(page), chips(page)) == ([], [chip])


def test_each_unknown_value_is_taken_away_by_its_own_chip(open_page, given):
    with given() as make:
        make.opportunity()
    page = open_page(OPPORTUNITIES, deals_owner=["98", "99"])

    for left in (["Owner: #99 no longer exists"], []):
        next(each for each in page.button if "chip" in (each.key or "")).click().run()
        assert chips(page) == left

    assert tables.names(page) == ["Solar roof"]


def test_the_list_begins_with_the_default_view(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
        make.opportunity(name="Late", stage=OpportunityStage.PROPOSAL)
    save_view(open_page(OPPORTUNITIES, deals_stage=["proposal"]), "Proposals", begin=True)

    assert tables.names(open_page(OPPORTUNITIES)) == ["Late"]
    assert len(tables.names(open_page(OPPORTUNITIES, deals_search="a"))) == 2


def test_two_views_of_one_name_are_refused(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
    page = open_page(OPPORTUNITIES)
    save_view(page, "Mine")
    page.text_input(key="deals_search").set_value("e").run()
    save_view(page, "mine")

    assert "Mine" in " ".join(each.value for each in page.error)


def test_settings_that_somebody_else_changed_are_seen_at_the_next_drawing(open_page, given, database):
    with given() as make:
        make.opportunity(expected_value=Decimal("1234.50"))
    page = open_page(OPPORTUNITIES)
    assert tables.rows(page)[0]["Value"] == "$1,234.50"

    with database.write() as session:
        settings_service.update_settings(session, SettingsUpdate(currency="EUR", locale="de_DE"))
    page.run()

    assert tables.rows(page)[0]["Value"] == "1.234,50\xa0€"
    assert "1.234,50" in said(page).replace("\\", "")


def test_a_table_that_shows_the_same_is_the_same_message(open_page, given):
    with given() as make:
        deal_id = make.opportunity(name="Solar roof").id
    page = open_page(OPPORTUNITIES)
    before = tables.data(page)

    tables.open_row(page, deal_id)

    assert tables.data(page) == before
