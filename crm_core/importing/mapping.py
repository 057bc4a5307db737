"""The mapping file: which columns of another program's export mean what (docs/importing.md)."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from crm_core.errors import InvalidInput
from crm_core.folding import fold
from crm_core.importing.cells import harmless, is_zero, quoted, shortened
from crm_core.importing.table import UnreadableFile, name_of, open_table
from crm_core.models import OpportunityStage, Outcome

SHIPPED = Path(__file__).resolve().parent.parent / "mappings"

COLUMN_IN_TEXT = re.compile(r"\{([^{}]+)\}")

LARGEST_MAPPING = 50_000
"""Bytes."""

MOST_WAYS, LONGEST_WAY = 20, 1_000
"""How many ways there are to fill a field, how many columns are in one of them, and its characters."""

LONGEST_LAYOUT = 100
"""Characters of a date's format."""

SOME_MOMENT = datetime(2021, 11, 30, 17, 45, tzinfo=UTC)
"""To try date formats on."""


class UnusableMapping(InvalidInput):
    """The mapping file does not say what it must."""


class MissingColumns(UnreadableFile):
    """The file lacks columns that the mapping needs."""


class DealField(StrEnum):
    """What a column can tell about a deal."""

    EXTERNAL_ID = "external_id"
    NAME = "name"
    COMPANY = "company"
    CONTACT = "contact"
    OWNER = "owner"
    STATUS = "status"
    STAGE = "stage"
    EXPECTED_VALUE = "expected_value"
    CURRENCY = "currency"
    PROBABILITY = "probability"
    EXPECTED_CLOSE_DATE = "expected_close_date"
    CREATED = "created"
    CLOSED = "closed"
    CLOSE_REASON = "close_reason"
    SOURCE = "source"
    NEXT_STEP = "next_step"
    DESCRIPTION = "description"


REQUIRED = {DealField.NAME, DealField.STAGE}


class DealStatus(StrEnum):
    """Whether a deal is open, or how it ended."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"

    @classmethod
    def of(cls, stage: OpportunityStage) -> "DealStatus":
        """The status of a deal in that stage."""
        return cls.OPEN if stage.outcome is None else cls(stage.outcome.value)

    @property
    def outcome(self) -> Outcome | None:
        """How the deal ended; None while it is open."""
        return None if self is DealStatus.OPEN else Outcome(self.value)

    def allows(self, stage: OpportunityStage) -> bool:
        """Whether a deal of this status may stand in that stage in a file: if closed, in an open one too."""
        return not stage.is_closed or DealStatus.of(stage) is self


@dataclass(frozen=True)
class Template:
    """One way to fill a field: the name of a column, or a text with columns in {braces}.

    With a `status` it fills the field of deals with that status only.
    """

    text: str
    status: DealStatus | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(COLUMN_IN_TEXT.findall(self.text)) or (self.text,)

    @cached_property
    def _is_column(self) -> bool:
        return self.columns == (self.text,)

    def filled(self, cells: dict[str, str]) -> str | None:
        """The field's text; None if one of the columns is blank."""
        if self._is_column:
            text = cells[self.text]
            return text if text.strip() else None
        if not all(cells[column].strip() for column in self.columns):
            return None
        return COLUMN_IN_TEXT.sub(lambda found: cells[found[1]], self.text)


def _as_templates(value: Any) -> tuple[Template, ...]:
    """The templates of a text, of a list of texts, or of a table that has one of these for each status."""
    if not isinstance(value, dict):
        return tuple(_templates(value))
    if value.keys() != set(DealStatus):
        raise ValueError(f"as a table it has a column for each of {', '.join(DealStatus)}, and nothing else")
    return tuple(template for status in DealStatus for template in _templates(value[status], status=status))


def _templates(value: Any, *, status: DealStatus | None = None) -> Iterator[Template]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("it must be a column's name, or a list of them")
    ways = [Template(text, status) for text in texts]
    if len(ways) > MOST_WAYS or any(len(way.columns) > MOST_WAYS for way in ways):
        raise ValueError(f"it has more than {MOST_WAYS} columns")
    if any(len(text) > LONGEST_WAY for text in texts):
        raise ValueError(f"a column's name or text has more than {LONGEST_WAY:,} characters")
    return iter(ways)


