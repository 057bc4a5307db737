"""What the workspace decided: currency, calendar, stages, reasons to close."""

from calendar import month_name
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from sqlalchemy import BigInteger, Select, case, exists, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm_core import dated, history, permissions
from crm_core.columns import UNITS, Digits
from crm_core.currency import Currency
from crm_core.database import allow_long_statements
from crm_core.errors import NotFound, RuleBroken
from crm_core.folding import fold
from crm_core.kept import kept
from crm_core.models import (
    Base,
    CloseReason,
    Lead,
    Opportunity,
    OpportunityStage,
    Outcome,
    Record,
    Settings,
    StageSettings,
    Target,
    TargetPeriod,
    Team,
    User,
)
from crm_core.periods import Calendar, Period
from crm_core.phones import country_of
from crm_core.schemas.fields import LARGEST_ID, Priced, Schema
from crm_core.schemas.settings import (
    CloseReasonCreate,
    CloseReasonUpdate,
    SettingsUpdate,
    StageSettingsUpdate,
)

CHANGE = "change the settings"

AMOUNTS: dict[type[Record] | type[Target], InstrumentedAttribute[Any]] = {
    Opportunity: Opportunity.expected_value,
    Lead: Lead.estimated_value,
    Target: Target.amount,
}

CALENDAR = select(Settings.time_zone, Settings.fiscal_year_start_month)

_STAGE = StageSettings.__table__.c
PROBABILITIES = select(
    _STAGE.stage,
    _STAGE.default_probability,
    select(Settings.__table__.c.probability_follows_stage).scalar_subquery(),
)
"""What a transaction that moves deals asks once."""

_KNOWN = "probabilities"


@dataclass(frozen=True)
class Workspace:
    """The settings as plain values, for screens and figures."""

    currency: str
    locale: str
    calendar: Calendar
    has_demo_data: bool


class WouldSplitTargets(RuleBroken):
    def __init__(self, start: int, count: int, example: str, whole: Sequence[int]) -> None:
        *others, last = (month_name[month] for month in whole)
        what, them = f"the quarters of {count:,} targets, such as {example}", "them"
        if count == 1:
            what, them = f"the quarter of a target, {example}", "it"
        super().__init__(
            f"A fiscal year that begins in {month_name[start]} would split {what}. Choose"
            f" {', '.join(others)} or {last}, with which every quarter stays whole, or delete {them} first,"
            " in the settings under Targets."
        )


@dataclass(frozen=True)
class Relabelling:
    """How many amounts there are, and how many of them are finer than another currency allows."""

    amounts: int
    finer: int


class ClosedStageIsFixed(RuleBroken):
    def __init__(self, stage: OpportunityStage) -> None:
        super().__init__(
            f"What holds in {stage.label} can't be changed: such deals are certain, and never stale."
            " Change an open stage instead."
        )


class NothingCouldBeWon(RuleBroken):
    def __init__(self, stage: OpportunityStage) -> None:
        super().__init__(
            f"{stage.label} is the last stage that deals can be won from. Let them be won from another first."
        )


class ReasonNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("This reason to close does not exist. Choose one from the list.")


class ReasonExists(RuleBroken):
    def __init__(self, reason: CloseReason) -> None:
        advice = "Choose another name." if reason.is_active else "It was retired: activate it again."
        super().__init__(f"“{reason.label}” is a reason for {reason.outcome} deals already. {advice}")


class NothingCouldBeLost(RuleBroken):
    def __init__(self, reason: CloseReason) -> None:
        super().__init__(
            f"“{reason.label}” is the last reason for lost deals, and losing one needs a reason."
            " Add another first."
        )


def get_settings(session: Session) -> Settings:
    """The one row of settings."""
    permissions.actor_of(session)
    return permissions.settings_of(session)


def update_settings(session: Session, changes: SettingsUpdate) -> Settings:
    """Change what was sent; no deal is touched, and amounts stay what they are in another currency.

    Days stay the days they are in another time zone (see `crm_core.dated`); phone numbers without a country's
    code are looked up anew for another country. A country that is the locale's follows the locale. Raises
    `NeedsAdmin`, and `WouldSplitTargets` for a fiscal year whose quarters would cut across those that targets
    are set for.
    """
    permissions.require_admin(session, CHANGE)
    settings = get_settings(session)
    answers = _answers(settings, changes)
    if "fiscal_year_start_month" in answers:
        _require_whole_quarters(session, answers["fiscal_year_start_month"])
    if settings.country == country_of(settings.locale) and "locale" in answers:
        answers = {"country": country_of(answers["locale"])} | answers
    _apply(session, settings, answers)
    if answers.keys() & {"time_zone", "country"}:
        allow_long_statements(session)
    if "time_zone" in answers:
        dated.follow_time_zone(session)
    if "country" in answers:
        history.follow_texts(session, Digits)
    return settings


