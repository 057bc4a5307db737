"""A list read page by page holds every row once, whoever adds and deletes meanwhile."""

import base64
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_core import listing
from crm_core.cursor import ForeignCursor
from crm_core.filters import EVERYTHING
from crm_core.models import OPEN_STAGES
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services.opportunity_service import delete_opportunity
from crm_core.sorting import OpportunitySort
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases


@pytest.fixture
def deals(make) -> list[int]:
    company, owner = make.company("Acme"), make.user("Rita")
    return [
        make.opportunity(
            name=("Roof", "roof", "Ärger", "")[number % 4] or f"Deal {number}",
            stage=OPEN_STAGES[number % 4],
            expected_value=Decimal(number % 3) if number % 5 else None,
            expected_close_date=NOW.date() + timedelta(number % 2) if number % 3 else None,
            company_id=company.id if number % 2 else None,
            owner_id=owner.id if number % 4 else None,
            created_at=NOW - timedelta(days=number % 3),
        ).id
        for number in range(17)
    ]


def pages(session, sort: OpportunitySort, *, meanwhile=lambda: None) -> list[int]:
    """The ids of every page, one after the other."""
    ids, after = [], None
    while True:
        page = listing.get_page(session, EVERYTHING, sort, OpportunityResponse, limit=4, after=after)
        ids += [row.id for row in page.rows]
        after = page.next_cursor
        if after is None:
            return ids
        meanwhile()


@pytest.mark.parametrize("sort", OpportunitySort)
def test_pages_follow_each_other_in_every_order(session, deals, sort):
    whole = listing.get_rows(session, EVERYTHING, sort, OpportunityResponse, limit=200)

    assert pages(session, sort) == [row.id for row in whole]
    assert sorted(row.id for row in whole) == sorted(deals)


def test_what_is_added_and_deleted_meanwhile_moves_no_page(session, make, deals):
    first = listing.get_rows(session, EVERYTHING, OpportunitySort.NAME, OpportunityResponse, limit=4)
    doomed = [row.id for row in first]

    def meanwhile() -> None:
        make.opportunity(name="Aaa")
        if doomed:
            delete_opportunity(session, doomed.pop())

    found = pages(session, OpportunitySort.NAME, meanwhile=meanwhile)

    assert sorted(found) == sorted(deals)


def test_every_row_is_the_whole_list(session, deals, monkeypatch):
    monkeypatch.setattr(listing, "BATCH", 3)
    rows = listing.every_row(session, EVERYTHING, OpportunitySort.VALUE, OpportunityResponse)

    assert [row.id for row in rows] == pages(session, OpportunitySort.VALUE)


def written(*told: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "\ud800",
        written("name", "roof", 1),
        written("value", "much", 1),
        written("value", "1", 0),
        written("value", "1", 2**70),
        written("value", "1", "one"),
        written("value", ["1"], 1),
        written("value", "1"),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_cursor_of_another_list_is_refused(session, deals, cursor):
    with pytest.raises(ForeignCursor, match="Begin at its first page"):
        listing.get_page(
            session, EVERYTHING, OpportunitySort.VALUE, OpportunityResponse, limit=4, after=cursor
        )
