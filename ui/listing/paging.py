"""Pages of a list: which rows are on screen, and how many there are."""

from collections.abc import Hashable
from math import ceil

import streamlit as st

from ui import words
from ui.data import workspace

ROWS = 50


def below(name: str, total: int, key: Hashable, *, noun: str = "deal") -> int:
    """The pages to choose from, and what is shown of how many; returns the offset of the first row.

    Another `key` is another list, and begins at its first page.
    """
    space = workspace()
    with st.container(horizontal=True, vertical_alignment="center"):
        number = st.pagination(ceil(total / ROWS), key=f"{name} page {hash(key)}")
        first = (number - 1) * ROWS
        span = f"{words.number(first + 1, space)}–{words.number(min(first + ROWS, total), space)}"
        st.caption(f"{span} of {words.counted_as(total, space, noun)}")
    return first
