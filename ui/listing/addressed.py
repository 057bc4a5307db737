"""What filter bars are set to lives in the address, so a view can be shared and gone back to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import streamlit as st

from crm_core.filters import RecordFilter
from crm_core.schemas.fields import LARGEST_ID
from ui import words

F = TypeVar("F", bound=RecordFilter[Any])

EXACTLY = "exactly"
"""A link that names a bar by this means what it says and nothing that was set before."""

NOBODY = frozenset({LARGEST_ID})
"""An id that no record has: contradictory filters match nothing."""


@dataclass(frozen=True)
class Chip:
    """Something that is set: what it says, and what its field holds without it.

    One that is not `known` is of an address, or a saved view, whose value there is no longer.
    """

    text: str
    key: str
    without: Any
    known: bool = True


class Addressed:
    """Fields, each bound to the query parameter `prefix_name`: what is set, to tell and to clear it.

    What the address says is read by this module first, as a link may name what there is no longer.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._chips: list[Chip] = []
        self._readers: dict[str, Callable[[list[str]], Any]] = {}
        self._first: Mapping[str, list[str]] = {}
        self._checked: set[str] = set()
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

    def choose(self, name: str, label: str) -> None:
        """Set a field that has one value; for a callback."""
        st.session_state[f"{self.prefix}_{name}"] = label

    def show_chips(self) -> None:
        """Everything that is set, each to be taken away by a click, and a button that clears it all."""
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
                    on_click=_set if chip.known else _forget_unknown,
                    args=(chip.key, chip.without) if chip.known else (chip.key,),
                )
            st.button(
                "Clear all",
                key=f"{self.prefix} clear",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=self.clear,
            )

    def clear(self) -> None:
        """Let every field be as it is at first; for a callback."""
        self.set({})

    def query(self) -> dict[str, list[str]]:
        """What the address says about these filters and the order."""
        return {key: st.query_params.get_all(key) for key in self._readers if key in st.query_params}

    def set(self, query: Mapping[str, list[str]]) -> None:
        """Let the fields be as the query says, and the others as at first; for a callback."""
        for key, read in self._readers.items():
            told = list(query.get(key, []))
            st.session_state[key] = read(told)
            _forget_unknown(key)
            if key.removeprefix(f"{self.prefix}_") in self._checked:
                self._note_unknown(key, told, read)

    def _key(self, name: str, read: Callable[[list[str]], Any], label: str = "") -> str:
        """The key of a field that `read` fills from what the address says.

        With a label, what it can't read stays as a chip that matches nothing: a filter that nobody
        understands must not let everything through.
        """
        key = f"{self.prefix}_{name}"
        self._readers[key] = read
        if key in self._first or self.is_exact:
            st.session_state[key] = read(list(self._first.get(key, [])))
            _forget_unknown(key)
        if label:
            self._checked.add(name)
            told = list(self._first.get(key, st.query_params.get_all(key)))
            self._note_unknown(key, told, read)
            for text in st.session_state.get(_unknown(key), []):
                said = f"{label}: {words.one_line(text, limit=40)} is not known"
                self._chips.append(Chip(said, key, None, known=False))
        return key

    def _note_unknown(self, key: str, told: list[str], read: Callable[[list[str]], Any]) -> None:
        unknown = [each for each in told if read([each]) in (None, [], "")]
        if unknown:
            st.session_state[_unknown(key)] = unknown

    def _chip_each(self, key: str, chosen: Sequence[str], pattern: str) -> None:
        for each in chosen:
            rest = [other for other in chosen if other != each]
            self._chips.append(Chip(pattern.format(words.one_line(each, limit=40)), key, rest))


def exact_link(
    page: str, label: str, prefix: str, query: Mapping[str, str | list[str]], *, icon: str | None = None
) -> None:
    """A link to a screen whose filter bar is set to the query, whatever it was set to before."""
    st.page_link(page, label=label, icon=icon, query_params=_exactly(prefix, query))


def go_exactly(page: str, prefix: str, query: Mapping[str, str | list[str]]) -> NoReturn:
    """Go to such a screen."""
    st.switch_page(page, query_params=_exactly(prefix, query))


def _exactly(prefix: str, query: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    return {**{f"{prefix}_{name}": value for name, value in query.items()}, EXACTLY: prefix}


def _set(key: str, value: Any) -> None:
    st.session_state[key] = value


def _unknown(key: str) -> str:
    return f"{key} unknown"


def _forget_unknown(key: str) -> None:
    st.session_state.pop(_unknown(key), None)