def get_workspace(session: Session) -> Workspace:
    """The settings as plain values."""
    settings = get_settings(session)
    return Workspace(settings.currency, settings.locale, get_calendar(session), settings.has_demo_data)


def get_currency(session: Session) -> Currency:
    """The currency of every amount."""
    return Currency(get_settings(session).currency)


def preview_relabelling(session: Session, to: str) -> Relabelling:
    """How many amounts of deals, leads and targets would keep their numbers in another currency.

    Nothing is converted: 100 dollars become 100 euros. Those that are finer than the other currency stay so,
    and are shown exactly. Raises `NeedsAdmin`.
    """
    permissions.require_admin(session, CHANGE)
    unit = int(Currency(to).unit * UNITS)
    found = [session.execute(_count_amounts(model, unit)).one() for model in AMOUNTS]
    return Relabelling(sum(amounts for amounts, _ in found), sum(finer for _, finer in found))


def _count_amounts(model: type[Record] | type[Target], unit: int) -> Select[int, int]:
    """SQL: how many amounts the model has, and how many are no multiple of so many ten-thousandths."""
    amount = AMOUNTS[model]
    is_finer = type_coerce(amount, BigInteger) % unit != 0
    chosen = select(func.count(amount), func.count(case((is_finer, 1))))
    return chosen.where(model.deleted_at.is_(None)) if issubclass(model, Record) else chosen


def require_amounts(session: Session, draft: Priced, *amounts: Decimal | None) -> None:
    """Refuse new amounts that are in another currency, or finer than the workspace's.

    Raises `OtherCurrency` and `FinerThanCurrency`.
    """
    currency = get_currency(session)
    currency.require_code(draft.currency)
    currency.require(*amounts)


def get_calendar(session: Session) -> Calendar:
    """How the workspace counts days."""
    permissions.actor_of(session)
    return kept(session, CALENDAR, _calendar_of)


def get_all_stage_settings(session: Session) -> list[StageSettings]:
    """What holds in each stage, in their order."""
    permissions.actor_of(session)
    found = {settings.stage: settings for settings in session.scalars(select(StageSettings))}
    return [found[stage] for stage in OpportunityStage]


def get_stage_settings(session: Session, stage: OpportunityStage) -> StageSettings:
    """A stage's default probability and limits."""
    permissions.actor_of(session)
    return session.get_one(StageSettings, stage)


def default_probability(session: Session, stage: OpportunityStage) -> int:
    """The probability, in percent, that a deal gets when it enters the stage."""
    return _probabilities(session)[stage][0]


def probability_after_move(session: Session, to: OpportunityStage) -> int | None:
    """The probability, in percent, that a deal gets when it moves to the stage; None: it keeps its own."""
    default, follows = _probabilities(session)[to]
    return default if follows else None


def update_stage_settings(
    session: Session, stage: OpportunityStage, changes: StageSettingsUpdate
) -> StageSettings:
    """Change what holds in an open stage from now on; deals keep the probability that they have.

    Raises `NeedsAdmin`, `ClosedStageIsFixed`, and `NothingCouldBeWon` for the last stage to win from.
    """
    permissions.require_admin(session, CHANGE)
    settings = get_stage_settings(session, stage)
    answers = _answers(settings, changes)
    if answers and stage.is_closed:
        raise ClosedStageIsFixed(stage)
    if answers.get("can_be_won") is False and not _can_be_won_elsewhere(session, stage):
        raise NothingCouldBeWon(stage)
    _apply(session, settings, answers)
    return settings


def get_close_reasons(
    session: Session, outcome: Outcome, *, with_inactive: bool = False
) -> list[CloseReason]:
    """The reasons to choose from for that outcome, in the order they were set up; retired ones if wanted."""
    permissions.actor_of(session)
    chosen = select(CloseReason).where(CloseReason.outcome == outcome)
    if not with_inactive:
        chosen = chosen.where(CloseReason.is_active)
    return list(session.scalars(chosen.order_by(CloseReason.id)))


