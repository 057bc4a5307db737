"""The form of one record: what was typed outlives reruns and closed drawers, and only changes are saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeVar
from uuid import uuid4

import streamlit as st
from pydantic import ValidationError

from crm_core.errors import InvalidInput
from crm_core.schemas.fields import Schema
from crm_core.services.settings_service import Workspace
from ui import messages, words

S = TypeVar("S", bound=Schema)
T = TypeVar("T")

TextKind = Literal["default", "email", "url", "phone"]

LONGEST_TEXT = 100_000


@dataclass
class Draft:
    """What somebody has typed about one record and not saved, beside the record as it was at first.

    `version` is the record's, 0 for one that is yet to be; `request_id` makes sure that it is created once.
    """

    key: str
    base: dict[str, Any]
    version: int
    request_id: str = field(default_factory=lambda: uuid4().hex)
    errors: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None
    readers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    carried: dict[str, Any] = field(default_factory=dict)

    def widget(self, name: str) -> str:
        """The key of the widget for a field; another draft has others."""
        return f"{self.key} {self.request_id} {name}"

    def typed(self, name: str) -> Any:
        """What stands in the field."""
        return st.session_state.get(self.widget(name), self.carried.get(name, self.first.get(name)))

    def value_of(self, name: str) -> Any:
        """What would be saved of a field that is drawn. Raises `InvalidInput` where it can't be read."""
        return self.readers[name](self.typed(name))

    @property
    def touched(self) -> list[str]:
        """The fields that somebody has changed."""
        drawn = [name for name in self.readers if self.typed(name) != self.first[name]]
        return [*drawn, *(name for name in self.carried if name not in self.readers)]

    @property
    def sentence(self) -> str:
        """What is wrong with its fields, for who does not see them."""
        return " ".join(f"{self.labels.get(name, name)}: {error}" for name, error in self.errors.items())

    @property
    def is_new(self) -> bool:
        """Whether the record is yet to be; then `base` is what is suggested for it."""
        return self.version == 0

    def changes(self) -> dict[str, Any]:
        """What would be saved; what can't be read is in `errors`."""
        found = {}
        for name in self.readers:
            if not (self.is_new or name in self.touched):
                continue
            try:
                found[name] = self.value_of(name)
            except InvalidInput as refusal:
                self.errors[name] = str(refusal)
        before = dict.fromkeys(found) if self.is_new else self.base
        return {name: value for name, value in found.items() if value != before.get(name)}

    def checked(self, schema: type[S], **more: Any) -> S | None:
        """The changes as the schema has them; None if something is wrong, which `errors` tells."""
        self.errors, self.refusal = {}, None
        changes = self.changes()
        try:
            answer = schema(**changes, **more)
        except ValidationError as refusal:
            for error in refusal.errors():
                name = str(error["loc"][0]) if error["loc"] else ""
                self.errors.setdefault(name, _sentence(error["type"], error["msg"]))
            return None
        return None if self.errors else answer


def draft_of(key: str, base: Mapping[str, Any], version: int) -> Draft:
    """The draft that is kept under the key; begun with the record as it is where there is none.

    A draft follows the record as long as nobody else changes a field that was typed in: then it stays as it
    is, with its old version, and `is_overtaken`.
    """
    kept: Draft | None = st.session_state.get(_slot(key))
    if kept is None:
        draft = begin(key, {**base, **st.session_state.pop(_suggestion(key), {})}, version)
        draft.carried = st.session_state.pop(_typed_before(key), {})
        return draft
    if kept.version == version or is_overtaken(kept, base, version):
        return kept
    typed = {name: kept.typed(name) for name in kept.touched}
    draft = begin(key, base, version)
    draft.refusal = kept.refusal if typed else None
    draft.carried = typed
    return draft


def suggest(key: str, values: Mapping[str, Any]) -> None:
    """Let the form for something new begin with these values, or with none; for a callback.

    What somebody has typed there stays, beside them.
    """
    kept: Draft | None = st.session_state.get(_slot(key))
    typed = {name: kept.typed(name) for name in kept.touched if name not in values} if kept else {}
    forget(key)
    st.session_state[_suggestion(key)] = dict(values)
    st.session_state[_typed_before(key)] = typed


def keep_all() -> None:
    """Let what was typed outlive a drawer that closes; for a callback.

    Where nothing was typed nothing is kept: every field makes each of the others a little slower to draw.
    """
    for draft in [each for each in st.session_state.values() if isinstance(each, Draft)]:
        draft.carried = {name: draft.typed(name) for name in draft.touched}
        if not draft.carried and not draft.is_new:
            forget(draft.key)


def is_overtaken(draft: Draft, now: Mapping[str, Any], version: int) -> bool:
    """Whether somebody else has changed, and saved, a field that was typed in."""
    return draft.version != version and any(now.get(name) != draft.base.get(name) for name in draft.touched)


def begin(key: str, base: Mapping[str, Any], version: int) -> Draft:
    """A new draft, from the record as it is; what was typed before is gone."""
    forget(key)
    draft = Draft(key, dict(base), version)
    st.session_state[_slot(key)] = draft
    return draft


def forget(key: str) -> None:
    """Throw the draft away."""
    messages.settled(key)
    draft: Draft | None = st.session_state.pop(_slot(key), None)
    if draft is not None:
        for slot in [each for each in st.session_state if str(each).startswith(draft.widget(""))]:
            st.session_state.pop(slot, None)


