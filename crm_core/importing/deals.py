"""Makes deals of the rows of a file, and says what is wrong with those that are none."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from crm_core.columns import LARGEST_AMOUNT, any_amount, exact_amount
from crm_core.currency import Currency
from crm_core.dated import first_instant
from crm_core.errors import InvalidInput
from crm_core.folding import fold
from crm_core.importing import cells
from crm_core.importing.answers import Answers, Columns
from crm_core.importing.lookups import open_directories
from crm_core.importing.mapping import DealField, DealStatus, Mapping
from crm_core.importing.report import OtherCurrency, Refusal, refusal
from crm_core.importing.table import Row, Table, name_of, open_table
from crm_core.models import OpportunityStage
from crm_core.periods import Calendar
from crm_core.schemas.fields import Name, Text
from crm_core.schemas.opportunity import OpportunityCreate
from crm_core.services.settings_service import Workspace

T = TypeVar("T")

NAME: TypeAdapter[str] = TypeAdapter(Name)
TEXT: TypeAdapter[str] = TypeAdapter(Text)
name_in = cells.remembered(NAME.validate_python)
COMPANY, CONTACT, OWNER = DealField.COMPANY, DealField.CONTACT, DealField.OWNER

MOST_ROWS = 200_000
"""Rows of a file, each of them a deal."""

LONGEST_WORD = 1_000
"""Characters of a stage, status or close reason that is looked up."""

MOST_REFUSALS = 1_000
"""After so many nobody reads on, and neither does the import."""

ROWS_NAMED = 3
"""How many of the rows that a sentence is about it names."""

WORDS_NAMED = 20
"""How many of the words that a mapping knows a sentence names."""

OTHER_CURRENCY = "This is not in {}. Convert the amount, or leave out other currencies."

DEMO_DATA_IS_THERE = (
    "The demo deals are still there and are counted along with the imported ones; to have only yours, start"
    " empty in the app and import again."
)


@dataclass(frozen=True, slots=True)
class Since:
    """When a state began; `day` where the file tells the day alone."""

    at: datetime
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """When a deal was open: from the import on if `start` is None, and still if `close` is None."""

    start: Since | None = None
    close: Since | None = None
    closed_on: date | None = None
    has_moved_start: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The stage that a deal is in, and the open one that a closed deal was closed in, if the file says it."""

    stage: OpportunityStage
    closed_in: OpportunityStage | None = None


@dataclass(frozen=True, slots=True)
class ImportedDeal:
    """One row of the file, checked; companies and people still by their names.

    `closed_in` is the open stage that a closed deal was in before its close; None where the file doesn't say.
    """

    row: int
    external_id: str | None
    draft: OpportunityCreate
    closed_in: OpportunityStage | None
    company: str | None
    contact: str | None
    owner: str | None
    close_reason: str | None
    span: Span


@dataclass
class Reading:
    """What a file says: its deals, what is wrong with its other rows, what else is worth knowing.

    `tells_values` is whether it has a column for them; `rounded` are the rows whose amount had more decimals
    than the currency; `without_status` those whose status is blank in a file that has a column for it.
    `stopped_at` is the last row that was read where so many were refused that the rest was not.
    """

    tells_values: bool = False
    other_currencies: dict[str, OtherCurrency] = field(default_factory=dict)
    rounded: list[int] = field(default_factory=list)
    without_status: list[int] = field(default_factory=list)
    deals: list[ImportedDeal] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped_at: int | None = None


@dataclass(frozen=True)
class Terms:
    """What holds for every row of a file. `of_one`: it gives probabilities as fractions, such as 0.65."""

    mapping: Mapping
    workspace: Workspace
    at: datetime
    of_one: bool


def read_deals(
    file: Path | bytes,
    mapping: Mapping,
    workspace: Workspace,
    at: datetime,
    *,
    leave_out_other_currencies: bool = False,
) -> Reading:
    """Every row of the file as a deal or as refusals, `MOST_REFUSALS` of them. Raises `UnreadableFile`.

    A deal in another currency than the workspace's is refused, or left out if asked for; both are counted.
    """
    reading = Reading()
    row_of_key: dict[str, int] = {}
    with open_table(file, encoding=mapping.encoding, delimiter=mapping.delimiter) as table:
        mapping.require_columns(table.header, name_of(file))
        directories = open_directories(file, mapping)
        columns = Columns(mapping, table.header, directories)
        terms = Terms(mapping, workspace, at, _gives_fractions(table, columns))
        reading.tells_values = bool(columns.fitting.get(DealField.EXPECTED_VALUE))
        number = 1
        for row in table.rows(MOST_ROWS):
            if len(reading.refusals) >= MOST_REFUSALS:
                reading.stopped_at = number
                break
            number = row.number
            if not isinstance(row, Row):
                reading.refusals.append(refusal(row.number, "", "", row.reason))
                continue
            answers = Answers(row, columns)
            standing = _standing(answers, mapping)
            if standing is not None:
                answers.know_status(DealStatus.of(standing.stage))
            code = answers.read(DealField.CURRENCY, lambda text: cells.currency(text, workspace.currency))
            if code not in (None, workspace.currency):
                _count_other_currency(reading, answers, terms, code)
                if leave_out_other_currencies:
                    continue
                answers.refuse(DealField.CURRENCY, OTHER_CURRENCY.format(workspace.currency))
            deal = _deal(answers, standing, row_of_key, terms, reading)
            if deal is not None:
                reading.deals.append(deal)
            reading.refusals += answers.refusals
    reading.warnings += _warnings(reading, mapping, table.header, workspace.currency)
    reading.warnings += filter(None, (one.warning(wanted) for wanted, one in directories.items()))
    if workspace.has_demo_data:
        reading.warnings.append(DEMO_DATA_IS_THERE)
    return reading