def get_close_reason(session: Session, reason_id: int) -> CloseReason:
    """One reason, retired or not. Raises `ReasonNotFound`."""
    permissions.actor_of(session)
    reason = session.get(CloseReason, reason_id) if 0 < reason_id <= LARGEST_ID else None
    if reason is None:
        raise ReasonNotFound
    return reason


def create_close_reason(session: Session, draft: CloseReasonCreate) -> CloseReason:
    """Add a reason to choose from. Raises `NeedsAdmin` and `ReasonExists`."""
    permissions.require_admin(session, CHANGE)
    _require_new_label(session, draft.outcome, draft.label)
    reason = CloseReason(**draft.model_dump())
    session.add(reason)
    session.flush()  # gives it its id
    return reason


def update_close_reason(session: Session, reason_id: int, changes: CloseReasonUpdate) -> CloseReason:
    """Change what was sent. A reason that is no longer active stays on the deals that were closed for it.

    Raises `NeedsAdmin`, `ReasonNotFound`, `ReasonExists`, and `NothingCouldBeLost` for the last reason that
    deals can be lost for.
    """
    permissions.require_admin(session, CHANGE)
    reason = get_close_reason(session, reason_id)
    answers = _answers(reason, changes)
    if "label" in answers:
        _require_new_label(session, reason.outcome, answers["label"], but=reason.id)
    if answers.get("is_active") is False and get_close_reasons(session, Outcome.LOST) == [reason]:
        raise NothingCouldBeLost(reason)
    _apply(session, reason, answers)
    return reason


def _probabilities(session: Session) -> Mapping[OpportunityStage, tuple[int, bool]]:
    """Of each stage, and whether a deal that moves follows it; what the session changes itself counts."""
    permissions.actor_of(session)
    if _KNOWN not in session.info:
        session.info[_KNOWN] = {
            stage: (default, follows) for stage, default, follows in session.execute(PROBABILITIES)
        }
    known: Mapping[OpportunityStage, tuple[int, bool]] = session.info[_KNOWN]
    return known


def _calendar_of(rows: Iterable[Any]) -> Calendar:
    ((time_zone, fiscal_year_start_month),) = rows
    return Calendar(ZoneInfo(time_zone), fiscal_year_start_month)


def _require_whole_quarters(session: Session, start: int) -> None:
    """The quarters that targets are set for stay quarters."""
    now = get_calendar(session)
    months = [month for month in range(1, 13) if now.begins_a_quarter(date(2000, month, 1))]
    if start in months:
        return
    then = replace(now, fiscal_start=start)
    split = [found for found in _quarter_targets(session) if not then.begins_a_quarter(found[0])]
    if split:
        starts_on, name = split[0]
        quarter = now.label(Period(starts_on, starts_on + relativedelta(months=3)))
        example = f"{name}’s for {quarter or f'the three months from {starts_on}'}"
        raise WouldSplitTargets(start, len(split), example, months)


def _quarter_targets(session: Session) -> list[tuple[date, str]]:
    """The first day of each target of a quarter, and whose it is; the latest first."""
    holder = func.coalesce(Team.name, User.name)
    chosen = (
        select(Target.starts_on, holder)
        .outerjoin(Team, Team.id == Target.team_id)
        .outerjoin(User, User.id == Target.user_id)
        .where(Target.period == TargetPeriod.QUARTER)
        .order_by(Target.starts_on.desc(), Target.id)
    )
    return [(starts_on, name) for starts_on, name in session.execute(chosen)]


def _can_be_won_elsewhere(session: Session, stage: OpportunityStage) -> bool:
    others = exists().where(StageSettings.can_be_won, StageSettings.stage != stage)
    return session.scalar(select(others)) or False


def _require_new_label(session: Session, outcome: Outcome, label: str, *, but: int | None = None) -> None:
    """No two reasons for one outcome are called the same, in whatever case."""
    namesakes = select(CloseReason).where(
        CloseReason.outcome == outcome,
        CloseReason.folded_label == fold(label),
        CloseReason.id.is_distinct_from(but),
    )
    if namesake := session.scalar(namesakes.limit(1)):
        raise ReasonExists(namesake)


def _answers(row: Base, changes: Schema) -> dict[str, Any]:
    """What of the changes was sent and would change anything."""
    return {field: value for field, value in changes.model_dump().items() if value != getattr(row, field)}


def _apply(session: Session, row: Base, answers: dict[str, Any]) -> None:
    for field, value in answers.items():
        setattr(row, field, value)
    session.info.pop(_KNOWN, None)