class Form:
    """Draws the fields of a draft, each with what is wrong with it below."""

    def __init__(self, draft: Draft, workspace: Workspace) -> None:
        self.draft = draft
        self.workspace = workspace

    def text(self, name: str, label: str, *, limit: int, kind: TextKind = "default", **more: Any) -> str:
        """One line; blank means unknown."""
        first = self.draft.base.get(name) or ""
        typed = st.text_input(
            label,
            self._begun(name, first, ""),
            key=self._field(name, label, first, _filled),
            max_chars=limit,
            type=kind,
            validate="",  # what is wrong is said by the library, for every door alike
            icon="",
            persist_state="session",
            **more,
        )
        self._tell_error(name)
        return typed or ""

    def long_text(self, name: str, label: str, **more: Any) -> None:
        """Several lines."""
        first = self.draft.base.get(name) or ""
        st.text_area(
            label,
            self._begun(name, first, ""),
            key=self._field(name, label, first, _filled),
            max_chars=LONGEST_TEXT,
            persist_state="session",
            height=96,
            **more,
        )
        self._tell_error(name)

    def texts(self, name: str, label: str) -> None:
        """Several short texts, one on each line."""
        first = "\n".join(self.draft.base.get(name) or ())
        st.text_area(
            label,
            self._begun(name, first, ""),
            key=self._field(name, label, first, _lines),
            max_chars=LONGEST_TEXT,
            persist_state="session",
            placeholder="One on each line",
            height=72,
        )
        self._tell_error(name)

    def amount(self, name: str, label: str) -> None:
        """Money in the workspace's currency, typed as its locale writes it; empty means unknown."""
        first = words.amount(self.draft.base.get(name), self.workspace)
        st.text_input(
            f"{label} ({self.workspace.currency})",
            self._begun(name, first, ""),
            key=self._field(name, label, first, lambda typed: words.read_amount(typed, self.workspace)),
            max_chars=30,
            placeholder="Unknown",
            persist_state="session",
        )
        self._tell_error(name)

    def percent(self, name: str, label: str, **more: Any) -> None:
        """A whole number from 0 to 100; empty where nothing is set."""
        first = self.draft.base.get(name)
        st.number_input(
            label,
            min_value=0,
            max_value=100,
            value=self._begun(name, first, None),
            step=5,
            key=self._field(name, label, first, _as_it_is),
            persist_state="session",
            **more,
        )
        self._tell_error(name)

    def day(self, name: str, label: str) -> None:
        """A calendar day; empty means unknown."""
        first: date | None = self.draft.base.get(name)
        st.date_input(
            label,
            self._begun(name, first, None),
            key=self._field(name, label, first, _as_it_is),
            format=words.day_format(self.workspace),
            min_value=min(first or date(1900, 1, 1), date(1900, 1, 1)),
            max_value=max(first or date(2999, 12, 31), date(2999, 12, 31)),
            persist_state="session",
        )
        self._tell_error(name)

    def choice(
        self,
        name: str,
        label: str,
        choices: Mapping[Any, str],
        *,
        nothing: str | None = "Nobody",
        **more: Any,
    ) -> Any:
        """One of the values, called as the mapping says; `nothing` says what to choose none means."""
        first = self.draft.base.get(name)
        texts = words.told_apart(choices)
        options = list(texts)
        if first is not None and first not in texts:
            options.insert(0, first)
        chosen = st.selectbox(
            label,
            options,
            index=self._begun(name, options.index(first) if first in options else None, None),
            format_func=lambda value: texts.get(value, str(value)),
            key=self._field(name, label, first, _as_it_is),
            placeholder=nothing,
            filter_mode="contains",
            persist_state="session",
            **more,
        )
        self._tell_error(name)
        return chosen

    def _field(self, name: str, label: str, first: Any, read: Callable[[Any], Any]) -> str:
        self.draft.first[name] = first
        self.draft.readers[name] = read
        self.draft.labels[name] = label
        return self.draft.widget(name)

    def _begun(self, name: str, first: T, empty: T) -> T:
        """What the widget begins with, unless something else was typed there before: that is there again."""
        if name not in self.draft.carried:
            return first
        if self.draft.widget(name) not in st.session_state:
            st.session_state[self.draft.widget(name)] = self.draft.carried[name]
        return empty

    def _tell_error(self, name: str) -> None:
        if name in self.draft.errors:
            st.markdown(f":red[:material/error: {words.literal(self.draft.errors[name], limit=300)}]")


def _filled(typed: str | None) -> str | None:
    return typed if typed and typed.strip() else None


def _lines(typed: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (line.strip() for line in (typed or "").split("\n"))))


def _as_it_is(typed: Any) -> Any:
    return typed


def _slot(key: str) -> str:
    return f"draft {key}"


def _typed_before(key: str) -> str:
    return f"typed before {key}"


def _suggestion(key: str) -> str:
    return f"suggestion {key}"


SENTENCES = {
    "missing": "This is needed.",
    "string_too_short": "This is needed.",
    "string_type": "This is needed.",
    "string_too_long": "This is too long.",
}


def _sentence(kind: str, message: str) -> str:
    return SENTENCES.get(kind, message.removeprefix("Value error, "))
