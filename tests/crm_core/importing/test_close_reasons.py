"""Close reasons are the workspace's, mapped to them, or created on request; the report names the others."""

import pytest

from crm_core.importing.report import UNKNOWN_REASONS
from crm_core.models import Outcome
from crm_core.services import settings_service
from tests.crm_core.importing.conftest import HEADER, SMALL, all_deals, small_mapping, with_columns

pytestmark = pytest.mark.both_databases

REASONS = with_columns(close_reason="why")
WITH_REASON = f"{HEADER},why"
LINES = (
    "1,A,,,Lost,,,2024-01-02, PRICE ",
    "2,B,,,Lost,,,2024-01-02,Aliens",
    "3,C,,,Lost,,,2024-01-02,aliens ",
    "4,D,,,Lost,,,2024-01-02,",
    "5,E,,,Won,,,2024-01-02,Luck",
    "6,F,,,Open,,,,Nothing yet",
)
NOTES = f"{UNKNOWN_REASONS}: Aliens (2), Luck (1)."


def labels(database, outcome: Outcome) -> dict[int, str]:
    with database.read() as session:
        return {each.id: each.label for each in settings_service.get_close_reasons(session, outcome)}


def test_a_reason_that_is_not_there_becomes_a_note_and_the_report_says_so(database, import_lines):
    report = import_lines(*LINES, header=WITH_REASON, mapping=REASONS)

    assert report.close_reason_lines() == [NOTES, "Lost deals for which the file gives no reason: 1."]
    assert NOTES in str(report)
    notes = [(deal.close_reason_id is None, deal.close_note) for deal in all_deals(database)]
    assert notes == [
        (False, None),
        (True, "Aliens"),
        (True, "aliens "),
        (True, None),
        (True, "Luck"),
        (True, None),
    ]


def test_reasons_are_created_on_request_once_for_each_outcome(database, import_lines):
    options = {"header": WITH_REASON, "mapping": REASONS, "create_close_reasons": True}
    before = labels(database, Outcome.LOST)

    trial = import_lines(*LINES, dry_run=True, **options)
    assert labels(database, Outcome.LOST) == before
    report = import_lines(*LINES, **options)
    again = import_lines("7,G,,,Lost,,,2024-01-02,ALIENS", **options)

    assert "New close reasons: Aliens (2), Luck (1)." in str(report)
    assert trial.new_close_reasons == report.new_close_reasons == {"Aliens": 2, "Luck": 1}
    assert again.new_close_reasons == {}
    lost, won = labels(database, Outcome.LOST), labels(database, Outcome.WON)
    assert list(lost.values()) == [*before.values(), "Aliens"]
    named = [(lost | won).get(deal.close_reason_id) for deal in all_deals(database)]
    assert named == ["Price", "Aliens", "Aliens", None, "Luck", None, "Aliens"]


def test_a_reason_that_is_too_long_for_a_list_stays_a_note(database, import_lines):
    long = "So many things were wrong with it. " * 5

    import_lines(
        f"1,A,,,Lost,,,2024-01-02,{long}", header=WITH_REASON, mapping=REASONS, create_close_reasons=True
    )

    (deal,) = all_deals(database)
    assert (deal.close_reason_id, deal.close_note) == (None, long)


def test_a_mapping_says_which_of_ours_a_word_means(database, import_lines):
    words = {"Too dear": "Price", "Rival": "Competitor"}
    mapping = small_mapping(columns=SMALL["columns"] | {"close_reason": "why"}, close_reasons=words)

    report = import_lines(
        "1,A,,,Lost,,,2024-01-02,TOO  DEAR",
        "2,B,,,Lost,,,2024-01-02,rival",
        header=WITH_REASON,
        mapping=mapping,
    )

    lost = labels(database, Outcome.LOST)
    assert [lost[deal.close_reason_id] for deal in all_deals(database)] == ["Price", "Competitor"]
    assert report.new_close_reasons == {}
