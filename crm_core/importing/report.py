"""What an import did, or would do, or why it did nothing."""

from dataclasses import dataclass, field
from decimal import Decimal

from babel.numbers import format_currency

from crm_core.importing.cells import harmless, shortened

REASONS_NAMED = 10

UNKNOWN_REASONS = "Close reasons that the workspace does not have, so they become notes on their deals"

WITHOUT_STAGE = "Closed deals for which the file gives no stage, so funnel and time in stage leave them out"

CODE_FIRST = "¤¤ #,##0.00"
"""As JPY 1,200, with as many decimals as the currency has."""


@dataclass(frozen=True)
class Refusal:
    """Why a row can't be imported. `column` and `value` are empty where the row as a whole is meant."""

    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        place = f"Row {self.row}, {self.column}" if self.column else f"Row {self.row}"
        return f"{place}, “{self.value}”: {self.reason}" if self.value else f"{place}: {self.reason}"


@dataclass(frozen=True)
class Count:
    """How many records of a kind the deals name: made for them, or there before."""

    created: int = 0
    matched: int = 0


@dataclass(frozen=True)
class OtherCurrency:
    """What the file has in one currency that is not the workspace's."""

    deals: int = 0
    value: Decimal = Decimal(0)


@dataclass(frozen=True)
class ImportReport:
    """What became of a file's rows; with `dry_run` or refusals, nothing was written.

    `other_currencies` are by their codes; their deals are never added to the workspace's. `new_close_reasons`
    are the labels that the workspace lacks, with how many deals were closed for each. They make
    `reasons_to_create`: won and lost deals have reasons of their own, and a long label stays a note.
    `stopped_at` is the last row that was read, where so many were refused that the rest was not; what was
    counted up to there is not shown.
    """

    file: str
    dry_run: bool
    created: int
    already_there: int
    companies: Count = Count()
    contacts: Count = Count()
    owners: Count = Count()
    other_currencies: dict[str, OtherCurrency] = field(default_factory=dict)
    new_close_reasons: dict[str, int] = field(default_factory=dict)
    reasons_to_create: int = 0
    creates_close_reasons: bool = False
    lost_without_reason: int = 0
    closed_without_stage: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    stopped_at: int | None = None
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.file}: {self._verdict()}"]
        if self.stopped_at is None:
            lines += self._counts() if self.dry_run or not self.refusals else []
            lines += [*self.other_currency_lines(), *self.close_reason_lines(), *self.path_lines()]
            lines += self.warnings
        lines += [*map(str, self.refusals), *self.stop_lines()]
        return "\n".join(lines)

    def other_currency_lines(self) -> list[str]:
        """What is not in the workspace's currency, a sentence for each: how many deals, and how much."""
        what_became = "refused" if self.refusals else "left out"
        return [
            f"{found.deals:,} {'deal is' if found.deals == 1 else 'deals are'} in another currency and"
            f" {what_became}: {format_currency(found.value, code, CODE_FIRST, locale='en')}."
            for code, found in sorted(self.other_currencies.items())
        ]

    def close_reason_lines(self) -> list[str]:
        """What becomes of close reasons that the workspace lacks, and how many lost deals have none."""
        lines = []
        if self.new_close_reasons:
            named = [f"{shortened(label)} ({deals:,})" for label, deals in self.new_close_reasons.items()]
            listed = ", ".join(named[:REASONS_NAMED]) + (", …" if len(named) > REASONS_NAMED else "")
            what = "New close reasons" if self.creates_close_reasons else UNKNOWN_REASONS
            lines.append(f"{what}: {listed}.")
        if self.lost_without_reason:
            lines.append(f"Lost deals for which the file gives no reason: {self.lost_without_reason:,}.")
        return lines

    def path_lines(self) -> list[str]:
        """What is not known of the way that closed deals went."""
        count = self.closed_without_stage
        return [f"{WITHOUT_STAGE}: {count:,}."] if count else []

    def stop_lines(self) -> list[str]:
        """That not all of the file was read."""
        if self.stopped_at is None:
            return []
        problems = f"{len(self.refusals):,} problems, at row {self.stopped_at:,}"
        more = "The rows below were not read; there may be more problems in them."
        return [f"Reading stopped after {problems}. {more}"]

    def _verdict(self) -> str:
        if self.refusals:
            rows = len({refusal.row for refusal in self.refusals})
            are = "1 row is refused" if rows == 1 else f"{rows:,} rows are refused"
            return f"{are}, so nothing {'would be' if self.dry_run else 'was'} imported. Correct and repeat."
        if not self.created:
            return "there is nothing new to import."
        return "this is what an import would do." if self.dry_run else "imported."

    def _counts(self) -> list[str]:
        named = {"Companies": self.companies, "Contacts": self.contacts, "Owners": self.owners}
        return [
            f"Opportunities: {self.created:,} created, {self.already_there:,} already there.",
            *(
                f"{noun}: {count.created:,} created, {count.matched:,} matched."
                for noun, count in named.items()
                if noun != "Contacts" or count != Count()
            ),
        ]


def refusal(row: int, column: str, value: str, reason: str) -> Refusal:
    """A refusal that shows no more of the value than a line can hold, and nothing a terminal would obey."""
    return Refusal(row, harmless(column), shortened(value), harmless(reason))
