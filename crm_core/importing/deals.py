"""Makes deals of the rows of a file, and says what is wrong with those that are none."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crm_core.errors import InvalidInput
from crm_core.importing import cells
from crm_core.importing.answers import Answers
from crm_core.importing.lookups import open_directories
from crm_core.importing.mapping import DealField, Mapping
from crm_core.importing.report import Refusal, refusal
from crm_core.importing.table import Row, name_of, open_table
from crm_core.models import OpportunityStage
from crm_core.periods import Calendar
from crm_core.schemas.fields import Name, Text
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services.settings_service import Workspace

NAME: TypeAdapter[str] = TypeAdapter(Name)
TEXT: TypeAdapter[str] = TypeAdapter(Text)
COMPANY, CONTACT, OWNER = DealField.COMPANY, DealField.CONTACT, DealField.OWNER

DEMO_DATA_IS_THERE = (
    "The demo deals are still there and are counted along with the imported ones; to have only yours, start"
    " empty in the app and import again."
)


@dataclass(frozen=True, slots=True)
class Span:
    """When a deal was open: from the import on if `start` is None, and still if `closed_at` is None."""

    start: datetime | None = None
    closed_at: datetime | None = None
    closed_on: date | None = None
    has_moved_start: bool = False


@dataclass(frozen=True, slots=True)
class ImportedDeal:
    """One row of the file, checked; companies and people still by their names."""

    row: int
    external_id: str | None
    draft: OpportunityCreate
    company: str | None
    contact: str | None
    owner: str | None
    close_reason: str | None
    span: Span


@dataclass
class Reading:
    """What a file says: its deals, what is wrong with its other rows, what else is worth knowing.

    `tells_values` is whether it has a column for them.
    """

    tells_values: bool = False
    deals: list[ImportedDeal] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_deals(file: Path | bytes, mapping: Mapping, workspace: Workspace, at: datetime) -> Reading:
    """Every row of the file as a deal or as refusals. Raises `UnreadableFile`."""
    reading = Reading()
    row_of_key: dict[str, int] = {}
    directories = open_directories(file, mapping)
    with open_table(file, encoding=mapping.encoding, delimiter=mapping.delimiter) as table:
        mapping.require_columns(table.header, name_of(file))
        fitting = mapping.fit(table.header)
        reading.tells_values = bool(fitting.get(DealField.EXPECTED_VALUE))
        for row in table.rows:
            if not isinstance(row, Row):
                reading.refusals.append(refusal(row.number, "", "", row.reason))
                continue
            answers = Answers(row, mapping, fitting, directories)
            deal = _deal(answers, row_of_key, mapping, workspace, at)
            if deal is not None:
                reading.deals.append(deal)
            reading.refusals += answers.refusals
    reading.warnings += _warnings(reading, mapping, fitting)
    reading.warnings += filter(None, (one.warning(wanted) for wanted, one in directories.items()))
    if workspace.has_demo_data:
        reading.warnings.append(DEMO_DATA_IS_THERE)
    return reading


def _deal(
    answers: Answers, row_of_key: dict[str, int], mapping: Mapping, workspace: Workspace, at: datetime
) -> ImportedDeal | None:
    """The row's deal, if nothing is wrong with it."""
    key = _key(answers, row_of_key)
    named = {who: answers.read(who, NAME.validate_python) for who in (COMPANY, CONTACT, OWNER)}
    reason = answers.read(DealField.CLOSE_REASON, TEXT.validate_python)
    stage = _stage(answers, mapping)
    span = _span(answers, stage, mapping, workspace.calendar, at)
    draft = _draft(answers, stage, mapping, workspace)
    if draft is None or answers.refusals:
        return None
    return ImportedDeal(answers.row, key, draft, named[COMPANY], named[CONTACT], named[OWNER], reason, span)


def _key(answers: Answers, row_of_key: dict[str, int]) -> str | None:
    """The row's own key, which no other row of the file may have."""
    if not answers.asks_for(DealField.EXTERNAL_ID):
        return None
    key = answers.required(
        DealField.EXTERNAL_ID,
        lambda text: NAME.validate_python(text.strip()),
        "Every row needs its own key, so that it is not imported twice.",
    )
    if key is not None and row_of_key.setdefault(key, answers.row) != answers.row:
        answers.refuse(DealField.EXTERNAL_ID, f"Row {row_of_key[key]} has the same key.")
    return key


