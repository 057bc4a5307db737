"""Importing deals on screen: first what would happen, then a button that does it."""

from itertools import chain

import streamlit as st
from streamlit.typing import UploadedFile

from crm_core import importing
from crm_core.errors import CrmError, InvalidInput
from crm_core.importing import ImportReport
from ui import messages, words
from ui.data import actor, database, load_from, refused, workspace

REFUSALS_SHOWN = 200

LEAVE_OUT, CREATE_REASONS = "leave_out_other_currencies", "create_close_reasons"
CHOICES = (LEAVE_OUT, CREATE_REASONS)
"""What a file may ask, as the import calls it."""


def mapping_choice() -> str | None:
    """A mapping that comes with the program; None finds the one that fits the file's columns."""
    return st.selectbox(
        "Exported from",
        importing.shipped_names(),
        index=None,
        format_func=str.capitalize,
        placeholder="Tell by its columns",
        key="import_mapping",
        width=280,
    )


def preview(file: UploadedFile, mapping: str | None) -> None:
    """What an import of this file would do, and the button for it where nothing speaks against it.

    The file is read again only when it, a choice or the data changes.
    """
    keys = {name: f"import_{name}_{file.file_id}" for name in CHOICES}  # another file asks anew
    choices = {name: bool(st.session_state.get(key)) for name, key in keys.items()}
    try:
        with st.spinner("Reading the file"):
            report = load_from(
                lambda: _would_do(file.getvalue(), mapping, choices),
                f"import of {file.file_id} {mapping!r} {choices!r}",
            )
    except CrmError as refusal:
        refused(refusal)
        return
    if isinstance(report, InvalidInput):
        refused(report)
        return
    if report.other_currencies:
        codes = ", ".join(sorted(report.other_currencies))
        st.checkbox(f"Leave out the deals in {codes}", key=keys[LEAVE_OUT])
    if 0 < report.reasons_to_create <= importing.MOST_NEW_REASONS:
        new = words.number(report.reasons_to_create, workspace())
        st.checkbox(f"Create the close reasons that are not there yet ({new})", key=keys[CREATE_REASONS])
    _show(report)
    if report.created and not report.refusals:
        label = f"Import {words.deals(report.created, workspace())}"
        st.button(label, type="primary", on_click=_import_and_tell, args=(file.getvalue(), mapping, choices))


def _would_do(file: bytes, mapping: str | None, choices: dict[str, bool]) -> ImportReport | InvalidInput:
    """A refusal of the file is an answer as well: what is no table now will be none the next time."""
    try:
        return _import(file, mapping, choices, dry_run=True)
    except InvalidInput as refusal:
        return InvalidInput(str(refusal))  # its own kind may not be one that can be pickled


def _import_and_tell(file: bytes, mapping: str | None, choices: dict[str, bool]) -> None:
    try:
        report = _import(file, mapping, choices, dry_run=False)
    except CrmError as refusal:
        messages.refused(refusal)
        return
    if not report.refusals:
        messages.later(f"{words.deals(report.created, workspace())} imported.", ":material/check:")


def _import(file: bytes, mapping: str | None, choices: dict[str, bool], *, dry_run: bool) -> ImportReport:
    return importing.import_opportunities(
        database(),
        file,
        importing.find_mapping(mapping, file),
        at=None,
        actor=actor(),
        dry_run=dry_run,
        **choices,
    )


def _show(report: ImportReport) -> None:
    space = workspace()
    if report.refusals:
        for line in report.stop_lines() or report.other_currency_lines():
            st.warning(words.literal(line, limit=500))
        _show_refusals(report)
        return
    with st.grid(4, min_column_width=150):
        st.metric("New deals", words.number(report.created, space), border=True)
        st.metric("Already there", words.number(report.already_there, space), border=True)
        st.metric("New companies", words.number(report.companies.created, space), border=True)
        st.metric("New owners", words.number(report.owners.created, space), border=True)
    findings = report.other_currency_lines(), report.close_reason_lines(), report.path_lines()
    for warning in (*chain(*findings), *report.warnings):
        st.warning(words.literal(warning, limit=500))
    if not report.created:
        st.info("Every deal of this file is in the CRM: there is nothing to import.")


def _show_refusals(report: ImportReport) -> None:
    refusals = report.refusals
    found = words.number(len(refusals), workspace())
    first = f" The first {REFUSALS_SHOWN}:" if len(refusals) > REFUSALS_SHOWN else ""
    st.error(
        f"This file can't be imported before what is wrong with it is mended: {found} cells or rows.{first}"
    )
    st.dataframe(
        [
            {
                "Row": refusal.row,
                "Column": words.one_line(refusal.column),
                "Value": words.one_line(refusal.value),
                "Reason": words.one_line(refusal.reason, limit=500),
            }
            for refusal in refusals[:REFUSALS_SHOWN]
        ],
        hide_index=True,
        alt="Rows that can't be imported, and why",
    )
