"""Whatever comes in is refused by name, or stored and given back exactly; and the session goes on."""

from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from pydantic import ValidationError

from crm_core.columns import LARGEST_AMOUNT
from crm_core.errors import InvalidInput, NotFound
from crm_core.filters import OpportunityFilter
from crm_core.models import OpportunityStage, Outcome
from crm_core.schemas.fields import trimmed
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services.opportunity_service import (
    close_opportunity,
    convert_lead_to_opportunity,
    get_rows,
    move_opportunity,
    preview_conversion,
    reopen_opportunity,
)
from crm_core.services.records import ChangedMeanwhile, OwnerIsInactive, RecordNotFound
from tests.builders import stored
from tests.conftest import NOW
from tests.crm_core.services.naughty import NAUGHTY, NO_NAMES, SHORT
from tests.crm_core.services.nouns import LEAD, OPPORTUNITY, every_noun
from tests.crm_core.services.refusals import assert_goes_on

S = OpportunityStage
LONG_TEXTS = {"description", "next_step"}
ABSURD_IDS = (0, -1, 98, 2**31, 2**63, 2**70)


@every_noun
def test_a_name_that_is_none_is_refused(session, noun):
    record = noun.create(session, name="Before")
    before = stored(session)

    for name in NO_NAMES:
        with pytest.raises(ValidationError):
            noun.create(session, name=name)
        with pytest.raises(ValidationError):
            noun.update(session, record.id, name=name)

    assert stored(session) == before
    assert_goes_on(session)


@every_noun
def test_naughty_texts_come_back_exactly_and_names_trimmed(database, noun):
    with database.write(at=NOW) as session:
        changed = noun.create(session).id
        created = {text: noun.create(session, **dict.fromkeys(noun.texts, text)).id for text in SHORT}
    with database.read() as session:
        for text, key in created.items():
            assert_holds(session, noun, key, text)
            assert said_last(noun.service.get_history(session, key)[0], noun) == of_each(noun, text)

    for text in SHORT:
        with database.write() as session:
            noun.update(session, changed, **dict.fromkeys(noun.texts, text))
            session.flush()
            session.expire_all()
            assert_holds(session, noun, changed, text)
    with database.read() as session:
        history = noun.service.get_history(session, changed, limit=200)
        told = [of_each(noun, text) for text in reversed(SHORT)]
        assert [said_last(entry, noun) for entry in history[:-1]] == told


def assert_holds(session, noun, key, text):
    record = noun.verb("get")(session, key)
    assert {field: getattr(record, field) for field in noun.texts} == of_each(noun, text)


def said_last(entry, noun):
    return {change.field: change.after for change in entry.changes if change.field in noun.texts}


def of_each(noun, text):
    """What the text is in each field: long texts stay as they are."""
    return {field: text if field in LONG_TEXTS else trimmed(text) for field in noun.texts}


@pytest.mark.both_databases
@every_noun
def test_a_naughty_name_is_found_by_itself(database, noun):
    with database.write(at=NOW) as session:
        created = {text: noun.create(session, name=text).id for text in NAUGHTY}

    with database.read() as session:
        lost = []
        for text, key in created.items():
            found = noun.service.get_rows(session, noun.filter(text=text), limit=200)
            if (key, trimmed(text)) not in {(row.id, row.name) for row in found}:
                lost.append(text)

    assert lost == []


@pytest.mark.both_databases
def test_a_naughty_search_finds_only_what_contains_it(session, make):
    make.opportunity(name="Deal one")
    wanted = {text: make.opportunity(name=f"Deal {text} one").id for text in ("%", "_", "\\", "'", '"')}

    for text, key in wanted.items():
        assert [row.id for row in get_rows(session, OpportunityFilter(text=text))] == [key]


@every_noun
def test_half_a_surrogate_pair_and_nul_are_refused_in_every_text(session, noun):
    record = noun.create(session)
    before = stored(session)

    for field in noun.texts:
        for text in ("\ud800", "a\udc00", "a\x00", "\x00"):
            with pytest.raises(ValidationError):
                noun.create(session, **{field: text})
            with pytest.raises(ValidationError):
                noun.update(session, record.id, **{field: text})

    assert stored(session) == before
    assert_goes_on(session)


