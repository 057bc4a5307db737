"""Every way into every stage from every other: what is allowed, and by which name the rest is refused."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from crm_core.errors import RuleBroken
from crm_core.importing import import_opportunities
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    Opportunity,
    OpportunityStage,
    OpportunityVersion,
    Outcome,
)
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services.closing import TooEarlyToWin
from crm_core.services.opportunity_service import (
    CloseNeedsOutcome,
    OpportunityIsClosed,
    OpportunityIsOpen,
    ReopenNeedsOpenStage,
    close_opportunities,
    close_opportunity,
    create_opportunity,
    move_opportunity,
    reopen_opportunity,
    update_opportunities,
    update_opportunity,
)
from crm_core.services.records import NothingWasChanged
from tests.builders import PROBABILITIES, Make, reason_id, stored
from tests.conftest import NOW
from tests.crm_core.importing.conftest import as_file, small_mapping

S = OpportunityStage
OUTCOMES = {S.CLOSED_WON: Outcome.WON, S.CLOSED_LOST: Outcome.LOST}
A_GUESS = 42
"""A probability that is no stage's default."""

MEANING = {
    ".": "nothing changes",
    "m": "it moves, and its probability follows",
    "w": "it is won",
    "l": "it is lost",
    "r": "it is reopened",
    "N": CloseNeedsOutcome,
    "C": OpportunityIsClosed,
    "O": OpportunityIsOpen,
    "E": TooEarlyToWin,
    "R": ReopenNeedsOpenStage,
    " ": "can't even be asked for",
}

UPDATED = """
    . m m m N N
    m . m m N N
    m m . m N N
    m m m . N N
    C C C C . C
    C C C C C .
"""
CLOSED = """
            E l
            E l
            w l
            w l
            C C
            C C
"""
MATRIX = {
    "update": UPDATED,
    "update many": UPDATED,
    "move": """
    . m m m N N
    m . m m N N
    m m . m N N
    m m m . N N
    C C C C C C
    C C C C C C
""",
    "close": CLOSED,
    "close many": CLOSED,
    "reopen": """
    O O O O O O
    O O O O O O
    O O O O O O
    O O O O O O
    r r r r R R
    r r r r R R
""",
}
"""For each verb, from each stage (lines) to each stage (columns), both in the order of the stages."""


def expected(verb, here):
    """What is to come of the verb, by the stage it leads to."""
    line = MATRIX[verb].strip("\n").splitlines()[list(S).index(here)]
    return {there: MEANING[letter] for there, letter in zip(S, line[4::2], strict=True) if letter != " "}


def go(session, verb, deal, there):
    """Send the deal to a stage."""
    match verb:
        case "update":
            update_opportunity(session, deal.id, OpportunityUpdate(stage=there))
        case "update many":
            update_opportunities(session, [deal.id], OpportunityUpdate(stage=there))
        case "move":
            move_opportunity(session, deal.id, to=there)
        case "reopen":
            reopen_opportunity(session, deal.id, to=there)
        case "close":
            close_opportunity(session, deal.id, outcome=OUTCOMES[there], **why(session, there))
        case "close many":
            close_opportunities(session, [deal.id], outcome=OUTCOMES[there], **why(session, there))


def why(session, there):
    return {"reason_id": reason_id(session, "Price", OUTCOMES[there]), "note": "As agreed"}


def row_of(session, deal):
    session.flush()
    table = Opportunity.__table__
    return session.execute(select(table).where(table.c.id == deal.id)).one()._asdict()


def what_comes_of(session, verb, deal, there):
    """The name of the refusal, or what was changed of the deal."""
    before, refusal = row_of(session, deal), None
    try:
        go(session, verb, deal, there)
    except NothingWasChanged as refused:
        refusal = type(refused.refusals[deal.id])
    except RuleBroken as refused:
        refusal = type(refused)
    after = row_of(session, deal)
    return refusal, {name: after[name] for name in after if after[name] != before[name]}


def what_should_come_of(session, meaning, there):
    open_again = dict.fromkeys(
        ("closed_at", "actual_close_date", "close_reason_id", "close_note", "credited_owner_id")
    )
    changes = {
        "it moves, and its probability follows": {"stage": there, "probability": PROBABILITIES[there]},
        "it is reopened": {"stage": there, "probability": PROBABILITIES[there], **open_again},
    }
    if meaning in ("it is won", "it is lost"):
        reason = why(session, there)
        return None, {
            "stage": there,
            "probability": PROBABILITIES[there],
            "closed_at": NOW,
            "actual_close_date": NOW.date(),
            "close_reason_id": reason["reason_id"],
            "close_note": reason["note"],
            "credited_owner_id": 1,
        }
    return (None, changes.get(meaning, {})) if isinstance(meaning, str) else (meaning, {})


