"""The people who sell."""

from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from crm_core.models import LOCAL_USER_ID, Opportunity, User


@dataclass(frozen=True)
class Owner:
    """A user as somebody to choose from."""

    id: int
    name: str


def get_owners(session: Session) -> list[Owner]:
    """Everybody who can own a deal or has the credit of one, by name; the local user only once it has any."""
    has_deals = exists().where(or_(Opportunity.owner_id == User.id, Opportunity.credited_owner_id == User.id))
    chosen = select(User.id, User.name).where(or_(User.id != LOCAL_USER_ID, has_deals))
    return [Owner(id_, name) for id_, name in session.execute(chosen.order_by(User.name, User.id))]
