"""Exports of programs that we have the column names of."""

import csv
import io
from datetime import UTC, date, datetime

from crm_core.database import Database
from crm_core.importing import find_mapping, import_opportunities
from tests.crm_core.importing.conftest import AT, all_deals, states_of


def export(*rows: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_hubspot(database: Database) -> None:
    deal = {
        "Record ID": "1",
        "Deal Name": "Pump",
        "Deal Stage": "Contract Sent",
        "Close Date": "2027-01-31 17:00",
        "Deal owner": "Rita Rep",
        "Amount": "1200.5",
        "Pipeline": "Sales Pipeline",
        "Create Date": "2026-01-02 09:30",
    }
    won = deal | {"Record ID": "2", "Deal Stage": "Closed Won", "Close Date": "2026-02-03 10:00"}
    file = export(deal, won)

    import_opportunities(database, file, find_mapping(None, file), at=AT)

    first, second = all_deals(database)
    assert (first.stage, first.expected_close_date) == ("negotiation", date(2027, 1, 31))
    assert (second.stage, second.expected_close_date) == ("closed_won", None)
    assert second.closed_at == datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    assert second.created_at == datetime(2026, 1, 2, 9, 30, tzinfo=UTC)


def test_pipedrive(database: Database) -> None:
    deal = {
        "Deal - ID": "1",
        "Deal - Title": "Pump",
        "Deal - Owner": "Rita Rep",
        "Deal - Value": "1200.50",
        "Deal - Currency of Value": "USD",
        "Deal - Probability": "",
        "Deal - Organization": "Acme",
        "Deal - Contact person": "Ada",
        "Deal - Stage": "Proposal Made",
        "Deal - Status": "Open",
        "Deal - Deal created": "2026-01-02 09:30:00",
        "Deal - Won time": "",
        "Deal - Lost time": "",
        "Deal - Lost reason": "",
        "Deal - Expected close date": "2027-01-31",
    }
    lost = deal | {
        "Deal - ID": "2",
        "Deal - Status": "Lost",
        "Deal - Lost time": "2026-02-03 10:00:00",
        "Deal - Lost reason": "Moved away",
    }
    file = export(deal, lost)

    report = import_opportunities(database, file, find_mapping(None, file), at=AT)

    first, second = all_deals(database)
    assert (report.contacts.created, report.companies.created) == (1, 1)
    assert (first.stage, second.stage, second.close_note) == ("proposal", "closed_lost", "Moved away")
    assert second.closed_at == datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    assert first.expected_close_date == second.expected_close_date == date(2027, 1, 31)


def test_a_deal_that_pipedrive_lost_keeps_its_stage(database: Database) -> None:
    names = ("ID", "Title", "Organization", "Owner", "Status", "Stage", "Value", "Expected close date")
    names += ("Deal created", "Won time", "Lost time")
    closed = "2026-02-03 10:00:00"
    rows = [
        (
            "1",
            "Pump",
            "Acme",
            "Rita",
            "Lost",
            "Negotiations Started",
            "5",
            "",
            "2026-01-02 09:30:00",
            "",
            closed,
        ),
        ("2", "Valve", "Acme", "Rita", "Won", "Contact Made", "5", "", "2026-01-02 09:30:00", closed, ""),
        ("3", "Pipe", "Acme", "Rita", "Open", "Qualified", "5", "", "2026-01-02 09:30:00", "", ""),
    ]
    file = export(*(dict(zip((f"Deal - {name}" for name in names), row, strict=True)) for row in rows))

    import_opportunities(database, file, find_mapping("pipedrive", file), at=AT)

    stages = [[state.stage for state in states_of(database, name)] for name in ("Pump", "Valve", "Pipe")]
    assert stages == [["negotiation", "closed_lost"], ["discovery", "closed_won"], ["qualification"]]
