"""What comes in and goes out fits the tables, and is refused before a database would."""

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from crm_core.columns import Line, LongText
from crm_core.filters import OpportunityFilter
from crm_core.models import (
    CloseReason,
    Company,
    Contact,
    Lead,
    Note,
    Opportunity,
    Outcome,
    Settings,
    StageSettings,
    Team,
    User,
    Visibility,
)
from crm_core.schemas import company, contact, lead, note, opportunity, saved_view, settings, team, user
from crm_core.schemas.conversion import ConversionChoice
from crm_core.schemas.fields import LARGEST_ID, shows_something, trimmed
from tests.conftest import NOW

NOUNS = {
    Company: (company.CompanyCreate, company.CompanyUpdate, company.CompanyResponse),
    Contact: (contact.ContactCreate, contact.ContactUpdate, contact.ContactResponse),
    Lead: (lead.LeadCreate, lead.LeadUpdate, lead.LeadResponse),
    Opportunity: (
        opportunity.OpportunityCreate,
        opportunity.OpportunityUpdate,
        opportunity.OpportunityResponse,
    ),
    User: (user.UserCreate, user.UserUpdate, user.UserResponse),
    Team: (team.TeamCreate, team.TeamUpdate, team.TeamResponse),
    Note: (note.NoteCreate, note.NoteResponse),
    CloseReason: (settings.CloseReasonCreate, settings.CloseReasonUpdate, settings.CloseReasonResponse),
    Settings: (settings.SettingsUpdate, settings.SettingsResponse),
    StageSettings: (settings.StageSettingsUpdate, settings.StageSettingsResponse),
}
JOINED = {"author_name", "company_name", "contact_name", "owner_name", "record_name"}
"""Names that a response takes from the records beside it."""

CHECKED = {"currency"}
"""What is held against the workspace, and not stored."""

WRITTEN_BY_PEOPLE = [Company, Contact, Lead, Opportunity, User, Team, Note, CloseReason]

INPUTS = [schema for schemas in NOUNS.values() for schema in schemas[:-1]]

BLANKS = ["", " ", "\t\r\n", "\u00a0\u3000", "\u200b\ufeff", "\u202a\u202c", "\u3164"]
"""What shows nothing."""

EXACT = {"description", "next_step", "request_id", "text"}
"""Fields whose text stays as it is, blanks at its ends included."""

SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
"""Its flag, which ends with characters that show nothing by themselves."""

HOSTILE = [
    *BLANKS,
    "\x00",
    "a\x00b",
    " \x00 ",
    "\ud800",
    "a\udfff",
    "\x1b[31m",
    "a\r\nb\tc",
    " kept as typed ",
    "\u202eevil\u202c",
    "שלום עולם",
    "e\u0301",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0360l\u0321g\u0321o\u033d",
    "👩‍👩‍👧‍👦",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "\ufdd0\uffff\U0010ffff",
    "İıſßΣς",
    "%_\\'\"; DROP TABLE users; --",
    "=1+1",
    "<script>alert(1)</script>",
    "![x](http://example.com)",
    "𝄞" * 50,
    "x" * 200,
    "x" * 201,
]

ADDRESSES = [
    "ada@example.com",
    "Ada.Lovelace+crm@Example.COM",
    "o'hara@example.co.uk",
    "josé@bücher.de",
    "用户@例え.jp",
    "ada@brightpath.example",
    f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com",
]

NO_ADDRESSES = [
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@localhost",
    "ada@@example.com",
    "a..b@example.com",
    "ada lovelace@example.com",
    "Ada <ada@example.com>",
    "mailto:ada@example.com",
    "ada@example.com, grace@example.com",
    "ada@[127.0.0.1]",
    "ada@-example.com",
    "a\u200bda@example.com",
    "ada@example.com\x00",
    "\x00",
    f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 58}.com",
]

