"""What can be done with targets, and what can't."""

import threading
from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from crm_core.errors import NotSignedIn
from crm_core.models import LOCAL_USER_ID, Role, TargetPeriod, Transaction, User, Visibility
from crm_core.periods import Period, PeriodChoice
from crm_core.permissions import NeedsManager
from crm_core.schemas.target import TargetSet, TargetUpdate
from crm_core.services import settings_service
from crm_core.services.records import RecordNotFound
from crm_core.services.target_service import (
    BeginsOnAnotherDay,
    Holder,
    TargetNotFound,
    delete_target,
    find_target,
    get_holders,
    get_target,
    get_targets,
    set_target,
    update_target,
)
from crm_core.services.team_service import TeamNotFound
from tests.builders import Make
from tests.crm_core.importing.conftest import every_row
from tests.crm_core.services.refusals import refusal

MARCH, QUARTER = date(2026, 3, 1), date(2026, 1, 1)
YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))


def draft(amount=100, *, starts_on=MARCH, quarter=False, **holder) -> TargetSet:
    period = TargetPeriod.QUARTER if quarter else TargetPeriod.MONTH
    return TargetSet(period=period, starts_on=starts_on, amount=amount, **holder)


@pytest.fixture
def people(database):
    with database.write() as session:
        make = Make(session)
        people = make.people()
        make.user("Ada Admin", role=Role.ADMIN)
        return people


@pytest.fixture
def team(database, people):
    """The team of Rita, Nora and Mia."""
    with database.read() as session:
        return session.get_one(User, people.rita).team_id


@pytest.fixture
def hers(database, people):
    """The id of Rita's target for March."""
    with database.write() as session:
        return set_target(session, draft(user_id=people.rita)).id


def amounts(database) -> dict[tuple[str, str, date], Decimal]:
    with database.read() as session:
        return {(row.holder.name, row.period, row.starts_on): row.amount for row in get_targets(session)}


def test_a_target_is_set_for_a_month_or_a_quarter_of_a_user_or_a_team(database, people, team):
    with database.write(actor=LOCAL_USER_ID) as session:
        target = set_target(session, draft("40000.50", user_id=people.rita))
        assert get_target(session, target.id) is target
        set_target(session, draft(90_000, starts_on=QUARTER, quarter=True, team_id=team))

    assert amounts(database) == {
        ("Rita Rep", "month", MARCH): Decimal("40000.50"),
        ("North", "quarter", QUARTER): Decimal(90_000),
    }


def test_setting_it_again_changes_the_amount(database, people, hers):
    with database.write() as session:
        assert set_target(session, draft(250, user_id=people.rita)).id == hers
        assert set_target(session, draft(7, starts_on=date(2026, 4, 1), user_id=people.rita)).id != hers
        assert set_target(session, draft(9, user_id=people.nora)).id != hers

    assert amounts(database)["Rita Rep", "month", MARCH] == 250
    assert len(amounts(database)) == 3


def test_a_month_and_the_quarter_that_begins_with_it_have_a_target_each(database, people):
    with database.write() as session:
        set_target(session, draft(10, starts_on=QUARTER, user_id=people.rita))
        set_target(session, draft(90, starts_on=QUARTER, quarter=True, user_id=people.rita))

    assert list(amounts(database).values()) == [90, 10]


