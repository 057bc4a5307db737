"""When a deal may be closed: from which stage, for which reason, on which day."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.database import instant
from crm_core.errors import RuleBroken
from crm_core.models import CloseReason, Opportunity, OpportunityStage, Outcome, StageSettings
from crm_core.schemas.fields import shows_something
from crm_core.services import settings_service


class TooEarlyToWin(RuleBroken):
    def __init__(self, opportunity: Opportunity, stages: list[OpportunityStage]) -> None:
        allowed = " or ".join(stage.label.lower() for stage in stages)
        super().__init__(
            f"“{opportunity.name}” is still in {opportunity.stage.label.lower()}."
            f" Deals are won from {allowed}: move it first."
        )


class LossNeedsReason(RuleBroken):
    def __init__(self) -> None:
        super().__init__("Say why the deal was lost: choose a reason.")


class ReasonNeedsNote(RuleBroken):
    def __init__(self, reason: CloseReason) -> None:
        super().__init__(f"“{reason.label}” says little by itself: add a note.")


class WrongReason(RuleBroken):
    def __init__(self, reason: CloseReason, outcome: Outcome) -> None:
        super().__init__(f"“{reason.label}” is no reason for a {outcome} deal. Choose another.")


class ReasonIsRetired(RuleBroken):
    def __init__(self, reason: CloseReason) -> None:
        super().__init__(f"“{reason.label}” is no longer used. Choose another reason.")


class ImpossibleCloseDate(RuleBroken):
    pass


def require_winnable(session: Session, opportunity: Opportunity) -> None:
    """Deals are won from the stages that the workspace chose. Raises `TooEarlyToWin`."""
    stages = session.scalars(select(StageSettings.stage).where(StageSettings.can_be_won)).all()
    if opportunity.stage not in stages:
        raise TooEarlyToWin(opportunity, [stage for stage in OpportunityStage if stage in stages])


def require_reason(session: Session, outcome: Outcome, reason_id: int | None, note: str | None) -> None:
    """A loss needs a reason, and a reason that says little a note.

    Raises `LossNeedsReason`, `WrongReason`, `ReasonIsRetired`, `ReasonNeedsNote`, and `NotFound` for a reason
    that does not exist.
    """
    if reason_id is None:
        if outcome is Outcome.LOST:
            raise LossNeedsReason
        return
    reason = settings_service.get_close_reason(session, reason_id)
    if reason.outcome is not outcome:
        raise WrongReason(reason, outcome)
    if not reason.is_active:
        raise ReasonIsRetired(reason)
    if reason.needs_note and not shows_something(note):
        raise ReasonNeedsNote(reason)


def require_possible_day(session: Session, opportunity: Opportunity, on: date) -> None:
    """A deal is closed on a day between its creation's and today. Raises `ImpossibleCloseDate`."""
    calendar = settings_service.get_calendar(session)
    today = calendar.day_of(instant(session))
    created = min(opportunity.created_on, today)  # it may be tomorrow where it was created
    if on > today:
        raise ImpossibleCloseDate(
            f"“{opportunity.name}” can't be closed in the future. Choose a day up to today."
        )
    if not calendar.has(on):
        raise ImpossibleCloseDate(f"There was no {on:%Y-%m-%d} in {calendar.zone.key}. Choose another day.")
    if on < created:
        raise ImpossibleCloseDate(
            f"“{opportunity.name}” was created on {created:%Y-%m-%d}; it can't be closed before that day."
        )
