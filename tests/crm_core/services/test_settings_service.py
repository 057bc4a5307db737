"""What a workspace can decide, who decides it, and what can't be decided."""

from calendar import month_name
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from crm_core import check
from crm_core.errors import NotFound, NotSignedIn
from crm_core.filters import ContactFilter
from crm_core.models import (
    CLOSED_STAGES,
    LOCAL_USER_ID,
    OPEN_STAGES,
    CloseReason,
    Contact,
    OpportunityStage,
    Outcome,
    Role,
    Source,
    TargetPeriod,
    Transaction,
    Visibility,
)
from crm_core.permissions import NeedsAdmin
from crm_core.schemas.settings import (
    CloseReasonCreate,
    CloseReasonUpdate,
    SettingsUpdate,
    StageSettingsUpdate,
)
from crm_core.services import contact_service, settings_service
from crm_core.services.settings_service import (
    ClosedStageIsFixed,
    NothingCouldBeLost,
    NothingCouldBeWon,
    ReasonExists,
    ReasonNotFound,
    WouldSplitTargets,
    create_close_reason,
    get_all_stage_settings,
    get_close_reason,
    get_close_reasons,
    get_settings,
    get_stage_settings,
    get_workspace,
    update_close_reason,
    update_settings,
    update_stage_settings,
)
from tests.builders import Make
from tests.conftest import NOW
from tests.crm_core.services.refusals import refusal

S = OpportunityStage
LOST, WON = Outcome.LOST, Outcome.WON

UPDATES = {
    "settings": lambda session: update_settings(session, SettingsUpdate(currency="EUR")),
    "stage": lambda session: update_stage_settings(
        session, S.PROPOSAL, StageSettingsUpdate(default_probability=1)
    ),
    "reason": lambda session: update_close_reason(session, 1, CloseReasonUpdate(counts=False)),
}
CHANGES = UPDATES | {
    "new reason": lambda session: create_close_reason(session, CloseReasonCreate(outcome=LOST, label="War")),
}
READS = {
    "settings": get_settings,
    "workspace": get_workspace,
    "calendar": settings_service.get_calendar,
    "stages": get_all_stage_settings,
    "stage": lambda session: get_stage_settings(session, S.PROPOSAL),
    "probability": lambda session: settings_service.default_probability(session, S.PROPOSAL),
    "reasons": lambda session: get_close_reasons(session, LOST),
    "reason": lambda session: get_close_reason(session, 1),
}


def reason_id(session, outcome, label):
    return session.scalar(
        select(CloseReason.id).where(CloseReason.outcome == outcome, CloseReason.label == label)
    )


def labels(reasons):
    return [reason.label for reason in reasons]


def test_what_is_not_sent_stays(session):
    update_settings(session, SettingsUpdate(currency="CHF", visibility=Visibility.TEAM))

    settings = get_settings(session)
    assert (settings.currency, settings.visibility) == ("CHF", Visibility.TEAM)
    assert (settings.time_zone, settings.locale, settings.fiscal_year_start_month) == ("UTC", "en_US", 1)


def test_a_changed_calendar_counts_at_once(session):
    update_settings(session, SettingsUpdate(time_zone="Asia/Tokyo", fiscal_year_start_month=4))

    calendar = get_workspace(session).calendar
    assert (calendar.zone.key, calendar.fiscal_start) == ("Asia/Tokyo", 4)


@pytest.fixture
def quarter_targets(database):
    """Two of a workspace whose fiscal year begins in February, and one of a month."""
    with database.write() as session:
        make = Make(session)
        settings_service.get_settings(session).fiscal_year_start_month = 2
        rita, north = make.user("Rita Rep").id, make.team("North").id
        make.target(period=TargetPeriod.QUARTER, starts_on=date(2026, 2, 1), user_id=rita)
        make.target(period=TargetPeriod.QUARTER, starts_on=date(2026, 11, 1), team_id=north)
        make.target(period=TargetPeriod.MONTH, starts_on=date(2026, 12, 1), team_id=north)


def start_fiscal_year_in(database, month: int) -> int:
    """Sets it, and says which month it is then."""
    with database.write(actor=LOCAL_USER_ID) as session:
        update_settings(session, SettingsUpdate(fiscal_year_start_month=month))
    with database.read() as session:
        return get_settings(session).fiscal_year_start_month


@pytest.mark.both_databases
@pytest.mark.parametrize("month", [1, 3, 4, 6, 7, 9, 10, 12])
def test_a_fiscal_year_that_would_split_the_quarters_of_targets_is_refused(database, quarter_targets, month):
    words = (
        rf"begins in {month_name[month]} would split the quarters of 2 targets, such as North’s for Q4 FY27\."
        r" Choose February, May, August or November, with which every quarter stays whole, or delete them"
    )

    with refusal(database, WouldSplitTargets, words) as session:
        update_settings(session, SettingsUpdate(fiscal_year_start_month=month, currency="EUR"))

    with database.read() as session:
        settings = get_settings(session)
        assert (settings.fiscal_year_start_month, settings.currency) == (2, "USD")