WEBSITES = {
    "https://www.acme.com": "acme.com",
    "http://Acme.com:8080/en?from=crm#top": "acme.com",
    "HTTPS://shop.acme.co.uk/": "shop.acme.co.uk",
    "acme.com": "acme.com",
    "WWW.Acme.COM.": "acme.com",
    "www.com": "www.com",
    "www.www.acme.com": "acme.com",
    "acme.com/@team": "acme.com",
    "my_shop.acme.com": "my_shop.acme.com",
    "bücher.de": "bücher.de",
    "xn--bcher-kva.de": "xn--bcher-kva.de",
    "हिन्दी.भारत": "हिन्दी.भारत",
}
"""And the domain of each."""

NO_WEBSITES = [
    "javascript:alert(1)",
    "JavaScript://acme.com/%0aalert(1)",
    "data:text/html,acme.com",
    "file:///etc/passwd",
    "ftp://acme.com",
    "mailto:ada@acme.com",
    "//acme.com",
    "httpſ://acme.com",
    "https://acme.com@evil.com",
    "https://ada:secret@acme.com",
    "https://acme.com\\@evil.com",
    "https://acme.com\n.evil.com",
    "https://",
    "Acme",
    "localhost",
    "http://127.0.0.1",
    "http://[::1]",
    "-acme.com",
    "acme..com",
    "*.acme.com",
    "acme .com",
    "ac\u200bme.com",
    "acme.com\x00",
    f"{'a' * 64}.com",
    f"{'a.' * 126}com",
]


def ids_of(schema):
    return [name for name in schema.model_fields if name.endswith("_id") and name != "request_id"]


def texts_of(model, schema):
    columns = model.__table__.columns
    stored = [name for name in schema.model_fields if name not in CHECKED]
    return [name for name in stored if isinstance(columns[name].type, (Line, LongText))]


def refused(schema, answers):
    """The fields of the answers that are refused; those that merely miss don't count."""
    try:
        schema.model_validate(answers)
    except ValidationError as error:
        return {details["loc"][0] for details in error.errors()} & answers.keys()
    return set()


def test_every_field_is_a_column():
    for model, schemas in NOUNS.items():
        columns = {column.name for column in model.__table__.columns}
        for schema in schemas:
            assert set(schema.model_fields) - JOINED - CHECKED <= columns, schema


def test_a_text_is_no_longer_than_its_column():
    for model, (create, *_) in NOUNS.items():
        limits = {
            column.name: column.type.impl.length
            for column in model.__table__.columns
            if column.name in create.model_fields and isinstance(column.type, Line)
        }
        too_long = {name: "x" * (limit + 1) for name, limit in limits.items()}
        assert refused(create, too_long) == set(limits), create


def test_what_was_created_is_answered(session):
    for model in (Company, Contact, Lead, User, Team):
        create, _, response = NOUNS[model]
        record = model(**create(name="Acme").model_dump())
        session.add(record)
        session.flush()  # gives it its id
        assert response.model_validate(record).name == "Acme", model


def test_a_name_that_is_none_is_refused():
    for model in (Company, Contact, Lead, Opportunity, User, Team):
        for schema in NOUNS[model][:2]:
            for name in (*BLANKS, "a\x00b", "\ud800", "x" * 201):
                assert refused(schema, {"name": name}) == {"name"}, (schema, name)


def test_a_name_is_taken_as_it_is_typed():
    inside = ("A  cme", "A\u200bcme", "👩‍👩‍👧‍👦", "e\u0301", "Acme ❤\ufe0f", SCOTLAND)
    for name in ("x" * 200, "𝄞" * 200, *inside):
        assert company.CompanyCreate(name=name).name == name


