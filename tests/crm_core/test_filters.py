"""Every field of the filter, alone and with others, against a plain predicate over the rows, now and then."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby, pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm_core import history
from crm_core.analytics import outcomes, pipeline
from crm_core.database import Database
from crm_core.filters import EVERYTHING, OpportunityFilter
from crm_core.filters import text as by_text
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    VERSIONS,
    Assumed,
    CloseReason,
    Company,
    Contact,
    Note,
    Opportunity,
    OpportunityStage,
    Outcome,
    User,
)
from crm_core.periods import ONE_DAY, Calendar, Period, PeriodKind
from crm_core.scope import scope_of
from crm_core.services import opportunity_service, settings_service
from tests.builders import Make
from tests.conftest import NOW

pytestmark = pytest.mark.both_databases

THEN = NOW - timedelta(days=7)
ZONES = ("Pacific/Kiritimati", "America/New_York")
CREATED_ON = [date(2026, 1, day) for day in range(5, 11)]
CLOSED_ON = [date(2026, 2, 28), *(date(2026, 3, day) for day in (1, 2, 7, 8, 9))]
EXPECTED_ON = [date(2026, 3, day) for day in range(9, 22)]
FROM_MIDNIGHT = (timedelta(microseconds=-1), timedelta(0), timedelta(microseconds=1), timedelta(hours=13))
NAMES = ("Solar roof", "ÜBER dach", "100%_sure", "Wind \\ park", "Heat pump", "1/2 İzmir \u212aelvin")
TEXTS = ("SOLAR", "ÜBer", "%_", "\\", "/2", "_", "roof", "sons", "moon", "LOVELACE", "king", "kelvin", "İZ")
REASONS = ("Price", "Timing", "Duplicate or test")
COMBINATIONS = 40
ENDS_TRIED = 7
ABOUT_ONE_STAY = {"been_in", "entered_from", "entered_to", "entry_unknown"}
"""Asked together they mean the same stay, so they have a test of their own."""
ALWAYS = Period(date(2020, 1, 1), date(2030, 1, 1))

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """What the database held at an instant."""

    at: datetime
    zone: ZoneInfo
    deals: list[Row]
    companies: dict[int | None, str]
    contacts: dict[int | None, str]
    teams: dict[int | None, int | None]
    stale_after: dict[OpportunityStage, int | None]
    notes: list[tuple[int, datetime]]
    uncounted: set[int]
    states: dict[int, list[Row]]

    def matching(self, **answers: Any) -> list[Row]:
        """The deals that were not deleted and meet every answer."""
        return [
            deal
            for deal in self.deals
            if deal["deleted_at"] is None
            and all(FIELDS[field].holds(deal, value, self) for field, value in answers.items())
        ]

    def day_of(self, at: datetime | None) -> date | None:
        return None if at is None else at.astimezone(self.zone).date()


@dataclass(frozen=True)
class FilterField:
    """Values worth asking for, and whether a deal meets one of them."""

    values: Callable[[World], list[Any]]
    holds: Callable[[Row, Any, World], bool]


def mentions(deal: Row, words: str, world: World) -> bool:
    company = world.companies.get(deal["company_id"], "")
    contact = world.contacts.get(deal["contact_id"], "")
    return any(words.lower() in name.lower() for name in (deal["name"], company, contact))


def who_it_counts_for(deal: Row) -> int | None:
    return deal["owner_id"] if deal["stage"] in OPEN_STAGES else deal["credited_owner_id"]


def is_overdue(deal: Row, _: bool, world: World) -> bool:
    expected = deal["expected_close_date"]
    return deal["stage"] in OPEN_STAGES and expected is not None and expected < world.day_of(world.at)


def is_stale(deal: Row, _: bool, world: World) -> bool:
    touched = [deal["updated_at"], *(at for deal_id, at in world.notes if deal_id == deal["id"])]
    limit = world.stale_after[deal["stage"]]
    days = (world.day_of(world.at) - world.day_of(max(touched))).days
    return deal["stage"] in OPEN_STAGES and limit is not None and days > limit


def assumed(state: Row, world: World) -> Assumed | None:
    """What an import assumed of a state that is over."""
    return state["assumed"] if state["valid_to"] and state["valid_to"] <= world.at else None


def furthest(deal: Row, world: World) -> OpportunityStage | None:
    """The last known open stage that it ever came to, if any; what was won has seen all of them then."""
    states = world.states[deal["id"]]
    been_in = {state["stage"] for state in states if assumed(state, world) is not Assumed.STAGE}
    if OpportunityStage.CLOSED_WON in been_in and been_in & set(OPEN_STAGES):
        return OPEN_STAGES[-1]
    return max(been_in & set(OPEN_STAGES), key=OPEN_STAGES.index, default=None)


def stays(deal: Row, world: World) -> list[list[Row]]:
    """The states of each stay in an open stage."""
    runs = [
        list(run) for _, run in groupby(world.states[deal["id"]], key=lambda state: state["stage_entered_at"])
    ]
    return [run for run in runs if run[0]["stage"] in OPEN_STAGES]


def entered(*, is_lower: bool) -> FilterField:
    """One end of the days in which a stay in an open stage began."""

    def holds(deal: Row, end: Any, world: World) -> bool:
        known = [stay for stay in stays(deal, world) if assumed(stay[0], world) is None]
        days = [world.day_of(stay[0]["valid_from"]) for stay in known]
        return any(day >= end if is_lower else day <= end for day in days)

    return FilterField(lambda world: [world.day_of(THEN), world.day_of(THEN) + ONE_DAY], holds)


def alternatives(known: set[Any]) -> list[frozenset[Any]]:
    """Each value by itself, and two at a time."""
    values = sorted(known - {None})
    alone = [frozenset({value}) for value in values]
    return alone + [frozenset(pair) for pair in pairwise(values)]


def one_of(column: str) -> FilterField:
    return FilterField(
        lambda world: alternatives({deal[column] for deal in world.deals}),
        lambda deal, wanted, _: deal[column] in wanted,
    )


def bound(column: str, *, is_lower: bool) -> FilterField:
    """One end of a range; instants are compared by the day they fall on."""

    def measure(deal: Row, world: World) -> Any:
        value = deal[column]
        return world.day_of(value) if isinstance(value, datetime) else value

    def holds(deal: Row, end: Any, world: World) -> bool:
        value = measure(deal, world)
        return value is not None and (value >= end if is_lower else value <= end)

    def values(world: World) -> list[Any]:
        known = sorted({measure(deal, world) for deal in world.deals} - {None})
        return known[:: len(known) // ENDS_TRIED + 1]

    return FilterField(values, holds)


def missing(column: str) -> FilterField:
    return FilterField(lambda _: [True], lambda deal, *_: deal[column] is None)


FIELDS = {
    "text": FilterField(lambda _: list(TEXTS), mentions),
    "stages": one_of("stage"),
    "is_open": FilterField(
        lambda _: [True, False], lambda deal, wanted, _: (deal["stage"] in OPEN_STAGES) is wanted
    ),
    "outcomes": FilterField(
        lambda _: [frozenset({Outcome.WON}), frozenset({Outcome.LOST}), frozenset(Outcome)],
        lambda deal, wanted, _: deal["stage"].value in {f"closed_{outcome.value}" for outcome in wanted},
    ),
    "owners": FilterField(
        lambda world: alternatives(set(world.teams)),
        lambda deal, wanted, _: who_it_counts_for(deal) in wanted,
    ),
    "teams": FilterField(
        lambda world: alternatives(set(world.teams.values())),
        lambda deal, wanted, world: world.teams.get(who_it_counts_for(deal)) in wanted,
    ),
    "furthest": FilterField(
        lambda _: alternatives(set(OPEN_STAGES)), lambda deal, wanted, world: furthest(deal, world) in wanted
    ),
    "been_in": FilterField(
        lambda _: alternatives(set(OPEN_STAGES)),
        lambda deal, wanted, world: any(
            stay[0]["stage"] in wanted and assumed(stay[0], world) is not Assumed.STAGE
            for stay in stays(deal, world)
        ),
    ),
    "path_unknown": FilterField(lambda _: [True], lambda deal, _, world: furthest(deal, world) is None),
    "entry_unknown": FilterField(
        lambda _: [True],
        lambda deal, _, world: any(assumed(stay[0], world) for stay in stays(deal, world)),
    ),
    "entered_from": entered(is_lower=True),
    "entered_to": entered(is_lower=False),
    "without_owner": FilterField(lambda _: [True], lambda deal, *_: who_it_counts_for(deal) is None),
    "companies": one_of("company_id"),
    "contacts": one_of("contact_id"),
    "sources": one_of("source"),
    "close_reasons": one_of("close_reason_id"),
    "without_reason": FilterField(
        lambda _: [True],
        lambda deal, *_: deal["stage"] in CLOSED_STAGES and deal["close_reason_id"] is None,
    ),
    "counted": FilterField(
        lambda _: [True],
        lambda deal, _, world: (
            deal["stage"] is not OpportunityStage.CLOSED_LOST
            or deal["close_reason_id"] not in world.uncounted
        ),
    ),
    "value_from": bound("expected_value", is_lower=True),
    "value_to": bound("expected_value", is_lower=False),
    "without_value": missing("expected_value"),
    "expected_from": bound("expected_close_date", is_lower=True),
    "expected_to": bound("expected_close_date", is_lower=False),
    "without_date": missing("expected_close_date"),
    "overdue": FilterField(lambda _: [True], is_overdue),
    "stale": FilterField(lambda _: [True], is_stale),
    "without_next_step": FilterField(
        lambda _: [True],
        lambda deal, *_: (
            deal["stage"] in OPEN_STAGES and deal["next_step"] is None and deal["next_step_date"] is None
        ),
    ),
    "created_from": bound("created_at", is_lower=True),
    "created_to": bound("created_at", is_lower=False),
    "closed_from": bound("closed_at", is_lower=True),
    "closed_to": bound("closed_at", is_lower=False),
}


@pytest.fixture(params=ZONES)
def worlds(request: pytest.FixtureRequest, database: Database) -> tuple[Database, World, World]:
    """A database, what it held a week ago, and what it holds now."""
    zone, chance = ZoneInfo(request.param), random.Random(request.param)
    with database.write(at=THEN) as session:
        settings_service.get_settings(session).time_zone = request.param
        for stage, days in zip(OPEN_STAGES, (5, 6, 7, None), strict=True):
            settings_service.get_stage_settings(session, stage).stale_after_days = days
        fill(Make(session), chance, zone)
    then = remembered(database, THEN, zone)
    with database.write(at=NOW - timedelta(hours=1)) as session:
        change_much(session, chance)
    return database, then, remembered(database, NOW, zone)


def fill(make: Make, chance: random.Random, zone: ZoneInfo) -> None:
    north, south = make.team("North").id, make.team("South").id
    owners = [make.user("Ada", team_id=north).id, make.user("Bob", team_id=south).id, make.user("Cy").id]
    companies = [make.company(name).id for name in ("Sun & Sons", "Roofers", "Acme")]
    contacts = [make.contact(name).id for name in ("Ada Lovelace", "Bob Stone")]
    reasons = {
        OpportunityStage.of(outcome): [
            reason.id
            for reason in settings_service.get_close_reasons(make.session, outcome)
            if reason.label in REASONS
        ]
        for outcome in Outcome
    }
    for number in range(60):
        stage = chance.choice(list(OpportunityStage))
        ending: Row = {}
        if stage in CLOSED_STAGES:
            ending["closed_at"] = near_midnight(chance, CLOSED_ON, zone)
            ending["close_reason_id"] = chance.choice([None, *reasons[stage]])
            ending["credited_owner_id"] = chance.choice([None, *owners])
        make.opportunity(
            name=chance.choice(NAMES),
            stage=stage,
            company_id=chance.choice([None, *companies]),
            contact_id=chance.choice([None, *contacts]),
            owner_id=chance.choice([None, *owners]),
            expected_value=chance.choice([None, Decimal(0), *(Decimal(chance.randint(1, 900)) / 100,) * 3]),
            expected_close_date=chance.choice([None, *EXPECTED_ON]),
            source=chance.choice([None, "web", "event", "partner"]),
            next_step=chance.choice([None, "Call"]),
            next_step_date=chance.choice([None, EXPECTED_ON[0]]),
            created_at=near_midnight(chance, CREATED_ON, zone),
            deleted_at=THEN if number % 12 == 0 else None,
            **ending,
        )
    bring_in(make.session, chance, zone)


def bring_in(session: Session, chance: random.Random, zone: ZoneInfo) -> None:
    """Closed deals of a file that does not say all of them went through."""
    first = history.next_id(session, Opportunity)
    histories = []
    for deal_id in range(first, first + 12):
        begun = THEN - timedelta(days=chance.randint(1, 90))
        deal = {"id": deal_id, "name": "Old deal", "created_at": begun, "deleted_at": None}
        deal["expected_value"] = Decimal(chance.randint(1, 900)) / 100
        was_open = {"stage": chance.choice(OPEN_STAGES), "probability": 10}
        was_open["assumed"] = chance.choice([None, *Assumed])
        outcome = chance.choice(CLOSED_STAGES)
        ended = {"stage": outcome, "probability": 100 if outcome is OpportunityStage.CLOSED_WON else 0}
        ended |= {"closed_at": THEN, "actual_close_date": THEN.astimezone(zone).date()}
        histories.append([(begun, deal | was_open), (THEN, deal | ended)])
    history.insert_with_past(session, Opportunity, histories)


def near_midnight(chance: random.Random, days: list[date], zone: ZoneInfo) -> datetime:
    return datetime.combine(chance.choice(days), time(), zone) + chance.choice(FROM_MIDNIGHT)


def change_much(session: Session, chance: random.Random) -> None:
    """What is asked as of a week ago must not see any of this."""
    session.scalars(select(Company).where(Company.name == "Sun & Sons")).one().name = "Moon Ltd"
    session.scalars(select(Contact).where(Contact.name == "Ada Lovelace")).one().name = "Ada King"
    make, owners = Make(session), session.scalars(select(User.id).order_by(User.id)).all()
    deals = list(
        session.scalars(select(Opportunity).where(Opportunity.deleted_at.is_(None)).order_by(Opportunity.id))
    )
    for deal in chance.sample(deals, 30):
        deal.name, deal.source = chance.choice(NAMES), chance.choice(["web", "event"])
        deal.owner_id = chance.choice(owners)
        deal.expected_value = Decimal(chance.randint(1, 900)) / 100
        deal.expected_close_date = chance.choice(EXPECTED_ON)
        deal.next_step = chance.choice([None, "Call"])
        if deal.is_open:
            opportunity_service.move_opportunity(session, deal.id, to=chance.choice(OPEN_STAGES))
        if not deal.is_open and chance.random() < 0.4:
            opportunity_service.reopen_opportunity(session, deal.id, to=OpportunityStage.DISCOVERY)
    for deal in chance.sample(deals, 8):
        opportunity_service.delete_opportunity(session, deal.id)
    for deal in chance.sample(deals, 8):
        session.add(
            Note(text="Called", opportunity_id=deal.id, created_at=NOW - timedelta(chance.randint(1, 6)))
        )
    for _ in range(6):
        make.won(chance.randint(1, 9), owner_id=chance.choice(owners), closed_at=THEN)


def remembered(database: Database, at: datetime, zone: ZoneInfo) -> World:
    columns = [column.name for column in Opportunity.__table__.columns]
    with database.read(at=at) as session:
        states: dict[int, list[Row]] = {}
        for state in session.execute(select(VERSIONS[Opportunity]).order_by("valid_from")).mappings():
            states.setdefault(state["id"], []).append(dict(state))
        return World(
            at,
            zone,
            [
                {name: getattr(deal, name) for name in columns}
                for deal in session.scalars(select(Opportunity))
            ],
            dict(session.execute(select(Company.id, Company.name)).all()),
            dict(session.execute(select(Contact.id, Contact.name)).all()),
            dict(session.execute(select(User.id, User.team_id)).all()),
            {
                stage: settings_service.get_stage_settings(session, stage).stale_after_days
                for stage in OpportunityStage
            },
            [(note.opportunity_id, note.created_at) for note in session.scalars(select(Note))],
            set(session.scalars(select(CloseReason.id).where(~CloseReason.counts))),
            states,
        )


def ids(deals: list[Row]) -> set[int]:
    return {deal["id"] for deal in deals}


def listed(session: Session, where: OpportunityFilter) -> set[int]:
    """The ids in the list, which must be as long as it is said to be."""
    found = opportunity_service.get_rows(session, where, limit=200)
    assert len(found) == opportunity_service.count_opportunities(session, where)
    return {deal.id for deal in found}


def figures_of(deals: list[Row]) -> list[tuple[int, Decimal]]:
    """How many are open, won and lost, and what they are worth."""
    groups = [OPEN_STAGES, *((stage,) for stage in CLOSED_STAGES)]
    inside = [[deal for deal in deals if deal["stage"] in group] for group in groups]
    return [
        (len(group), sum((deal["expected_value"] or 0 for deal in group), Decimal(0))) for group in inside
    ]


def figures_as_of(session: Session, where: OpportunityFilter, at: datetime) -> list[tuple[int, Decimal]]:
    open_ = pipeline.totals(session, where, as_of=at)
    closed = outcomes.closed_in(session, ALWAYS, where, as_of=at)
    return [
        (open_.deals, open_.value),
        (closed.won, closed.won_value),
        (closed.lost, closed.lost_value),
    ]


def questions(world: World) -> Iterator[tuple[str, Any]]:
    """Each field with each value worth asking for."""
    for field, about in FIELDS.items():
        for value in about.values(world):
            yield field, value


def test_each_field_is_tried():
    assert {*FIELDS, "as_of", "credit_at_creation", "credit_in_stage"} == set(OpportunityFilter.model_fields)


def test_each_field_lets_through_what_it_says(worlds):
    database, _, now = worlds
    telling = set()
    with database.read(at=NOW) as session:
        for field, value in questions(now):
            expected = ids(now.matching(**{field: value}))
            assert (field, value, listed(session, OpportunityFilter(**{field: value}))) == (
                field,
                value,
                expected,
            )
            if 0 < len(expected) < len(now.matching()):
                telling.add(field)
    assert telling == set(FIELDS)


def test_credit_at_creation_is_the_first_owners(worlds):
    database, then, now = worlds
    for world in (then, now):
        owned = {
            owner_id: {
                deal["id"] for deal in world.matching() if world.states[deal["id"]][0]["owner_id"] == owner_id
            }
            for owner_id in (*world.teams, None)
        }
        with database.read(at=NOW) as session:
            for owner_id, expected in owned.items():
                whose = {"owners": frozenset({owner_id})} if owner_id else {"without_owner": True}
                where = OpportunityFilter(credit_at_creation=True, as_of=world.at, **whose)
                assert listed(session, where) == expected
        assert sum(map(bool, owned.values())) > 2


def test_one_stay_meets_everything_that_is_asked_of_stays(worlds):
    database, then, now = worlds
    found = 0
    for world in (then, now):
        with database.read(at=NOW) as session:
            for owner_id, stage, day in product((*world.teams, None), OPEN_STAGES, (THEN, NOW)):
                first = world.day_of(day) - ONE_DAY
                expected = {
                    deal["id"]
                    for deal in world.matching()
                    for stay in stays(deal, world)
                    if stay[0]["stage"] is stage
                    and world.day_of(stay[0]["valid_from"]) >= first
                    and stay[-1]["owner_id"] == owner_id
                    and assumed(stay[0], world) is None
                }
                whose = {"owners": frozenset({owner_id})} if owner_id else {"without_owner": True}
                where = OpportunityFilter(
                    been_in=frozenset({stage}),
                    entered_from=first,
                    credit_in_stage=True,
                    as_of=world.at,
                    **whose,
                )
                assert listed(session, where) == expected
                found += bool(expected)
    assert found > 10


def test_fields_together_must_all_hold(worlds):
    database, _, now = worlds
    chance = random.Random(now.zone.key)
    with database.read(at=NOW) as session:
        for _ in range(COMBINATIONS):
            wanted = some_answers(chance, now)
            found = listed(session, OpportunityFilter(**wanted))
            assert (wanted, found) == (wanted, ids(now.matching(**wanted)))


def some_answers(chance: random.Random, world: World) -> Row:
    """Two to four fields that at least one deal meets together."""
    deal = chance.choice(world.matching())
    fitting = {
        field: [value for value in about.values(world) if about.holds(deal, value, world)]
        for field, about in FIELDS.items()
    }
    possible = [field for field, values in fitting.items() if values and field not in ABOUT_ONE_STAY]
    possible.append(chance.choice(sorted(ABOUT_ONE_STAY)))
    chosen = [field for field in chance.sample(possible, chance.randint(2, 4)) if fitting[field]]
    return {field: chance.choice(fitting[field]) for field in chosen}


def test_each_field_asks_the_past_what_was_true_then(worlds):
    database, then, now = worlds
    changed = set()
    with database.read(at=NOW) as session:
        for field, value in questions(then):
            expected = figures_of(then.matching(**{field: value}))
            found = figures_as_of(session, OpportunityFilter(**{field: value}), THEN)
            assert (field, value, found) == (field, value, expected)
            listed_then = listed(session, OpportunityFilter(**{field: value}, as_of=THEN))
            assert (field, value, listed_then) == (field, value, ids(then.matching(**{field: value})))
            if expected != figures_of(now.matching(**{field: value})):
                changed.add(field)
    assert changed == set(FIELDS)


def test_no_condition_matches_everything_that_was_not_deleted(worlds):
    database, then, now = worlds
    with database.read(at=NOW) as session:
        assert listed(session, EVERYTHING) == ids(now.matching()) < ids(now.deals)
        assert figures_as_of(session, EVERYTHING, THEN) == figures_of(then.matching())


def test_a_deleted_deal_is_found_by_nothing(session, make):
    deal = make.opportunity(name="Solar roof", owner_id=make.user().id, expected_value=Decimal(5))
    asked = [EVERYTHING, OpportunityFilter(text="solar"), OpportunityFilter(owners={deal.owner_id})]
    assert [listed(session, where) for where in asked] == [{deal.id}] * 3

    opportunity_service.delete_opportunity(session, deal.id)

    assert [listed(session, where) for where in asked] == [set()] * 3


def test_a_search_reads_no_row_that_it_does_not_find(sqlite_url, monkeypatch):
    monkeypatch.setattr(by_text, "MANY", -1)  # as if everything had it
    with closing(Database(sqlite_url)) as database, database.read(at=NOW) as session:
        scope = scope_of(session, OpportunityFilter(text="solar"))
        asked = select(scope.model.expected_value).where(*scope.conditions)
        told = asked.compile(database.engine, compile_kwargs={"literal_binds": True})
        plan = [step.detail for step in session.execute(text(f"EXPLAIN QUERY PLAN {told}"))]

    assert not [step for step in plan if "SCAN" in step and "_search VIRTUAL TABLE INDEX 0:M" not in step]


def test_the_past_knows_a_company_by_its_name_of_then(database):
    with database.write(at=THEN) as session:
        make = Make(session)
        company = make.company("Sun & Sons").id
        make.opportunity(company_id=company)
    with database.write(at=NOW) as session:
        session.get_one(Company, company).name = "Moon Ltd"

    def found(words: str, at: datetime | None) -> int:
        with database.read(at=NOW) as session:
            return pipeline.totals(session, OpportunityFilter(text=words), as_of=at).deals

    assert [found("sons", THEN), found("moon", THEN)] == [1, 0]
    assert [found("sons", NOW), found("moon", NOW)] == [0, 1]
    assert [found("sons", None), found("moon", None)] == [0, 1]


def test_a_condition_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError, match="stage"):
        OpportunityFilter(stage=OpportunityStage.PROPOSAL)


def test_a_filter_says_whether_it_narrows():
    assert not OpportunityFilter().is_narrowed
    assert OpportunityFilter(text="roof").is_narrowed


def test_won_and_lost_in_a_period_are_as_many_as_the_list_behind_them(worlds):
    database, _, now = worlds
    calendar = Calendar(now.zone)
    kinds = (PeriodKind.MONTH, PeriodKind.QUARTER, PeriodKind.YEAR)
    periods = {calendar.period(kind, day) for kind in kinds for day in CLOSED_ON}
    periods |= {Period(first, last) for first in CLOSED_ON for last in CLOSED_ON if first < last}
    counted = set()
    with database.read(at=NOW) as session:
        for period in periods:
            figures = outcomes.closed_in(session, period)
            lists = [
                opportunity_service.get_rows(session, closed(outcome, period), limit=200)
                for outcome in (Outcome.WON, Outcome.LOST)
            ]
            assert [len(deals) for deals in lists] == [figures.won, figures.lost]
            worth = [sum(deal.expected_value or 0 for deal in deals) for deals in lists]
            assert worth == [figures.won_value, figures.lost_value]
            counted.add((figures.won, figures.lost))
    assert len(counted) > 5


def closed(outcome: Outcome, period: Period) -> OpportunityFilter:
    """The list behind a number of deals that ended in the period."""
    return OpportunityFilter(outcomes={outcome}, closed_from=period.start, closed_to=period.last_day)