@pytest.mark.both_databases
@pytest.mark.parametrize("month", [2, 5, 8, 11])
def test_a_fiscal_year_that_leaves_every_quarter_whole_is_taken(database, quarter_targets, month):
    assert start_fiscal_year_in(database, month) == month


def test_without_targets_for_quarters_a_fiscal_year_begins_in_any_month(database):
    with database.write() as session:
        Make(session).target(user_id=Make(session).user().id)

    for month in (4, 5, 12, 1):
        assert start_fiscal_year_in(database, month) == month


def test_a_target_that_is_no_whole_quarter_keeps_no_fiscal_year_that_makes_it_one(database):
    """It was set while quarters were the calendar's, whatever the fiscal year."""
    with database.write() as session:
        make = Make(session)
        settings_service.get_settings(session).fiscal_year_start_month = 2
        make.target(period=TargetPeriod.QUARTER, starts_on=date(2026, 4, 1), user_id=make.user("Rita").id)

    words = "split the quarter of a target, Rita’s for the three months from 2026-04-01.* or delete it first"
    with refusal(database, WouldSplitTargets, words) as session:
        update_settings(session, SettingsUpdate(fiscal_year_start_month=3))
    assert start_fiscal_year_in(database, 7) == 7


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_a_changed_setting_is_logged_and_one_that_stays_is_not(database, update):
    for _ in ("changes it", "changes nothing"):
        with database.write(actor=LOCAL_USER_ID, source=Source.UI) as session:
            update(session)

    with database.read() as session:
        logged = session.execute(select(Transaction.actor_id, Transaction.source)).all()
    assert logged == [(LOCAL_USER_ID, Source.UI)]


@pytest.mark.parametrize("role", [Role.REP, Role.MANAGER])
def test_only_an_admin_changes_settings(database, role, subtests):
    with database.write() as session:
        actor = Make(session).user(role=role).id
    words = r"Only an admin can change the settings\. Ask Local user"

    for name, change in CHANGES.items():
        with subtests.test(name), refusal(database, NeedsAdmin, words, actor=actor) as session:
            change(session)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_admin_changes_settings(database, change):
    with database.write() as session:
        actor = Make(session).user(role=Role.ADMIN).id

    with database.write(actor=actor) as session:
        change(session)

    with database.read() as session:
        assert session.scalars(select(Transaction.actor_id)).all() == [None, actor]


def test_everybody_who_works_here_reads_settings_and_nobody_else(database, subtests):
    with database.write() as session:
        make = Make(session)
        rep, gone = make.user(), make.user("Gone", is_active=False)

    for name, read in READS.items():
        with subtests.test(name):
            with database.read(actor=rep.id) as session:
                assert read(session)
            for stranger in (gone.id, 99):
                with database.read(actor=stranger) as session, pytest.raises(NotSignedIn):
                    read(session)


def test_stages_come_in_their_order(session):
    assert [settings.stage for settings in get_all_stage_settings(session)] == list(OpportunityStage)


def test_a_changed_default_touches_no_deal(session, make):
    deal = make.opportunity(stage=S.PROPOSAL, probability=50)
    changes = StageSettingsUpdate(default_probability=61, stale_after_days=None, can_be_won=True)

    update_stage_settings(session, S.PROPOSAL, changes)
    session.flush()

    settings = get_stage_settings(session, S.PROPOSAL)
    assert (settings.default_probability, settings.stale_after_days) == (61, None)
    assert (deal.probability, deal.version) == (50, 1)


def test_a_closed_stage_is_fixed(database):
    for stage in CLOSED_STAGES:
        for changes in ({"default_probability": 99}, {"stale_after_days": 5}, {"can_be_won": True}):
            words = f"in {stage.label} can't be changed"
            with refusal(database, ClosedStageIsFixed, words) as session:
                update_stage_settings(session, stage, StageSettingsUpdate(**changes))


@pytest.mark.parametrize(("stage", "probability"), [(S.CLOSED_WON, 100), (S.CLOSED_LOST, 0)])
def test_what_a_closed_stage_is_anyway_can_be_sent(session, stage, probability):
    as_it_is = StageSettingsUpdate(default_probability=probability, stale_after_days=None, can_be_won=False)

    assert update_stage_settings(session, stage, as_it_is).default_probability == probability


def test_deals_can_be_won_from_at_least_one_stage(database):
    with database.write() as session:
        update_stage_settings(session, S.PROPOSAL, StageSettingsUpdate(can_be_won=False))

    with refusal(
        database, NothingCouldBeWon, "Negotiation is the last stage that deals can be won from"
    ) as s:
        update_stage_settings(s, S.NEGOTIATION, StageSettingsUpdate(default_probability=5, can_be_won=False))

    with database.write() as session:
        update_stage_settings(session, S.DISCOVERY, StageSettingsUpdate(can_be_won=True))
        update_stage_settings(session, S.NEGOTIATION, StageSettingsUpdate(can_be_won=False))
        winnable = [stage for stage in OPEN_STAGES if get_stage_settings(session, stage).can_be_won]
    assert winnable == [S.DISCOVERY]