def _gives_fractions(table: Table, columns: Columns) -> bool:
    """Whether no probability of the file is above 1, and one is between: then 1 is certain, and not 1 %.

    Goes through all rows, so that those of a file with too many are refused before any is worked on.
    """
    templates = columns.fitting.get(DealField.PROBABILITY, [])
    has_parts = is_above = False
    for row in table.rows(MOST_ROWS):
        if not isinstance(row, Row) or is_above:
            continue
        for template in templates:
            text = template.filled(row.cells) or ""
            has_parts = has_parts or cells.is_part_of_one(text)
            is_above = is_above or cells.is_above_one(text)
    return has_parts and not is_above


def _count_other_currency(reading: Reading, answers: Answers, terms: Terms, code: str) -> None:
    def value(text: str) -> Decimal | None:
        exact = cells.amount(text, currency=code, decimal_comma=terms.mapping.decimal_comma)
        return None if exact is None else any_amount(exact)

    so_far = reading.other_currencies.get(code, OtherCurrency())
    known = answers.read(DealField.EXPECTED_VALUE, value)
    reading.other_currencies[code] = OtherCurrency(so_far.deals + 1, so_far.value + (known or 0))


def _deal(
    answers: Answers,
    standing: Standing | None,
    row_of_key: dict[str, int],
    terms: Terms,
    reading: Reading,
) -> ImportedDeal | None:
    """The row's deal, if nothing is wrong with it."""
    key = _key(answers, row_of_key)
    named = {who: answers.read(who, name_in) for who in (COMPANY, CONTACT, OWNER)}
    reason = answers.read(DealField.CLOSE_REASON, TEXT.validate_python)
    reason = _meant(terms.mapping.reason_labels, reason or "") or reason
    stage = None if standing is None else standing.stage
    span = _span(answers, stage, terms)
    draft = _draft(answers, stage, terms, reading)
    if standing is None or draft is None or answers.refusals:
        return None
    if answers.asks_for(DealField.STATUS) and answers.text(DealField.STATUS) is None:
        reading.without_status.append(answers.row)
    return ImportedDeal(
        answers.row,
        key,
        draft,
        standing.closed_in,
        named[COMPANY],
        named[CONTACT],
        named[OWNER],
        reason,
        span,
    )


def _key(answers: Answers, row_of_key: dict[str, int]) -> str | None:
    """The row's own key, which no other row of the file may have."""
    if not answers.asks_for(DealField.EXTERNAL_ID):
        return None
    key = answers.required(
        DealField.EXTERNAL_ID,
        NAME.validate_python,
        "Every row needs its own key, so that it is not imported twice.",
    )
    if key is not None and row_of_key.setdefault(key, answers.row) != answers.row:
        answers.refuse(DealField.EXTERNAL_ID, f"Row {row_of_key[key]} has the same key.")
    return key


def _standing(answers: Answers, mapping: Mapping) -> Standing | None:
    """What the row's status and stage say together; None where one of them is refused.

    Without a status the stage decides. A closed deal needs no stage: where it was closed is not known then.
    """
    status = answers.read(DealField.STATUS, partial(_status_named, mapping))
    outcome = None if status is None else status.outcome
    if outcome is not None and answers.text(DealField.STAGE) is None:
        return Standing(OpportunityStage.of(outcome))
    stage = answers.required(DealField.STAGE, partial(_stage_named, mapping), "Every deal is in a stage.")
    if stage is None or answers.refusals:
        return None
    if status is not None and not status.allows(stage):
        word = cells.shortened(answers.text(DealField.STAGE) or "")
        answers.refuse(DealField.STATUS, f"The stage “{word}” says otherwise. Correct one of them.")
        return None
    if outcome is None or stage.is_closed:
        return Standing(stage)
    return Standing(OpportunityStage.of(outcome), closed_in=stage)


def _stage_named(mapping: Mapping, text: str) -> OpportunityStage:
    stage = _meant(mapping.stage_words, text)
    if stage is None:
        raise InvalidInput(f"The mapping does not know this stage. It knows {_some(mapping.stages)}.")
    return stage


