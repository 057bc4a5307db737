"""The board: columns that count every deal, cards that are dropped, refused, closed and put in order."""

from datetime import date, timedelta
from decimal import Decimal

from crm_core import clock
from crm_core.models import Opportunity, OpportunityStage, Outcome
from crm_core.schemas.opportunity import OpportunityUpdate
from crm_core.services import opportunity_service, preference_service, settings_service
from tests.pages import boards

PIPELINE = "pages/sales/pipeline.py"
HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"


def deal(database, deal_id: int) -> Opportunity:
    with database.read() as session:
        return session.get_one(Opportunity, deal_id)


def said(page) -> str:
    texts = (each.value for kind in ("markdown", "toast", "error") for each in page.get(kind))
    return " ".join(texts).replace("\\", "")


def button(page, label: str):
    return next(each for each in page.button if each.label == label)


def test_says_what_to_do_when_there_is_nothing(open_page):
    assert "No opportunities yet" in said(open_page(PIPELINE))


def test_a_head_counts_deals_that_have_no_card(open_page, given):
    with given() as make:
        for number in range(60):
            make.opportunity(
                name=f"Deal {number}", stage=OpportunityStage.DISCOVERY, expected_value=Decimal(1_000)
            )
        make.opportunity(stage=OpportunityStage.DISCOVERY)

    page = open_page(PIPELINE)
    column = boards.columns(page)["discovery"]
    assert (column["count"], column["worth"]) == ("61", "$60,000")
    assert column["note"] == "weighted $15,000\n1 without a value"
    assert column["more"] == "Show 25 more of 36"
    assert len(boards.names(page, "discovery")) == 25

    boards.press(page, "more", "discovery")
    assert len(boards.names(page, "discovery")) == 50


def test_a_card_says_what_a_rep_needs(open_page, given):
    with given() as make:
        make.opportunity(
            name="Roof",
            company_id=make.company("Sun & Sons").id,
            owner_id=make.user("Ada Maria Lovelace").id,
            expected_value=Decimal(1_200),
            expected_close_date=date(2020, 3, 18),
        )
        make.opportunity(name="Bare")

    page = open_page(PIPELINE)

    roof = boards.lines(page, "Roof")
    assert roof[:3] == ["Sun & Sons", "$1,200", "Mar 18, 2020 · overdue"]
    assert roof[3].endswith("days in stage")
    assert boards.card(page, "Roof")["initials"] == "AL"
    assert "no next step" in boards.signs(page, "Roof")
    assert boards.lines(page, "Bare")[:2] == ["no value", "no date"]


def test_shows_only_what_the_filter_lets_through(open_page, given):
    with given() as make:
        make.opportunity(name="Early")
        make.opportunity(name="Late", stage=OpportunityStage.PROPOSAL)

    page = open_page(PIPELINE, board_stage=["proposal"])
    assert boards.names(page, "proposal") == ["Late"]
    assert "qualification" not in boards.columns(page)

    assert "No deal matches" in open_page(PIPELINE, board_search="nowhere").info[0].value


