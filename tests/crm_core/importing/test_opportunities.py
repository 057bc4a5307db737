"""What becomes of a row: its states, and the companies and people it names."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from crm_core import history
from crm_core.database import Database
from crm_core.importing.report import Count
from crm_core.models import Company, Contact, Opportunity, Role, User
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make
from tests.crm_core.importing.conftest import (
    AT,
    GOOD,
    ImportLines,
    all_deals,
    every_row,
    small_mapping,
    states_of,
    with_columns,
)

pytestmark = pytest.mark.both_databases

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_closed_deal_was_open_from_its_start_to_its_close(
    database: Database, import_lines: ImportLines
) -> None:
    import_lines("W1,Pump,Acme,Rita Rep,Won,10,2024-01-02,2024-03-04")

    before, after = states_of(database, "Pump")
    assert (before.stage, before.probability, before.closed_at, before.credited_owner_id) == (
        "qualification",
        10,
        None,
        None,
    )
    assert (after.stage, after.probability, after.actual_close_date) == ("closed_won", 100, date(2024, 3, 4))
    assert before.valid_from == before.created_at == datetime(2024, 1, 2, tzinfo=UTC)
    assert (
        before.valid_to == after.valid_from == after.closed_at == datetime(2024, 3, 4, 23, 59, 59, tzinfo=UTC)
    )
    assert before.owner_id == after.owner_id == after.credited_owner_id is not None
    assert (before.expected_value, after.expected_value) == (10, 10)


def test_days_are_the_workspaces(database: Database, import_lines: ImportLines) -> None:
    with database.write(at=AT - timedelta(days=1)) as session:
        settings_service.get_settings(session).time_zone = BERLIN.key

    import_lines("W1,Pump,,,Won,10,2024-07-01,2024-07-02")

    (deal,) = all_deals(database)
    assert deal.created_at == datetime(2024, 7, 1, 0, 0, 0, tzinfo=BERLIN)
    assert deal.closed_at == datetime(2024, 7, 2, 23, 59, 59, tzinfo=BERLIN)


def test_a_time_of_day_is_kept(database: Database, import_lines: ImportLines) -> None:
    formats = small_mapping(date_formats=["%Y-%m-%d", "%m/%d/%y %I:%M %p"])

    import_lines("W1,Pump,,,Won,10,02/23/24 08:55 PM,02/23/24 09:05 PM", mapping=formats)

    (deal,) = all_deals(database)
    assert deal.created_at == datetime(2024, 2, 23, 20, 55, tzinfo=UTC)
    assert deal.closed_at == datetime(2024, 2, 23, 21, 5, tzinfo=UTC)


def test_without_a_start_an_open_deal_starts_with_the_import(
    database: Database, import_lines: ImportLines
) -> None:
    import_lines("O1,Pump,Acme,,Open,10,,", "L1,Valve,,,Lost,10,,2024-03-04")

    pump, valve = all_deals(database)
    assert pump.created_at == AT
    assert valve.created_at == datetime(2024, 3, 4, tzinfo=UTC)


def test_closed_today_is_closed_by_now(database: Database, import_lines: ImportLines) -> None:
    import_lines("W1,Pump,,,Won,10,2026-11-22,2026-11-22")

    (deal,) = all_deals(database)
    assert (deal.closed_at, deal.actual_close_date) == (AT, date(2026, 11, 22))


def test_ended_in_the_instant_it_began(database: Database, import_lines: ImportLines) -> None:
    times = small_mapping(date_formats=["%Y-%m-%d %H:%M"])

    import_lines("W1,Pump,,,Won,10,2024-01-02 10:00,2024-01-02 10:00", mapping=times)

    assert [state.stage for state in states_of(database, "Pump")] == ["closed_won"]


def test_a_start_after_the_close_can_be_moved(database: Database, import_lines: ImportLines) -> None:
    report = import_lines(
        "L1,Pump,,,Lost,10,2024-01-03,2024-01-02", mapping=small_mapping(start_no_later_than_close=True)
    )

    (deal,) = all_deals(database)
    assert deal.created_at == datetime(2024, 1, 2, tzinfo=UTC)
    assert "Deals closed before they were created, which now start on the day of their close: 1." in str(
        report
    )


def test_blank_and_unknown_are_not_zero(database: Database, import_lines: ImportLines) -> None:
    zero_is_unknown = small_mapping(unknown={"expected_value": ["0", "N/A"]})

    import_lines("1,A,,,Open,,,", "2,B,,,Open,n/a,,", "3,C,,,Open,0,,", mapping=zero_is_unknown)
    import_lines("4,D,,,Open,0,,")

    assert [deal.expected_value for deal in all_deals(database)] == [None, None, None, 0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1234", "1234"),
        ('"1,234.50"', "1234.50"),
        ('"$1,234,567.5"', "1234567.50"),
        ('"1,234.50 $"', "1234.50"),
        ("USD 7", "7"),
        (".5", "0.50"),
        ("9999999999999.99", "9999999999999.99"),
    ],
)
def test_amounts_as_people_write_them(
    database: Database, import_lines: ImportLines, cell: str, value: str
) -> None:
    import_lines(f"1,Pump,,,Open,{cell},,")

    assert [deal.expected_value for deal in all_deals(database)] == [Decimal(value)]


def test_companies_and_owners_are_matched_whatever_the_case_and_spacing(
    database: Database, import_lines: ImportLines
) -> None:
    with database.write(at=AT - timedelta(days=1)) as session:
        make = Make(session)
        acme = make.company("Acme Ltd").id
        make.company("Gone").deleted_at = AT - timedelta(days=1)
        rita = make.user("Rita Rep", email="rita@example.com").id

    report = import_lines(
        "1,A,acme  LTD,RITA rep,Open,,,",
        "2,B,Acme Ltd, Rita@Example.com ,Open,,,",
        "3,C,Gone,new@example.com,Open,,2024-05-02,",
        "4,D,gone,NEW@example.com,Open,,2024-05-01,",
    )

    deals = all_deals(database)
    assert report.companies == report.owners == Count(created=1, matched=1)
    assert [deal.company_id for deal in deals[:2]] == [acme, acme]
    assert [deal.owner_id for deal in deals[:2]] == [rita, rita]
    with database.read() as session:
        owner = session.get_one(User, deals[2].owner_id)
        company = session.get_one(Company, deals[3].company_id)
        assert (owner.name, owner.email, owner.role) == ("new@example.com", "new@example.com", Role.REP)
        assert (company.name, company.created_at) == ("Gone", datetime(2024, 5, 1, tzinfo=UTC))


def test_contacts_are_matched_within_their_company(database: Database, import_lines: ImportLines) -> None:
    contacts = with_columns(contact="person")
    header = "key,title,customer,seller,state,worth,from,to,person"

    report = import_lines(
        "1,A,Acme,,Open,,,,Ada",
        "2,B,ACME,,Open,,,,ada",
        "3,C,Other,,Open,,,,Ada",
        "4,D,,,Open,,,,Ada",
        header=header,
        mapping=contacts,
    )

    assert report.contacts == Count(created=3)
    assert "Contacts: 3 created, 0 matched." in str(report)
    with database.read() as session:
        companies = session.scalars(select(Contact.company_id).order_by(Contact.id)).all()
    assert companies == [all_deals(database)[number].company_id for number in (0, 2, 3)]


def test_a_known_reason_is_taken_and_another_kept_as_a_note(
    database: Database, import_lines: ImportLines
) -> None:
    reasons = with_columns(close_reason="why")
    header = "key,title,customer,seller,state,worth,from,to,why"

    import_lines(
        "1,A,,,Lost,,,2024-01-02, PRICE ", "2,B,,,Lost,,,2024-01-02,Aliens", header=header, mapping=reasons
    )

    price, aliens = all_deals(database)
    with database.read() as session:
        assert settings_service.get_close_reason(session, price.close_reason_id).label == "Price"
    assert price.close_note is None
    assert (aliens.close_reason_id, aliens.close_note) == (None, "Aliens")


def test_probability_is_an_open_deals(database: Database, import_lines: ImportLines) -> None:
    chances = with_columns(probability="chance")
    header = "key,title,customer,seller,state,worth,from,to,chance"

    import_lines(
        "1,A,,,Open,,,,37%",
        "2,B,,,Open,,,,",
        "3,C,,,Won,,,2024-01-02,37",
        header=header,
        mapping=chances,
    )

    assert [deal.probability for deal in all_deals(database)] == [37, 50, 100]


def test_a_column_for_both_is_the_expected_day_only_while_open(
    database: Database, import_lines: ImportLines
) -> None:
    both = with_columns(expected_close_date="to")

    import_lines("1,A,,,Open,,,2030-01-02", "2,B,,,Won,,,2024-01-02", mapping=both)

    assert [deal.expected_close_date for deal in all_deals(database)] == [date(2030, 1, 2), None]


def test_what_our_export_escaped_comes_back_as_it_was(database: Database, import_lines: ImportLines) -> None:
    lines = ["1,'=1+1,,,Open,,,", "2,''quoted',,,Open,,,", "3,'plain,,,Open,,,"]

    import_lines(*lines, mapping=small_mapping(unescape=True))

    assert [deal.name for deal in all_deals(database)] == ["=1+1", "'quoted'", "'plain"]


def test_keys_of_another_source_are_others(database: Database, import_lines: ImportLines) -> None:
    import_lines(GOOD)
    report = import_lines(GOOD, mapping=small_mapping(source="another"))

    assert (report.created, len(all_deals(database))) == (1, 2)


def test_without_keys_the_report_warns(import_lines: ImportLines) -> None:
    nameless = small_mapping(columns={"name": "title", "stage": "state"})

    report = import_lines(GOOD, mapping=nameless)

    assert "importing the file again would create the deals again" in str(report)


def test_a_deleted_deal_is_not_imported_again(database: Database, import_lines: ImportLines) -> None:
    import_lines(GOOD)
    (deal,) = all_deals(database)
    with database.write(at=AT) as session:
        opportunity_service.delete_opportunity(session, deal.id)

    assert import_lines(GOOD).already_there == 1


def test_what_came_in_can_be_worked_on(database: Database, import_lines: ImportLines) -> None:
    """New records get ids after the imported ones, and their history goes on."""
    import_lines(GOOD)
    with database.write(at=AT + timedelta(days=1)) as session:
        make = Make(session)
        make.company("Another")
        make.user("Another")
        make.opportunity(name="Another")
        session.scalars(select(Opportunity).where(Opportunity.name == "Pump")).one().name = "Big pump"

    with database.read() as session:
        then = history.as_of(Opportunity, AT + timedelta(hours=1))
        assert session.scalars(select(then.name)).all() == ["Pump"]
    assert [deal.version for deal in all_deals(database)] == [2, 1]


def test_a_dry_run_says_the_same_and_writes_nothing(database: Database, import_lines: ImportLines) -> None:
    before = every_row(database)

    foretold = import_lines(GOOD, dry_run=True)

    assert every_row(database) == before
    done = import_lines(GOOD)
    assert str(foretold) == str(done).replace("imported", "this is what an import would do")
