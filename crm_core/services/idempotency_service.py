"""The first answer to a request of the actor's, for when it is sent again."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.database import instant
from crm_core.errors import InvalidInput
from crm_core.models import IdempotencyKey

KEPT = timedelta(hours=24)


class KeyOfAnotherRequest(InvalidInput):
    def __init__(self) -> None:
        super().__init__("This idempotency key was used for another request. Choose a new one.")


def find_answer(session: Session, key: str, fingerprint: str) -> dict[str, Any] | None:
    """What the same request was answered. Raises `KeyOfAnotherRequest` where it is not the same."""
    kept = session.get(IdempotencyKey, (key, permissions.person_of(session)))
    if kept is None or kept.expires_at <= instant(session):
        return None
    if kept.request_hash != fingerprint:
        raise KeyOfAnotherRequest
    return kept.answer


def keep_answer(session: Session, key: str, fingerprint: str, answer: dict[str, Any]) -> None:
    """Keep it for a day, in the transaction that it is about; forget what is older."""
    user_id, now = permissions.person_of(session), instant(session)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.expires_at <= now))
    session.add(
        IdempotencyKey(
            key=key,
            user_id=user_id,
            request_hash=fingerprint,
            status_code=answer["status"],
            answer=answer,
            expires_at=now + KEPT,
        )
    )
