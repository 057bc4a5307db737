"""What a workspace's settings look like from outside: to change them, to read them."""

from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from pydantic import MISSING, AfterValidator, BeforeValidator, Field

from crm_core.models import OpportunityStage, Outcome, Visibility
from crm_core.phones import COUNTRIES
from crm_core.schemas.fields import CurrencyCode, NeededLabel, Percent, Schema, number

NO_PLACES = {"Factory", "localtime"}
"""Time zones that are another on each machine, or none."""

LONGEST_LOCALE = 20


def _time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("This time zone is not known. Write it like Europe/Zurich or UTC.")
    return name


@cache
def time_zones() -> frozenset[str]:
    """Every time zone that a workspace can be in."""
    return frozenset(available_timezones() - NO_PLACES)


def _locale(name: str) -> str:
    """The locale as Babel writes it, without modifiers such as “@currency=EUR”."""
    try:
        found = Locale.parse(name.replace("-", "_"))
        return str(Locale(found.language, found.territory, found.script, found.variant))
    except (ValueError, UnknownLocaleError):
        raise ValueError("This language and region are not known. Write them like en_US or de_CH.") from None


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("This country is not known. Write its two letters, like US or CH.")
    return code


TimeZone = Annotated[str, AfterValidator(_time_zone)]
Country = Annotated[str, AfterValidator(_country)]
LocaleName = Annotated[str, Field(max_length=LONGEST_LOCALE), AfterValidator(_locale)]
Month = Annotated[int, Field(ge=1, le=12), BeforeValidator(number)]
Days = Annotated[int, Field(ge=1, le=3650), BeforeValidator(number)]


class SettingsUpdate(Schema):
    """Changes to the workspace's settings: what is not sent stays."""

    currency: CurrencyCode | MISSING = MISSING
    time_zone: TimeZone | MISSING = MISSING
    locale: LocaleName | MISSING = MISSING
    country: Country | MISSING = MISSING
    fiscal_year_start_month: Month | MISSING = MISSING
    probability_follows_stage: bool | MISSING = MISSING
    visibility: Visibility | MISSING = MISSING


class SettingsResponse(Schema):
    """The workspace's settings as they are.

    Every amount is in the `currency`. When that is changed, amounts keep their numbers: they are relabelled,
    not converted. Phone numbers without a country's code belong to the `country` (ISO 3166, two letters).
    """

    currency: str
    time_zone: str
    locale: str
    country: str
    fiscal_year_start_month: int
    probability_follows_stage: bool
    visibility: Visibility
    has_demo_data: bool


class StageSettingsUpdate(Schema):
    """Changes to what holds in a stage: what is not sent stays. None days: its deals are never stale."""

    default_probability: Percent | MISSING = MISSING
    stale_after_days: Days | None | MISSING = MISSING
    can_be_won: bool | MISSING = MISSING


class StageSettingsResponse(Schema):
    """What holds in a stage. Probability in percent."""

    stage: OpportunityStage
    default_probability: int
    stale_after_days: int | None
    can_be_won: bool


class CloseReasonCreate(Schema):
    """A new reason why deals are won or lost."""

    outcome: Outcome
    label: NeededLabel
    needs_note: bool = False
    counts: bool = True


class CloseReasonUpdate(Schema):
    """Changes to a reason: what is not sent stays. Reasons are retired, never deleted; outcomes stay."""

    label: NeededLabel | MISSING = MISSING
    needs_note: bool | MISSING = MISSING
    counts: bool | MISSING = MISSING
    is_active: bool | MISSING = MISSING


class CloseReasonResponse(Schema):
    """A reason as it is."""

    id: int
    outcome: Outcome
    label: str
    needs_note: bool
    counts: bool
    is_active: bool
