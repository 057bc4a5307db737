"""What was counted is given again only where counting anew would give the same."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select

from crm_core import history
from crm_core.analytics import outcomes, pipeline, wins
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.kept import Shelf, kept
from crm_core.models import Opportunity, OpportunityStage, User, Visibility
from crm_core.services import opportunity_service, settings_service, workspace_service
from tests.builders import Make
from tests.conftest import NOW, Discard

A_DAY = timedelta(days=1)


@pytest.fixture
def deal(database) -> int:
    with database.write(at=NOW) as session:
        return Make(session).opportunity(expected_value=100, expected_close_date=NOW.date()).id


def total(database, **reading):
    with database.read(**reading) as session:
        return pipeline.list_totals(session).value


def name_of(rows):
    return [name for (name,) in rows]


@contextmanager
def questions_about_deals(database) -> Iterator[list[str]]:
    """What is asked of the deals, and of what they were, meanwhile."""
    asked = []

    def note(_connection, _cursor, statement, *_more):
        if "FROM opportunities" in statement or "FROM opportunity_versions" in statement:
            asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(database.engine, "before_cursor_execute", note)


def test_nothing_is_counted_twice(database, deal):
    def figures():
        with database.read() as session:
            return pipeline.groups(session), outcomes.closed_in(session), wins.wins_in(session)

    first = figures()

    with questions_about_deals(database) as asked:
        assert figures() == first
    assert asked == []


def test_a_change_counts_anew(database, deal):
    assert total(database) == 100

    with database.write() as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250

    assert total(database) == 250


def test_a_change_of_another_process_counts_anew(database, deal):
    assert total(database) == 100

    other = Database(database.url.render_as_string(hide_password=False))
    with other.write() as session:
        opportunity_service.delete_opportunity(session, deal)
    other.close()

    assert total(database) == 0


def test_a_changed_setting_counts_anew(database, deal):
    late = NOW.replace(hour=23)  # tomorrow already, further east

    def overdue():
        with database.read(at=late) as session:
            return pipeline.totals(session).overdue

    assert overdue() == 0

    with database.write(at=NOW) as session:
        settings_service.get_settings(session).time_zone = "Pacific/Kiritimati"

    assert overdue() == 1


def test_a_day_later_it_counts_anew(database, deal):
    def overdue(at):
        with database.read(at=at) as session:
            return pipeline.totals(session).overdue

    assert [overdue(NOW), overdue(NOW + A_DAY), overdue(NOW)] == [0, 1, 0]


def test_every_instant_has_its_own_number(database, deal):
    with database.write(at=NOW + A_DAY) as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250

    def value(at):
        with database.read() as session:
            return pipeline.list_totals(session, as_of=at).value

    instants = (NOW, NOW + A_DAY, NOW - A_DAY, None)
    assert [value(at) for at in instants] == [100, 250, 0, 250]
    assert [value(at) for at in instants] == [100, 250, 0, 250]


def value_at(database, at, where=EVERYTHING):
    with database.read() as session:
        return pipeline.list_totals(session, where, as_of=at).value


def test_what_is_past_is_counted_once_whatever_changes_later(database, deal):
    with database.write(at=NOW + A_DAY) as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250
    assert value_at(database, NOW) == 100

    with database.write(at=NOW + 2 * A_DAY) as session:
        opportunity_service.delete_opportunity(session, deal)
    with questions_about_deals(database) as asked:
        assert value_at(database, NOW) == 100
    assert asked == []


def test_closed_deals_are_counted_once_while_open_ones_change(database, deal):
    with database.write(at=NOW) as session:
        won = Make(session).won(50).id

    def figures():
        with database.read() as session:
            return outcomes.closed_in(session).won_value, wins.wins_in(session).average_value

    assert figures() == (50, 50)
    with database.write() as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250
    with questions_about_deals(database) as asked:
        assert figures() == (50, 50)
    assert asked == []

    with database.write() as session:
        opportunity_service.get_opportunity(session, won).expected_value = 70
    assert figures() == (70, 70)


def test_an_instant_after_the_last_change_may_become_another(database, deal):
    """Somebody may be changing it, whose instant is earlier."""
    a_moment_ago = NOW + A_DAY
    assert value_at(database, a_moment_ago) == 100

    with database.write(at=a_moment_ago - timedelta(hours=1)) as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250

    assert value_at(database, a_moment_ago) == 250


def test_a_past_that_is_brought_in_counts_anew(database, deal):
    with database.write(at=NOW + A_DAY) as session:
        opportunity_service.get_opportunity(session, deal).expected_value = 250
    assert value_at(database, NOW) == 100

    with database.write(at=NOW + 2 * A_DAY) as session:
        state = {"id": history.next_id(session, Opportunity), "name": "Old", "expected_value": Decimal(7)}
        state |= {"stage": OpportunityStage.PROPOSAL, "probability": 50, "created_at": NOW - A_DAY}
        history.insert_with_past(session, Opportunity, [[(NOW - A_DAY, state)]])

    assert value_at(database, NOW) == 107


def test_a_past_that_is_taken_away_counts_anew(database, deal):
    with database.write(at=NOW + A_DAY) as session:
        settings_service.get_settings(session).has_demo_data = True
    assert value_at(database, NOW) == 100

    with database.write(at=NOW + 2 * A_DAY) as session:
        workspace_service.start_empty(session, with_own_deals=True)

    assert value_at(database, NOW) == 0


def test_what_a_team_had_follows_its_members(database):
    """They are those of now, also where the deals are of the past."""
    with database.write(at=NOW) as session:
        make = Make(session)
        team, rita = make.team("North"), make.user("Rita")
        make.opportunity(owner_id=rita.id, expected_value=100)
        joined, where = (rita.id, team.id), OpportunityFilter(teams={team.id})
    with database.write(at=NOW + A_DAY) as session:
        Make(session).opportunity()
    assert value_at(database, NOW, where) == 0

    with database.write(at=NOW + 2 * A_DAY) as session:
        session.get_one(User, joined[0]).team_id = joined[1]

    assert value_at(database, NOW, where) == 100


def test_every_filter_has_its_own_number(database, deal):
    stages = (OpportunityStage.QUALIFICATION, OpportunityStage.PROPOSAL)

    def count(where):
        with database.read() as session:
            return pipeline.list_totals(session, where).deals

    asked = [EVERYTHING, *(OpportunityFilter(stages={stage}) for stage in stages)]
    assert [count(where) for where in asked] == [1, 1, 0]
    assert [count(where) for where in asked] == [1, 1, 0]


def test_everybody_has_their_own_number(database):
    with database.write(at=NOW) as session:
        make = Make(session)
        people = make.people()
        make.opportunity(owner_id=people.rita, expected_value=10)
        make.opportunity(owner_id=people.otto, expected_value=5)
        settings_service.get_settings(session).visibility = Visibility.OWN

    numbers = [total(database, actor=actor) for actor in (None, people.rita, people.otto, None)]

    assert numbers == [15, 10, 5, 15]


def test_a_change_is_seen_by_who_makes_it_alone(database, deal):
    with suppress(Discard), database.write() as session:
        assert pipeline.list_totals(session).value == 100
        opportunity_service.get_opportunity(session, deal).expected_value = 250
        assert pipeline.list_totals(session).value == 250
        raise Discard

    assert total(database) == 100


def test_a_snapshot_stays_at_its_number_whatever_is_known_of_later_ones(database, deal):
    def change():
        with database.write() as session:
            opportunity_service.get_opportunity(session, deal).expected_value = 250
        return total(database)

    with database.read() as session, ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(change).result() == 250
        assert pipeline.list_totals(session).value == 100
        assert elsewhere.submit(total, database).result() == 250


def test_what_is_told_of_the_same_rows_is_kept_apart(database, deal):
    chosen = select(Opportunity.name)

    with database.read() as session:
        assert kept(session, chosen, name_of) == ["Solar roof"]
        assert kept(session, chosen, len_of, 2) == 2
        assert kept(session, chosen, len_of, 3) == 3


def len_of(rows, times):
    return len(list(rows)) * times


def test_a_statement_with_parameters_of_its_own_is_counted(database, deal):
    """SQLAlchemy does not tell them with the statement."""
    chosen = select(func.count()).where(Opportunity.id == deal)

    with database.read() as session:
        assert kept(session, chosen.params(id_1=deal + 1), name_of) == [0]
        assert kept(session, chosen, name_of) == [1]
        assert kept(session, chosen.params(id_1=deal + 1), name_of) == [0]


def test_what_was_asked_for_longest_ago_is_forgotten():
    known = Shelf(most=2)
    known.keep("first", 1)
    known.keep("second", 2)
    known.find("first")
    known.keep("third", 3)

    assert [known.find(key) for key in ("first", "second", "third")] == [1, None, 3]
