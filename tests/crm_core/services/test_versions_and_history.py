"""What was changed, by whom and when; and that nobody overwrites what they have not seen."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from crm_core import check
from crm_core.database import Database
from crm_core.importing import import_opportunities
from crm_core.models import Company, OpportunityStage, Outcome, Source
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.services.opportunity_service import (
    assign_opportunities,
    close_opportunities,
    close_opportunity,
    create_opportunity,
    delete_opportunities,
    delete_opportunity,
    get_history,
    get_opportunity,
    get_rows,
    move_opportunity,
    reopen_opportunity,
    restore_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import ChangedMeanwhile, NothingWasChanged
from tests.builders import Make, reason_id
from tests.conftest import NOW, Discard
from tests.crm_core.importing.conftest import as_file, every_row, small_mapping

S = OpportunityStage
AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Office:
    """A database at work: each action takes place an hour after the one before."""

    database: Database
    rita: int
    mona: int
    acme: int
    ada: int
    deal: int

    def hour(self, number, actor=None, source=Source.SYSTEM):
        return self.database.write(at=NOW + number * AN_HOUR, actor=actor, source=source)

    def history(self, **page):
        with self.database.read() as session:
            return get_history(session, self.deal, **page)

    def state(self):
        with self.database.read() as session:
            return OpportunityResponse.model_validate(get_opportunity(session, self.deal))


@pytest.fixture
def office(database):
    """Rita's deal with Acme in proposal, as it was created at NOW."""
    with database.write(at=NOW - AN_HOUR) as session:
        make = Make(session)
        rita = make.user("Rita").id
        mona = make.user("Mona", role="admin").id
        acme = make.company("Acme").id
        ada = make.contact("Ada", company_id=acme).id
    with database.write(at=NOW, actor=rita, source=Source.UI) as session:
        draft = OpportunityCreate(
            name="Solar roof",
            stage=S.PROPOSAL,
            company_id=acme,
            owner_id=rita,
            expected_value=Decimal("10.50"),
        )
        deal = create_opportunity(session, draft).id
    return Office(database, rita, mona, acme, ada, deal)


def changes_in(entry):
    return {change.field: (change.before, change.after) for change in entry.changes}


def names_in(entry):
    return {
        change.label: (change.before_name, change.after_name)
        for change in entry.changes
        if change.field.endswith("_id")
    }


def a_life(office):
    """Everything that can happen to a deal, one thing an hour."""
    with office.hour(1, office.mona, Source.API) as session:
        changes = OpportunityUpdate(owner_id=office.mona, contact_id=office.ada, expected_value=Decimal(20))
        update_opportunity(session, office.deal, changes)
    with office.hour(2, source=Source.IMPORT) as session:
        move_opportunity(session, office.deal, to=S.NEGOTIATION)
    with office.hour(3, office.mona, Source.UI) as session:
        price = reason_id(session, "Price")
        close_opportunity(session, office.deal, outcome=Outcome.LOST, reason_id=price, note="Too dear")
    with office.hour(4, office.mona, Source.UI) as session:
        reopen_opportunity(session, office.deal, to=S.DISCOVERY)
    with office.hour(5, office.mona, Source.UI) as session:
        delete_opportunity(session, office.deal)
    with office.hour(6, office.mona, Source.API) as session:
        restore_opportunity(session, office.deal)
    return price


def test_the_history_tells_every_change_newest_first(office):
    price = a_life(office)

    history = office.history()

    closing = {
        "closed_at": NOW + 3 * AN_HOUR,
        "actual_close_date": date(2026, 3, 18),
        "close_reason_id": price,
        "close_note": "Too dear",
        "credited_owner_id": office.mona,
    }
    assert [changes_in(entry) for entry in history] == [
        {"deleted_at": (NOW + 5 * AN_HOUR, None)},
        {"deleted_at": (None, NOW + 5 * AN_HOUR)},
        {
            "stage": (S.CLOSED_LOST, S.DISCOVERY),
            "probability": (0, 25),
            **{field: (value, None) for field, value in closing.items()},
        },
        {
            "stage": (S.NEGOTIATION, S.CLOSED_LOST),
            "probability": (75, 0),
            **{field: (None, value) for field, value in closing.items()},
        },
        {"stage": (S.PROPOSAL, S.NEGOTIATION), "probability": (50, 75)},
        {
            "owner_id": (office.rita, office.mona),
            "contact_id": (None, office.ada),
            "expected_value": (Decimal("10.50"), Decimal(20)),
        },
        {
            "name": (None, "Solar roof"),
            "stage": (None, S.PROPOSAL),
            "probability": (None, 50),
            "company_id": (None, office.acme),
            "owner_id": (None, office.rita),
            "expected_value": (None, Decimal("10.50")),
        },
    ]
    assert check.findings(office.database) == []