@pytest.mark.parametrize("blank", [*filter(None, BLANKS), "\u200b \ufe0f", "\u2060\u00ad\u200f"])
def test_a_name_loses_what_was_pasted_around_it(blank):
    around = blank + "Ada\u00a0& Co" + blank
    person = {"name": "Ada", "email": "ada@example.com"}

    for schema, field, more in (
        *((NOUNS[model][0], "name", {}) for model in (Company, Contact, Lead, Opportunity, User, Team)),
        *((NOUNS[model][1], "name", {}) for model in (Company, Contact, Lead, Opportunity, User, Team)),
        (contact.ContactCreate, "phone", person),
        (contact.ContactUpdate, "job_title", {}),
        (lead.LeadCreate, "company_name", person),
        (opportunity.OpportunityUpdate, "source", {}),
        (company.CompanyUpdate, "industry", {}),
        (settings.CloseReasonCreate, "label", {"outcome": "won"}),
        (settings.CloseReasonUpdate, "label", {}),
        (saved_view.SavedViewUpdate, "name", {}),
        (ConversionChoice, "name", {}),
        (OpportunityFilter, "text", {}),
    ):
        assert getattr(schema(**more | {field: around}), field) == "Ada\u00a0& Co", (schema, field)


def test_how_long_a_name_is_counts_without_what_was_pasted_around_it():
    assert company.CompanyCreate(name="\u200b" + "x" * 200 + "  ").name == "x" * 200
    assert refused(company.CompanyCreate, {"name": " " + "x" * 201}) == {"name"}
    assert company.CompanyCreate.model_json_schema()["properties"]["name"] == {
        "title": "Name",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
    }


def test_a_text_of_several_lines_stays_as_it_is():
    for text in (" a\n", "\u200ba"):
        assert note.NoteCreate(text=text).text == text
        assert company.CompanyCreate(name="Acme", description=text).description == text


def test_a_filter_finds_a_source_that_was_written_before_as_it_is():
    assert OpportunityFilter(sources={" Fair "}).sources == {" Fair "}


def test_a_text_that_must_be_there_is_not_blank():
    for schema, field in (
        (note.NoteCreate, "text"),
        (settings.CloseReasonCreate, "label"),
        (settings.CloseReasonUpdate, "label"),
    ):
        for blank in BLANKS:
            assert refused(schema, {field: blank}) == {field}, (schema, blank)


def test_what_is_not_sent_is_not_what_is_emptied():
    changes = company.CompanyUpdate(website=None)

    assert changes.model_fields_set == {"website"}
    assert changes.model_dump() == {"website": None}


def test_nothing_typed_is_unknown():
    for model in (Company, Contact, Lead, Opportunity, User):
        for schema in NOUNS[model][:2]:
            optional = [name for name in texts_of(model, schema) if name not in {"name", "request_id"}]
            for blank in BLANKS:
                draft = schema(name="Acme", **dict.fromkeys(optional, blank))
                found = draft.model_dump(include=set(optional))
                assert found == dict.fromkeys(optional), (schema, blank)


def test_two_requests_are_not_the_same_because_their_ids_are_blank():
    for model in (Company, Contact, Lead, Opportunity, Note):
        create = NOUNS[model][0]
        for blank in BLANKS:
            assert refused(create, {"request_id": blank}) == {"request_id"}, (create, blank)


@pytest.mark.both_databases
@pytest.mark.parametrize("model", WRITTEN_BY_PEOPLE)
def test_hostile_text_is_refused_or_comes_back_exactly(session, make, model):
    assert_comes_back(session, make, model, HOSTILE)


@pytest.mark.parametrize("model", WRITTEN_BY_PEOPLE)
def test_every_naughty_string_is_refused_or_comes_back_exactly(session, make, model, shared_data: Path):
    strings = json.loads((shared_data / "naughty_strings" / "blns.json").read_text())

    assert_comes_back(session, make, model, strings)


