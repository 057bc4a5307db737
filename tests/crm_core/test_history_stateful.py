"""Whatever is done, in whatever order, kept or thrown away: the past stays what it was.

Hypothesis plays a salesperson on both databases; what must be true is foretold in plain Python.
"""

from contextlib import ExitStack, suppress
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import func, select

from crm_core import check
from crm_core.database import instant
from crm_core.errors import CrmError
from crm_core.history import as_of
from crm_core.models import (
    OPEN_STAGES,
    VERSIONS,
    Company,
    Contact,
    Lead,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Outcome,
    Record,
    Transaction,
)
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import opportunity_service as service
from tests import forms
from tests.builders import PROBABILITIES
from tests.conftest import NOW, Discard
from tests.databases import InTurn

FORETOLD: dict[type[Record], tuple[str, ...]] = {
    Opportunity: ("name", "stage", "expected_value", "probability", "company_id", "closed_at", "deleted_at"),
    Company: ("name", "country", "deleted_at"),
    Contact: ("name", "company_id", "deleted_at"),
    Lead: ("name", "status", "deleted_at"),
}
WINNABLE = (OpportunityStage.PROPOSAL, OpportunityStage.NEGOTIATION)
REASONS = {Outcome.WON: None, Outcome.LOST: 7}
"""A deal is won for no particular reason, and lost for the first one of a new workspace."""

Row = dict[str, Any]
World = dict[type[Record], dict[int, Row]]

some = st.integers(0, 5)
names = st.sampled_from(["Solar roof", "Wind park", "“Ж𝄞”", "O'Hara", "%_\\"])
amounts = st.none() | st.integers(0, 10**15 - 1).map(lambda minor: Decimal(minor) / 100)
stages = st.sampled_from(OPEN_STAGES)
ticks = st.sampled_from([timedelta(seconds=-1), timedelta(0), timedelta(microseconds=1), timedelta(days=1)])


def has(model: type[Record]) -> Any:
    return precondition(lambda player: bool(player.world[model]))


is_working = precondition(lambda player: player.work is not None)


