"""What one row of a file says about a deal, field by field, and what is wrong with it."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crm_core.errors import InvalidInput
from crm_core.importing.cells import unescaped
from crm_core.importing.lookups import Directory
from crm_core.importing.mapping import DealField, DealStatus, Mapping, Template
from crm_core.importing.report import Refusal, refusal
from crm_core.importing.table import Row

T = TypeVar("T")


class Columns:
    """What a file has of the columns that a mapping knows, with the lookups beside it."""

    def __init__(
        self, mapping: Mapping, header: Sequence[str], directories: dict[DealField, Directory]
    ) -> None:
        self.mapping = mapping
        self.directories = directories
        self.fitting = mapping.fit(header)
        self.by_status = {status: self._of_status(status) for status in (None, *DealStatus)}
        """The ways to fill a field, for deals of every status and for those of one."""
        ways = chain.from_iterable(self.fitting.values())
        self.names = sorted({column for template in ways for column in template.columns})

    def _of_status(self, status: DealStatus | None) -> list[tuple[DealField, list[Template]]]:
        ways = {
            wanted: [template for template in templates if template.status == status]
            for wanted, templates in self.fitting.items()
        }
        return [(wanted, templates) for wanted, templates in ways.items() if templates]


class Answers:
    """The texts of one row; every text that can't be understood becomes a refusal."""

    def __init__(self, row: Row, columns: Columns) -> None:
        self.row = row.number
        self.refusals: list[Refusal] = []
        self._columns = columns
        self._texts: dict[DealField, str] = {}
        self._taken: dict[DealField, Template] = {}
        self._cells = row.cells
        if columns.mapping.unescape:
            self._cells = {column: unescaped(row.cells[column]) for column in columns.names}
        self._choose_for(None)

    def know_status(self, status: DealStatus) -> None:
        """Read the columns that the mapping has for deals of that status alone."""
        self._choose_for(status)

    def asks_for(self, wanted: DealField) -> bool:
        """Whether the file has a column for it."""
        return bool(self._columns.fitting.get(wanted))

    def text(self, wanted: DealField) -> str | None:
        """Exactly what the file says; None if it says nothing, or that it is not known."""
        return self._texts.get(wanted)

    def read(self, wanted: DealField, parse: Callable[[str], T]) -> T | None:
        """What the text means; None if there is none or it was refused."""
        text = self.text(wanted)
        if text is None:
            return None
        try:
            return parse(text)
        except ValidationError as error:
            self.refuse(wanted, _reason(error.errors()[0]))
        except InvalidInput as error:
            self.refuse(wanted, str(error))
        return None

    def required(self, wanted: DealField, parse: Callable[[str], T], why: str) -> T | None:
        """Like `read`, but nothing is refused as well."""
        if self.text(wanted) is None:
            self.refuse(wanted, why)
        return self.read(wanted, parse)

    def tells_the_same(self, wanted: DealField, other: DealField) -> bool:
        """Whether one column stands for both."""
        return self._taken.get(wanted) in self._columns.mapping.columns.get(other, ())

    def refuse(self, wanted: DealField, reason: str) -> None:
        self.refusals.append(refusal(self.row, self._column(wanted), self.text(wanted) or "", reason))

    def refuse_all(self, error: ValidationError) -> None:
        """Refuse every field that a schema found something wrong with."""
        for details in error.errors():
            self.refuse(DealField(str(details["loc"][0])), _reason(details))

    def _choose_for(self, status: DealStatus | None) -> None:
        for wanted, templates in self._columns.by_status[status]:
            self._choose(wanted, templates)

    def _choose(self, wanted: DealField, templates: list[Template]) -> None:
        """Take the first template that is filled with something known."""
        directory = self._columns.directories.get(wanted)
        for template in templates:
            text = template.filled(self._cells)
            if text is None or self._columns.mapping.is_unknown(wanted, template, text):
                continue
            found = text if directory is None else directory.find(text, self.row)
            if found is not None:
                self._texts[wanted] = found
                self._taken[wanted] = template
                return

    def _column(self, wanted: DealField) -> str:
        """The column or columns that the answer came from, or should have come from."""
        taken = [self._taken[wanted]] if wanted in self._taken else self._columns.fitting.get(wanted, [])
        return " or ".join(", ".join(template.columns) for template in taken) or wanted


def _reason(details: ErrorDetails) -> str:
    """A schema's complaint as a sentence."""
    if details["type"] == "string_too_long":
        length, limit = len(details["input"]), details["ctx"]["max_length"]
        return f"It is {length:,} characters long; at most {limit:,} fit."
    return details["msg"].removeprefix("Value error, ")
