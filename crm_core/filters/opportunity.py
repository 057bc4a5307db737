"""Which opportunities are meant."""

from collections.abc import Callable, Sequence
from typing import Self

from pydantic import Field
from sqlalchemy import ColumnElement, and_, case, func, or_, select

from crm_core import history
from crm_core.filters.base import WORDS, RecordFilter, Text, Users, is_one_of
from crm_core.models import (
    CLOSED_STAGES,
    OPEN_STAGES,
    Assumed,
    Company,
    Contact,
    Opportunity,
    OpportunityStage,
    Outcome,
    valid_until,
)
from crm_core.moment import Moment
from crm_core.schemas.fields import Day, Id, LeastAmount, MostAmount, StoredLabel
from crm_core.stays import STATE, STATES, owner_at_the_end, stays

STEPS = {stage: step for step, stage in enumerate(OPEN_STAGES)} | {
    OpportunityStage.CLOSED_WON: len(OPEN_STAGES) - 1
}
STEP = case(STEPS, value=STATE.stage, else_=0)
"""SQL: the position of a state's stage among the open ones; one that was won saw all."""


def furthest_step(deal: type[Opportunity], moment: Moment) -> ColumnElement[int]:
    """SQL: the position of the last open stage that the deal came to by then; null where its path is unknown.

    That is a closed deal of which an import assumed the only open stage, if any. While it was still open, it
    was in that stage. Looked up for one deal after the other, by the key: that stays quick where a server
    knows nothing of its tables yet, as after an import.
    """
    is_known = STATE.assumed.is_distinct_from(Assumed.STAGE)
    until = []
    if moment.as_of is not None:
        is_known = or_(is_known, valid_until(STATES) > history.instant_asked(moment.as_of))
        until = [STATE.valid_from <= history.instant_asked(moment.as_of)]
    has_path = func.count(case((and_(STATE.closed_at.is_(None), is_known), 1))) > 0
    furthest = case((has_path, func.max(case((is_known, STEP)))))
    its_own = STATE.id == deal.id, history.counts(STATES, moment.as_of)
    return select(furthest).where(*its_own, *until).correlate(deal).scalar_subquery()


