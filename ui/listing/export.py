"""A whole filtered list as a file, however long; it is written in the background, its progress is shown."""

import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

import streamlit as st

from crm_core.errors import CrmError
from crm_core.exporting import ExportFormat
from crm_core.filters import RecordFilter
from crm_core.services import export_service
from crm_core.sorting import Sort
from ui import words
from ui.data import actor, database, refused, today, workspace

GLANCE = 0.2
"""Seconds between two looks at how far it is."""

IN_MEMORY = 5_000_000


@dataclass
class _Writing:
    """A file in the making, and how far it is."""

    file: IO[bytes] = field(default_factory=lambda: tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
    written: int = 0
    total: int = 0

    def note(self, written: int, total: int) -> None:
        self.written, self.total = written, total

    def run(self, where: RecordFilter[Any], sort: Sort, format_: ExportFormat, user_id: int) -> int:
        """In one snapshot, so that the file's end fits its beginning."""
        with database().read(actor=user_id) as session:
            return export_service.export(session, where, sort, self.file, format=format_, progress=self.note)


def button(name: str, where: RecordFilter[Any], sort: Sort) -> None:
    """Opens the export of what is filtered; `name` is the file's."""
    if st.button("Export", key=f"export {name}", icon=":material/download:"):
        _export(name, where, sort)


@st.dialog("Export")
def _export(name: str, where: RecordFilter[Any], sort: Sort) -> None:
    st.caption("Everything that matches the filters, in the order of the list, with every field.")
    format_ = ExportFormat(
        st.segmented_control(
            "As",
            list(ExportFormat),
            default=ExportFormat.EXCEL,
            required=True,
            format_func=lambda each: each.label,
        )
    )
    if not st.button("Prepare the file", type="primary"):
        return
    file = _write(where, sort, format_)
    if file is not None:
        st.download_button(
            f"Download {format_.label}",
            file,
            file_name=f"{name}-{today().isoformat()}.{format_}",
            mime=format_.media_type,
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )


def _write(where: RecordFilter[Any], sort: Sort, format_: ExportFormat) -> bytes | None:
    """The file, once it is written; a refusal is told instead."""
    writing = _Writing()
    with ThreadPoolExecutor(1) as background:
        running = background.submit(writing.run, where, sort, format_, actor())
        _show_progress(writing, running)
    try:
        count = running.result()
    except CrmError as refusal:
        refused(refusal)
        return None
    st.success(f"{words.number(count, workspace())} rows are ready.", icon=":material/check:")
    writing.file.seek(0)
    with writing.file as file:
        return file.read()


def _show_progress(writing: _Writing, running: Future[int]) -> None:
    bar = st.progress(0.0, "Reading")
    space = workspace()
    while not running.done():
        if writing.total:
            told = f"{words.number(writing.written, space)} of {words.number(writing.total, space)} rows"
            bar.progress(min(writing.written / writing.total, 1.0), told)
        time.sleep(GLANCE)
    bar.empty()