def _stage(answers: Answers, mapping: Mapping) -> OpportunityStage | None:
    def known(text: str) -> OpportunityStage:
        try:
            return mapping.stage_words[cells.normal(text)]
        except KeyError:
            raise InvalidInput(
                f"The mapping does not know this stage. It knows {', '.join(mapping.stages)}."
            ) from None

    return answers.required(DealField.STAGE, known, "Every deal is in a stage.")


def _span(
    answers: Answers, stage: OpportunityStage | None, mapping: Mapping, calendar: Calendar, at: datetime
) -> Span:
    """From the first second of the day it was created to the last of the day it was closed."""

    def past(text: str) -> date | datetime:
        read = cells.moment(text, mapping.date_formats, calendar.zone)
        if _first_instant(read, calendar) > at:
            raise InvalidInput("This lies in the future.")
        return read

    created = answers.read(DealField.CREATED, past)
    start = None if created is None else _first_instant(created, calendar)
    if stage is None or not stage.is_closed:
        return Span(start)
    closed = answers.required(DealField.CLOSED, past, "A closed deal needs the day it was closed.")
    if closed is None:
        return Span(start)
    closed_on = calendar.day_of(closed) if isinstance(closed, datetime) else closed
    closed_at = closed if isinstance(closed, datetime) else min(calendar.last_second_of(closed), at)
    if start is None:
        return Span(calendar.start_of(closed_on), closed_at, closed_on)
    if start <= closed_at:
        return Span(start, closed_at, closed_on)
    if not mapping.start_no_later_than_close:
        answers.refuse(DealField.CLOSED, f"The deal was closed before it started ({start:%Y-%m-%d}).")
    return Span(calendar.start_of(closed_on), closed_at, closed_on, has_moved_start=True)


def _first_instant(moment: date | datetime, calendar: Calendar) -> datetime:
    return moment if isinstance(moment, datetime) else calendar.start_of(moment)


def _draft(
    answers: Answers, stage: OpportunityStage | None, mapping: Mapping, workspace: Workspace
) -> OpportunityCreate | None:
    """What the deal says about itself, held against the rules for every new deal."""

    def value(text: str) -> Any:
        return cells.amount(text, currency=workspace.currency, decimal_comma=mapping.decimal_comma)

    def day(text: str) -> date:
        read = cells.moment(text, mapping.date_formats, workspace.calendar.zone)
        return workspace.calendar.day_of(read) if isinstance(read, datetime) else read

    is_closed = stage is not None and stage.is_closed
    draft = {
        "name": answers.required(DealField.NAME, str, "Every deal needs a name."),
        "stage": stage,
        "expected_value": answers.read(DealField.EXPECTED_VALUE, value),
        "probability": None if is_closed else answers.read(DealField.PROBABILITY, cells.percent),
        "expected_close_date": None
        if is_closed and answers.tells_the_same(DealField.EXPECTED_CLOSE_DATE, DealField.CLOSED)
        else answers.read(DealField.EXPECTED_CLOSE_DATE, day),
        "next_step": answers.text(DealField.NEXT_STEP),
        "source": answers.text(DealField.SOURCE),
        "description": answers.text(DealField.DESCRIPTION),
    }
    if draft["name"] is None or stage is None:
        return None
    try:
        known = {name: answer for name, answer in draft.items() if answer is not None}
        return OpportunityCreate.model_validate(known)
    except ValidationError as error:
        answers.refuse_all(error)
        return None


def _warnings(reading: Reading, mapping: Mapping, fitting: dict[DealField, Any]) -> Iterator[str]:
    if not reading.deals and not reading.refusals:
        yield "There are no rows below the header."
    if DealField.EXTERNAL_ID not in mapping.columns or not fitting[DealField.EXTERNAL_ID]:
        yield "The rows have no key of their own: importing the file again would create the deals again."
    absent = [wanted for wanted, templates in fitting.items() if not templates]
    if absent:
        yield f"The file has no column for {', '.join(absent)}."
    if moved := sum(deal.span.has_moved_start for deal in reading.deals):
        yield f"Deals closed before they were created, which now start on the day of their close: {moved:,}."