class Salesperson(RuleBasedStateMachine):
    """`world` is what must be true inside the open transaction, `kept` what the last one must have left."""

    databases: InTurn

    def __init__(self) -> None:
        super().__init__()
        self.database = self.databases.database
        self.work: ExitStack | None = None
        self.clock = NOW
        self.kept: World = {model: {} for model in VERSIONS}
        self.world = deepcopy(self.kept)
        self.past: list[tuple[datetime, World]] = [(NOW - timedelta(days=1), deepcopy(self.kept))]
        self.rows_kept = self.count_rows()

    def teardown(self) -> None:
        if self.work is not None:
            self.throw_away()
        self.databases.empty()

    # What can be done

    @rule(name=names, stage=stages, value=amounts)
    def create_deal(self, name: str, stage: OpportunityStage, value: Decimal | None) -> None:
        draft = OpportunityCreate(name=name, stage=stage, expected_value=value)
        self.foretell(
            service.create_opportunity(self.working(), draft),
            name=name,
            stage=stage,
            expected_value=value,
            probability=PROBABILITIES[stage],
        )

    @has(Opportunity)
    @rule(which=some, name=names, value=amounts)
    def update_deal(self, which: int, name: str, value: Decimal | None) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        changes = OpportunityUpdate(name=name, expected_value=value)
        if self.allows(is_there(deal), service.update_opportunity, deal_id, changes):
            deal.update(name=name, expected_value=value)

    @has(Opportunity)
    @rule(which=some, to=stages)
    def move_deal(self, which: int, to: OpportunityStage) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        if self.allows(is_open(deal), service.move_opportunity, deal_id, to=to) and deal["stage"] is not to:
            deal.update(stage=to, probability=PROBABILITIES[to])

    @has(Opportunity)
    @rule(which=some, outcome=st.sampled_from(Outcome))
    def close_deal(self, which: int, outcome: Outcome) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        allowed = is_open(deal) and (outcome is Outcome.LOST or deal["stage"] in WINNABLE)
        how = {"outcome": outcome, "reason_id": REASONS[outcome]}
        if self.allows(allowed, service.close_opportunity, deal_id, **how):
            stage = OpportunityStage.of(outcome)
            deal.update(stage=stage, probability=PROBABILITIES[stage], closed_at=instant(self.session))

    @has(Opportunity)
    @rule(which=some, to=stages)
    def reopen_deal(self, which: int, to: OpportunityStage) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        allowed = is_there(deal) and deal["stage"].is_closed
        if self.allows(allowed, service.reopen_opportunity, deal_id, to=to):
            deal.update(stage=to, probability=PROBABILITIES[to], closed_at=None)

    @has(Opportunity)
    @rule(which=some)
    def delete_deal(self, which: int) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        if self.allows(is_there(deal), service.delete_opportunity, deal_id):
            deal["deleted_at"] = instant(self.session)

    @has(Opportunity)
    @rule(which=some)
    def restore_deal(self, which: int) -> None:
        deal_id, deal = self.pick(Opportunity, which)
        service.restore_opportunity(self.session, deal_id)
        deal["deleted_at"] = None

    @rule(model=st.sampled_from([Company, Contact, Lead]), name=names)
    def add_record(self, model: type[Record], name: str) -> None:
        record = model(name=name)
        self.working().add(record)
        self.session.flush()
        self.foretell(record, name=name, **({"status": LeadStatus.NEW} if model is Lead else {}))

    @has(Lead)
    @rule(which=some, status=st.sampled_from([LeadStatus.CONTACTED, LeadStatus.QUALIFIED]))
    def change_lead(self, which: int, status: LeadStatus) -> None:
        self.change(Lead, which, status=status)

    @has(Company)
    @rule(which=some, name=names, country=st.sampled_from([None, "CH", "US"]))
    def change_company(self, which: int, name: str, country: str | None) -> None:
        self.change(Company, which, name=name, country=country)

    @has(Company)
    @has(Contact)
    @rule(which=some, company=some)
    def change_contact(self, which: int, company: int) -> None:
        self.change(Contact, which, company_id=self.pick(Company, company)[0])

    @has(Company)
    @has(Opportunity)
    @rule(which=some, company=some)
    def give_deal_to_company(self, which: int, company: int) -> None:
        self.change(Opportunity, which, company_id=self.pick(Company, company)[0])

    @is_working
    @rule()
    def flush(self) -> None:
        self.session.flush()

    # How it ends

    @is_working
    @rule(tick=ticks)
    def keep(self, tick: timedelta) -> None:
        at = instant(self.session)
        assert self.work is not None
        self.work.close()
        if self.world != self.kept:
            assert at > self.past[-1][0]
            self.past.append((at, deepcopy(self.world)))
        self.work, self.kept = None, deepcopy(self.world)
        self.clock = max(self.clock, at) + tick
        self.rows_kept = self.count_rows()
        self.look_around()

    @is_working
    @rule()
    def throw_away(self) -> None:
        assert self.work is not None
        with suppress(Discard), self.work:
            raise Discard
        self.work, self.world = None, deepcopy(self.kept)
        assert self.count_rows() == self.rows_kept
        self.look_around()

    # How it is done

    def working(self) -> Any:
        """The session of the open transaction."""
        if self.work is None:
            self.work = ExitStack()
            self.session = self.work.enter_context(self.database.write(at=self.clock))
        return self.session

    def pick(self, model: type[Record], which: int) -> tuple[int, Row]:
        self.working()
        return sorted(self.world[model].items())[which % len(self.world[model])]

    def allows(self, allowed: bool, action: Any, *arguments: Any, **options: Any) -> bool:
        """Do it; what is not allowed must be refused."""
        if allowed:
            action(self.session, *arguments, **options)
        else:
            with pytest.raises(CrmError):
                action(self.session, *arguments, **options)
        return allowed

    def foretell(self, record: Any, **values: Any) -> None:
        columns = FORETOLD[type(record)]
        self.world[type(record)][record.id] = dict.fromkeys(columns) | values

    def change(self, model: type[Record], which: int, **values: Any) -> None:
        record_id, row = self.pick(model, which)
        record = self.session.get_one(model, record_id)
        for name, value in values.items():
            setattr(record, name, value)
        row.update(values)

    # What must hold

    def look_around(self) -> None:
        now = max(self.clock, self.past[-1][0])
        with self.database.read() as session:
            for model, columns in FORETOLD.items():
                every = [column.key for column in model.__table__.columns]
                assert rows(session, model, every) == rows(session, as_of(model, now), every)
                assert rows(session, model, columns) == self.kept[model]
                for at, world in self.past:
                    assert rows(session, as_of(model, at), columns) == world[model]
                assert_without_gap_or_overlap(session, model)
        assert check.findings(self.database) == []

    def count_rows(self) -> list[int | None]:
        tables = [Transaction.__table__, *VERSIONS.values(), *(model.__table__ for model in VERSIONS)]
        with self.database.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def is_there(deal: Row) -> bool:
    return deal["deleted_at"] is None


def is_open(deal: Row) -> bool:
    return is_there(deal) and not deal["stage"].is_closed


def rows(session: Any, model: Any, columns: Any) -> dict[int, Row]:
    found = session.execute(select(model.id, *(getattr(model, name) for name in columns)))
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in found}


def assert_without_gap_or_overlap(session: Any, model: type[Record]) -> None:
    kept = VERSIONS[model].c
    lines: dict[int, list[Any]] = {}
    for version in session.execute(select(kept.id, kept.version, kept.valid_from, kept.valid_to)):
        lines.setdefault(version.id, []).append(version)
    for line in lines.values():
        line.sort(key=lambda version: version.valid_from)
        assert [version.version for version in line] == list(range(1, len(line) + 1))
        assert all(first.valid_to == second.valid_from for first, second in pairwise(line))
        assert line[-1].valid_to is None


@pytest.mark.both_databases
def test_the_past_stays_what_it_was(in_turn):
    class SalespersonHere(Salesperson):
        databases = in_turn

    run_state_machine_as_test(
        SalespersonHere,
        settings=settings(max_examples=forms.either(4, 20), stateful_step_count=30),
    )
