"""Importing on screen: what would happen comes first, and nothing is written by looking."""

from datetime import UTC, datetime

from crm_core import importing
from crm_core.importing import find_mapping, import_opportunities
from crm_core.models import Outcome
from crm_core.services import workspace_service
from crm_core.services.opportunity_service import count_opportunities
from crm_core.services.settings_service import get_close_reasons, get_settings
from tests.builders import Make
from ui.words import NOTHING

IMPORT = "pages/data/import.py"

HUBSPOT = (
    b'"Record ID","Deal Name","Deal Stage","Close Date","Deal owner","Amount","Pipeline","Create Date"\n'
    b'1,"Solar roof","Closed Won",2025-03-01,"Ada",1200,"Sales",2025-01-01\n'
)


def upload(page, content: bytes):
    return page.file_uploader[0].upload("deals.csv", content, "text/csv").run()


def warning(page) -> str:
    """The first one as it is read, without what keeps Markdown from reading it."""
    return page.warning[0].value.replace("\\", "").replace(NOTHING, "")


def stored(database) -> int:
    with database.read(at=datetime.now(UTC)) as session:
        return count_opportunities(session)


def test_shows_what_would_happen_and_then_does_it(open_page, database):
    page = upload(open_page(IMPORT), HUBSPOT)
    assert page.metric[0].value == "1"
    assert stored(database) == 0

    page.button[0].click().run()

    assert not page.exception
    assert stored(database) == 1


def test_a_bad_row_is_named_and_nothing_can_be_imported(open_page, database):
    page = upload(open_page(IMPORT), HUBSPOT.replace(b"1200", b"1e400"))

    assert list(page.dataframe[0].value["Row"]) == [2]
    assert not page.button
    assert stored(database) == 0


def test_deals_in_another_currency_are_left_out_on_request(open_page, database):
    ours, theirs = HUBSPOT.splitlines()[1], HUBSPOT.splitlines()[1].replace(b"1,", b"2,", 1)
    file = b"\n".join([HUBSPOT.splitlines()[0] + b',"Currency"', ours + b",USD", theirs + b",JPY", b""])
    page = upload(open_page(IMPORT), file)
    assert list(page.dataframe[0].value["Value"]) == ["JPY"]
    assert "1 deal is in another currency and refused: JPY 1,200." in warning(page)
    assert not page.button

    page.checkbox[0].check().run()

    assert page.metric[0].value == "1"
    assert "1 deal is in another currency and left out: JPY 1,200." in warning(page)
    page.button[0].click().run()
    assert stored(database) == 1


PIPEDRIVE = {
    "Deal - ID": "1",
    "Deal - Title": "Solar roof",
    "Deal - Organization": "Acme",
    "Deal - Owner": "Ada",
    "Deal - Status": "Lost",
    "Deal - Stage": "Proposal Made",
    "Deal - Value": "1200",
    "Deal - Expected close date": "",
    "Deal - Deal created": "2025-01-01",
    "Deal - Won time": "",
    "Deal - Lost time": "2025-02-01",
    "Deal - Lost reason": "Aliens",
}


def test_close_reasons_that_are_not_there_are_created_on_request(open_page, database):
    file = "\n".join(",".join(row) for row in (PIPEDRIVE, PIPEDRIVE.values())).encode()
    page = upload(open_page(IMPORT), file)
    assert "notes on their deals: Aliens (1)." in warning(page)

    page.checkbox[0].check().run()
    assert "New close reasons: Aliens (1)." in warning(page)
    page.button[0].click().run()

    with database.read() as session:
        labels = [reason.label for reason in get_close_reasons(session, Outcome.LOST)]
    assert labels[-1] == "Aliens"


def close_reasons(many: int) -> bytes:
    """A deal won and one lost for each reason."""
    won = {"Deal - Status": "Won", "Deal - Won time": "2025-02-01", "Deal - Lost time": ""}
    rows = [
        PIPEDRIVE | more | {"Deal - ID": f"{outcome} {number}", "Deal - Lost reason": f"Reason {number}"}
        for number in range(many)
        for outcome, more in (("won", won), ("lost", {}))
    ]
    return "\n".join(",".join(row) for row in (PIPEDRIVE, *(row.values() for row in rows))).encode()


def test_close_reasons_are_offered_only_if_they_can_be_created(open_page):
    page = upload(open_page(IMPORT), close_reasons(importing.MOST_NEW_REASONS // 2 + 1))
    assert not page.checkbox

    page = upload(open_page(IMPORT), close_reasons(importing.MOST_NEW_REASONS // 2))
    assert f"({importing.MOST_NEW_REASONS})" in page.checkbox[0].label
    page.checkbox[0].check().run()
    assert page.checkbox
    assert page.button


def test_other_currencies_are_not_counted_where_the_reading_stopped(open_page):
    head, deal = HUBSPOT.splitlines()
    file = b"\n".join([head + b',"Currency"', deal + b",JPY", *[b"1"] * 1_500])
    page = upload(open_page(IMPORT), file)

    assert [each.value.startswith("Reading stopped after") for each in page.warning] == [True]
    assert "JPY" in page.checkbox[0].label


def test_a_file_that_is_no_table_gets_a_sentence(open_page):
    page = upload(open_page(IMPORT), b"")

    assert page.error[0].value


def test_demo_data_is_mentioned_before_it_is_mixed_with_ones_own(open_page, database):
    with database.write() as session:
        get_settings(session).has_demo_data = True

    page = open_page(IMPORT)

    assert "demo deals are still here" in page.warning[0].value


def test_starting_empty_asks_first_and_then_clears_the_screens(open_page, database):
    with database.write(note=workspace_service.DEMO) as session:
        Make(session).opportunity()
        get_settings(session).has_demo_data = True
    page = open_page("pages/insight/dashboard.py")

    page.button[0].click().run()
    assert stored(database) == 1

    page.button[1].click().run()
    assert stored(database) == 0
    assert "No opportunities yet" in page.run().markdown[0].value


def test_a_file_full_of_mistakes_is_not_read_to_its_end(open_page):
    page = upload(open_page(IMPORT), HUBSPOT + b"1\n" * 1_500)

    assert "Reading stopped after 1,000 problems, at row 1,002" in warning(page)
    assert not page.button


def test_a_file_is_read_once_as_long_as_nothing_changes(open_page, database, monkeypatch):
    asked = []

    def counted(*args, **kwargs):
        asked.append(kwargs["dry_run"])
        return import_opportunities(*args, **kwargs)

    monkeypatch.setattr(importing, "import_opportunities", counted)
    page = upload(open_page(IMPORT), HUBSPOT).run().run()
    assert (page.metric[0].value, asked) == ("1", [True])

    with database.write() as session:
        Make(session).opportunity()
    page.run()
    assert asked == [True, True]

    page.button[0].click().run()
    assert stored(database) == 2
    assert (page.metric[0].value, asked) == ("0", [True, True, False, True])


def test_what_is_no_table_is_looked_at_once(open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(importing, "find_mapping", lambda *given: asked.append(given) or find_mapping(*given))

    page = upload(open_page(IMPORT), b"\n" * 10).run()

    assert "blank row 1" in page.error[0].value
    assert len(asked) == 1
