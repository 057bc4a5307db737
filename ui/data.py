"""Where screens get their answers from, and how they save."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

import streamlit as st
from pydantic import ValidationError
from sqlalchemy.orm import Session

from crm_core import config, startup
from crm_core.config import Config
from crm_core.database import Database, WrongClock, find_wrong_clock, instant
from crm_core.errors import CrmError, DatabaseUnavailable, InvalidInput
from crm_core.history import revision
from crm_core.models import LOCAL_USER_ID, Source
from crm_core.services import undo_service
from crm_core.services.settings_service import Workspace, get_workspace
from ui import messages, words

P = ParamSpec("P")
T = TypeVar("T")

KEPT_SECONDS = 600
KEPT_ANSWERS = 500
MOMENT = 0.2
"""Seconds that a screen needs for its questions."""

KNOWN = "known"


@dataclass(frozen=True)
class Known:
    """What all answers of a moment have in common: when it was looked up, what names the state of the data
    and the day, the day itself, the workspace's settings, and whether a clock is wrong.
    """

    looked_up: float
    at: str
    today: date
    workspace: Workspace
    wrong_clock: WrongClock | None


def actor() -> int:
    """The user at this screen; as long as nobody signs in, the local one."""
    return LOCAL_USER_ID


def database() -> Database:
    """The installation's database; the screen ends with a sentence where it can't be used."""
    try:
        return _opened(config.current().database_url)
    except DatabaseUnavailable as refusal:
        _unusable(refusal)


def load(question: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The answer of a library function, in a snapshot of its own.

    An answer is kept until the data changes, whoever changed it, or the day does.
    """

    def ask() -> T:
        with database().read(actor=actor()) as session:
            return question(session, *args, **kwargs)

    return load_from(ask, f"{question.__module__}.{question.__qualname__} {args!r} {kwargs!r}")


def load_from(source: Callable[[], T], key: str) -> T:
    """The answer of what reads the database by itself; `key` names everything else that it depends on."""
    known = _known()
    try:
        return _answer(f"{actor()} {key}", known.at, source)
    except DatabaseUnavailable as refusal:
        _unusable(refusal)


def _known() -> Known:
    """Looked up once for what a screen asks within a moment."""
    known: Known | None = st.session_state.get(KNOWN)
    if known is None or time.monotonic() - known.looked_up > MOMENT:
        known = _look_up()
        st.session_state[KNOWN] = known
    return known


def _look_up() -> Known:
    source = database()
    try:
        with source.read(actor=actor()) as session:
            space = get_workspace(session)
            today, wrong_clock = space.calendar.day_of(instant(session)), find_wrong_clock(session)
            at = f"{source.url} {revision(session)} {today}"
    except DatabaseUnavailable as refusal:
        _unusable(refusal)
    return Known(time.monotonic(), at, today, space, wrong_clock)


def look_again() -> None:
    """Begin every drawing with this: it shows what there is now, and what was done last."""
    st.session_state.pop(KNOWN, None)


def workspace() -> Workspace:
    """The workspace's settings."""
    return _known().workspace


def today() -> date:
    """The day it is in the workspace."""
    return _known().today


def wrong_clock() -> WrongClock | None:
    """What a wrong clock has done, if any has: figures are as of the last change, far ahead of now."""
    return _known().wrong_clock


@contextmanager
def saving(done: str, *, note: str | None = None, undoable: bool = False) -> Iterator[Session]:
    """One user action, saved whole or refused; a toast says which, with the rule's sentence.

    An undoable one is told with a button that takes it back.
    """
    try:
        with _action(done, note, undoable) as session:
            yield session
    except CrmError as refusal:
        messages.refused(refusal)
    except ValidationError as refusal:
        messages.refused(InvalidInput(first_sentence(refusal)))


def attempt(
    action: Callable[[Session], object], *, done: str, note: str | None = None, undoable: bool = False
) -> CrmError | None:
    """`saving` for a form: the refusal is returned, to be shown beside what was typed."""
    try:
        with _action(done, note, undoable) as session:
            action(session)
    except CrmError as refusal:
        return refusal
    except ValidationError as refusal:
        return InvalidInput(first_sentence(refusal))
    return None


def first_sentence(refusal: ValidationError) -> str:
    """What is wrong with the first thing that is."""
    return refusal.errors()[0]["msg"].removeprefix("Value error, ")


@contextmanager
def _action(done: str, note: str | None, undoable: bool) -> Iterator[Session]:
    look_again()
    with database().write(actor=actor(), source=Source.UI, note=note) as session:
        yield session
        changed = undo_service.current_transaction(session) if undoable else None
    messages.forget_undo()  # only what was saved takes the place of what could be taken back
    if changed is None:
        messages.later(done, ":material/check:")
    else:
        messages.offer_undo(done, changed)


def undo(transaction_id: int) -> None:
    """Take back an action of this user."""
    with saving("Undone.") as session:
        undo_service.undo(session, transaction_id)


def refused(refusal: CrmError) -> None:
    """A refusal's sentence; it may quote somebody's text."""
    st.error(words.literal(str(refusal), limit=messages.SENTENCE), icon=":material/block:")


def _unusable(refusal: DatabaseUnavailable) -> NoReturn:
    st.error(words.literal(str(refusal), limit=messages.SENTENCE), icon=":material/database_off:")
    st.stop()


@st.cache_resource(show_spinner="Opening the database")
def _opened(url: str) -> Database:
    return startup.open_database(Config())


@st.cache_data(ttl=KEPT_SECONDS, max_entries=KEPT_ANSWERS, show_spinner=False)
def _answer(key: str, known_at: str, _source: Callable[[], T]) -> T:
    return _source()
