"""Opportunities: the sales we hope to make, and the stages they pass through."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    and_,
    case,
    exists,
    false,
    or_,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, Money, folded_from, stored_enum
from crm_core.models.base import Record, linked
from crm_core.models.close_reason import CloseReason, Outcome
from crm_core.models.note import Note

if TYPE_CHECKING:
    from crm_core.models.company import Company
    from crm_core.models.contact import Contact
    from crm_core.models.lead import Lead
    from crm_core.models.user import User


class OpportunityStage(StrEnum):
    """The stages in the order a deal passes them; the last two are the outcomes."""

    QUALIFICATION = "qualification"
    DISCOVERY = "discovery"
    PROPOSAL = "proposal"
    NEGOTIATION = "negotiation"
    CLOSED_WON = "closed_won"
    CLOSED_LOST = "closed_lost"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()

    @property
    def is_closed(self) -> bool:
        return self in CLOSED_STAGES

    @property
    def outcome(self) -> Outcome | None:
        """How a deal in this stage ended; None while it is open."""
        return next((outcome for outcome in Outcome if self is OpportunityStage.of(outcome)), None)

    @classmethod
    def of(cls, outcome: Outcome) -> "OpportunityStage":
        """The stage that a deal with this outcome is in."""
        return cls.CLOSED_WON if outcome is Outcome.WON else cls.CLOSED_LOST


CLOSED_STAGES = (OpportunityStage.CLOSED_WON, OpportunityStage.CLOSED_LOST)
OPEN_STAGES = tuple(stage for stage in OpportunityStage if stage not in CLOSED_STAGES)


class Opportunity(Record):
    """A sale we hope to make to one company.

    `expected_value` is in the workspace's currency; None means unknown, which is not zero.
    `credited_owner_id` is the owner at the close, who keeps the credit when the deal changes hands.
    `stage_entered_at` is when it came into its stage, `stage_entered_on` the day, of a closed deal its
    closing day; an edit that keeps the stage changes neither. `touched_at` is the last change that was not
    undone.
    """

    __tablename__ = "opportunities"
    __table_args__ = (
        *Record.__table_args__,
        CheckConstraint("expected_value >= 0", "expected_value_is_not_negative"),
        CheckConstraint("probability BETWEEN 0 AND 100", "probability_is_percent"),
        CheckConstraint(
            "(stage IN ('closed_won', 'closed_lost')) = (closed_at IS NOT NULL)", "closed_has_its_instant"
        ),
        CheckConstraint("(closed_at IS NULL) = (actual_close_date IS NULL)", "closed_has_its_day"),
        CheckConstraint("closed_at >= created_at", "closed_after_created"),
        CheckConstraint(
            "(stage <> 'closed_won' OR probability = 100) AND (stage <> 'closed_lost' OR probability = 0)",
            "outcome_is_certain",
        ),
        CheckConstraint(
            "closed_at IS NOT NULL OR (close_reason_id IS NULL AND close_note IS NULL"
            " AND credited_owner_id IS NULL)",
            "open_has_no_outcome",
        ),
        Index("ix_opportunities_stage_expected_value_id", "stage", "expected_value", "id"),
        Index("ix_opportunities_expected_value_id", "expected_value", "id"),
        Index(
            "ix_opportunities_totals",
            "stage",
            "probability",
            "expected_value",
            "expected_close_date",
            "deleted_at",
        ),
        Index(
            "ix_opportunities_outcomes",
            "stage",
            "actual_close_date",
            "created_on",
            "expected_value",
            "close_reason_id",
            "deleted_at",
            sqlite_where=text("actual_close_date IS NOT NULL"),
            postgresql_where=text("actual_close_date IS NOT NULL"),
        ),
    )

    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"), index=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("leads.id"), index=True)
    stage: Mapped[OpportunityStage] = mapped_column(
        stored_enum(OpportunityStage, "stage"), default=OpportunityStage.QUALIFICATION
    )
    stage_entered_at: Mapped[datetime] = mapped_column(nullable=True)  # no old table takes a required column
    stage_entered_on: Mapped[date] = mapped_column(nullable=True)
    touched_at: Mapped[datetime] = mapped_column(nullable=True)
    expected_value: Mapped[Money | None]
    probability: Mapped[int]
    expected_close_date: Mapped[date | None] = mapped_column(index=True)
    actual_close_date: Mapped[date | None] = mapped_column(index=True)
    closed_at: Mapped[datetime | None]
    close_reason_id: Mapped[int | None] = mapped_column(ForeignKey("close_reasons.id"), index=True)
    close_note: Mapped[str | None]
    credited_owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    next_step: Mapped[str | None] = mapped_column(Line(500))
    next_step_date: Mapped[date | None]
    source: Mapped[str | None] = mapped_column(Line(100), index=True)
    description: Mapped[str | None]

    folded_next_step: Mapped[str | None] = folded_from("next_step")
    folded_source: Mapped[str | None] = folded_from("source")

    owner: Mapped["User | None"] = linked(foreign_keys="Opportunity.owner_id")
    credited_owner: Mapped["User | None"] = linked(foreign_keys=[credited_owner_id])
    company: Mapped["Company | None"] = linked(back_populates="opportunities")
    contact: Mapped["Contact | None"] = linked(back_populates="opportunities")
    lead: Mapped["Lead | None"] = linked(foreign_keys=[lead_id])
    close_reason: Mapped[CloseReason | None] = linked()

    @hybrid_property
    def is_open(self) -> bool:
        """Not closed yet."""
        return not self.stage.is_closed

    @is_open.inplace.expression
    @classmethod
    def _is_open(cls) -> ColumnElement[bool]:
        return cls.stage.not_in(CLOSED_STAGES)

    @hybrid_property
    def is_won(self) -> bool:
        return self.stage is OpportunityStage.CLOSED_WON

    @is_won.inplace.expression
    @classmethod
    def _is_won(cls) -> ColumnElement[bool]:
        return cls.stage == OpportunityStage.CLOSED_WON

    @hybrid_property
    def is_lost(self) -> bool:
        return self.stage is OpportunityStage.CLOSED_LOST

    @is_lost.inplace.expression
    @classmethod
    def _is_lost(cls) -> ColumnElement[bool]:
        return cls.stage == OpportunityStage.CLOSED_LOST

    def is_overdue(self, on: date) -> bool:
        """Open, and expected to close before that day."""
        return self.is_open and self.expected_close_date is not None and self.expected_close_date < on

    @classmethod
    def overdue(cls, on: date) -> ColumnElement[bool]:
        """`is_overdue` in SQL."""
        return and_(cls.is_open, cls.expected_close_date < on)

    @classmethod
    def stale(
        cls, before: Mapping[OpportunityStage, datetime], as_of: datetime | None
    ) -> ColumnElement[bool]:
        """Open, and not touched for too long: not edited, moved or noted upon since its stage's instant.

        As of a past instant, notes from after it are not there yet.
        """
        noted = [Note.opportunity_id == cls.id, *([] if as_of is None else [Note.created_at <= as_of])]
        return or_(
            false(),
            *(
                and_(
                    cls.stage == stage,
                    cls.touched_at < limit,
                    ~exists().where(*noted, Note.created_at >= limit),
                )
                for stage, limit in before.items()
                if not stage.is_closed
            ),
        )

    @classmethod
    def is_no_real_loss(cls) -> ColumnElement[bool]:
        """SQL: lost for a reason that does not count (“Duplicate or test”)."""
        uncounted = select(CloseReason.id).where(~CloseReason.counts)
        return and_(cls.is_lost, cls.close_reason_id.is_not(None), cls.close_reason_id.in_(uncounted))

    @classmethod
    def stage_order(cls) -> ColumnElement[int]:
        """The stage's position in the order a deal passes them."""
        return case({stage: position for position, stage in enumerate(OpportunityStage)}, value=cls.stage)

    @classmethod
    def derived(
        cls, state: Mapping[str, Any], before: Mapping[str, Any] | None, at: datetime, on: date
    ) -> dict[str, Any]:
        if before is not None and before["stage"] == state["stage"]:
            at_first, on = before["stage_entered_at"], before["stage_entered_on"]
        else:
            at_first = at
        return {
            "stage_entered_at": at_first,
            "stage_entered_on": state.get("actual_close_date") or on,
            "touched_at": at,
        }

    def is_of(self, users: Collection[int]) -> bool:
        """Theirs, nobody's, or won or lost to their credit."""
        return super().is_of(users) or self.credited_owner_id in users

    @classmethod
    def of(cls, users: Collection[int]) -> ColumnElement[bool]:
        return or_(cls.owner_id.is_(None), cls.owner_id.in_(users), cls.credited_owner_id.in_(users))

    @classmethod
    def counts_for(cls, users: Collection[int] | Select[int] | None) -> ColumnElement[bool]:
        """Whose it is: an open one its owner's, a closed one the owner's at the close; None: nobody's."""
        if users is None:
            return and_(
                cls.credited_owner_id.is_(None), or_(cls.closed_at.is_not(None), cls.owner_id.is_(None))
            )
        return or_(and_(cls.is_open, cls.owner_id.in_(users)), cls.credited_owner_id.in_(users))


Index(
    "ix_opportunities_falling_value", Opportunity.expected_value.desc().nulls_last(), Opportunity.id.desc()
).ddl_if(dialect="postgresql")
"""SQLite reads the index of rising values backwards; PostgreSQL would begin with the unknown ones."""

Index("ix_opportunities_created_on_id", Opportunity.created_on, Opportunity.id).ddl_if(dialect="sqlite")
Index("ix_opportunities_newest", Opportunity.created_on.desc().nulls_last(), Opportunity.id.desc()).ddl_if(
    dialect="postgresql"
)
