"""What the workspace decided: currency, calendar, stages, reasons to close."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.errors import NotFound
from crm_core.models import CloseReason, OpportunityStage, Outcome, Settings, StageSettings
from crm_core.periods import Calendar


@dataclass(frozen=True)
class Workspace:
    """The settings as plain values, for screens and figures."""

    currency: str
    locale: str
    calendar: Calendar
    has_demo_data: bool


def get_settings(session: Session) -> Settings:
    """The one row of settings."""
    return session.get_one(Settings, 1)


def get_workspace(session: Session) -> Workspace:
    """The settings as plain values."""
    settings = get_settings(session)
    return Workspace(settings.currency, settings.locale, _calendar(settings), settings.has_demo_data)


def get_calendar(session: Session) -> Calendar:
    """How the workspace counts days."""
    return _calendar(get_settings(session))


def get_stage_settings(session: Session, stage: OpportunityStage) -> StageSettings:
    """A stage's default probability and limits."""
    return session.get_one(StageSettings, stage)


def default_probability(session: Session, stage: OpportunityStage) -> int:
    """The probability, in percent, that a deal gets when it enters the stage."""
    return get_stage_settings(session, stage).default_probability


def get_close_reasons(session: Session, outcome: Outcome) -> list[CloseReason]:
    """The active reasons for that outcome, in the order they were set up."""
    chosen = select(CloseReason).where(CloseReason.outcome == outcome, CloseReason.is_active)
    return list(session.scalars(chosen.order_by(CloseReason.id)))


def get_close_reason(session: Session, reason_id: int) -> CloseReason:
    """One reason. Raises `NotFound`."""
    reason = session.get(CloseReason, reason_id)
    if reason is None:
        raise NotFound("This reason to close does not exist. Choose one from the list.")
    return reason


def _calendar(settings: Settings) -> Calendar:
    return Calendar(ZoneInfo(settings.time_zone), settings.fiscal_year_start_month)