def assert_comes_back(session, make, model, texts):
    """Store each text in every field that takes it; what is read back is what was typed, names trimmed."""
    create = NOUNS[model][0]
    fields = set(texts_of(model, create))
    beside = {
        Opportunity: {"probability": 10},
        CloseReason: {"outcome": Outcome.WON},
        Note: {"company_id": make.company().id, "created_at": NOW},
    }.get(model, {})
    records = []
    for number, text in enumerate({trimmed(text) or text: text for text in texts}.values()):
        typed = dict.fromkeys(fields - refused(create, dict.fromkeys(fields, text)), text)
        missing = dict.fromkeys(fields & {"name", "label", "text"} - typed.keys(), f"Record {number}")
        given = {"outcome": "won"} if model is CloseReason else {}
        kept = create(**missing, **typed, **given).model_dump(include=fields)
        records.append((model(**kept, **beside), typed, kept))
    session.add_all(record for record, _, _ in records)
    session.flush()
    session.expire_all()

    for record, typed, kept in records:
        assert {name: getattr(record, name) for name in fields} == kept
        assert all(is_as_typed(name, text, kept[name]) for name, text in typed.items())


def is_as_typed(name, text, kept):
    """A domain is brought into one form; what shows nothing may be unknown."""
    if kept is None:
        return text in BLANKS or not any(character.isprintable() and character != " " for character in text)
    if name == "domain":
        return kept in text.lower()
    if name in EXACT:
        return kept == text
    before, _, after = text.partition(kept)
    return kept in text and not shows_something(before + after) and kept == trimmed(kept)


def test_an_e_mail_address_stays_as_it_is_typed():
    for address in ADDRESSES:
        assert contact.ContactCreate(name="Ada", email=address).email == address
        assert contact.ContactUpdate(email=f"\u202a {address}\t\u200b").email == address


def test_what_is_no_e_mail_address_is_refused():
    for model in (Contact, Lead, User):
        for schema in NOUNS[model][:2]:
            for address in NO_ADDRESSES:
                assert refused(schema, {"email": address}) == {"email"}, (schema, address)


def test_a_domain_is_what_names_the_company_in_an_address():
    for website, domain in WEBSITES.items():
        pasted = company.CompanyCreate(name="Acme", website=f" {website}\u200b")

        assert (pasted.website, pasted.domain) == (website, domain)
        assert company.CompanyCreate(name="Acme", domain=website).domain == domain
        assert company.CompanyUpdate(domain=website).domain == domain
        assert company.CompanyUpdate(domain=domain).domain == domain


def test_what_is_no_address_on_the_web_is_refused():
    for address in NO_WEBSITES:
        typed = {"website": address, "domain": address}
        for schema in (company.CompanyCreate, company.CompanyUpdate):
            assert refused(schema, typed) == set(typed), (schema, address)


def test_a_website_is_at_most_as_long_as_its_column():
    longest = "https://acme.com/".ljust(500, "x")

    assert company.CompanyCreate(name="Acme", website=longest).website == longest
    assert refused(company.CompanyCreate, {"website": f"{longest}x"}) == {"website"}


def test_a_domain_that_is_given_is_not_guessed_from_the_website():
    draft = company.CompanyCreate(name="Acme", website="https://acme.io", domain="acme.com")

    assert draft.domain == "acme.com"


def test_another_website_does_not_change_the_domain():
    changes = company.CompanyUpdate(website="https://acme.io")

    assert changes.model_dump() == {"website": "https://acme.io"}


def test_what_can_be_no_key_is_refused():
    for schema in INPUTS:
        keys = ids_of(schema)
        for wrong in (0, -1, 2**31, 2**63, 2**64, "9" * 5000, 1.5, float("inf"), True, "me"):
            assert refused(schema, dict.fromkeys(keys, wrong)) == set(keys), (schema, wrong)


def test_the_largest_key_can_be_asked_for(session):
    manager_id = team.TeamCreate(name="North", manager_id=LARGEST_ID).manager_id

    assert session.get(User, manager_id) is None


def test_the_first_and_the_last_day_of_the_calendar_come_back(session, make):
    for day in (date.min, date.max):
        draft = opportunity.OpportunityCreate(name="Solar roof", expected_close_date=day.isoformat())
        deal = make.opportunity(expected_close_date=draft.expected_close_date)

        session.refresh(deal)

        assert deal.expected_close_date == day