@every_noun
def test_what_the_schema_does_not_know_is_refused(session, noun):
    record = noun.create(session)

    for field, value in (
        ("id", 7),
        ("version", 7),
        ("deleted_at", None),
        ("created_at", NOW),
        ("stange", "x"),
    ):
        with pytest.raises(ValidationError):
            noun.create(session, **{field: value})
        with pytest.raises(ValidationError):
            noun.update(session, record.id, **{field: value})


@every_noun
def test_a_record_that_is_not_there_is_not_found(session, noun):
    gone = noun.create(session)
    noun.verb("delete")(session, gone.id)
    before = stored(session)

    for key in (*ABSURD_IDS, gone.id):
        with pytest.raises(RecordNotFound, match=f"There is no {noun.name} {key}; it may have been deleted"):
            noun.verb("get")(session, key)
        with pytest.raises(RecordNotFound):
            noun.update(session, key, name="Mine")
        with pytest.raises(RecordNotFound):
            noun.verb("delete")(session, key)
    for key in ABSURD_IDS:
        with pytest.raises(RecordNotFound):
            noun.verb("restore")(session, key)
        with pytest.raises(RecordNotFound):
            noun.service.get_history(session, key)

    assert stored(session) == before
    assert_goes_on(session)


def test_a_deal_or_lead_that_is_not_there_goes_nowhere(session, make):
    before = stored(session)

    for key in ABSURD_IDS:
        for change in (
            lambda key: move_opportunity(session, key, to=S.PROPOSAL),
            lambda key: close_opportunity(session, key, outcome=Outcome.WON),
            lambda key: reopen_opportunity(session, key, to=S.PROPOSAL),
            lambda key: convert_lead_to_opportunity(session, key),
            lambda key: preview_conversion(session, key),
        ):
            with pytest.raises(RecordNotFound):
                change(key)

    assert stored(session) == before
    assert_goes_on(session)


@every_noun
def test_a_record_points_only_to_what_is_there(session, make, noun):
    gone = {
        "company_id": make.company(deleted_at=NOW).id,
        "contact_id": make.contact(deleted_at=NOW).id,
        "owner_id": make.user(is_active=False).id,
    }
    record = noun.create(session)
    before = stored(session)

    for field in noun.pointers:
        for key in (*ABSURD_IDS, gone[field]):
            kind = (NotFound, ValidationError, OwnerIsInactive)
            with pytest.raises(kind):
                noun.create(session, **{field: key})
            with pytest.raises(kind):
                noun.update(session, record.id, **{field: key})
        for no_key in ("x", 1.5, True, "", [1], {}):
            with pytest.raises(ValidationError):
                noun.create(session, **{field: no_key})
            with pytest.raises(ValidationError):
                noun.update(session, record.id, **{field: no_key})

    assert stored(session) == before
    assert_goes_on(session)


@pytest.mark.parametrize(("noun", "field"), [(OPPORTUNITY, "expected_value"), (LEAD, "estimated_value")])
def test_an_amount_that_can_not_be_is_refused(session, noun, field):
    record = noun.create(session, **{field: 5})
    before = stored(session)

    for amount in (
        *(-1, "-0.01", 10**15, 10**15 + 1, 10**30, LARGEST_AMOUNT + 1, 1e300),
        *("NaN", "Infinity", "-Infinity", "sNaN", float("nan"), float("inf"), Decimal("NaN"), "1e999999"),
        *("", " ", "x", "1,000", True, [1], {}, "١٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠"),
    ):
        with pytest.raises(ValidationError):
            noun.create(session, **{field: amount})
        with pytest.raises(ValidationError):
            noun.update(session, record.id, **{field: amount})

    assert stored(session) == before
    assert_goes_on(session)


@pytest.mark.parametrize(("noun", "field"), [(OPPORTUNITY, "expected_value"), (LEAD, "estimated_value")])
def test_an_amount_is_stored_exactly(session, noun, field):
    for typed, kept in {
        0: "0.00",
        "0.010": "0.01",
        0.1: "0.10",
        "1e3": "1000.00",
        LARGEST_AMOUNT: "9999999999999.99",
        "9007199254740.93": "9007199254740.93",
    }.items():
        record = noun.create(session, **{field: typed})
        session.expire(record)
        assert getattr(record, field) == Decimal(kept)


