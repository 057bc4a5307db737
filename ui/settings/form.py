"""Forms that send only what this user changed, once, and put nothing in the place of somebody else's change.

A form remembers what it showed when it was opened. Its widgets' keys carry an id of its own, so a second
click on its button still means the form that the first one has saved, and does nothing. The widgets persist
their state: Streamlit then shows what they hold even if a click cut short the run that drew them first.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import streamlit as st
from pydantic import ValidationError
from sqlalchemy.orm import Session

from crm_core import permissions
from crm_core.errors import Conflict, InvalidInput, NotAllowed
from crm_core.schemas.fields import Schema
from ui import messages, visit, words
from ui.data import attempt, load

S = TypeVar("S", bound=Schema)

IN_DIALOG = "form_in_dialog"
"""The one form that is open over the screen."""

EMPTY = "nothing"

WORDED = {
    "string_type": "Choose one.",
    "int_type": "Write a number.",
}
"""What Pydantic says to programmers, said to people."""


@dataclass(frozen=True)
class Field:
    """What a field is called, how its values are written, and what its widget holds for none."""

    label: str
    told: Callable[[Any], str] = str
    blank: Any = None

    def quoted(self, value: Any) -> str:
        """The value within a sentence."""
        return EMPTY if value is None else f"“{self.told(value)}”"


class ChangedWhileOpen(Conflict):
    """Fields that this user changed were changed by somebody else meanwhile; `now` is what holds by now.

    It is told once the transaction is over: a field's values may have to be looked up.
    """

    def __init__(self, tell: Callable[[], Iterable[str]], now: Mapping[str, Any]) -> None:
        self.tell = tell
        self.now = now

    def __str__(self) -> str:
        return " ".join([*self.tell(), "Save again to put yours in its place."])


@dataclass
class Form:
    """One opening of a form. `fields` go by the names that the services know them by."""

    fields: Mapping[str, Field]
    shown: dict[str, Any]
    name: str
    record_id: int | None = None
    is_new: bool = False
    id: str = field(default_factory=lambda: uuid4().hex)
    is_saved: bool = False
    refusal: str | None = None
    typed: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """The key of a field's widget."""
        return f"{name} {self.id}"

    def written(self, name: str) -> str:
        """What is in a field by now, as Markdown for a message."""
        return words.literal(self.fields[name].told(self._read(name)), limit=60)

    def is_touched(self) -> bool:
        """Whether anything in it differs from what it showed."""
        return any(self._read(name) != value for name, value in self.shown.items())

    def fill_in(self, names: Collection[str] | None = None) -> None:
        """Let the widgets show what the form was opened with."""
        self._write({name: self.shown[name] for name in (self.fields if names is None else names)})

    def come_back(self) -> None:
        """Let the widgets, which are gone with the screen, show what was typed and not saved."""
        self._write(self.typed)

    def save(self, done: str, action: Callable[[Session], object]) -> None:
        """Do it in one transaction, once; a refusal stays with the form, and what was typed stays in it.

        `done` is Markdown. `action` takes what was typed from `changes` or `answers`.
        """
        if self.is_saved:
            return
        self.typed = {name: self._read(name) for name in self.fields}
        self.refusal = None
        if self.fields and not self.is_new and not self._changed(self.shown):
            self.is_saved = True
            messages.later("Nothing was changed, so there was nothing to save.", ":material/info:")
            return
        refusal = attempt(action, done=done)
        self.refusal = None if refusal is None else str(refusal)
        self.is_saved = refusal is None
        if self.refusal:
            messages.not_saved(self.id, self.refusal)
        else:
            messages.settled(self.id)
        if isinstance(refusal, ChangedWhileOpen):
            self._catch_up(refusal.now)

    def answers(self, schema: type[S], **more: Any) -> S:
        """Everything that was typed. Raises `InvalidInput`, which names the fields."""
        return self._checked(schema, {**self.typed, **more})

    def changes(self, schema: type[S], now: object, part: str = "") -> S:
        """What this user changed of `now`, the row as it is; `part` stands before the names of its fields.

        Raises `InvalidInput`, and `ChangedWhileOpen` where the same was changed meanwhile.
        """
        names = [name for name in self.fields if name.startswith(part)]
        changed = self.changed({name: getattr(now, name.removeprefix(part)) for name in names})
        return self._checked(
            schema, {name.removeprefix(part): value for name, value in changed.items()}, part
        )

    def changed(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """What this user typed otherwise than it was shown, of those fields; `now` is what they hold by now.

        Raises `ChangedWhileOpen` where the same was changed meanwhile.
        """
        changed = self._changed({name: self.shown[name] for name in now})
        theirs = [name for name in changed if now[name] not in (self.shown[name], self.typed[name])]
        if theirs:
            raise ChangedWhileOpen(lambda: [self._told(name, now[name]) for name in theirs], now)
        return changed

    def _told(self, name: str, theirs: Any) -> str:
        told = self.fields[name]
        mine = told.quoted(self.typed[name])
        return f"{told.label} was changed meanwhile: it is {told.quoted(theirs)} now, yours is {mine}."

    def _changed(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.typed[name] for name, value in shown.items() if self.typed[name] != value}

    def _catch_up(self, now: Mapping[str, Any]) -> None:
        """From here on it was opened with what holds by now; what this user did not touch shows it."""
        untouched = [name for name in now if self.typed[name] == self.shown[name]]
        self.shown.update(now)
        self.fill_in(untouched)

    def _write(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            st.session_state[self.key(name)] = self.fields[name].blank if value is None else value

    def _read(self, name: str) -> Any:
        value = st.session_state.get(self.key(name), self.shown[name])
        if isinstance(value, str):
            value = value.strip()
        return None if value == self.fields[name].blank else value

    def _checked(self, schema: type[S], answers: Mapping[str, Any], part: str = "") -> S:
        try:
            return schema(**answers)
        except ValidationError as wrong:
            raise InvalidInput(" ".join(self._wrong(error, part) for error in wrong.errors())) from wrong

    def _wrong(self, error: Any, part: str) -> str:
        label = self.fields[f"{part}{error['loc'][0]}"].label
        return f"{label}: {WORDED.get(error['type'], str(error['msg']).removeprefix('Value error, '))}"


def on_page(name: str, fields: Mapping[str, Field], shown: dict[str, Any]) -> Form:
    """The form that stands on the screen; a new one once it is saved, or was left behind.

    What was refused is there again.
    """
    form: Form | None = st.session_state.get(name)
    if form is not None and form.refusal and visit.has_just_come():
        form.come_back()
    elif form is None or form.is_saved or visit.has_just_come():
        form = Form(fields, shown, name)
        form.fill_in()
        st.session_state[name] = form
    return form


def open_dialog(
    name: str, fields: Mapping[str, Field], shown: dict[str, Any], record_id: int | None = None
) -> None:
    """Open a form over the screen: to change a record, or without one to add it."""
    form = Form(fields, shown, name, record_id, is_new=record_id is None)
    form.fill_in()
    st.session_state[IN_DIALOG] = form


def close_dialog() -> None:
    """Forget the form over the screen."""
    form: Form | None = st.session_state.pop(IN_DIALOG, None)
    if form is not None:
        messages.settled(form.id)


def in_dialog(name: str) -> Form | None:
    """The form of that name, if it is open over the screen."""
    form: Form | None = st.session_state.get(IN_DIALOG)
    if form is None or form.name != name:
        return None
    if form.refusal and visit.has_just_come():
        form.come_back()
    elif form.is_saved or visit.has_just_come():
        close_dialog()
        return None
    return form


def refusal(form: Form) -> None:
    """Why the form was not saved, beside its button."""
    messages.beside(form.id)
    if form.refusal:
        st.error(words.literal(form.refusal, limit=messages.SENTENCE), icon=":material/block:")


def leave_once_done(form: Form) -> None:
    """Within a dialog, which is drawn alone: go on with the whole screen once the form is saved or closed."""
    if form.is_saved or st.session_state.get(IN_DIALOG) is not form:
        st.rerun()


def opener(
    label: str,
    name: str,
    fields: Mapping[str, Field],
    shown: dict[str, Any],
    record_id: int,
    *,
    may_change: bool,
) -> None:
    """A record by its name, which is Markdown; a click on it opens the form for it."""
    if not may_change:
        st.markdown(label)
        return
    st.button(
        label,
        key=f"change_{name}_{record_id}",
        type="tertiary",
        icon=":material/edit:",
        icon_position="right",
        wrap=True,
        on_click=open_dialog,
        args=(name, fields, shown, record_id),
    )


def may_change(action: str, require: Callable[[Session, str], None] = permissions.require_admin) -> bool:
    """Whether this user may; if not, a sentence says who can. `action` completes “Only an admin can …”."""
    try:
        load(require, action)
    except NotAllowed as refusal:
        st.info(words.literal(str(refusal), limit=messages.SENTENCE), icon=":material/lock:")
        return False
    return True


def text(
    form: Form, name: str, note: str, *, limit: int, required: bool = False, disabled: bool = False
) -> None:
    """A line of text."""
    st.text_input(
        form.fields[name].label,
        key=form.key(name),
        max_chars=limit,
        persist_state="page",
        required=required,
        disabled=disabled,
    )
    st.caption(note)


def choice(form: Form, name: str, note: str, options: Mapping[Any, str], *, disabled: bool = False) -> Any:
    """One of the options, which are told by their labels; what is chosen is always among them."""
    chosen = st.session_state[form.key(name)]
    told = {**options} if chosen in options else {chosen: form.fields[name].told(chosen), **options}
    picked = st.selectbox(
        form.fields[name].label,
        list(told),
        format_func=lambda option: told.get(option, str(option)),
        key=form.key(name),
        filter_mode="contains",
        persist_state="page",
        disabled=disabled,
    )
    st.caption(note)
    return picked


def tick(form: Form, name: str, note: str, *, disabled: bool = False) -> None:
    """Yes or no."""
    st.checkbox(form.fields[name].label, key=form.key(name), persist_state="page", disabled=disabled)
    st.caption(note)
