"""Values are stored and refused alike on both databases."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, case, select
from sqlalchemy.exc import StatementError

from crm_core.bulk import insert_rows
from crm_core.columns import (
    LARGEST_AMOUNT,
    SMALLEST_AMOUNT,
    TenThousandths,
    exact_amount,
    storable_text,
    total_amount,
)
from crm_core.errors import InvalidInput
from crm_core.models import Contact, Opportunity
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

AMOUNTS = ["0", "0.0001", "0.001", "0.01", "0.1", "19.99", "1.234", "1234567.89", "9999999999999.99"]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_money_comes_back_exactly(session, make, amount):
    deal = make.opportunity(expected_value=Decimal(amount))

    session.refresh(deal)

    assert deal.expected_value == Decimal(amount)
    assert isinstance(deal.expected_value, Decimal)


MORE_THAN_64_BITS_HOLD = 20_000
"""Deals of the largest amount."""


@pytest.fixture
def amounts(session) -> Table:
    """An empty table of amounts in heaps."""
    table = Table("amounts", MetaData(), Column("heap", Integer), Column("amount", TenThousandths))
    table.create(session.connection())
    return table


def pile_up(session, table, heaps: dict[int, list[Decimal | None]]) -> None:
    rows = [{"heap": heap, "amount": amount} for heap, inside in heaps.items() for amount in inside]
    insert_rows(session, table, rows)


def test_a_total_of_money_is_exact(session, make):
    for _ in range(10):
        make.opportunity(expected_value=Decimal("0.10"))
    make.opportunity(expected_value=LARGEST_AMOUNT)

    total = session.scalar(select(total_amount(Opportunity.expected_value)))

    assert total == LARGEST_AMOUNT + 1
    assert isinstance(total, Decimal)


def test_a_total_is_exact_where_64_bits_do_not_hold_it(session, amounts):
    pile_up(session, amounts, {1: [LARGEST_AMOUNT] * MORE_THAN_64_BITS_HOLD + [SMALLEST_AMOUNT]})

    total = session.scalar(select(total_amount(amounts.c.amount)))

    assert total == LARGEST_AMOUNT * MORE_THAN_64_BITS_HOLD + SMALLEST_AMOUNT


@pytest.mark.parametrize("inside", [[], [None], [None, None]])
def test_where_there_is_nothing_to_add_there_is_no_total(session, amounts, inside):
    pile_up(session, amounts, {1: inside})

    assert session.scalar(select(total_amount(amounts.c.amount))) is None


def test_zero_is_a_total(session, amounts):
    pile_up(session, amounts, {1: [None, Decimal(0)]})

    assert session.scalar(select(total_amount(amounts.c.amount))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_totals_agree_with_a_recount(session, amounts, seed):
    chance = random.Random(seed)
    around_32_bits = [Decimal(2**32 + step) * SMALLEST_AMOUNT for step in (-1, 0, 1)]
    kinds = [
        lambda: None,
        lambda: Decimal(0),
        lambda: chance.randint(0, 1000) * SMALLEST_AMOUNT,
        lambda: chance.choice(around_32_bits),
        lambda: LARGEST_AMOUNT - chance.randint(0, 1000) * SMALLEST_AMOUNT,
        lambda: -chance.randint(0, 10**17 - 100) * SMALLEST_AMOUNT,
    ]
    heaps = {
        heap: [chance.choice(kinds[: 1 + heap % len(kinds)])() for _ in range(chance.randint(1, 400))]
        for heap in range(24)
    }
    pile_up(session, amounts, heaps)

    total = total_amount(amounts.c.amount)
    positive = total_amount(case((amounts.c.amount > 0, amounts.c.amount)))
    found = session.execute(select(amounts.c.heap, total, positive).group_by(amounts.c.heap))

    assert {heap: sums for heap, *sums in found} == {
        heap: [recounted(inside), recounted(amount for amount in inside if amount is None or amount > 0)]
        for heap, inside in heaps.items()
    }


def recounted(amounts) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def test_totals_sort_by_size_on_both_sides_of_64_bits(session, amounts):
    largest_integer = Decimal(2**63 - 1) * SMALLEST_AMOUNT
    whole, rest = divmod(largest_integer, LARGEST_AMOUNT)
    up_to_the_edge = [LARGEST_AMOUNT] * int(whole) + [rest]
    heaps = {
        1: [LARGEST_AMOUNT] * MORE_THAN_64_BITS_HOLD,
        2: [SMALLEST_AMOUNT],
        3: [*up_to_the_edge, SMALLEST_AMOUNT],
        4: up_to_the_edge,
    }
    pile_up(session, amounts, heaps)

    total = total_amount(amounts.c.amount)
    found = session.execute(select(amounts.c.heap, total).group_by(amounts.c.heap).order_by(total)).all()

    assert [heap for heap, _ in found] == [2, 4, 3, 1]
    assert [total for _, total in found][1:3] == [largest_integer, largest_integer + SMALLEST_AMOUNT]


@pytest.mark.parametrize(
    ("given", "amount"), [("0.0001", "0.0001"), ("2.675", "2.675"), ("1e2", "100"), ("1.000000", "1")]
)
def test_an_amount_stays_what_it_is(given, amount):
    assert exact_amount(given) == Decimal(amount)


@pytest.mark.parametrize("amount", ["0.00001", "0.00005", "19.999999999999996", Decimal("1e-30")])
def test_an_amount_that_is_too_fine_is_refused_and_not_rounded(amount):
    with pytest.raises(InvalidInput, match="at most 4 decimals"):
        exact_amount(amount)


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


@pytest.mark.parametrize("texts", [(), ("a",), ("b", " a ", "Ω\r;,"), ("x" * 50,) * 50])
def test_several_texts_come_back_exactly_and_in_order(session, make, texts):
    contact = make.contact(other_phones=texts)

    session.refresh(contact)

    assert contact.other_phones == texts
    assert session.scalars(select(Contact.id).where(Contact.other_phones == texts)).all() == (
        [contact.id] if texts else []
    )
    states = select(Contact.other_phones.is_(None))
    assert session.scalars(states).one() is (texts == ())


def test_nothing_given_is_no_text(session, make):
    contact = make.contact()
    assert (contact.other_emails, contact.other_phones) == ((), ())

    session.refresh(contact)

    assert (contact.other_emails, contact.other_phones) == ((), ())


@pytest.mark.parametrize("texts", [("",), ("a\nb",), ("a\x00",), ("\ud800",)])
def test_what_is_not_one_line_of_several_is_refused(make, texts):
    with pytest.raises(StatementError, match=r"Each text of a list is one line|Text can't contain"):
        make.contact(other_phones=texts)
