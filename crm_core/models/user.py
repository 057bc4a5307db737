"""Who works here: users, their roles and their teams."""

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from crm_core.columns import Line, folded_from, stored_enum
from crm_core.models.base import Base, filled, linked

LOCAL_USER_ID = 1
"""Who acts where nobody signs in; the first migration creates this user."""


class Role(StrEnum):
    """What a user may change: their own, their team's, everything."""

    REP = "rep"
    MANAGER = "manager"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        return self.value.capitalize()


class Team(Base):
    """People who sell together, and their manager."""

    __tablename__ = "teams"
    __table_args__ = (filled("name", 200),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Line(200), unique=True)
    folded_name: Mapped[str] = folded_from("name")
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", use_alter=True), index=True)

    manager: Mapped["User | None"] = linked(foreign_keys=[manager_id])
    members: Mapped[list["User"]] = linked(back_populates="team", foreign_keys="User.team_id")


class User(Base):
    """A person who owns records and makes changes. Users are deactivated, never deleted."""

    __tablename__ = "users"
    __table_args__ = (filled("name", 200),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Line(200))
    folded_name: Mapped[str] = folded_from("name", index=True)
    email: Mapped[str | None] = mapped_column(Line(254))
    folded_email: Mapped[str | None] = folded_from("email", index=True)
    role: Mapped[Role] = mapped_column(stored_enum(Role, "role"), default=Role.REP)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)
    is_active: Mapped[bool] = mapped_column(default=True)

    team: Mapped[Team | None] = linked(back_populates="members", foreign_keys=[team_id])


Index("uq_users_email", func.lower(User.email), unique=True)
