"""What a workspace decides for itself."""

from enum import StrEnum

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, stored_enum
from crm_core.models.base import Base
from crm_core.models.opportunity import OpportunityStage


class Visibility(StrEnum):
    """Whose records a user may read."""

    ALL = "all"
    TEAM = "team"
    OWN = "own"


class Settings(Base):
    """The one row of workspace settings.

    `country` is where phone numbers without a country's code belong: two letters of ISO 3166.
    """

    __tablename__ = "settings"
    __table_args__ = (
        CheckConstraint("id = 1", "there_is_one_row"),
        CheckConstraint("length(currency) = 3", "currency_is_iso_4217"),
        CheckConstraint("fiscal_year_start_month BETWEEN 1 AND 12", "fiscal_year_starts_in_a_month"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(Line(3), default="USD")
    time_zone: Mapped[str] = mapped_column(Line(64), default="UTC")
    locale: Mapped[str] = mapped_column(Line(20), default="en_US")
    country: Mapped[str] = mapped_column(Line(2), default="US", nullable=True)  # as old tables take it
    fiscal_year_start_month: Mapped[int] = mapped_column(default=1)
    probability_follows_stage: Mapped[bool] = mapped_column(default=True)
    visibility: Mapped[Visibility] = mapped_column(
        stored_enum(Visibility, "visibility"), default=Visibility.ALL
    )
    has_demo_data: Mapped[bool] = mapped_column(default=False)


class StageSettings(Base):
    """A stage's default probability, when its deals count as stale, whether they can be won from it."""

    __tablename__ = "stage_settings"
    __table_args__ = (
        CheckConstraint("default_probability BETWEEN 0 AND 100", "default_probability_is_percent"),
        CheckConstraint("stale_after_days > 0", "stale_after_days_is_positive"),
    )

    stage: Mapped[OpportunityStage] = mapped_column(stored_enum(OpportunityStage, "stage"), primary_key=True)
    default_probability: Mapped[int]
    stale_after_days: Mapped[int | None]
    can_be_won: Mapped[bool] = mapped_column(default=False)
