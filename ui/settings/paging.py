"""Long lists on a settings screen, a page at a time."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import TypeVar

import streamlit as st

from ui import words
from ui.data import workspace

T = TypeVar("T")

PAGE_ROWS = 20


def show(found: Sequence[T], draw: Callable[[T], None], *, key: str, noun: str) -> None:
    """Draw each of a page's. Another search gets another key, and so begins at its first page."""
    rows, below = st.container(gap="small"), st.container(horizontal=True, vertical_alignment="center")
    first = 0
    with below:
        if len(found) > PAGE_ROWS:
            first = (st.pagination(ceil(len(found) / PAGE_ROWS), key=key) - 1) * PAGE_ROWS
            space, last = workspace(), min(first + PAGE_ROWS, len(found))
            shown = f"{words.number(first + 1, space)}–{words.number(last, space)}"
            st.caption(f"{shown} of {words.number(len(found), space)} {noun}")
    with rows:
        for each in found[first : first + PAGE_ROWS]:
            draw(each)
