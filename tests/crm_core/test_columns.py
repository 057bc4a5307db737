"""Values are stored and refused alike on both databases."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import StatementError

from crm_core.columns import LARGEST_AMOUNT, exact_amount, lowered, storable_text
from crm_core.errors import InvalidInput
from crm_core.models import Company, Opportunity
from tests.conftest import NOW

AMOUNTS = ["0", "0.01", "0.1", "19.99", "1234567.89", "9999999999999.99"]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_money_comes_back_exactly(session, make, amount):
    deal = make.opportunity(expected_value=Decimal(amount))

    session.refresh(deal)

    assert deal.expected_value == Decimal(amount)
    assert isinstance(deal.expected_value, Decimal)


def test_sums_of_money_are_exact(session, make):
    for _ in range(10):
        make.opportunity(expected_value=Decimal("0.10"))
    make.opportunity(expected_value=LARGEST_AMOUNT)

    total = session.scalar(select(func.sum(Opportunity.expected_value)))

    assert total == LARGEST_AMOUNT + 1


@pytest.mark.parametrize(
    ("given", "kept"), [("0.005", "0.01"), ("0.004", "0.00"), ("2.675", "2.68"), ("1e2", "100")]
)
def test_an_amount_is_rounded_half_up_to_minor_units(given, kept):
    assert exact_amount(given) == Decimal(kept)


@pytest.mark.parametrize(
    "amount", [0.1, "NaN", "Infinity", "-Infinity", "1e400", "10000000000000", "twelve", ""]
)
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(InvalidInput):
        exact_amount(amount)


@pytest.mark.parametrize("hours", [0, 2, -11])
def test_an_instant_comes_back_in_utc(session, make, hours):
    instant = datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=hours)))
    company = make.company(created_at=instant)

    session.refresh(company)

    assert company.created_at == instant
    assert company.created_at.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(make):
    with pytest.raises(StatementError, match="time zone"):
        make.company(created_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "a\udfff"])
def test_text_that_one_database_can_not_carry_is_refused(make, text):
    with pytest.raises(StatementError, match="can't contain"):
        make.company(description=text)


def test_a_line_that_is_too_long_is_refused(make):
    with pytest.raises(StatementError, match="201 characters long; at most 200 fit"):
        make.company("x" * 201)


def test_the_longest_line_is_counted_in_characters_not_in_bytes(session, make):
    company = make.company("𝄞" * 200)

    session.refresh(company)

    assert company.name == "𝄞" * 200


@pytest.mark.parametrize(
    "text", ["", " ", "“Ж𝄞”", "%_\\", "'; DROP TABLE users; --", "=1+1", "a\r\nb\tc", "\ufeffx"]
)
def test_any_other_text_comes_back_exactly(session, make, text):
    company = make.company(description=text)

    session.refresh(company)

    assert company.description == text


def test_every_naughty_string_is_refused_or_comes_back_exactly(session, make, shared_data: Path):
    strings = json.loads((shared_data / "naughty_strings" / "blns.json").read_text())
    companies = [(make.company(description=storable_text(text)), text) for text in strings]

    session.expire_all()

    assert [company.description for company, _ in companies] == strings
    assert len(strings) > 500


@pytest.mark.parametrize(("name", "wanted"), [("ÉCLAIR", "éclair"), ("Жук", "жук"), ("ΑΘΗΝΑ", "αθηνα")])
def test_lower_case_knows_every_script(session, make, name, wanted):
    make.company(name)

    found = session.scalars(select(Company.name).where(lowered(Company.name).contains(wanted)))

    assert found.all() == [name]
