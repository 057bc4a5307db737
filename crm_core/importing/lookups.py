"""Files that lie beside the imported one and tell, say, which company an account's key stands for."""

from dataclasses import dataclass, field
from pathlib import Path

from crm_core.importing.cells import numbered, quoted
from crm_core.importing.mapping import DealField, Lookup, Mapping
from crm_core.importing.table import Row, UnreadableFile, name_of, open_table

MOST_ROWS = 500_000
"""Rows of a lookup: the companies of very many deals."""


@dataclass
class Directory:
    """The wanted texts by key; None if the file is not there. Remembers in which rows it had no answer."""

    lookup: Lookup
    texts: dict[str, str] | None
    rows_without_answer: list[int] = field(default_factory=list)

    def find(self, key: str, row: int) -> str | None:
        found = (self.texts or {}).get(key.strip())
        if found is None:
            self.rows_without_answer.append(row)
        return found

    def warning(self, wanted: DealField) -> str | None:
        """What somebody who reads the report should know about the keys without answer."""
        if not self.rows_without_answer:
            return None
        name = name_of(Path(self.lookup.file))
        if self.texts is None:
            return (
                f"{name} is not beside the imported file: {len(self.rows_without_answer):,} deals"
                f" have no {wanted}."
            )
        rows = numbered(self.rows_without_answer, 10)
        return f"{name} does not know the {wanted} of rows {rows}: those deals have none."


def open_directories(file: Path | bytes, mapping: Mapping) -> dict[DealField, Directory]:
    """The lookups of the mapping, read from the folder of the imported file.

    Raises `UnreadableFile` for one that is there but no table with the columns it needs.
    """
    return {
        wanted: Directory(lookup, _texts(file.parent / lookup.file, lookup, mapping.encoding))
        if isinstance(file, Path)
        else Directory(lookup, None)
        for wanted, lookup in mapping.lookups.items()
    }


def _texts(file: Path, lookup: Lookup, encoding: str) -> dict[str, str] | None:
    if not file.exists():
        return None
    with open_table(file, encoding=encoding) as table:
        for column in (lookup.key, lookup.value):
            if column not in table.header:
                raise UnreadableFile(
                    f"{name_of(file)} lacks the column {quoted([column])}. Export it again with it."
                )
        texts = {}
        for row in table.rows(MOST_ROWS):
            if not isinstance(row, Row):
                raise UnreadableFile(f"Row {row.number} of {name_of(file)} can't be read: {row.reason}")
            if row.cells[lookup.value].strip():
                texts[row.cells[lookup.key].strip()] = row.cells[lookup.value]
    return texts