def test_a_drop_saves_at_once_and_can_be_taken_back(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    boards.drop(page, "Roof", "proposal")
    after = deal(database, it.id)
    assert (after.stage, after.probability) == (OpportunityStage.PROPOSAL, 50)
    assert boards.names(page, "proposal") == ["Roof"]

    button(page, "Undo").click().run()
    assert boards.names(page, "qualification") == ["Roof"]


def test_a_drop_on_a_stale_card_is_refused_and_shows_what_is(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    with database.write() as session:
        opportunity_service.move_opportunity(session, it.id, to=OpportunityStage.DISCOVERY)
    boards.drop(page, "Roof", "proposal", version=1)

    assert "was changed meanwhile" in said(page)
    assert boards.names(page, "discovery") == ["Roof"]


def test_two_drops_that_come_at_once_are_both_saved(open_page, given, database):
    with given() as make:
        roof, wall = make.opportunity(name="Roof").id, make.opportunity(name="Wall").id

    page = open_page(PIPELINE)
    boards.drop_at_once(page, ("Roof", "proposal"), ("Wall", "negotiation"))

    assert deal(database, roof).stage is OpportunityStage.PROPOSAL
    assert deal(database, wall).stage is OpportunityStage.NEGOTIATION


def test_what_is_told_twice_is_done_once(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    told = boards.drop_at_once(page, ("Roof", "proposal"))
    boards.tell_again(page, told)

    assert "was changed meanwhile" not in said(page)
    assert deal(database, it.id).version == 2
    assert boards.data(page)["answered"] == told[-1]["number"]


def test_a_board_that_shows_the_same_is_the_same_message(open_page, given):
    with given() as make:
        make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    before = boards.data(page)
    page.run()
    assert boards.data(page) == before

    boards.drop(page, "Roof", "proposal")
    assert boards.data(page)["drawing"] > before["drawing"]


def test_a_drop_on_closed_asks_for_the_outcome(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof", stage=OpportunityStage.NEGOTIATION)

    page = open_page(PIPELINE)
    boards.drop(page, "Roof", "closed")
    assert deal(database, it.id).is_open
    assert boards.names(page, "negotiation") == ["Roof"]

    outcome = next(each for each in page.segmented_control if each.label == "Outcome")
    outcome.set_value(Outcome.LOST).run()
    button(page, "Close as lost").click().run()
    assert "Say why the deal was lost" in said(page)

    reason = next(each for each in page.selectbox if each.label == "Reason")
    with database.read() as session:
        price = settings_service.get_close_reasons(session, Outcome.LOST)[0].id
    reason.set_value(price).run()
    button(page, "Close as lost").click().run()
    assert deal(database, it.id).stage is OpportunityStage.CLOSED_LOST
    today = clock.now().date()
    note = f"0 won, 1 lost in Q{(today.month + 2) // 3} {today.year}"
    assert boards.columns(page)["closed"]["note"] == note


def test_the_closed_column_is_about_the_fiscal_quarter(open_page, given):
    begins = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with given() as make:
        settings_service.get_settings(make.session).fiscal_year_start_month = begins.month
        make.won(closed_at=begins)
        make.won(closed_at=begins - timedelta(microseconds=1))
        make.lost()

    closed = boards.columns(open_page(PIPELINE))["closed"]

    year = f"{begins.year}" if begins.month == 1 else f"FY{(begins.year + 1) % 100:02}"
    assert (closed["count"], closed["note"]) == ("2", f"1 won, 1 lost in Q1 {year}")


def test_the_closed_column_unfolds(open_page, given):
    with given() as make:
        make.opportunity(name="Open")
        make.won(name="Won", closed_at=clock.now(), created_at=clock.now() - timedelta(days=3))

    page = open_page(PIPELINE)
    assert boards.names(page, "closed") == []
    boards.press(page, "folded", "closed")

    assert boards.names(page, "closed") == ["Won"]
    assert (
        boards.columns(page)["closed"]["worth"].startswith("$")
        or boards.columns(page)["closed"]["worth"] == "–"
    )


def test_the_menu_moves_opens_and_closes(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    labels = [action["label"] for action in boards.columns(page)["qualification"]["actions"]]
    assert labels == [
        "Open and edit",
        "Move to Discovery",
        "Move to Proposal",
        "Move to Negotiation",
        "Close as won or lost…",
    ]
    boards.act(page, "Roof", "move:negotiation")
    assert deal(database, it.id).stage is OpportunityStage.NEGOTIATION

    boards.open_card(page, "Roof")
    assert page.query_params["opportunity"] == str(it.id)


def test_a_forged_move_is_refused(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    boards.act(page, "Roof", "move:closed_won")

    assert deal(database, it.id).is_open


def test_a_column_begins_a_new_deal_in_its_stage(open_page, given):
    with given() as make:
        make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    boards.press(page, "added", "proposal")

    stage = next(
        each for each in page.selectbox if each.label == "Stage" and each.key and "deal new" in each.key
    )
    assert stage.value is OpportunityStage.PROPOSAL


def test_cards_are_ordered_by_hand_from_the_first_time_one_is_put_between_others(open_page, given):
    with given() as make:
        for name in "ABC":
            make.opportunity(name=name, expected_close_date=date(2036, 1, ord(name) - 60))

    page = open_page(PIPELINE)
    assert boards.names(page, "qualification") == ["A", "B", "C"]
    boards.drop(page, "C", "qualification", at=0)

    assert boards.names(page, "qualification") == ["C", "A", "B"]
    assert page.selectbox(key="board_order").value == "by_hand"
    assert boards.names(open_page(PIPELINE, board_order="by_hand"), "qualification") == ["C", "A", "B"]


def test_grouped_by_month_a_drop_reschedules(open_page, given, database):
    today = clock.now().date()
    with given() as make:
        it = make.opportunity(name="Roof", expected_close_date=today)
        make.opportunity(name="Next year", expected_close_date=today + timedelta(days=62))

    page = open_page(PIPELINE, board_group="close_month")
    months = [key for key in boards.columns(page) if key[:2] == "20"]
    boards.drop(page, "Roof", months[-1])

    after = deal(database, it.id).expected_close_date
    assert after.isoformat()[:7] == months[-1]
    assert (after + timedelta(days=1)).day == 1


def test_grouped_by_owner_a_drop_assigns(open_page, given, database):
    with given() as make:
        ada, bob = make.user("Ada"), make.user("Bob")
        it = make.opportunity(name="Roof", owner_id=ada.id)
        make.opportunity(name="Other", owner_id=bob.id)

    page = open_page(PIPELINE, board_group="owner")
    boards.drop(page, "Roof", str(bob.id))

    assert deal(database, it.id).owner_id == bob.id


def test_what_a_card_shows_is_arranged(open_page, given, database):
    with given() as make:
        make.opportunity(name="Roof", expected_value=Decimal(5), next_step="Call")
    with database.write(actor=1) as session:
        preference_service.set_preference(session, "cards columns", {"columns": ["next_step", "value"]})

    page = open_page(PIPELINE)

    assert boards.lines(page, "Roof") == ["Call", "$5"]
    assert boards.signs(page, "Roof") == []


def test_names_are_shown_as_typed(open_page, given):
    with given() as make:
        make.opportunity(name=HOSTILE, company_id=make.company(HOSTILE).id, owner_id=make.user(HOSTILE).id)

    page = open_page(PIPELINE, board_group="owner")

    assert boards.card(page, HOSTILE)["owner"] == HOSTILE
    assert boards.lines(page, HOSTILE)[0] == HOSTILE


def test_a_change_by_somebody_else_shows_at_the_next_look(open_page, given, database):
    with given() as make:
        it = make.opportunity(name="Roof")

    page = open_page(PIPELINE)
    with database.write() as session:
        opportunity_service.update_opportunity(session, it.id, OpportunityUpdate(name="Roof two"))
    page.run()

    assert boards.names(page, "qualification") == ["Roof two"]
