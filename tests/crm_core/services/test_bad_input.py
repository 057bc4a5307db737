"""Whatever comes in is refused by name, or stored and given back exactly; and the session goes on."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import ModuleType

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from crm_core.analytics import dashboard, outcomes, pipeline, stats, wins
from crm_core.columns import LARGEST_AMOUNT
from crm_core.errors import CrmError, InvalidInput, NotFound
from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, OpportunityFilter
from crm_core.models import OpportunityStage, Outcome, User
from crm_core.periods import Period, PeriodChoice
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.fields import Schema
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import (
    company_service,
    contact_service,
    lead_service,
    opportunity_service,
    settings_service,
)
from crm_core.services.opportunity_service import (
    assign_opportunities,
    close_opportunity,
    convert_lead_to_opportunity,
    delete_opportunities,
    get_history,
    get_rows,
    move_opportunity,
    preview_conversion,
    reopen_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import OwnerIsInactive, RecordNotFound
from tests.builders import Make, stored
from tests.conftest import NOW

S = OpportunityStage
ABSURD_IDS = (0, -1, 98, 2**31, 2**63, 2**70)
NAMED = (CrmError, ValidationError)


@dataclass(frozen=True)
class Noun:
    """Where a kind of record is created and changed, and which of its fields take any text."""

    name: str
    service: ModuleType
    create_schema: type[Schema]
    update_schema: type[Schema]
    filter: type
    texts: tuple[str, ...]

    def verb(self, verb):
        return getattr(self.service, f"{verb}_{self.name}")

    def create(self, session, **answers):
        return self.verb("create")(session, self.create_schema(**{"name": "Acme", **answers}))

    def update(self, session, key, **answers):
        return self.verb("update")(session, key, self.update_schema(**answers))

    @property
    def pointers(self):
        return [
            field
            for field in ("company_id", "contact_id", "owner_id")
            if field in self.create_schema.model_fields
        ]


OPPORTUNITY = Noun(
    "opportunity",
    opportunity_service,
    OpportunityCreate,
    OpportunityUpdate,
    OpportunityFilter,
    ("name", "next_step", "source", "description"),
)
LEAD = Noun(
    "lead",
    lead_service,
    LeadCreate,
    LeadUpdate,
    LeadFilter,
    ("name", "company_name", "job_title", "source", "description"),
)
COMPANY = Noun(
    "company",
    company_service,
    CompanyCreate,
    CompanyUpdate,
    CompanyFilter,
    ("name", "industry", "country", "description"),
)
CONTACT = Noun("contact", contact_service, ContactCreate, ContactUpdate, ContactFilter, ("name", "job_title"))
NOUNS = {noun.name: noun for noun in (OPPORTUNITY, LEAD, COMPANY, CONTACT)}

every_noun = pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)

NAUGHTY = [
    "Robert'); DROP TABLE opportunities;--",
    "' OR '1'='1",
    "1; SELECT pg_sleep(0)",
    "admin'--",
    '" OR ""="',
    "%",
    "_",
    "100%_sure\\",
    "\\",
    "\\x00",
    "\\u0000",
    "%00",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</title><svg/onload=alert(1)>",
    "&lt;b&gt;&amp;&#0;",
    "![x](https://example.com/x.png)",
    "[click](javascript:alert(1))",
    "# Heading\n\n* list\n| a | b |",
    "**bold** `code` $x^2$ :material/home:",
    "{0} {name!r} %s %d %n %(x)s ${HOME} {{7*7}}",
    "#{7*7} <%= 7*7 %> ${{7*7}}",
    "=1+1",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "../../../etc/passwd",
    "C:\\Windows\\nul",
    "$(rm -rf /tmp/x)",
    "`id`",
    "null",
    "None",
    "undefined",
    "NaN",
    "Infinity",
    "true",
    "0",
    "1E+02",
    "-0",
    "0x1F",
    "1/0",
    "٠١٢٣",
    "ＦＵＬＬ　ＷＩＤＴＨ",
    "田中さんにあげて下さい",
    "Привет",
    "שלום עולם",
    "مرحبا بالعالم",
    "\u202eright to left\u202c",
    "\u2066isolated\u2069 \u200fmark",
    "e\u0301 \u00e9 A\u030a",
    "Z\u0351\u036b\u0343\u036aa\u0360l\u0321g\u0321o\u033d",
    "İstanbul ıI ẞß ΣΑΣ ǅ ﬀ",
    "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🇨🇭 👍🏽",
    "𝕳𝖊𝖑𝖑𝖔 𐐀 𠜎",
    "\ufeffmark first",
    "soft\u00adhyphen zero\u200bwidth\u2060joiner",
    "\ufffe\uffff\U0010ffff",
    "\x01\x02\x1b[31m\x7f\x85",
    "line\nbreak\r\nand\ttab\x0b\x0c",
    "  kept as typed  ",
    "\u2028separators\u2029",
    "i" * 200,
    "𝄞" * 100,
]
"""Well-known troublemakers, each of which every name can be."""

SHORT = list(dict.fromkeys(text[:100] for text in NAUGHTY))
"""As long as the shortest field."""

NO_NAMES = [
    "",
    " ",
    "\t\n\r",
    "\u00a0\u2003\u3000",
    "\u200b",
    "\u200b\u200c\u200d\u2060\ufeff",
    "\u202e\u202c",
    "\u3164\u115f\u2800",
    "a\x00b",
    "\x00",
    "\ud800",
    "a\udfff\ud800b",
    "x" * 201,
    "x" * 1_000_000,
    None,
    1,
    ["Acme"],
    {"name": "Acme"},
]


def assert_goes_on(session):
    """What was refused has broken nothing: the session reads and writes."""
    assert Make(session).company("Goes on").id
    assert session.scalars(select(User.id)).first() == 1


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
def test_naughty_texts_are_kept_exactly(database, noun):
    with database.write(at=NOW) as session:
        changed = noun.create(session).id
        created = {text: noun.create(session, **dict.fromkeys(noun.texts, text)).id for text in SHORT}
    for text, key in created.items():
        with database.read() as session:
            assert_kept(session, noun, key, text)
    for text in SHORT:
        with database.write() as session:
            noun.update(session, changed, **dict.fromkeys(noun.texts, text))
        with database.read() as session:
            assert_kept(session, noun, changed, text)


def assert_kept(session, noun, key, text):
    record = noun.verb("get")(session, key)
    assert {field: getattr(record, field) for field in noun.texts} == dict.fromkeys(noun.texts, text)
    newest = noun.service.get_history(session, key)[0]
    assert {change.after for change in newest.changes if change.field in noun.texts} == {text}


@every_noun
def test_a_naughty_name_is_found_by_itself(database, noun):
    with database.write(at=NOW) as session:
        created = {text: noun.create(session, name=text).id for text in NAUGHTY}

    lost = []
    for text, key in created.items():
        with database.read() as session:
            found = noun.service.get_rows(session, noun.filter(text=text), limit=200)
        if (key, text) not in {(row.id, row.name) for row in found}:
            lost.append(text)

    assert lost == []


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"'])
def test_a_naughty_search_finds_only_what_contains_it(session, make, text):
    wanted = make.opportunity(name=f"Deal {text} one")
    make.opportunity(name="Deal one")

    assert [row.id for row in get_rows(session, OpportunityFilter(text=text))] == [wanted.id]


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
def test_an_amount_is_kept_exactly_to_the_cent(session, noun, field):
    for typed, kept in {
        0: "0.00",
        "0.005": "0.01",
        "0.004": "0.00",
        0.1: "0.10",
        "1e3": "1000.00",
        LARGEST_AMOUNT: "9999999999999.99",
        "9007199254740.93": "9007199254740.93",
    }.items():
        record = noun.create(session, **{field: typed})
        session.expire(record)
        assert getattr(record, field) == Decimal(kept)


@pytest.mark.parametrize("probability", [101, -1, 2**31, 2**70, 50.5, True, "x", "", [1], float("nan")])
def test_a_probability_that_can_not_be_is_refused(session, make, probability):
    deal = make.opportunity()
    before = stored(session)

    with pytest.raises(ValidationError):
        OPPORTUNITY.create(session, probability=probability)
    with pytest.raises(ValidationError):
        OPPORTUNITY.update(session, deal.id, probability=probability)

    assert stored(session) == before


@pytest.mark.parametrize("probability", [101, -1, 2**31, 2**70, float("nan")])
def test_a_move_with_a_probability_that_can_not_be_is_refused(session, make, probability):
    deal, won = make.opportunity(), make.won()
    before = stored(session)

    with pytest.raises(InvalidInput, match="A probability lies between 0 and 100 %"):
        move_opportunity(session, deal.id, to=S.PROPOSAL, probability=probability)
    with pytest.raises(InvalidInput, match="A probability lies between 0 and 100 %"):
        reopen_opportunity(session, won.id, to=S.PROPOSAL, probability=probability)

    assert stored(session) == before
    assert_goes_on(session)


@pytest.mark.parametrize("stage", ["won", "", "Proposal", "closed", None, 3])
def test_a_stage_or_status_that_is_none_is_refused(session, make, stage):
    deal, lead = make.opportunity(), make.lead()

    with pytest.raises(ValidationError):
        OPPORTUNITY.create(session, stage=stage)
    with pytest.raises(ValidationError):
        OPPORTUNITY.update(session, deal.id, stage=stage)
    with pytest.raises(ValidationError):
        LEAD.update(session, lead.id, status=stage)


@pytest.mark.parametrize("day", ["2026-02-30", "0000-00-00", "tomorrow", "", 1e20, "2026-03-18T12:00:00Z"])
def test_a_day_that_is_none_is_refused(session, make, day):
    deal = make.opportunity()

    for field in ("expected_close_date", "next_step_date"):
        with pytest.raises(ValidationError):
            OPPORTUNITY.update(session, deal.id, **{field: day})


@pytest.mark.parametrize("day", [date.min, date.max, date(2000, 2, 29), date(1582, 10, 10)])
def test_every_day_of_the_calendar_is_kept(session, make, day):
    deal = OPPORTUNITY.create(session, expected_close_date=day, next_step_date=day)
    session.expire(deal)

    assert (deal.expected_close_date, deal.next_step_date) == (day, day)
    assert [row.expected_close_date for row in get_rows(session)] == [day]


@pytest.mark.parametrize("note", ["a\x00b", "\ud800", "x\udfff"])
def test_a_closing_note_that_can_not_be_stored_is_refused(session, make, note):
    deal = make.opportunity(stage=S.PROPOSAL)
    before = stored(session)

    with pytest.raises(InvalidInput, match="Text can't contain"):
        close_opportunity(session, deal.id, outcome=Outcome.WON, note=note)

    assert stored(session) == before
    assert_goes_on(session)


def test_every_other_closing_note_is_kept_exactly(session, make):
    for note in [*NAUGHTY, "x" * 100_000]:
        deal = make.opportunity(stage=S.PROPOSAL)
        close_opportunity(session, deal.id, outcome=Outcome.WON, note=note)
        session.flush()
        session.expire(deal)
        assert deal.close_note == note


@pytest.mark.parametrize("key", ABSURD_IDS)
def test_a_reason_that_is_not_there_is_not_found(session, make, key):
    deal = make.opportunity(stage=S.PROPOSAL)
    before = stored(session)

    for outcome in Outcome:
        with pytest.raises(NotFound, match="This reason to close does not exist"):
            close_opportunity(session, deal.id, outcome=outcome, reason_id=key)

    assert stored(session) == before
    assert_goes_on(session)


@pytest.mark.parametrize("version", [0, -1, 2**31, 2**63, 2**70])
def test_a_version_that_can_not_be_is_a_conflict(session, make, version):
    deal = make.opportunity()

    with pytest.raises(CrmError, match="was changed meanwhile"):
        update_opportunity(session, deal.id, OpportunityUpdate(name="Mine"), expected_version=version)

    assert_goes_on(session)


NAIVE = datetime(2026, 3, 18, 12)  # noqa: DTZ001  # naive on purpose


@every_noun
def test_a_list_as_of_a_naive_instant_is_refused(noun):
    with pytest.raises(ValidationError):
        noun.filter(as_of=NAIVE)


@pytest.mark.parametrize(
    "figure",
    [
        pipeline.totals,
        pipeline.by_stage,
        pipeline.list_totals,
        outcomes.closed_in,
        outcomes.first_day,
        stats.pipeline_stats,
        wins.wins_in,
        opportunity_service.get_pipeline_stats,
        lambda session, as_of: dashboard.overview(session, PeriodChoice.ALL_TIME, as_of=as_of),
    ],
)
def test_a_figure_as_of_a_naive_instant_is_refused(session, figure):
    with pytest.raises(InvalidInput, match="An instant needs a time zone"):
        figure(session, as_of=NAIVE)

    assert_goes_on(session)


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EVER = Period(date.min, date.max)


def deals(**answers):
    """Ask for the list of a filter."""
    return lambda session: get_rows(session, OpportunityFilter(**answers))


QUESTIONS = {
    "limit of nothing": lambda session: get_rows(session, limit=0),
    "negative limit": lambda session: get_rows(session, limit=-1),
    "absurd limit": lambda session: get_rows(session, limit=2**70),
    "negative offset": lambda session: get_rows(session, offset=-1),
    "large offset": lambda session: get_rows(session, offset=2**31),
    "absurd offset": lambda session: get_rows(session, offset=2**70),
    "absurd offset of the history": lambda session: get_history(session, 1, offset=2**70),
    "text with NUL": deals(text="\x00"),
    "text with half a pair": deals(text="\ud800"),
    "long text": deals(text="x" * 201),
    "negative owner": deals(owners={-1, 0}),
    "large owner": deals(owners={2**31}),
    "absurd owner": deals(owners={2**70}),
    "large team": deals(teams={2**31}),
    "absurd team": deals(teams={2**70}),
    "absurd company": deals(companies={2**31, 2**70}),
    "absurd contact": deals(contacts={2**31, 2**70}),
    "absurd reason": deals(close_reasons={2**31, 2**70}),
    "source with NUL": deals(sources={"\x00"}),
    "source with half a pair": deals(sources={"\ud800"}),
    "long source": deals(sources={"x" * 101}),
    "lead's source with NUL": lambda session: lead_service.get_rows(session, LeadFilter(sources={"\x00"})),
    "industry with NUL": lambda session: company_service.get_rows(
        session, CompanyFilter(industries={"\x00"})
    ),
    "country with half a pair": lambda session: company_service.get_rows(
        session, CompanyFilter(countries={"\ud800"})
    ),
    "value that is none": deals(value_from="NaN"),
    "value without end": deals(value_to="Infinity"),
    "absurd value": deals(value_from=10**16),
    "negative value": deals(value_to=-1),
    "absurd choice": lambda session: convert_lead_to_opportunity(
        session, 1, ConversionChoice(company_id=2**70)
    ),
    "many absurd ids": lambda session: delete_opportunities(session, [2**70, -1, 0]),
    "many absurd versions": lambda session: update_opportunities(
        session, [1], OpportunityUpdate(name="Mine"), expected_versions={1: 2**70}
    ),
    "absurd owner of many": lambda session: assign_opportunities(session, [1], owner_id=2**70),
    "merge of absurd ids": lambda session: company_service.merge_companies(session, 2**70, -1),
}
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
DAYS_AND_INSTANTS = {
    "from the first day": deals(created_from=date.min, closed_from=date.min, expected_from=date.min),
    "to the last day": deals(created_to=date.max, closed_to=date.max, expected_to=date.max),
    "as of the first instant": deals(as_of=FIRST),
    "as of the last instant": deals(as_of=LAST, overdue=True, stale=True),
    "overdue as of the first instant": lambda session: pipeline.totals(
        session, OpportunityFilter(stale=True, overdue=True), as_of=FIRST
    ),
    "figures of all days": lambda session: outcomes.closed_in(session, Period(date.min, date.max)),
    "close on the first day": lambda session: close_opportunity(session, 1, outcome=Outcome.WON, on=date.min),
    "close on the last day": lambda session: close_opportunity(session, 1, outcome=Outcome.WON, on=date.max),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_absurd_question_is_answered_or_refused_by_name(session, make, question):
    assert_answered_or_refused(session, make, QUESTIONS[question])


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("question", DAYS_AND_INSTANTS)
def test_the_first_and_the_last_day_are_answered_or_refused_by_name(session, make, question, zone):
    settings_service.get_settings(session).time_zone = zone

    assert_answered_or_refused(session, make, DAYS_AND_INSTANTS[question])


def assert_answered_or_refused(session, make, ask):
    make.opportunity(stage=S.PROPOSAL)
    make.lead(status="qualified", company_name="Acme")

    try:
        answer = ask(session)
    except NAMED as refusal:
        answer = str(refusal)

    assert answer is not None
    assert_goes_on(session)


def test_a_request_id_creates_once_whatever_it_is(session):
    for noun in NOUNS.values():
        for text in (text[:64] for text in NAUGHTY):
            first = noun.create(session, request_id=text)
            assert noun.create(session, request_id=text) is first


def test_what_was_refused_is_repeated_in_no_message(session):
    with pytest.raises(ValidationError) as refused:
        OpportunityCreate(name="secret" * 50, expected_value="secret", description="secret\x00")

    assert "secret" not in str(refused.value)