class OpportunityFilter(RecordFilter[Opportunity]):
    """Opportunities, by any of their facts; see `RecordFilter` for what holds of every filter.

    Each word of `text` occurs in the deal's, its company's or its contact's name. `owners` and `teams` mean
    who a deal counts for: the owner of an open one, the owner at the close of a closed one.
    """

    model = Opportunity
    searched = {
        "id": (Opportunity, ("folded_name",)),
        "company_id": (Company, ("folded_name",)),
        "contact_id": (Contact, ("folded_name",)),
    }

    text: Text = Field(
        default="",
        description=WORDS.format("own name, its company's or its contact's"),
    )
    owners: frozenset[Id] = Field(
        default=frozenset(),
        description="Ids of users: who owns an open deal, who owned a closed one at its close; for figures"
        " about creations who owned it then.",
    )
    without_owner: bool = Field(default=False, description="Only those that count for nobody.")
    credit_at_creation: bool = Field(
        default=False,
        description="Owner, team and `without_owner` mean who owned it when it was created.",
    )
    stages: frozenset[OpportunityStage] = frozenset()
    is_open: bool | None = Field(default=None, description="In an open stage, or in a closed one.")
    outcomes: frozenset[Outcome] = Field(default=frozenset(), description="Closed, and how.")
    furthest: frozenset[OpportunityStage] = Field(
        default=frozenset(),
        description="The last open stage that it ever came to; one that was won has been in all of them."
        " None of those whose path is unknown.",
    )
    path_unknown: bool = Field(
        default=False,
        description="Only those of which no open stage is known: closed deals of a file that says no more of"
        " them than how they ended.",
    )
    been_in: frozenset[OpportunityStage] = Field(
        default=frozenset(), description="Has ever come into one of these open stages."
    )
    entered_from: Day | None = Field(
        default=None, description="Came into such a stage, or into any open one, on this day or later."
    )
    entered_to: Day | None = Field(
        default=None, description="Came into such a stage, or into any open one, on this day or earlier."
    )
    entry_unknown: bool = Field(
        default=False,
        description="Only those of which it is not known when they came into such a stage, or into any open"
        " one; the days are then those of their creation.",
    )
    credit_in_stage: bool = Field(
        default=False,
        description="Owner and team mean who owned it when it left that stage, or owns it there now.",
    )
    companies: frozenset[Id] = Field(default=frozenset(), description="Ids of companies.")
    contacts: frozenset[Id] = Field(default=frozenset(), description="Ids of contacts.")
    sources: frozenset[StoredLabel] = frozenset()
    close_reasons: frozenset[Id] = Field(default=frozenset(), description="Ids of reasons to close.")
    without_reason: bool = Field(default=False, description="Only closed ones without a reason.")
    counted: bool = Field(
        default=False,
        description="Leaves out those lost for a reason that does not count, as rates do.",
    )
    value_from: LeastAmount | None = Field(
        default=None, description="Worth this or more; not where the value is unknown."
    )
    value_to: MostAmount | None = Field(
        default=None, description="Worth this or less; not where the value is unknown."
    )
    without_value: bool = Field(default=False, description="Only those whose value is unknown.")
    expected_from: Day | None = Field(default=None, description="Expected to close on this day or later.")
    expected_to: Day | None = Field(default=None, description="Expected to close on this day or earlier.")
    without_date: bool = Field(default=False, description="Only those without an expected close date.")
    overdue: bool = Field(default=False, description="Only open ones whose expected close date has passed.")
    stale: bool = Field(
        default=False, description="Only open ones untouched for longer than their stage allows."
    )
    without_next_step: bool = Field(
        default=False, description="Only open ones with neither a next step nor a day for it."
    )
    closed_from: Day | None = Field(default=None, description="Closed on this day or later.")
    closed_to: Day | None = Field(default=None, description="Closed on this day or earlier.")

    def on_owner(self, count_for: Callable[[Users | None], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
        found = super().on_owner(count_for)
        return [*found, count_for(None)] if self.without_owner else found

    def of_anybody(self) -> Self:
        return super().of_anybody().model_copy(update={"without_owner": False})

    def _counts_for(self, row: type[Opportunity], users: Users | None, moment: Moment) -> ColumnElement[bool]:
        if self.credit_in_stage:
            return self._was_there(row, moment, users)
        if not self.credit_at_creation:
            return row.counts_for(users)
        return row.id.in_(select(STATE.id).where(STATE.version == 1, is_one_of(STATE.owner_id, users)))

    def _on_more(self, row: type[Opportunity], moment: Moment) -> Sequence[ColumnElement[bool]]:
        return [
            *self._on_stage(row, moment),
            *([self._was_there(row, moment)] if self._asks_for_stays else []),
            *self._on_links(row),
            *self._on_worth(row),
            *self._on_time(row, moment),
        ]

    def _on_stage(self, row: type[Opportunity], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.stages:
            found.append(row.stage.in_(self.stages))
        if self.is_open is not None:
            found.append(row.stage.not_in(CLOSED_STAGES) if self.is_open else row.stage.in_(CLOSED_STAGES))
        if self.outcomes:
            found.append(row.stage.in_(OpportunityStage.of(outcome) for outcome in self.outcomes))
        if self.furthest:
            steps = [OPEN_STAGES.index(stage) for stage in self.furthest if stage in OPEN_STAGES]
            found.append(furthest_step(row, moment).in_(steps))
        if self.path_unknown:
            found.append(furthest_step(row, moment).is_(None))
        if self.without_reason:
            found.append(and_(row.closed_at.is_not(None), row.close_reason_id.is_(None)))
        if self.counted:
            found.append(~row.is_no_real_loss())
        return found

    @property
    def _asks_for_stays(self) -> bool:
        return bool(self.been_in or self.entered_from or self.entered_to or self.entry_unknown)

    def _was_there(self, row: type[Opportunity], moment: Moment, *whose: Users | None) -> ColumnElement[bool]:
        """It was in one of the stages asked for, since one of the days; at the end of some user, if given."""
        stay = stays(moment, self.entered_from, self.entered_to)
        known: list[ColumnElement[bool]] = []
        if self.been_in:
            known += [stay.c.stage.in_(self.been_in), stay.c.assumed.is_distinct_from(Assumed.STAGE)]
        if self.entry_unknown:
            known.append(stay.c.assumed.is_not(None))
        elif self.entered_from or self.entered_to:
            known.append(stay.c.assumed.is_(None))
        owned = [is_one_of(owner_at_the_end(stay), users) for users in whose]
        return row.id.in_(select(stay.c.id).where(*known, *owned))

    def _on_links(self, row: type[Opportunity]) -> Sequence[ColumnElement[bool]]:
        asked = (
            (row.company_id, self.companies),
            (row.contact_id, self.contacts),
            (row.source, self.sources),
            (row.close_reason_id, self.close_reasons),
        )
        return [column.in_(wanted) for column, wanted in asked if wanted]

    def _on_worth(self, row: type[Opportunity]) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.value_from is not None:
            found.append(row.expected_value >= self.value_from)
        if self.value_to is not None:
            found.append(row.expected_value <= self.value_to)
        if self.without_value:
            found.append(row.expected_value.is_(None))
        return found

    def _on_time(self, row: type[Opportunity], moment: Moment) -> Sequence[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.expected_from is not None:
            found.append(row.expected_close_date >= self.expected_from)
        if self.expected_to is not None:
            found.append(row.expected_close_date <= self.expected_to)
        if self.without_date:
            found.append(row.expected_close_date.is_(None))
        if self.overdue:
            found.append(row.overdue(moment.today))
        if self.stale:
            found.append(row.stale(moment.stale_before, moment.as_of))
        if self.without_next_step:
            found.append(and_(row.is_open, row.next_step.is_(None), row.next_step_date.is_(None)))
        if self.closed_from is not None:
            found.append(row.actual_close_date >= self.closed_from)
        if self.closed_to is not None:
            found.append(row.actual_close_date <= self.closed_to)
        return found


EVERYTHING = OpportunityFilter()