def _date_format(layout: str) -> str:
    try:
        reads = datetime.strptime(SOME_MOMENT.strftime(layout), layout).date()  # noqa: DTZ007
    except (ValueError, re.error):  # the latter where it has a directive twice
        reads = date.min
    if reads != SOME_MOMENT.date():
        raise ValueError(f"“{layout}” is not a format of day, month and year such as %Y-%m-%d")
    return layout


def _plain_file_name(name: str) -> str:
    if Path(name).name != name:
        raise ValueError("the file must lie beside the imported one, so write its name without a folder")
    return name


def _open_stage(stage: OpportunityStage) -> OpportunityStage:
    if stage.is_closed:
        raise ValueError("a deal starts in an open stage")
    return stage


class Part(BaseModel):
    """Base of the mapping file's tables: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookup(Part):
    """A file beside the imported one that has a row for each `key`, and the wanted text as `value`."""

    file: Annotated[str, Field(min_length=1), AfterValidator(_plain_file_name)]
    key: str
    value: str


class Mapping(Part):
    """What the columns and stage words of one program's export mean."""

    source: Annotated[str, Field(min_length=1, max_length=50)]
    columns: dict[DealField, Annotated[tuple[Template, ...], BeforeValidator(_as_templates)]]
    stages: dict[str, OpportunityStage]
    statuses: dict[str, DealStatus] = {}
    start_stage: Annotated[OpportunityStage, AfterValidator(_open_stage)] = OpportunityStage.QUALIFICATION
    date_formats: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_LAYOUT), AfterValidator(_date_format)]],
        Field(min_length=1, max_length=MOST_WAYS),
    ] = ["%Y-%m-%d"]
    decimal_comma: bool = False
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    encoding: Literal["utf-8", "cp1252", "latin-1"] = "utf-8"
    unescape: bool = False
    start_no_later_than_close: bool = False
    optional: frozenset[DealField] = frozenset()
    unknown: dict[DealField, list[str]] = {}
    zero_is_unknown: frozenset[str] = frozenset()
    lookups: dict[DealField, Lookup] = {}
    close_reasons: dict[str, str] = {}

    @model_validator(mode="after")
    def _is_complete(self) -> "Mapping":
        if missing := sorted(REQUIRED - set(self.columns)):
            raise ValueError(f"[columns] must say where to find {' and '.join(missing)}")
        if unmapped := sorted((self.optional | set(self.unknown) | set(self.lookups)) - set(self.columns)):
            raise ValueError(f"it speaks of {' and '.join(unmapped)}, which [columns] does not have")
        if bool(self.statuses) != (DealField.STATUS in self.columns):
            raise ValueError("it must have both status in [columns] and its words in [statuses], or neither")
        self._require_status_for_values_alone()
        self._require_zeros_of_values()
        return self

    def _require_status_for_values_alone(self) -> None:
        for wanted, templates in self.columns.items():
            if wanted is not DealField.EXPECTED_VALUE and any(template.status for template in templates):
                raise ValueError(f"only expected_value can have a column for each status, not {wanted}")

    def _require_zeros_of_values(self) -> None:
        of_values = {template.text for template in self.columns.get(DealField.EXPECTED_VALUE, ())}
        if others := sorted(self.zero_is_unknown - of_values):
            raise ValueError(f"zero_is_unknown names {quoted(others)}, which is no column of expected_value")

    @cached_property
    def stage_words(self) -> dict[str, OpportunityStage]:
        """The stages by their words without regard to case."""
        return {fold(word): stage for word, stage in self.stages.items()}

    @cached_property
    def status_words(self) -> dict[str, DealStatus]:
        """What the words of the status column mean, without regard to case."""
        return {fold(word): status for word, status in self.statuses.items()}

    @cached_property
    def reason_labels(self) -> dict[str, str]:
        """The workspace's close reasons by the file's words for them, without regard to case."""
        return {fold(word): label for word, label in self.close_reasons.items()}

    @cached_property
    def unknown_words(self) -> dict[DealField, frozenset[str]]:
        """The words that mean “not known”, without regard to case."""
        return {where: frozenset(map(fold, words)) for where, words in self.unknown.items()}

    @cached_property
    def _has_zero_as_unknown_value(self) -> bool:
        return any(map(is_zero, self.unknown.get(DealField.EXPECTED_VALUE, ())))

    def is_unknown(self, wanted: DealField, template: Template, text: str) -> bool:
        """Whether the text means “not known” there: it is such a word, or a 0 where that is no value."""
        words = self.unknown_words.get(wanted)
        if words and fold(text) in words:
            return True
        if wanted is not DealField.EXPECTED_VALUE:
            return False
        has_no_zeros = self._has_zero_as_unknown_value or template.text in self.zero_is_unknown
        return has_no_zeros and is_zero(text)

    def fit(self, header: Iterable[str]) -> dict[DealField, list[Template]]:
        """For each field the templates whose columns the file has."""
        there = set(header)
        return {
            wanted: [template for template in templates if there.issuperset(template.columns)]
            for wanted, templates in self.columns.items()
        }

    def unfilled(self, header: Iterable[str]) -> Iterator[tuple[DealField, list[Template]]]:
        """The fields that the file has no column for, with their templates; by status where that matters."""
        there = set(header)
        for wanted, templates in self.columns.items():
            for status in dict.fromkeys(template.status for template in templates):
                ways = [template for template in templates if template.status == status]
                if not any(there.issuperset(template.columns) for template in ways):
                    yield wanted, ways

    def missing_columns(self, header: Iterable[str]) -> list[str]:
        """What the file lacks to be read with this mapping."""
        return [
            " or ".join(quoted(way.columns) for way in ways)
            for wanted, ways in self.unfilled(header)
            if wanted not in self.optional
        ]

    def require_columns(self, header: list[str], name: str) -> None:
        """Refuse a file that can't be read with this mapping."""
        if missing := self.missing_columns(header):
            has = ", ".join(shortened(column) for column in header[:20] if column)
            raise MissingColumns(
                f"{name} lacks the column {', '.join(missing)} that the mapping {shortened(self.source)}"
                f" needs. It has {has[:300]}. Choose another mapping, or export the file with that column."
            )