@pytest.mark.both_databases
def test_those_who_set_the_same_target_at_once_set_one(database, people):
    """Whoever comes later has the last word, and nobody meets the uniqueness in the schema."""
    errors: list[BaseException] = []
    begin = threading.Barrier(4)

    def set_(amount: int) -> None:
        try:
            begin.wait()
            with database.write(actor=LOCAL_USER_ID) as session:
                set_target(session, draft(amount, user_id=people.rita))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=set_, args=(amount,)) for amount in (10, 20, 30, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    ((key, amount),) = amounts(database).items()
    assert key == ("Rita Rep", "month", MARCH)
    assert amount in (10, 20, 30, 40)


def test_targets_come_by_team_then_by_user_then_by_day(database, people, team):
    with database.write() as session:
        for holder in ({"user_id": people.rita}, {"user_id": people.nora}, {"team_id": team}):
            set_target(session, draft(3, starts_on=date(2026, 4, 1), **holder))
            set_target(session, draft(1, starts_on=date(2026, 1, 1), **holder))
            set_target(session, draft(2, starts_on=date(2026, 1, 1), quarter=True, **holder))
        set_target(session, draft(4, starts_on=date(2027, 1, 1), user_id=people.rita))

    with database.read() as session:
        rows = [(row.holder.name, row.amount) for row in get_targets(session, YEAR)]
        assert rows == list(product(("North", "Nora North", "Rita Rep"), (2, 1, 3)))
        assert len(get_targets(session)) == 10


def test_an_inactive_user_keeps_their_targets_and_can_get_others(database, people, hers):
    with database.write() as session:
        session.get_one(User, people.rita).is_active = False

    with database.write() as session:
        (row,) = get_targets(session)
        assert row.holder == Holder(people.rita, None, "Rita Rep", is_active=False)
        assert update_target(session, hers, TargetUpdate(amount=5)).amount == 5


def test_a_target_is_changed_and_what_is_not_sent_stays(database, people, hers):
    with database.write() as session:
        assert update_target(session, hers, TargetUpdate()).amount == 100
        assert update_target(session, hers, TargetUpdate(amount="12.34")).amount == Decimal("12.34")


def test_a_deleted_target_is_gone(database, hers):
    with database.write() as session:
        delete_target(session, hers)
        with pytest.raises(TargetNotFound, match="it may have been deleted"):
            get_target(session, hers)

    assert amounts(database) == {}


def test_each_change_is_a_transaction_of_whoever_made_it(database, people, hers):
    def logged() -> int:
        with database.read() as session:
            chosen = select(func.count()).where(Transaction.actor_id == people.mia)
            return session.scalar(chosen)

    changes = (
        lambda session: set_target(session, draft(5, user_id=people.rita)),
        lambda session: update_target(session, hers, TargetUpdate(amount=6)),
        lambda session: delete_target(session, hers),
    )
    for number, change in enumerate(changes, 1):
        with database.write(actor=people.mia) as session:
            change(session)
        assert logged() == number


def test_an_amount_is_more_than_nothing():
    for amount in (0, "0.00", "0.00004", -1, "-0.01", "a lot", True, None, 10**13, "NaN"):
        with pytest.raises(ValidationError):
            draft(amount, user_id=1)
        with pytest.raises(ValidationError):
            TargetUpdate(amount=amount)


def test_a_target_is_a_users_or_a_teams():
    for holder in ({}, {"user_id": 1, "team_id": 1}, {"user_id": 0}, {"team_id": 2**31}):
        with pytest.raises(ValidationError):
            draft(**holder)


def test_a_target_is_for_a_year_that_people_may_mean():
    for day in (date.min, date(1899, 12, 1), date(3000, 1, 1), date.max):
        with pytest.raises(ValidationError):
            draft(user_id=1, starts_on=day)


@pytest.mark.parametrize(
    ("fiscal_start", "wrong"),
    [
        (1, {"2026-02-01": "2026-01-01", "2026-12-01": "2026-10-01", "2026-04-02": "2026-04-01"}),
        (2, {"2026-01-01": "2025-11-01", "2026-03-01": "2026-02-01", "2026-05-02": "2026-05-01"}),
        (12, {"2026-01-01": "2025-12-01", "2026-10-01": "2026-09-01"}),
    ],
)
def test_a_target_begins_with_its_period(database, people, fiscal_start, wrong):
    with database.write() as session:
        settings_service.get_settings(session).fiscal_year_start_month = fiscal_start
    before = every_row(database)

    for kind, day, first in (
        ("month", "2026-03-02", "2026-03-01"),
        ("month", "2026-03-31", "2026-03-01"),
        *(("quarter", day, first) for day, first in wrong.items()),
    ):
        target = draft(starts_on=date.fromisoformat(day), quarter=kind == "quarter", user_id=people.rita)
        words = f"The {kind} of {day} begins on {first}. Set its target for that day"
        with database.write() as session, pytest.raises(BeginsOnAnotherDay, match=words):
            set_target(session, target)

    assert every_row(database) == before


def test_a_quarter_that_can_have_a_target_is_one_that_screens_ask_for(session, make):
    rita = make.user().id
    for fiscal_start in range(1, 13):
        settings_service.get_settings(session).fiscal_year_start_month = fiscal_start
        calendar = settings_service.get_calendar(session)
        assert calendar.fiscal_start == fiscal_start

        for month in range(1, 13):
            asked = calendar.around(PeriodChoice.THIS_QUARTER, date(2026, month, 15))
            assert set_target(session, draft(starts_on=asked.start, quarter=True, user_id=rita)).amount == 100


def test_a_holder_exists(database):
    with refusal(database, RecordNotFound, "There is no user 99") as session:
        set_target(session, draft(user_id=99))
    with refusal(database, TeamNotFound, "There is no team 99") as session:
        set_target(session, draft(team_id=99))


def test_a_target_that_does_not_exist_is_not_found(database):
    for use in (
        get_target,
        delete_target,
        lambda session, key: update_target(session, key, TargetUpdate(amount=1)),
    ):
        for unknown in (0, -1, 99, 2**31, 2**70):
            with database.write() as session, pytest.raises(TargetNotFound, match="does not exist"):
                use(session, unknown)

    assert amounts(database) == {}


def test_a_manager_sets_the_targets_of_the_team_and_its_members(database, people, team, hers):
    with database.write(actor=people.mia) as session:
        for holder in ({"user_id": people.rita}, {"user_id": people.mia}, {"team_id": team}):
            assert set_target(session, draft(7, **holder)).amount == 7
        assert [holder.name for holder in get_holders(session)] == [
            "North",
            "Mia Manager",
            "Nora North",
            "Rita Rep",
        ]
        delete_target(session, hers)


def test_a_manager_by_name_alone_sets_the_targets_of_that_team(database, people):
    with database.write() as session:
        make = Make(session)
        boss = make.user("Bo Boss", role=Role.MANAGER).id
        south = session.get_one(User, people.otto).team_id
        make.team("East", manager_id=boss)
        east_wind = make.team("South-East", manager_id=boss).id

    with database.write(actor=boss) as session:
        assert set_target(session, draft(5, team_id=east_wind)).amount == 5
    with refusal(database, NeedsManager, "set the targets of “South”", actor=boss) as session:
        set_target(session, draft(team_id=south))
    with refusal(database, NeedsManager, "set the targets of Bo Boss", actor=boss) as session:
        set_target(session, draft(user_id=boss))


def test_a_rep_sets_no_target_not_even_their_own(database, people, team, hers):
    hers_alone = "Only Mia Manager or an admin can set the targets of Rita Rep"
    of_the_team = "Mia Manager or an admin .* of “North”"
    before = every_row(database)

    for actor in (people.rita, people.nora, people.otto):
        for words, change in (
            (hers_alone, lambda session: set_target(session, draft(5, user_id=people.rita))),
            (hers_alone, lambda session: update_target(session, hers, TargetUpdate(amount=5))),
            (hers_alone, lambda session: delete_target(session, hers)),
            (of_the_team, lambda session: set_target(session, draft(5, team_id=team))),
        ):
            with database.write(actor=actor) as session, pytest.raises(NeedsManager, match=words):
                change(session)
        with database.read(actor=actor) as session:
            assert get_holders(session) == []

    assert every_row(database) == before


def test_those_of_another_team_and_of_none_are_not_a_managers_to_set(database, people):
    with database.write() as session:
        make = Make(session)
        lone = make.user("Lone Wolf").id

    with refusal(database, NeedsManager, "Only an admin can .* of Otto Other", actor=people.mia) as session:
        set_target(session, draft(user_id=people.otto))
    with refusal(database, NeedsManager, "Only an admin can .* of Lone Wolf", actor=people.mia) as session:
        set_target(session, draft(user_id=lone))


def test_nobody_reads_the_targets_of_those_whose_deals_they_may_not_read(database, people, team, hers):
    with database.write() as session:
        set_target(session, draft(user_id=people.nora))
        set_target(session, draft(team_id=team))
        settings_service.get_settings(session).visibility = Visibility.OWN

    def seen_by(actor: int) -> list[str]:
        with database.read(actor=actor) as session:
            return [row.holder.name for row in get_targets(session)]

    assert seen_by(people.rita) == ["Rita Rep"]
    assert seen_by(people.otto) == []
    assert seen_by(people.mia) == ["North", "Nora North", "Rita Rep"]
    with database.read(actor=people.otto) as session:
        assert find_target(session, draft(user_id=people.rita)) is None
        with pytest.raises(TargetNotFound):
            get_target(session, hers)
    with refusal(database, TargetNotFound, "does not exist", actor=people.nora) as session:
        delete_target(session, hers)


def test_the_team_reads_its_target_where_it_sees_its_own_deals(database, people, team):
    with database.write() as session:
        set_target(session, draft(team_id=team))
        settings_service.get_settings(session).visibility = Visibility.TEAM

    for actor, count in ((people.rita, 1), (people.mia, 1), (people.otto, 0)):
        with database.read(actor=actor) as session:
            assert len(get_targets(session)) == count


def test_whoever_is_gone_reads_nothing(database, people, hers):
    with database.write() as session:
        session.get_one(User, people.nora).is_active = False

    for stranger in (people.nora, 99):
        with database.read(actor=stranger) as session:
            for use in (get_targets, get_holders, lambda session: get_target(session, hers)):
                with pytest.raises(NotSignedIn):
                    use(session)
