"""A closed deal keeps the stage that the file says it was closed in; where it says none, that is marked."""

from datetime import UTC, date, datetime, timedelta

import pytest

from crm_core import check
from tests.crm_core.importing.conftest import AT, HEADER, SMALL, all_deals, small_mapping, states_of

pytestmark = pytest.mark.both_databases

WITH_STATUS = f"{HEADER},status"
STAGES = {"New": "qualification", "Offer": "proposal", "Won": "closed_won", "Lost": "closed_lost"}
MAPPING = small_mapping(
    columns=SMALL["columns"] | {"status": "status"},
    stages=STAGES,
    statuses={"Running": "open", "Yes": "won", "No": "lost"},
    unknown={"stage": ["?"]},
)
UNKNOWN_STAGE = "The mapping does not know this stage. It knows New, Offer, Won, Lost."
UNKNOWN_STATUS = "The mapping does not know this status. It knows Running, Yes, No."


@pytest.fixture
def import_row(import_lines):
    """Imports one deal of that stage and status, closed in March."""

    def import_row(stage, status, closed="2024-03-01", mapping=MAPPING, **options):
        line = f"1,Pump,Acme,Rita Rep,{stage},10,2024-01-02,{closed},{status}"
        return import_lines(line, mapping=mapping, header=WITH_STATUS, **options)

    return import_row


def stages_of(database):
    """The deal's states: stage, probability and what is assumed."""
    return [(state.stage, state.probability, state.assumed) for state in states_of(database, "Pump")]


@pytest.mark.parametrize(
    ("stage", "status", "states"),
    [
        ("Offer", "running", [("proposal", 50, None)]),
        ("Offer", "NO", [("proposal", 50, "entry"), ("closed_lost", 0, None)]),
        ("offer", "Yes", [("proposal", 50, "entry"), ("closed_won", 100, None)]),
        ("New", "Yes", [("qualification", 10, None), ("closed_won", 100, None)]),
        ("New", "No", [("qualification", 10, None), ("closed_lost", 0, None)]),
        ("Lost", "No", [("discovery", 25, "stage"), ("closed_lost", 0, None)]),
        ("Won", "Yes", [("discovery", 25, "stage"), ("closed_won", 100, None)]),
        ("", "No", [("discovery", 25, "stage"), ("closed_lost", 0, None)]),
        ("?", "Yes", [("discovery", 25, "stage"), ("closed_won", 100, None)]),
    ],
)
def test_status_and_stage_tell_where_a_deal_was(database, import_row, stage, status, states):
    report = import_row(stage, status, mapping=MAPPING.model_copy(update={"start_stage": "discovery"}))

    assert (report.refusals, report.warnings) == ([], [])
    assert report.closed_without_stage == (states[0][2] == "stage")
    assert stages_of(database) == states
    assert check.findings(database) == []


@pytest.mark.parametrize(
    ("stage", "status", "refusals"),
    [
        ("Lost", "Running", [("status", "The stage “Lost” says otherwise. Correct one of them.")]),
        ("Won", "Running", [("status", "The stage “Won” says otherwise. Correct one of them.")]),
        ("Lost", "Yes", [("status", "The stage “Lost” says otherwise. Correct one of them.")]),
        ("Won", "No", [("status", "The stage “Won” says otherwise. Correct one of them.")]),
        ("Offer", "Deleted", [("status", UNKNOWN_STATUS)]),
        ("Demo", "No", [("state", UNKNOWN_STAGE)]),
        ("Demo", "Deleted", [("status", UNKNOWN_STATUS), ("state", UNKNOWN_STAGE)]),
        ("", "Running", [("state", "Every deal is in a stage.")]),
        ("", "", [("state", "Every deal is in a stage.")]),
    ],
)
def test_a_status_that_can_not_be_is_refused(database, import_row, stage, status, refusals):
    report = import_row(stage, status)

    assert [(refusal.column, refusal.reason) for refusal in report.refusals] == refusals
    assert all_deals(database) == []