@pytest.mark.parametrize("verb", MATRIX)
def test_from_each_stage_to_each_stage(session, make, verb):
    closed = {"close_reason_id": reason_id(session, "Timing", Outcome.WON), "close_note": "Once"}
    for here in S:
        came, should_come = {}, {}
        for there, meaning in expected(verb, here).items():
            deal = make.opportunity(
                stage=here,
                owner_id=1,
                **closed if here.is_closed else {"probability": A_GUESS},
            )
            came[there] = what_comes_of(session, verb, deal, there)
            should_come[there] = what_should_come_of(session, meaning, there)
        assert (here, came) == (here, should_come)


def test_a_new_deal_is_open(session):
    for there in OPEN_STAGES:
        deal = create_opportunity(session, OpportunityCreate(name="Solar roof", stage=there))
        assert (deal.stage, deal.probability, deal.closed_at) == (there, PROBABILITIES[there], None)

    before = stored(session)
    for there in CLOSED_STAGES:
        with pytest.raises(CloseNeedsOutcome, match="Close it as won or lost instead"):
            create_opportunity(session, OpportunityCreate(name="Solar roof", stage=there))
    assert stored(session) == before


EVERY_STAGE = small_mapping(stages={stage.value: stage for stage in S})


def import_rows(database, stages, **options):
    """Import a deal for each stage; the key is the position in the list."""
    lines = [
        f"{key},Deal {key},,,{stage.value},10,2026-01-02,{'2026-02-03' if stage.is_closed else ''}"
        for key, stage in enumerate(stages)
    ]
    return import_opportunities(database, as_file(*lines), EVERY_STAGE, at=NOW, **options)


def test_an_imported_deal_is_in_its_rows_stage_and_was_open_before_it_was_closed(database):
    import_rows(database, S)

    versions = OpportunityVersion.__table__.c
    with database.read() as session:
        states = session.execute(
            select(
                versions.external_id, versions.stage, versions.probability, versions.actual_close_date
            ).order_by(versions.external_id, versions.valid_from)
        ).all()
    start = (S.QUALIFICATION, 10, None)
    assert [(int(key), tuple(state)) for key, *state in states] == [
        (0, start),
        (1, (S.DISCOVERY, 25, None)),
        (2, (S.PROPOSAL, 50, None)),
        (3, (S.NEGOTIATION, 75, None)),
        (4, start),
        (4, (S.CLOSED_WON, 100, date(2026, 2, 3))),
        (5, start),
        (5, (S.CLOSED_LOST, 0, date(2026, 2, 3))),
    ]


def test_an_import_changes_the_stage_of_no_deal_that_is_there(database):
    with database.write(at=NOW - timedelta(days=30)) as session:
        for key, here in enumerate(S):
            Make(session).opportunity(
                name=f"Deal {key}", stage=here, external_source="old", external_id=str(key)
            )
    with database.read() as session:
        before = stored(session)

    for there in S:
        report = import_rows(database, [there] * len(S))
        assert (report.created, report.already_there, report.refusals) == (0, len(S), [])

    with database.read() as session:
        assert stored(session) == before


def test_no_move_closes_a_deal(session, make):
    deal = make.opportunity(name="Solar roof", stage=S.NEGOTIATION)

    for closed in CLOSED_STAGES:
        with pytest.raises(CloseNeedsOutcome, match="“Solar roof”"):
            move_opportunity(session, deal.id, to=closed)
        with pytest.raises(CloseNeedsOutcome):
            update_opportunity(session, deal.id, OpportunityUpdate(stage=closed))

    assert deal.stage is S.NEGOTIATION


def test_a_closed_deal_stays_closed(session, make):
    for closed in CLOSED_STAGES:
        deal = make.opportunity(name="Solar roof", stage=closed)
        words = f"“Solar roof” is already {closed.label}. Reopen it first"
        with pytest.raises(OpportunityIsClosed, match=words):
            move_opportunity(session, deal.id, to=S.PROPOSAL)
        with pytest.raises(OpportunityIsClosed):
            close_opportunity(session, deal.id, outcome=Outcome.WON)
        with pytest.raises(OpportunityIsClosed):
            update_opportunity(session, deal.id, OpportunityUpdate(probability=50))


def test_the_words_of_a_closed_deal_can_be_corrected(session, make):
    deal = make.won(100)

    update_opportunity(session, deal.id, OpportunityUpdate(name="Solar park", expected_value=200))

    assert (deal.name, deal.expected_value, deal.stage) == ("Solar park", 200, S.CLOSED_WON)


def test_an_open_deal_is_not_reopened(session, make):
    with pytest.raises(OpportunityIsOpen, match="is open already"):
        reopen_opportunity(session, make.opportunity().id, to=S.PROPOSAL)


def test_a_deal_is_not_reopened_into_a_closed_stage(session, make):
    for closed in CLOSED_STAGES:
        with pytest.raises(ReopenNeedsOpenStage, match="reopened into an open stage"):
            reopen_opportunity(session, make.won().id, to=closed)