def test_the_history_tells_when_by_whom_and_from_where(office):
    a_life(office)

    history = office.history()

    assert [entry.version for entry in history] == [7, 6, 5, 4, 3, 2, 1]
    assert [entry.at for entry in history] == [NOW + hour * AN_HOUR for hour in (6, 5, 4, 3, 2, 1, 0)]
    assert all(entry.recorded_at == entry.at for entry in history)
    mona, rita, nobody = (office.mona, "Mona"), (office.rita, "Rita"), (None, None)
    assert [(entry.actor_id, entry.actor_name) for entry in history] == [
        *[mona] * 4,
        nobody,
        mona,
        rita,
    ]
    assert [entry.source for entry in history] == ["api", "ui", "ui", "ui", "import", "api", "ui"]


def test_the_history_calls_everything_by_the_name_it_has_today(office):
    a_life(office)
    with office.hour(7) as session:
        session.get_one(Company, office.acme).name = "Acme & Sons"

    _, _, reopened, closed, _, assigned, created = office.history()

    assert names_in(created) == {"company": (None, "Acme & Sons"), "owner": (None, "Rita")}
    assert names_in(assigned) == {"owner": ("Rita", "Mona"), "contact": (None, "Ada")}
    assert names_in(closed) == {"close reason": (None, "Price"), "credited owner": (None, "Mona")}
    assert names_in(reopened) == {"close reason": ("Price", None), "credited owner": ("Mona", None)}


def test_pages_of_the_history_are_cut_out_of_the_whole(office):
    a_life(office)
    whole = office.history()

    for limit in (1, 2, 6, 7, 8, 200):
        pages = [office.history(limit=limit, offset=offset) for offset in range(9)]
        assert pages == [whole[offset : offset + limit] for offset in range(9)], limit


def test_several_changes_in_one_transaction_are_one_entry(office):
    with office.hour(1, office.rita) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(name="Solar park"))
        session.flush()
        move_opportunity(session, office.deal, to=S.NEGOTIATION)
        session.flush()
        close_opportunity(session, office.deal, outcome=Outcome.WON)
        session.flush()
        reopen_opportunity(session, office.deal, to=S.DISCOVERY)

    newest, created = office.history()

    assert (newest.version, created.version) == (2, 1)
    assert changes_in(newest) == {
        "name": ("Solar roof", "Solar park"),
        "stage": (S.PROPOSAL, S.DISCOVERY),
        "probability": (50, 25),
    }


def test_what_is_not_committed_is_not_history_yet(office):
    with office.hour(1) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(name="Solar park"))
        session.flush()
        assert len(get_history(session, office.deal)) == 1

    assert len(office.history()) == 2


def test_what_changes_nothing_is_no_change(office):
    before = every_row(office.database)

    with office.hour(1, office.rita) as session:
        same = OpportunityUpdate(
            name="Solar roof", stage=S.PROPOSAL, probability=50, expected_value="10.5", owner_id=office.rita
        )
        update_opportunity(session, office.deal, same, expected_version=1)
        move_opportunity(session, office.deal, to=S.PROPOSAL, expected_version=1)
        restore_opportunity(session, office.deal, expected_version=1)

    assert every_row(office.database) == before


def entered(office):
    """How many hours after its creation the deal came into its stage, live and in the list as of now."""
    with office.database.read() as session:
        live = get_opportunity(session, office.deal).stage_entered_at
        (row,) = get_rows(session)
    assert row.stage_entered_at == live
    return (live - NOW) / AN_HOUR


