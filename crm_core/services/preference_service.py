"""How each user arranges what they look at, by name; nobody sees another's."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.columns import storable_text
from crm_core.errors import InvalidInput
from crm_core.models import Preference

LONGEST_NAME = 100
LONGEST_VALUE = 20_000
"""Characters of it as JSON."""


def find_preference(session: Session, name: str) -> dict[str, Any] | None:
    """What the actor set under that name; None for nothing."""
    key = _key(session, name)
    found = None if key is None else session.get(Preference, key)
    return None if found is None else found.value


def find_preferences(session: Session, beginning: str) -> dict[str, dict[str, Any]]:
    """Everything that the actor set under names that begin so, by the rest of the name."""
    user_id = permissions.actor_of(session).id
    begins_so = Preference.name.startswith(storable_text(beginning), autoescape=True)
    chosen = select(Preference).where(Preference.user_id == user_id, begins_so)
    return {
        found.name.removeprefix(beginning): found.value
        for found in session.scalars(chosen.order_by(Preference.name))
        if found.name.startswith(beginning)  # SQLite's LIKE takes upper and lower case for the same
    }


def set_preference(session: Session, name: str, value: dict[str, Any] | None) -> None:
    """Keep a value of the actor's under that name; None forgets it. What is kept is what JSON can tell.

    Raises `InvalidInput` for what can't be kept, and `NotSignedIn` for the system, which prefers nothing.
    """
    user_id = permissions.person_of(session)
    if not 1 <= len(storable_text(name)) <= LONGEST_NAME:
        raise InvalidInput(f"The name of a preference has between 1 and {LONGEST_NAME} characters.")
    kept = None if value is None else _storable(value)
    found = session.get(Preference, (user_id, name))
    if kept is not None and found is not None:
        found.value = kept
    elif kept is not None:
        session.add(Preference(user_id=user_id, name=name, value=kept))
    elif found is not None:
        session.delete(found)
    session.flush()  # so that it is found as it is now


def _key(session: Session, name: str) -> tuple[int, str] | None:
    user_id = permissions.actor_of(session).id
    return None if user_id is None else (user_id, storable_text(name))


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """The value as it will be read again. Raises `InvalidInput`."""
    try:
        told = json.dumps(value, allow_nan=False, ensure_ascii=False)
        kept: dict[str, Any] = json.loads(told)
        for text in _texts(kept):
            storable_text(text)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput("A preference can hold text, numbers, true, false, and lists of them.") from None
    if len(told) > LONGEST_VALUE:
        raise InvalidInput(f"A preference is at most {LONGEST_VALUE:,} characters long, not {len(told):,}.")
    return kept


def _texts(value: Any) -> list[str]:
    """Every text in it, at whatever depth."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []
