"""What filter bars are set to lives in the address, so a view can be shared and gone back to.

What can be called otherwise tomorrow is there by its id or its code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import streamlit as st

from crm_core.filters import RecordFilter
from crm_core.schemas.fields import LARGEST_ID
from ui import visit, words

F = TypeVar("F", bound=RecordFilter[Any])

EXACTLY = "exactly"
"""A link that names a bar by this means what it says and nothing that was set before."""

NOT_UNDERSTOOD = "~"
"""Stands before what was never an id or a code, so that it is not taken for one: a name in an old view."""

LONGEST_ID = 10
"""Digits."""

NOBODY = frozenset({LARGEST_ID})
"""An id that no record has: contradictory filters match nothing."""

LabelOf = Callable[[str], str | None]
"""What an id or a code is called; None if nothing has it."""


@dataclass(frozen=True)
class Chip:
    """Something that is set: what it says, and what its field holds without it.

    One that is not `known` is of an address, or a saved view, whose value there is no longer.
    """

    text: str
    key: str
    without: Any
    known: bool = True


@dataclass(frozen=True)
class Field:
    """How a field is filled from what the address says, and which of that it understands.

    One that is filled `by_id` holds ids.
    """

    label: str
    value_of: Callable[[list[str]], Any]
    knows: Callable[[str], bool]
    by_id: bool = False

    def complaint(self, value: str, last_name: str | None = None) -> str:
        """What a chip says of a value that is not known; of an id, by its last name if there is one."""
        if self.by_id and is_id(value):
            gone = words.one_line(last_name, limit=40) if last_name else f"#{value}"
            return f"{self.label}: {gone} no longer exists"
        return f"{self.label}: {words.one_line(value.removeprefix(NOT_UNDERSTOOD), limit=40)} is not known"


class Addressed:
    """Fields, each with the query parameter `prefix_name`: what is set, to tell and to clear it.

    Texts are bound to their parameters by Streamlit, which takes them all. Of choices it would write the
    labels, and of an amount or a day nothing that it can't read, so these are read and written here.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._chips: list[Chip] = []
        self._fields: dict[str, Field] = {}
        self._codes: dict[str, list[str]] = {}
        self._first: Mapping[str, list[str]] = {}
        self.is_exact = st.query_params.get(EXACTLY) == prefix
        if self.is_exact:
            del st.query_params[EXACTLY]
            self._first = {key: st.query_params.get_all(key) for key in st.query_params}

    @property
    def is_known(self) -> bool:
        """Whether everything that the address asks for is understood; otherwise nothing matches."""
        return all(chip.known for chip in self._chips)

    def understood(self, where: F) -> F:
        """The filter itself; one that matches nothing where the address asks for what is not known."""
        return where if self.is_known else where.model_copy(update={"owners": NOBODY})

    def begin_with(self, query: Mapping[str, list[str]]) -> None:
        """Let the fields, which are yet to be drawn, be as the query says."""
        self._first = query

    def choose(self, name: str, code: str) -> None:
        """Set a field that has one value; for a callback."""
        st.session_state[f"{self.prefix}_{name}"] = code

    def show_chips(self) -> None:
        """Everything that is set, each to be taken away by a click, and a button that clears it all.

        Stands after all fields.
        """
        self.write_address()
        if not self._chips:
            return
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            for chip in self._chips:
                st.button(
                    words.literal(chip.text, limit=60),
                    key=f"{self.prefix} chip {chip.key} {chip.text}",
                    icon=":material/close:",
                    icon_position="right",
                    help="Take this filter away",
                    on_click=_set if chip.known else _set_unknown,
                    args=(chip.key, chip.without),
                )
            st.button(
                "Clear all",
                key=f"{self.prefix} clear",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=self.clear,
            )

    def write_address(self) -> None:
        """Let the address say what was chosen; stands after all fields.

        A run that this one replaced may yet have written what it began with, so that counts as well. A field
        that is no longer drawn leaves the address.
        """
        key = f"{self.prefix} address"
        written = st.session_state.get(key, {})
        said = {name: self._codes.get(name, []) for name in written | self._codes}
        changed = {
            name: codes
            for name, codes in said.items()
            if codes != st.query_params.get_all(name) or codes != written.get(name, [])
        }
        if changed:
            st.query_params.update(changed)
        st.session_state[key] = self._codes

    def clear(self) -> None:
        """Let every field be as it is at first; for a callback."""
        self.set({})

    def query(self) -> dict[str, list[str]]:
        """What the filters and the order are set to, as the address says it."""
        bound = {key: st.query_params.get_all(key) for key in self._fields if key not in self._codes}
        return {key: values for key, values in (bound | self._codes).items() if values}

    def set(self, query: Mapping[str, list[str]]) -> None:
        """Let the fields be as the query says, and the others as at first; for a callback."""
        for key, field in self._fields.items():
            said = list(query.get(key, []))
            st.session_state[key] = field.value_of(said)
            self._note_unknown(key, said)

    def complaints(self, query: Mapping[str, list[str]]) -> list[str]:
        """What of the query is not known, in the words of the chips."""
        asked = ((key, value) for key in query if key in self._fields for value in query[key])
        return [self._complaint(key, value) for key, value in asked if not self._fields[key].knows(value)]

    def _bound_key(self, name: str, value_of: Callable[[list[str]], Any]) -> str:
        """The key of a field for any text, which Streamlit binds to its parameter."""
        key = f"{self.prefix}_{name}"
        self._fields[key] = Field("", value_of, lambda _: True)
        if self.is_exact or key in self._first:
            st.session_state[key] = value_of(list(self._first.get(key, [])))
        return key

    def _read_key(self, name: str, label: str, read: Callable[[str], Any]) -> str:
        """The key of a field with one value, which `read` makes of a text, or None.

        What it can't read stays as a chip that matches nothing: a filter that nobody understands must not let
        everything through.
        """
        key = f"{self.prefix}_{name}"
        self._fields[key] = Field(
            label,
            lambda said: next((found for each in said if (found := read(each)) is not None), None),
            lambda value: read(value) is not None,
        )
        said = self._newly_said(key)
        if said is not None:
            st.session_state[key] = self._fields[key].value_of(said)
            self._note_unknown(key, said)
        self._complain(key)
        return key

    def _several_key(self, name: str, label: str, label_of: LabelOf, *, by_id: bool) -> str:
        """The key of a field with the codes of any number of choices; unknown ones stay as chips as well."""
        return self._chosen_key(
            name,
            Field(
                label,
                lambda said: [code for code in dict.fromkeys(said) if label_of(code) is not None],
                lambda code: label_of(code) is not None,
                by_id,
            ),
            label_of,
        )

    def _one_key(
        self, name: str, label: str, label_of: LabelOf, first: str | None, *, takes_all: bool = False
    ) -> str:
        """The key of a field with one choice's code, the first one to begin with.

        Where it takes everything, an unknown code means the first one.
        """
        return self._chosen_key(
            name,
            Field(
                label,
                lambda said: next((code for code in said if label_of(code) is not None), first),
                lambda code: takes_all or label_of(code) is not None,
            ),
            label_of,
        )

    def _chosen_key(self, name: str, field: Field, label_of: LabelOf) -> str:
        """Streamlit knows a choice by its label: with another one, the choice is made anew."""
        key = f"{self.prefix}_{name}"
        self._fields[key] = field
        said = self._newly_said(key)
        if said is None:
            said = [*_listed(st.session_state.get(key)), *_unknown_of(key)]
        chosen = field.value_of(said)
        labels = {code: label_of(code) for code in _listed(chosen)}
        before = st.session_state.get(_labels(key), {})
        is_renamed = any(before.get(code, label) != label for code, label in labels.items())
        if key not in st.session_state or st.session_state[key] != chosen or is_renamed:
            st.session_state[key] = chosen
        st.session_state[_labels(key)] = before | labels
        self._note_unknown(key, said)
        self._complain(key)
        return key

    def _say(self, key: str, codes: list[str]) -> None:
        """What the address is to say of a field: nothing of what is there at first."""
        self._codes[key] = [*codes, *_unknown_of(key)]

    def _newly_said(self, key: str) -> list[str] | None:
        """What the address, or else a view to begin with, sets a field to; None leaves it as it is."""
        in_address = st.query_params.get_all(key)
        if visit.is_by_history() and not self.is_exact:
            return in_address
        if self.is_exact or key in self._first:
            return list(self._first.get(key, []))
        has_come = key not in st.session_state or visit.has_just_come()
        return in_address if in_address and has_come else None

    def _note_unknown(self, key: str, said: list[str]) -> None:
        knows = self._fields[key].knows
        st.session_state[_unknown(key)] = [each for each in dict.fromkeys(said) if not knows(each)]

    def _complain(self, key: str) -> None:
        unknown = _unknown_of(key)
        for each in unknown:
            rest = [other for other in unknown if other != each]
            self._chips.append(Chip(self._complaint(key, each), key, rest, known=False))

    def _complaint(self, key: str, value: str) -> str:
        return self._fields[key].complaint(value, st.session_state.get(_labels(key), {}).get(value))

    def _chip_each(self, key: str, chosen: Mapping[str, str], pattern: str = "{}") -> None:
        for code, text in chosen.items():
            rest = [other for other in chosen if other != code]
            self._chips.append(Chip(pattern.format(words.one_line(text, limit=40)), key, rest))


def exact_link(
    page: str, label: str, prefix: str, query: Mapping[str, str | list[str]], *, icon: str | None = None
) -> None:
    """A link to a screen whose filter bar is set to the query, whatever it was set to before."""
    st.page_link(page, label=label, icon=icon, query_params=_exactly(prefix, query))


def go_exactly(page: str, prefix: str, query: Mapping[str, str | list[str]]) -> NoReturn:
    """Go to such a screen."""
    st.switch_page(page, query_params=_exactly(prefix, query))


def is_id(code: str) -> bool:
    """Whether it is written as ids are."""
    return code.isascii() and code.isdecimal() and len(code) <= LONGEST_ID and code[0] != "0"


def _exactly(prefix: str, query: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    return {**{f"{prefix}_{name}": value for name, value in query.items()}, EXACTLY: prefix}


def _set(key: str, value: Any) -> None:
    st.session_state[key] = value


def _listed(chosen: Any) -> list[str]:
    """The codes that a field holds, which has several, one or none."""
    if chosen is None:
        return []
    return list(chosen) if isinstance(chosen, list) else [chosen]


def _labels(key: str) -> str:
    """Where the labels are of all that was chosen since the browser's page was loaded."""
    return f"{key} labels"


def _unknown(key: str) -> str:
    return f"{key} unknown"


def _unknown_of(key: str) -> list[str]:
    unknown: list[str] = st.session_state.get(_unknown(key), [])
    return unknown


def _set_unknown(key: str, values: list[str]) -> None:
    st.session_state[_unknown(key)] = values
