"""Where screens get their answers from, and how they save."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

import streamlit as st
from sqlalchemy.orm import Session

from crm_core import startup
from crm_core.config import Config
from crm_core.database import Database, instant
from crm_core.errors import CrmError, DatabaseUnavailable
from crm_core.history import revision
from crm_core.models import LOCAL_USER_ID, Source
from crm_core.services.settings_service import Workspace, get_workspace
from ui import messages, words

P = ParamSpec("P")
T = TypeVar("T")

KEPT_SECONDS = 600
KEPT_ANSWERS = 500
SENTENCE = 1000


def actor() -> int:
    """The user at this screen; as long as nobody signs in, the local one."""
    return LOCAL_USER_ID


def database() -> Database:
    """The installation's database; the screen ends with a sentence where it can't be used."""
    try:
        return _opened(Config().database_url)
    except DatabaseUnavailable as refusal:
        _unusable(refusal)


def load(question: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The answer of a library function, in a snapshot of its own.

    An answer is kept until the data changes, whoever changed it, or the day does.
    """
    source = database()
    try:
        with source.read(actor=actor()) as session:
            day = get_workspace(session).calendar.day_of(instant(session))
            known_at = f"{revision(session)} {day}"
        key = f"{source.url} {actor()} {question.__module__}.{question.__qualname__} {args!r} {kwargs!r}"
        return _answer(key, known_at, lambda session: question(session, *args, **kwargs))
    except DatabaseUnavailable as refusal:
        _unusable(refusal)


def workspace() -> Workspace:
    """The workspace's settings."""
    return load(get_workspace)


@contextmanager
def saving(done: str, *, note: str | None = None) -> Iterator[Session]:
    """One user action, saved whole or refused; a toast says which, with the rule's sentence."""
    try:
        with database().write(actor=actor(), source=Source.UI, note=note) as session:
            yield session
    except CrmError as refusal:
        messages.later(words.literal(str(refusal), limit=SENTENCE), ":material/block:")
    else:
        messages.later(done, ":material/check:")


def refused(refusal: CrmError) -> None:
    """A refusal's sentence; it may quote somebody's text."""
    st.error(words.literal(str(refusal), limit=SENTENCE), icon=":material/block:")


def _unusable(refusal: DatabaseUnavailable) -> NoReturn:
    st.error(words.literal(str(refusal), limit=SENTENCE), icon=":material/database_off:")
    st.stop()


@st.cache_resource(show_spinner="Opening the database")
def _opened(url: str) -> Database:
    return startup.open_database(Config())


@st.cache_data(ttl=KEPT_SECONDS, max_entries=KEPT_ANSWERS, show_spinner=False)
def _answer(key: str, known_at: str, _question: Callable[[Session], T]) -> T:
    with database().read(actor=actor()) as session:
        return _question(session)
