"""The workspace as a whole."""

from pathlib import Path

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from crm_core.database import Database
from crm_core.errors import RuleBroken
from crm_core.history import WRITTEN_WITH_PAST
from crm_core.models import LOCAL_USER_ID, Base, CloseReason, Lead, Settings, StageSettings, Team, User
from crm_core.services import settings_service

KEPT = (Settings, StageSettings, CloseReason)


class WorkspaceIsInUse(RuleBroken):
    def __init__(self) -> None:
        super().__init__("Only demo data can be deleted as a whole; this workspace holds your own.")


def back_up(database: Database) -> Path | None:
    """Copy an embedded database into a file beside it; None for one on a server, which has its own ways."""
    if database.kind != "sqlite":
        return None
    file = Path(str(database.url.database))
    number = len(list(file.parent.glob(f"{file.stem}.copy-*{file.suffix}"))) + 1
    return database.back_up(file.with_name(f"{file.stem}.copy-{number}{file.suffix}"))


def start_empty(session: Session) -> None:
    """Delete demo data with its history and the people in it; settings and the local user stay.

    Raises `WorkspaceIsInUse` where the workspace was never filled with demo data.
    """
    settings = settings_service.get_settings(session)
    if not settings.has_demo_data:
        raise WorkspaceIsInUse
    settings.has_demo_data = False
    session.flush()  # before the rows below go, in statements of their own
    forget = {**WRITTEN_WITH_PAST, "synchronize_session": False}
    session.execute(update(Team).values(manager_id=None), execution_options=forget)
    session.execute(
        update(Lead).values(opportunity_id=None, converted_at=None, status="new"), execution_options=forget
    )
    session.execute(update(User).values(team_id=None), execution_options=forget)
    kept = {model.__table__ for model in KEPT}
    for table in reversed(Base.metadata.sorted_tables):
        if table not in kept and table is not User.__table__:
            session.execute(delete(table), execution_options=forget)
    session.execute(delete(User).where(User.id != LOCAL_USER_ID), execution_options=forget)