def test_an_edit_that_keeps_the_stage_does_not_reset_when_it_was_entered(office):
    with office.hour(1) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(name="Solar park", probability=66))
    with office.hour(2) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(stage=S.PROPOSAL, next_step="Call"))
    with office.hour(3) as session:
        move_opportunity(session, office.deal, to=S.PROPOSAL, probability=10)
    with office.hour(4) as session:
        delete_opportunity(session, office.deal)
    with office.hour(5) as session:
        restore_opportunity(session, office.deal)

    assert entered(office) == 0
    assert office.state().version == 6
    assert check.findings(office.database) == []


def test_each_new_stage_is_entered_anew(office):
    with office.hour(1) as session:
        move_opportunity(session, office.deal, to=S.NEGOTIATION)
    assert entered(office) == 1
    with office.hour(2) as session:
        close_opportunity(session, office.deal, outcome=Outcome.WON)
    assert entered(office) == 2
    with office.hour(3) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(name="Solar park"))
    assert entered(office) == 2
    with office.hour(4) as session:
        reopen_opportunity(session, office.deal, to=S.NEGOTIATION)
    assert entered(office) == 4
    with office.hour(5) as session:
        update_opportunities(session, [office.deal], OpportunityUpdate(stage=S.DISCOVERY))
    assert entered(office) == 5
    with office.hour(6) as session:
        move_opportunity(session, office.deal, to=S.NEGOTIATION)
    assert entered(office) == 6
    assert check.findings(office.database) == []


def test_there_and_back_in_one_transaction_is_no_new_stage(office):
    for hour, flush in ((1, Session.flush), (3, lambda session: None)):
        with office.hour(hour) as session:
            move_opportunity(session, office.deal, to=S.NEGOTIATION)
            flush(session)
            move_opportunity(session, office.deal, to=S.PROPOSAL)
        assert entered(office) == 0

        with office.hour(hour + 1) as session:
            close_opportunity(session, office.deal, outcome=Outcome.WON)
            flush(session)
            reopen_opportunity(session, office.deal, to=S.PROPOSAL)
            flush(session)
            update_opportunity(session, office.deal, OpportunityUpdate(name=f"Solar park {hour}"))
        assert entered(office) == 0

    assert check.findings(office.database) == []


def test_a_deal_that_moves_when_it_is_created_is_in_its_stage_from_then_on(office):
    with office.hour(1) as session:
        deal = create_opportunity(session, OpportunityCreate(name="Wind park"))
        move_opportunity(session, deal.id, to=S.NEGOTIATION)

    assert deal.stage_entered_at == NOW + AN_HOUR
    assert check.findings(office.database) == []


VERBS = {
    "update": lambda session, deal, version: update_opportunity(
        session, deal, OpportunityUpdate(name="Mine"), expected_version=version
    ),
    "move": lambda session, deal, version: move_opportunity(
        session, deal, to=S.DISCOVERY, expected_version=version
    ),
    "close": lambda session, deal, version: close_opportunity(
        session, deal, outcome=Outcome.WON, expected_version=version
    ),
    "delete": lambda session, deal, version: delete_opportunity(session, deal, expected_version=version),
    "update many": lambda session, deal, version: update_opportunities(
        session, [deal], OpportunityUpdate(name="Mine"), expected_versions={deal: version}
    ),
    "assign many": lambda session, deal, version: assign_opportunities(
        session, [deal], owner_id=None, expected_versions={deal: version}
    ),
    "close many": lambda session, deal, version: close_opportunities(
        session, [deal], outcome=Outcome.WON, expected_versions={deal: version}
    ),
    "delete many": lambda session, deal, version: delete_opportunities(
        session, [deal], expected_versions={deal: version}
    ),
    "reopen": lambda session, deal, version: reopen_opportunity(
        session, deal, to=S.PROPOSAL, expected_version=version
    ),
    "restore": lambda session, deal, version: restore_opportunity(session, deal, expected_version=version),
}


def conflict_of(session, verb, deal, version):
    """Try the verb on a version the deal is not at any more; how it is refused."""
    with pytest.raises((ChangedMeanwhile, NothingWasChanged)) as refused:
        VERBS[verb](session, deal, version)
    refusal = refused.value
    return refusal.refusals[deal] if isinstance(refusal, NothingWasChanged) else refusal


