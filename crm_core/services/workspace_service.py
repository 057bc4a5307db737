"""The workspace as a whole."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from crm_core import permissions, search
from crm_core.database import allow_long_statements
from crm_core.errors import RuleBroken
from crm_core.history import PAST_IS_SEEN_TO, transaction_of
from crm_core.models import (
    LOCAL_USER_ID,
    Base,
    CloseReason,
    Lead,
    LeadStatus,
    OpportunityVersion,
    Settings,
    StageSettings,
    Team,
    Transaction,
    User,
)
from crm_core.services import settings_service

DEMO = "Demo data"
"""The note of the transaction that wrote the demo data."""

SETTINGS = (Settings, StageSettings, CloseReason)


class WorkspaceIsInUse(RuleBroken):
    def __init__(self) -> None:
        super().__init__("Only demo data can be deleted as a whole; this workspace holds your own.")


def count_own_deals(session: Session) -> int:
    """How many deals came after the demo data: imported, or created by somebody."""
    permissions.actor_of(session)
    versions = OpportunityVersion.__table__.c
    written = select(func.max(Transaction.id)).where(Transaction.note == DEMO).scalar_subquery()
    since_then = versions.transaction_id > func.coalesce(written, 0)
    return session.scalar(select(func.count()).where(versions.version == 1, since_then)) or 0


def start_empty(session: Session, *, with_own_deals: bool = False) -> None:
    """Delete demo data with its history and the people in it; settings, the local user and the actor stay.

    Raises `NeedsAdmin`; and `WorkspaceIsInUse` where there is no demo data, and where there are deals of
    one's own beside it unless they are meant to go as well.
    """
    permissions.require_admin(session, "empty the workspace")
    settings = settings_service.get_settings(session)
    if not settings.has_demo_data or (count_own_deals(session) and not with_own_deals):
        raise WorkspaceIsInUse
    settings.has_demo_data = False
    allow_long_statements(session)
    own = transaction_of(session)  # written before the rows below go, in statements of their own
    forget = {**PAST_IS_SEEN_TO, "synchronize_session": False}
    _untie_circles(session, forget)
    settings_tables = {model.__table__ for model in SETTINGS}
    for table in reversed(Base.metadata.sorted_tables):
        if table not in settings_tables and table is not User.__table__:
            others = [table.c.id != own.id] if table is Transaction.__table__ else []
            session.execute(delete(table).where(*others), execution_options=forget)
    search.forget(session)
    staying = {LOCAL_USER_ID, permissions.actor_of(session).id} - {None}
    session.execute(delete(User).where(User.id.not_in(staying)), execution_options=forget)


def _untie_circles(session: Session, forget: dict[str, object]) -> None:
    """Let go of what points back: a team at its manager, a lead at its deal, a user at the team."""
    untied = (
        update(Team).values(manager_id=None),
        update(User).values(team_id=None),
        update(Lead).values(opportunity_id=None, converted_at=None, status=LeadStatus.NEW),
    )
    for statement in untied:
        session.execute(statement, execution_options=forget)
