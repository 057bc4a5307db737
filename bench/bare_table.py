"""The least that a screen can do: fifty rows from memory in the same table, and a button for the others."""

import os
import pickle
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.listing import table

ROWS = "CRM_BENCH_ROWS"
"""The variable that names the file with the columns, and with the rows of two pages."""


def turn() -> None:
    st.session_state["page"] = 1 - st.session_state.get("page", 0)


def show() -> None:
    st.set_page_config(layout="wide")
    columns, pages = pickle.loads(Path(os.environ[ROWS]).read_bytes())
    st.button("Next", on_click=turn)
    page = pages[st.session_state.get("page", 0)]
    table.show(page, columns, key="bare", label="Bare", on_open=lambda _: None, selectable=True)


if __name__ == "__main__":
    show()
else:

    def health(_: Request) -> Response:
        """It is up."""
        return Response()

    app = st.App(__file__, routes=[Route("/api/health", health)])