def test_a_new_reason_comes_last(session):
    reason = create_close_reason(session, CloseReasonCreate(outcome=LOST, label="War", needs_note=True))

    assert get_close_reasons(session, LOST)[-1] is reason
    assert get_close_reason(session, reason.id) is reason
    assert (reason.needs_note, reason.counts, reason.is_active) == (True, True, True)
    assert "War" not in labels(get_close_reasons(session, WON))


def test_a_retired_reason_is_no_longer_chosen_but_still_known(session):
    price = reason_id(session, LOST, "Price")

    update_close_reason(session, price, CloseReasonUpdate(is_active=False))

    assert "Price" not in labels(get_close_reasons(session, LOST))
    assert "Price" in labels(get_close_reasons(session, LOST, with_inactive=True))
    assert get_close_reason(session, price).label == "Price"


def test_one_name_serves_both_outcomes(session):
    create_close_reason(session, CloseReasonCreate(outcome=WON, label="Competitor"))

    assert "Competitor" in labels(get_close_reasons(session, WON))


@pytest.mark.both_databases
def test_a_reason_has_a_name_of_its_own(database):
    with database.write() as session:
        create_close_reason(session, CloseReasonCreate(outcome=LOST, label="Größe"))
        price = reason_id(session, LOST, "Price")

    words = r"“Größe” is a reason for lost deals already\. Choose another name"
    for label in ("Größe", "größe", "GRÖßE"):
        with refusal(database, ReasonExists, words) as session:
            create_close_reason(session, CloseReasonCreate(outcome=LOST, label=label))
        with refusal(database, ReasonExists, words) as session:
            update_close_reason(session, price, CloseReasonUpdate(counts=False, label=label))


def test_a_retired_reason_is_activated_rather_than_added_again(database):
    with database.write() as session:
        price = reason_id(session, LOST, "Price")
        update_close_reason(session, price, CloseReasonUpdate(is_active=False))

    with refusal(database, ReasonExists, "It was retired: activate it again") as session:
        create_close_reason(session, CloseReasonCreate(outcome=LOST, label="Price"))


def test_a_reasons_own_name_can_be_written_otherwise(session):
    price = reason_id(session, LOST, "Price")

    update_close_reason(session, price, CloseReasonUpdate(label="PRICE"))

    assert get_close_reason(session, price).label == "PRICE"


def test_deals_can_be_lost_for_at_least_one_reason(database):
    with database.write() as session:
        *others, last = get_close_reasons(session, LOST)
        for reason in others:
            update_close_reason(session, reason.id, CloseReasonUpdate(is_active=False))

    with refusal(
        database, NothingCouldBeLost, f"“{last.label}” is the last reason for lost deals"
    ) as session:
        update_close_reason(session, last.id, CloseReasonUpdate(label="Anything", is_active=False))


def test_deals_can_be_won_without_a_reason(session):
    for reason in get_close_reasons(session, WON):
        update_close_reason(session, reason.id, CloseReasonUpdate(is_active=False))

    assert get_close_reasons(session, WON) == []


def test_a_reason_that_does_not_exist_is_not_found(database):
    for unknown in (0, -1, 99, 2**31, 2**40, 2**70):
        with refusal(database, ReasonNotFound, "Choose one from the list") as session:
            get_close_reason(session, unknown)
        with refusal(database, NotFound, "does not exist") as session:
            update_close_reason(session, unknown, CloseReasonUpdate(counts=False))


def test_the_country_follows_the_locale_until_somebody_chooses_another(session):
    update_settings(session, SettingsUpdate(locale="de_CH"))
    assert get_settings(session).country == "CH"

    update_settings(session, SettingsUpdate(country="AT"))
    update_settings(session, SettingsUpdate(locale="fr_FR"))
    assert get_settings(session).country == "AT"

    update_settings(session, SettingsUpdate(locale="en_GB", country="IE"))
    assert get_settings(session).country == "IE"


@pytest.mark.both_databases
def test_in_another_country_numbers_without_a_code_are_its_own_then_as_now(database):
    with database.write(at=NOW) as session:
        ada = Make(session).contact("Ada", phone="079 123 45 67").id
    later = NOW + timedelta(hours=1)
    international = ContactFilter(text="+41 79 123 45 67")
    with database.read() as session:
        assert contact_service.get_rows(session, international) == []

    with database.write(at=later) as session:
        known = session.get_one(Contact, ada)
        update_settings(session, SettingsUpdate(country="CH"))
        assert known.phone_digits == "41791234567"

    with database.read() as session:
        for where in (international, international.model_copy(update={"as_of": NOW + timedelta(minutes=1)})):
            assert [row.id for row in contact_service.get_rows(session, where)] == [ada]
            assert [row.phone for row in contact_service.get_rows(session, where)] == ["079 123 45 67"]
        assert len(contact_service.get_history(session, ada)) == 1
    assert check.findings(database) == []