def shipped_names() -> list[str]:
    """The mappings that come with the program."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def find_mapping(wanted: str | None, file: Path | bytes) -> Mapping:
    """The mapping of that name or path; None: the one shipped mapping whose columns the file has.

    Raises `UnusableMapping`, and `UnreadableFile` when the file's header can't be read.
    """
    if wanted in shipped_names():
        return read_mapping(SHIPPED / f"{wanted}.toml")
    if wanted is not None:
        return read_mapping(Path(wanted))
    shipped = [read_mapping(SHIPPED / f"{name}.toml") for name in shipped_names()]
    with open_table(file) as table:
        fitting = [mapping for mapping in shipped if not mapping.missing_columns(table.header)]
    if len(fitting) != 1:
        raise UnusableMapping(
            f"{name_of(file)} fits {'several' if fitting else 'none'} of the mappings that come with the"
            f" program ({', '.join(shipped_names())}). Name one with --mapping, or write your own as"
            " docs/importing.md shows."
        )
    return fitting[0]


def read_mapping(file: Path) -> Mapping:
    """The mapping in that TOML file. Raises `UnusableMapping`."""
    name = name_of(file)
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST_MAPPING + 1)
        if len(text) > LARGEST_MAPPING:
            raise UnusableMapping(f"{name} has more than {LARGEST_MAPPING:,} bytes, so it is no mapping.")
        return Mapping.model_validate(tomllib.loads(text.decode()))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UnusableMapping(
            f"There is no mapping {name}. Name a TOML file, or one of those that come with the program:"
            f" {', '.join(shipped_names())}."
        ) from error
    except OSError as error:
        raise UnusableMapping(f"The mapping {name} can't be opened: {error.strerror}.") from error
    except ValidationError as error:
        raise UnusableMapping(
            f"The mapping {name} can't be used: {harmless(_in_plain_words(error))}."
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or brackets in brackets without end
        raise UnusableMapping(f"The mapping {name} is not a TOML file: {harmless(str(error))}.") from error


def _in_plain_words(error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"] if step != "[key]")
    if first["type"] == "extra_forbidden":
        return f"it has the key “{place}”, which mappings don't know"
    if first["type"] == "missing":
        return f"it lacks the key “{place}”"
    message = first["msg"].removeprefix("Value error, ")
    return f"“{place}”: {message}" if place else message