def test_a_probability_that_can_not_be_is_refused(session, make):
    deal, won = make.opportunity(), make.won()
    before = stored(session)

    for probability in (101, -1, 2**31, 2**70, float("nan"), 50.5, True, "x", "", [1]):
        with pytest.raises(ValidationError):
            OPPORTUNITY.create(session, probability=probability)
        with pytest.raises(ValidationError):
            OPPORTUNITY.update(session, deal.id, probability=probability)
    for probability in (101, -1, 2**31, 2**70, float("nan")):
        with pytest.raises(InvalidInput, match="A probability lies between 0 and 100 %"):
            move_opportunity(session, deal.id, to=S.PROPOSAL, probability=probability)
        with pytest.raises(InvalidInput, match="A probability lies between 0 and 100 %"):
            reopen_opportunity(session, won.id, to=S.PROPOSAL, probability=probability)

    assert stored(session) == before
    assert_goes_on(session)


def test_a_stage_or_status_that_is_none_is_refused(session, make):
    deal, lead = make.opportunity(), make.lead()

    for stage in ("won", "", "Proposal", "closed", None, 3):
        with pytest.raises(ValidationError):
            OPPORTUNITY.create(session, stage=stage)
        with pytest.raises(ValidationError):
            OPPORTUNITY.update(session, deal.id, stage=stage)
        with pytest.raises(ValidationError):
            LEAD.update(session, lead.id, status=stage)


def test_a_day_that_is_none_is_refused(session, make):
    deal = make.opportunity()

    for day in ("2026-02-30", "0000-00-00", "tomorrow", "", 1e20, "2026-03-18T12:00:00Z"):
        for field in ("expected_close_date", "next_step_date"):
            with pytest.raises(ValidationError):
                OPPORTUNITY.update(session, deal.id, **{field: day})


def test_every_day_of_the_calendar_comes_back(session):
    for day in (date.min, date.max, date(2000, 2, 29), date(1582, 10, 10)):
        deal = OPPORTUNITY.create(session, expected_close_date=day, next_step_date=day)
        session.expire(deal)

        assert (deal.expected_close_date, deal.next_step_date) == (day, day)
        shown = {row.id: row.expected_close_date for row in get_rows(session)}
        assert shown[deal.id] == day


def test_a_closing_note_that_can_not_be_stored_is_refused(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)
    before = stored(session)

    for note in ("a\x00b", "\ud800", "x\udfff"):
        with pytest.raises(InvalidInput, match="Text can't contain"):
            close_opportunity(session, deal.id, outcome=Outcome.WON, note=note)

    assert stored(session) == before
    assert_goes_on(session)


def test_every_other_closing_note_comes_back_exactly(session, make):
    for note in [*NAUGHTY, "x" * 100_000]:
        deal = make.opportunity(stage=S.PROPOSAL)
        close_opportunity(session, deal.id, outcome=Outcome.WON, note=note)
        session.flush()
        session.expire(deal)
        assert deal.close_note == note


def test_a_reason_that_is_not_there_is_not_found(session, make):
    deal = make.opportunity(stage=S.PROPOSAL)
    before = stored(session)

    for outcome, key in product(Outcome, ABSURD_IDS):
        with pytest.raises(NotFound, match="This reason to close does not exist"):
            close_opportunity(session, deal.id, outcome=outcome, reason_id=key)

    assert stored(session) == before
    assert_goes_on(session)


@every_noun
def test_a_version_that_can_not_be_is_a_conflict(session, noun):
    record = noun.create(session)

    for version in (0, -1, 2**31, 2**63, 2**70):
        with pytest.raises(ChangedMeanwhile, match="was changed meanwhile"):
            noun.update(session, record.id, name="Mine", expected_version=version)

    assert_goes_on(session)


@every_noun
def test_any_text_can_be_a_request_id_and_creates_once(session, noun):
    for text in (text[:64] for text in NAUGHTY):
        first = noun.create(session, request_id=text)
        assert noun.create(session, request_id=text) is first


def test_what_was_refused_is_repeated_in_no_message(session):
    with pytest.raises(ValidationError) as refused:
        OpportunityCreate(name="secret" * 50, expected_value="secret", description="secret\x00")

    assert "secret" not in str(refused.value)