@pytest.mark.parametrize(("stage", "found"), [("Offer", "proposal"), ("Lost", "closed_lost")])
def test_without_a_status_the_stage_decides_and_the_report_says_so(database, import_row, stage, found):
    report = import_row(stage, " ")

    assert [deal.stage for deal in all_deals(database)] == [found]
    assert report.warnings == ["Deals without a status, which are taken by their stage alone: 1 (row 2)."]


def test_a_file_without_the_column_is_read_by_its_stages(database, import_lines):
    optional = MAPPING.model_copy(update={"optional": frozenset({"status"})})

    report = import_lines("1,Pump,,,Lost,10,2024-01-02,2024-03-01", mapping=optional)

    assert report.warnings == ["The file has no column for status."]
    assert stages_of(database) == [("qualification", 10, "stage"), ("closed_lost", 0, None)]


def test_a_deal_that_is_closed_by_its_status_needs_its_day(import_row):
    report = import_row("Offer", "No", closed="")

    assert [refusal.reason for refusal in report.refusals] == ["A closed deal needs the day it was closed."]


def test_a_deal_that_was_closed_at_once_keeps_its_stage(database, import_lines):
    """As when somebody enters a deal that is won already."""
    noon = "2024-03-01 12:00:00"
    mapping = MAPPING.model_copy(update={"date_formats": ["%Y-%m-%d %H:%M:%S"]})

    import_lines(f"1,Pump,,,Offer,10,{noon},{noon},Yes", mapping=mapping, header=WITH_STATUS)

    assert [stage for stage, *_ in stages_of(database)] == ["proposal", "closed_won"]
    (deal,) = all_deals(database)
    assert deal.created_at == datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert deal.closed_at - deal.created_at == timedelta(microseconds=1)
    assert deal.created_on == deal.actual_close_date == date(2024, 3, 1)
    assert check.findings(database) == []


def test_a_deal_that_is_closed_in_the_instant_of_its_import_is_imported(database, import_lines):
    now = f"{AT:%Y-%m-%d %H:%M:%S}"
    mapping = MAPPING.model_copy(update={"date_formats": ["%Y-%m-%d %H:%M:%S"]})

    import_lines(f"1,Pump,,,Offer,10,{now},{now},Yes", mapping=mapping, header=WITH_STATUS)

    assert [stage for stage, *_ in stages_of(database)] == ["closed_won"]


def test_the_report_says_how_many_closed_deals_have_no_stage(import_lines):
    lines = ["1,Pump,,,Lost,10,2024-01-02,2024-03-01", "2,Pump,,,Won,10,2024-01-02,2024-03-01"]

    said = str(import_lines(*lines, "3,Pump,,,Open,10,2024-01-02,"))

    left_out = "so funnel and time in stage leave them out"
    assert f"Closed deals for which the file gives no stage, {left_out}: 2." in said
    assert "gives no stage" not in str(import_lines(*lines))


def test_how_likely_a_closed_deal_was_is_not_asked(database, import_lines):
    mapping = small_mapping(
        columns=SMALL["columns"] | {"status": "status", "probability": "chance"},
        statuses={"won": "won"},
    )

    import_lines(
        "1,Pump,,,Open,10,2024-01-02,2024-03-01,won,12",
        mapping=mapping,
        header=f"{WITH_STATUS},chance",
    )

    assert stages_of(database) == [("proposal", 50, "entry"), ("closed_won", 100, None)]


def test_an_open_deal_is_where_the_file_says(database, import_row):
    import_row("Offer", "Running", closed="")

    assert stages_of(database) == [("proposal", 50, None)]


def test_importing_again_compares_the_outcome(database, import_row):
    import_row("Offer", "No")

    assert import_row("Offer", "No").warnings == []
    assert "Rows that say another stage" in import_row("Offer", "Yes").warnings[0]
