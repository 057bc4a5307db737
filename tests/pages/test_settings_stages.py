"""What holds in each stage, changed on screen."""

import pytest

from crm_core.models import LOCAL_USER_ID, OpportunityStage, User
from crm_core.models.user import Role
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.schemas.settings import StageSettingsUpdate
from crm_core.services import opportunity_service, settings_service
from tests.pages.settings import button, plain

STAGES = "pages/settings/stages.py"
S = OpportunityStage
OPEN = [S.QUALIFICATION, S.DISCOVERY, S.PROPOSAL, S.NEGOTIATION]


def held(database, stage) -> tuple[int, int | None, bool]:
    with database.read() as session:
        found = settings_service.get_stage_settings(session, stage)
        return found.default_probability, found.stale_after_days, found.can_be_won


def probability(page, stage):
    return [field for field in page.number_input if field.label == "Probability, %"][OPEN.index(stage)]


def stale(page, stage):
    return [field for field in page.number_input if field.label == "Stale after, days"][OPEN.index(stage)]


def won(page, stage):
    return page.checkbox[OPEN.index(stage)]


def save(page) -> None:
    button(page, "Save").click().run()


def test_shows_what_holds_and_that_closed_stages_are_fixed(open_page):
    page = open_page(STAGES)

    assert [probability(page, stage).value for stage in OPEN] == [10, 25, 50, 75]
    assert [stale(page, stage).value for stage in OPEN] == [14, 14, 10, 10]
    assert [won(page, stage).value for stage in OPEN] == [False, False, True, True]
    fixed = [text.value for text in page.markdown if "never stale" in text.value]
    assert fixed == [":gray[100 %, never stale]", ":gray[0 %, never stale]"]


def test_several_changes_are_saved_together_and_shown(open_page, database):
    page = open_page(STAGES)

    probability(page, S.DISCOVERY).set_value(33)
    stale(page, S.PROPOSAL).set_value(None)
    won(page, S.QUALIFICATION).check()
    save(page)

    assert held(database, S.DISCOVERY) == (33, 14, False)
    assert held(database, S.PROPOSAL) == (50, None, True)
    assert held(database, S.QUALIFICATION) == (10, 14, True)
    again = open_page(STAGES)
    assert (probability(again, S.DISCOVERY).value, stale(again, S.PROPOSAL).value) == (33, None)
    assert won(again, S.QUALIFICATION).value


def test_new_deals_get_the_default_and_others_keep_theirs(open_page, database, given):
    with given() as make:
        old = make.opportunity(stage=S.DISCOVERY, probability=25).id
    page = open_page(STAGES)

    probability(page, S.DISCOVERY).set_value(40)
    save(page)

    with database.write() as session:
        draft = OpportunityCreate(name="New", stage=S.DISCOVERY)
        assert opportunity_service.create_opportunity(session, draft).probability == 40
        assert opportunity_service.get_opportunity(session, old).probability == 25


def test_the_last_stage_to_win_from_stays_and_so_does_what_was_typed(open_page, database):
    page = open_page(STAGES)

    won(page, S.PROPOSAL).uncheck()
    won(page, S.NEGOTIATION).uncheck()
    probability(page, S.DISCOVERY).set_value(33)
    save(page)

    assert "the last stage that deals can be won from" in plain(page.error[0].value)
    assert probability(page, S.DISCOVERY).value == 33
    assert not won(page, S.NEGOTIATION).value
    assert held(database, S.DISCOVERY) == (25, 14, False)
    assert held(database, S.PROPOSAL) == (50, 10, True)

    won(page, S.DISCOVERY).check()
    save(page)

    assert not page.error
    assert held(database, S.DISCOVERY) == (33, 14, True)
    assert not held(database, S.NEGOTIATION)[2]


def test_an_emptied_probability_is_asked_for(open_page, database):
    page = open_page(STAGES)

    probability(page, S.PROPOSAL).set_value(None)
    save(page)

    assert "Probability in proposal: Write a number" in plain(page.error[0].value)
    assert held(database, S.PROPOSAL) == (50, 10, True)


def test_only_what_was_changed_is_sent(open_page, database):
    page = open_page(STAGES)
    with database.write() as session:
        changes = StageSettingsUpdate(default_probability=60, stale_after_days=3)
        settings_service.update_stage_settings(session, S.PROPOSAL, changes)

    won(page, S.DISCOVERY).check()
    stale(page, S.PROPOSAL).set_value(20)
    save(page)

    assert "is “3” now, yours is “20”" in plain(page.error[0].value)
    assert held(database, S.DISCOVERY) == (25, 14, False)

    save(page)

    assert held(database, S.PROPOSAL) == (60, 20, True)
    assert held(database, S.DISCOVERY) == (25, 14, True)


def test_saving_what_was_not_changed_says_so(open_page):
    page = open_page(STAGES)

    save(page)

    assert "nothing to save" in page.toast[0].value
    assert not page.error


@pytest.mark.parametrize("follows", [True, False])
def test_tells_when_the_probability_does_not_follow(open_page, database, follows):
    with database.write() as session:
        settings_service.get_settings(session).probability_follows_stage = follows

    told = open_page(STAGES).markdown[0].value

    assert ("keep their probability at present" in told) is not follows


def test_whoever_is_no_admin_sees_the_values_only(open_page, given):
    with given() as make:
        make.user("Ann Admin", role=Role.ADMIN)
        make.session.get_one(User, LOCAL_USER_ID).role = Role.MANAGER

    page = open_page(STAGES)

    assert probability(page, S.PROPOSAL).value == 50
    assert all(field.disabled for field in [*page.number_input, *page.checkbox])
    assert button(page, "Save").disabled
    assert "Ask Ann Admin" in page.info[0].value