def test_a_refusal_does_not_repeat_what_was_typed():
    for schema, field in (
        (contact.ContactCreate, "email"),
        (company.CompanyCreate, "website"),
        (company.CompanyCreate, "domain"),
        (company.CompanyCreate, "owner_id"),
        (settings.SettingsUpdate, "currency"),
        (settings.SettingsUpdate, "time_zone"),
        (settings.SettingsUpdate, "locale"),
        (settings.StageSettingsUpdate, "default_probability"),
    ):
        with pytest.raises(ValidationError, match=field) as refusal:
            schema.model_validate({field: "secret"})
        assert "secret" not in str(refusal.value)


def test_settings_that_make_sense_are_stored(session):
    workspace = session.get_one(Settings, 1)

    for name, typed, stored in (
        ("currency", "CHF", "CHF"),
        ("time_zone", "America/Argentina/ComodRivadavia", "America/Argentina/ComodRivadavia"),
        ("locale", "en-US", "en_US"),
        ("locale", "DE_ch", "de_CH"),
        ("locale", "zh_Hant_TW", "zh_Hant_TW"),
        ("locale", "ca_ES_VALENCIA", "ca_ES_VALENCIA"),
        ("locale", "de_DE@currency=CHF", "de_DE"),
        ("locale", "fr", "fr"),
        ("country", "CH", "CH"),
        ("fiscal_year_start_month", 12, 12),
        ("probability_follows_stage", False, False),
        ("visibility", "team", Visibility.TEAM),
    ):
        for field, value in settings.SettingsUpdate(**{name: typed}).model_dump().items():
            setattr(workspace, field, value)
        session.flush()
        session.refresh(workspace)
        assert getattr(settings.SettingsResponse.model_validate(workspace), name) == stored


NO_SETTINGS = {
    "currency": ["", "usd", "US", "ABC", "$", "USD ", "\x00", "\ud800", None],
    "time_zone": ["", "Zurich", "europe/zurich", "../UTC", "localtime", "+01:00"],
    "locale": ["", "english", "xx_YY", "en_XX", "../en", "\x00", "en_US" * 9, None],
    "country": ["", "ch", "CHE", "XX", "Switzerland", "\x00", None],
    "fiscal_year_start_month": [0, 13, 1.5, True, "May", None],
    "probability_follows_stage": [None],
    "visibility": ["nobody"],
    "has_demo_data": [False],
}


def test_settings_that_make_no_sense_are_refused():
    for field, values in NO_SETTINGS.items():
        for wrong in values:
            assert refused(settings.SettingsUpdate, {field: wrong}) == {field}, (field, wrong)


def test_a_stage_has_limits():
    for field, least, most in (("default_probability", 0, 100), ("stale_after_days", 1, 3650)):
        for value in (least, most):
            assert getattr(settings.StageSettingsUpdate(**{field: value}), field) == value
        for value in (least - 1, most + 1, True):
            assert refused(settings.StageSettingsUpdate, {field: value}) == {field}


def test_a_stage_whose_deals_are_never_stale_has_no_days():
    assert settings.StageSettingsUpdate(stale_after_days=None).model_dump() == {"stale_after_days": None}


def test_settings_are_answered_as_they_are(session):
    stage = session.get_one(StageSettings, "proposal")
    reason = CloseReason(outcome=Outcome.LOST, label="Too late")
    session.add(reason)
    session.flush()

    assert settings.StageSettingsResponse.model_validate(stage).default_probability == 50
    assert settings.CloseReasonResponse.model_validate(reason).model_dump() == {
        "id": reason.id,
        "outcome": Outcome.LOST,
        "label": "Too late",
        "needs_note": False,
        "counts": True,
        "is_active": True,
    }


def test_the_outcome_of_a_reason_does_not_change():
    assert refused(settings.CloseReasonUpdate, {"outcome": "won"}) == {"outcome"}
