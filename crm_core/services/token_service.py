"""Keys that programs use instead of a person: made once, kept as a hash, taken back any time."""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.database import Database, instant
from crm_core.errors import DatabaseUnavailable, InvalidInput, NotFound, NotSignedIn
from crm_core.models import ApiToken, TokenScope, User
from crm_core.schemas.fields import LARGEST_ID
from crm_core.services import user_service

log = logging.getLogger(__name__)

PREFIX = "crm_"
LONGEST_LIFE = 3650
"""Days."""

NOTED_EVERY = timedelta(hours=1)
"""How exactly the last use is known: noting each would make every reading call a change."""


class TokenNotFound(NotFound):
    def __init__(self, token_id: int) -> None:
        super().__init__(f"There is no token {token_id}. List them to see which there are.")


@dataclass(frozen=True)
class NewToken:
    """`secret` is what the program sends; it can't be had again."""

    token: ApiToken
    secret: str


def create_token(
    session: Session, user_id: int, *, scope: TokenScope = TokenScope.WRITE, days: int | None = None
) -> NewToken:
    """A key that lets a program act as the user, for so many days, or until it is revoked.

    Raises `NeedsAdmin` for another user's than one's own, `RecordNotFound` and `InvalidInput`.
    """
    user = user_service.get_user(session, user_id)
    _require_own(session, user.id)
    if days is not None and not 1 <= days <= LONGEST_LIFE:
        raise InvalidInput(f"A token lasts between 1 and {LONGEST_LIFE:,} days.")
    secret = PREFIX + secrets.token_urlsafe(32)
    now = instant(session)
    token = ApiToken(
        token_hash=_hash(secret),
        user_id=user.id,
        scope=scope,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(token)
    session.flush()  # gives it its id
    return NewToken(token, secret)


def get_tokens(session: Session) -> list[tuple[ApiToken, User]]:
    """Every token that was made, with its user, revoked ones too; for others than admins their own."""
    actor = permissions.actor_of(session)
    chosen = select(ApiToken, User).join(User, User.id == ApiToken.user_id).order_by(ApiToken.id)
    if actor.is_admin:
        return [(token, user) for token, user in session.execute(chosen)]
    return [(token, user) for token, user in session.execute(chosen.where(ApiToken.user_id == actor.id))]


def revoke_token(session: Session, token_id: int) -> ApiToken:
    """From now on it opens nothing. Raises `TokenNotFound`, also for one that is somebody else's."""
    actor = permissions.actor_of(session)
    token = session.get(ApiToken, token_id) if 0 < token_id <= LARGEST_ID else None
    if token is None or not (actor.is_admin or token.user_id == actor.id):
        raise TokenNotFound(token_id)
    token.revoked_at = token.revoked_at or instant(session)
    return token


@dataclass(frozen=True)
class UsedToken:
    """Whose token it is and what it opens; `is_news` is whether its use is worth noting (`note_use`)."""

    id: int
    user_id: int
    scope: TokenScope
    is_news: bool


def use_token(database: Database, secret: str) -> UsedToken:
    """The token behind the secret, if it still opens anything. Raises `NotSignedIn`."""
    with database.read() as session:
        now = instant(session)
        token = session.scalar(select(ApiToken).where(ApiToken.token_hash == _hash(secret)))
    if token is None or token.revoked_at is not None or (token.expires_at and token.expires_at <= now):
        raise NotSignedIn("This token is unknown, expired or revoked. Create another.")
    return UsedToken(token.id, token.user_id, token.scope, _is_use_news(token, now))


def note_use(database: Database, token_id: int, *, at: datetime | None = None) -> None:
    """Note that the token was used, by default now. Nobody waits for it, and nothing fails by it.

    Where the database can't be written to at once it is left out; the next use is noted then.
    """
    found = select(ApiToken).where(ApiToken.id == token_id).with_for_update(skip_locked=True)
    try:
        with database.write(note="A token was used", at=at, patience=0) as session:
            token, now = session.scalar(found), at or instant(session)
            if token is not None and _is_use_news(token, now):  # another call may have been faster
                token.last_used_at = now
    except (DatabaseUnavailable, DBAPIError):
        log.debug("A token's use was not noted.", exc_info=True)


def _is_use_news(token: ApiToken, at: datetime) -> bool:
    return token.last_used_at is None or at - token.last_used_at >= NOTED_EVERY


def _require_own(session: Session, user_id: int) -> None:
    if permissions.actor_of(session).id != user_id:
        permissions.require_admin(session, "make a token for somebody else")


def _hash(secret: str) -> str:
    """Fast is safe here: the secret is 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
