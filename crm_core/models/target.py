"""What somebody is meant to win in a month or a quarter."""

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Money, stored_enum
from crm_core.models.base import Base, linked
from crm_core.models.user import Team, User


class TargetPeriod(StrEnum):
    MONTH = "month"
    QUARTER = "quarter"


class Target(Base):
    """An amount to win, for a user or for a team, in the period that starts on a first of a month."""

    __tablename__ = "targets"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (team_id IS NULL)", "belongs_to_user_or_team"),
        CheckConstraint("amount >= 0", "amount_is_not_negative"),
        Index("uq_targets_user", "user_id", "period", "starts_on", unique=True),
        Index("uq_targets_team", "team_id", "period", "starts_on", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    period: Mapped[TargetPeriod] = mapped_column(stored_enum(TargetPeriod, "period"))
    starts_on: Mapped[date]
    amount: Mapped[Money]

    user: Mapped[User | None] = linked()
    team: Mapped[Team | None] = linked()