def make_ready(office, verb):
    """Changed by Mona in the first hour, and so that nothing but the version stands in the verb's way."""
    with office.hour(1, office.mona) as session:
        changes = OpportunityUpdate(expected_value=Decimal(99), next_step="Call")
        update_opportunity(session, office.deal, changes)
        if verb == "reopen":
            close_opportunity(session, office.deal, outcome=Outcome.WON)
        if verb == "restore":
            delete_opportunity(session, office.deal)


@pytest.mark.parametrize("verb", VERBS)
def test_a_stale_change_is_refused_says_why_and_stores_nothing(office, verb):
    make_ready(office, verb)
    before = every_row(office.database)

    for unknown in (1, 3, 99, 0, -1):
        with office.hour(2, office.rita) as session:
            conflict = conflict_of(session, verb, office.deal, unknown)
            assert (type(conflict), conflict.version) == (ChangedMeanwhile, 2)
        if unknown == 1:
            assert [entry.version for entry in conflict.entries] == [2]
            assert "“Solar roof” was changed meanwhile by Mona (" in str(conflict)
            assert "Look at it again; nothing of yours was saved." in str(conflict)
            if verb not in ("reopen", "restore"):
                assert "by Mona (expected value, next step)" in str(conflict)

    assert every_row(office.database) == before
    for known in (2, None):
        with suppress(Discard), office.hour(3, office.mona) as session:
            VERBS[verb](session, office.deal, known)
            raise Discard


def test_the_message_names_everybody_once_and_every_field_once(office):
    with office.hour(1, office.mona) as session:
        move_opportunity(session, office.deal, to=S.NEGOTIATION)
    with office.hour(2, office.mona) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(owner_id=office.mona))
    with office.hour(3) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(owner_id=office.rita))
    with office.hour(4, office.rita) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(company_id=None))

    with office.hour(5) as session:
        since_second = conflict_of(session, "update", office.deal, 2)
        since_fourth = conflict_of(session, "update", office.deal, 4)

    assert str(since_second) == (
        "“Solar roof” was changed meanwhile by Rita, the system, Mona (company, owner)."
        " Look at it again; nothing of yours was saved."
    )
    assert str(since_fourth).startswith("“Solar roof” was changed meanwhile by Rita (company).")
    assert [entry.version for entry in since_second.entries] == [5, 4, 3]


def test_of_two_who_saw_the_same_the_second_is_refused(office):
    seen = office.state().version
    with office.hour(1, office.mona, Source.UI) as session:
        changes = OpportunityUpdate(expected_value=Decimal(11))
        update_opportunity(session, office.deal, changes, expected_version=seen)

    changes = OpportunityUpdate(expected_value=Decimal(12), name="Mine")
    with office.hour(2, office.rita, Source.API) as session, pytest.raises(ChangedMeanwhile):
        update_opportunity(session, office.deal, changes, expected_version=seen)

    deal = office.state()
    assert (deal.expected_value, deal.name, deal.version) == (11, "Solar roof", 2)


def test_who_does_not_say_what_they_saw_changes_what_is_there(office):
    with office.hour(1) as session:
        update_opportunity(session, office.deal, OpportunityUpdate(expected_value=Decimal(11)))
        update_opportunity(session, office.deal, OpportunityUpdate(name="Solar park"))

    deal = office.state()
    assert (deal.expected_value, deal.name, deal.version) == (11, "Solar park", 2)


def test_an_imported_change_is_told_with_its_own_instant_and_when_it_was_written_down(office):
    at = NOW + 24 * AN_HOUR
    row = "W1,Pump,Acme,Rita,Won,10,2024-01-02,2024-03-04"
    import_opportunities(office.database, as_file(row), small_mapping(), at=at, actor=office.mona)

    with office.database.read() as session:
        closed, created = get_history(session, office.deal + 1)

    assert (created.at, created.recorded_at) == (datetime(2024, 1, 2, tzinfo=UTC), at)
    assert (closed.at, closed.recorded_at) == (datetime(2024, 3, 4, 23, 59, 59, tzinfo=UTC), at)
    assert (closed.actor_name, closed.source) == ("Mona", Source.IMPORT)
    assert changes_in(closed)["stage"] == (S.QUALIFICATION, S.CLOSED_WON)