def _meant(known: dict[str, T], text: str) -> T | None:
    """What a word of the file means, by the words that the mapping knows."""
    return known.get(fold(text)) if len(text) <= LONGEST_WORD else None


def _some(words: Iterable[str]) -> str:
    """As many words of the mapping as a sentence should name."""
    first = list(islice(words, WORDS_NAMED + 1))
    return ", ".join(first[:WORDS_NAMED]) + (", …" if len(first) > WORDS_NAMED else "")


def _status_named(mapping: Mapping, text: str) -> DealStatus:
    status = _meant(mapping.status_words, text)
    if status is None:
        raise InvalidInput(f"The mapping does not know this status. It knows {_some(mapping.statuses)}.")
    return status


def _span(answers: Answers, stage: OpportunityStage | None, terms: Terms) -> Span:
    """From the first second of the day it was created to the last of the day it was closed."""
    mapping, calendar, at = terms.mapping, terms.workspace.calendar, terms.at

    def past(text: str) -> date | datetime:
        read = cells.moment(text, mapping.date_formats, calendar.zone)
        if _since(read, calendar, is_first=True).at > at:
            raise InvalidInput("This lies in the future.")
        return read

    created = answers.read(DealField.CREATED, past)
    start = None if created is None else _since(created, calendar, is_first=True)
    if stage is None or not stage.is_closed:
        return Span(start)
    closed = answers.required(DealField.CLOSED, past, "A closed deal needs the day it was closed.")
    if closed is None:
        return Span(start)
    closed_on = calendar.day_of(closed) if isinstance(closed, datetime) else closed
    close = _since(closed, calendar, is_first=False)
    close = replace(close, at=min(close.at, at))
    if start is not None and start.at <= close.at:
        return Span(start, close, closed_on)
    if start is not None and not mapping.start_no_later_than_close:
        answers.refuse(DealField.CLOSED, f"The deal was closed before it started ({created:%Y-%m-%d}).")
    first = _since(closed_on, calendar, is_first=True)
    return Span(first, close, closed_on, has_moved_start=start is not None)


def _since(moment: date | datetime, calendar: Calendar, *, is_first: bool) -> Since:
    if isinstance(moment, datetime):
        return Since(moment)
    return Since(first_instant(moment, calendar, is_first=is_first), moment)


def _draft(
    answers: Answers, stage: OpportunityStage | None, terms: Terms, reading: Reading
) -> OpportunityCreate | None:
    """What the deal says about itself, held against the rules for every new deal."""
    mapping, workspace = terms.mapping, terms.workspace
    currency = Currency(workspace.currency)

    def value(text: str) -> Decimal | None:
        exact = cells.amount(text, currency=workspace.currency, decimal_comma=mapping.decimal_comma)
        if exact is None:
            return None
        if currency.allows(exact) or exact > LARGEST_AMOUNT:
            return exact_amount(exact)
        reading.rounded.append(answers.row)
        return exact_amount(currency.rounded(exact))

    def probability(text: str) -> int:
        return cells.percent(text, of_one=terms.of_one)

    def day(text: str) -> date:
        read = cells.moment(text, mapping.date_formats, workspace.calendar.zone)
        return workspace.calendar.day_of(read) if isinstance(read, datetime) else read

    is_closed = stage is not None and stage.is_closed
    draft = {
        "name": answers.required(DealField.NAME, str, "Every deal needs a name."),
        "stage": stage,
        "expected_value": answers.read(DealField.EXPECTED_VALUE, value),
        "probability": None if is_closed else answers.read(DealField.PROBABILITY, probability),
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


def _warnings(reading: Reading, mapping: Mapping, header: Sequence[str], currency: str) -> Iterator[str]:
    if not reading.deals and not reading.refusals:
        yield "There are no rows below the header."
    absent = [
        wanted if ways[0].status is None else f"{wanted} of {ways[0].status} deals"
        for wanted, ways in mapping.unfilled(header)
    ]
    if DealField.EXTERNAL_ID not in mapping.columns or DealField.EXTERNAL_ID in absent:
        yield "The rows have no key of their own: importing the file again would create the deals again."
    if DealField.CURRENCY in absent:
        absent.remove(DealField.CURRENCY)
        yield f"The file names no currency: its amounts are taken as {currency}."
    if count := len(reading.without_status):
        rows = cells.numbered(reading.without_status, ROWS_NAMED)
        yield f"Deals without a status, which are taken by their stage alone: {count:,} (row {rows})."
    if absent:
        yield f"The file has no column for {', '.join(absent)}."
    if reading.rounded:
        rows = cells.numbered(reading.rounded, ROWS_NAMED)
        many = f"Amounts with more decimals than {currency} has, now rounded to {Currency(currency).in_words}"
        yield f"{many}: {len(reading.rounded):,} (row {rows})."
    if moved := sum(deal.span.has_moved_start for deal in reading.deals):
        yield f"Deals closed before they were created, which now start on the day of their close: {moved:,}."
