"""Filter bars: every kind of field that a screen narrows its list by."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypeVar

import streamlit as st

from crm_core.columns import LARGEST_AMOUNT, SMALLEST_AMOUNT
from crm_core.currency import Currency
from crm_core.filters import CompanyFilter
from crm_core.periods import ONE_DAY, Days, Period, PeriodChoice
from crm_core.schemas.fields import LARGEST_ID
from crm_core.services import company_service, user_service
from crm_core.sorting import Sort
from ui import words
from ui.data import actor, load, today, workspace
from ui.listing.addressed import NOBODY, Addressed, Chip

T = TypeVar("T")
S = TypeVar("S", bound=Sort)

FIELD_WIDTH = 171
"""Two fit side by side on a phone."""

AMOUNT_STEP = 1000.0
"""What a click on the field of an amount adds."""

NUMBERED = re.compile(r" #(\d{1,10})$")
COMPANIES_OFFERED = 50

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)

OWN_DAYS = "Days of your own"


class FilterBar(Addressed):
    """The filters of one screen, drawn where they are asked for."""

    def search(self, placeholder: str) -> str:
        """Words to look for in names, answered while typing."""
        key = self._key("search", lambda told: told[0] if told else "")
        typed = st.text_input(
            "Search",
            key=key,
            bind="query-params",
            type="search",
            placeholder=placeholder,
            icon=":material/search:",
            max_chars=200,
            live=True,
        )
        text = _storable(typed or "")
        if text.strip():
            self._chips.append(Chip(f"“{words.one_line(text, limit=40)}”", key, ""))
        return text

    def several(
        self, name: str, label: str, by_label: Mapping[str, T], everything: str, *, told: str = "{}"
    ) -> frozenset[T]:
        """Several of the labelled values to choose, none at first, which means `everything`.

        `told` is what a chip says of each.
        """
        key = self._key(name, lambda told: [each for each in told if each in by_label], label)
        chosen = st.multiselect(
            label,
            list(by_label),
            key=key,
            bind="query-params",
            placeholder=everything,
            filter_mode="contains",
            select_all=False,
            width=FIELD_WIDTH,
        )
        self._chip_each(key, chosen, told)
        return frozenset(by_label[found] for found in chosen if found in by_label)

    def words(
        self,
        name: str,
        label: str,
        known: Sequence[str],
        everything: str,
        *,
        width: int | Literal["stretch"] = "stretch",
    ) -> frozenset[str]:
        """Several texts to choose or to write, none at first."""
        key = self._key(name, list)
        chosen = st.multiselect(
            label,
            known,
            key=key,
            bind="query-params",
            placeholder=everything,
            filter_mode="contains",
            select_all=False,
            accept_new_options=True,
            width=width,
        )
        self._chip_each(key, chosen, label + ": {}")
        return frozenset(_storable(text)[:100] for text in chosen)

    def flags(self, name: str, label: str, choices: Sequence[str]) -> frozenset[str]:
        """Conditions to switch on."""
        key = self._key(name, lambda told: [each for each in told if each in choices], label)
        chosen = st.pills(label, choices, key=key, bind="query-params", selection_mode="multi")
        self._chip_each(key, chosen, "{}")
        return frozenset(chosen)

    def amounts(self, name: str, label: str) -> tuple[Decimal | None, Decimal | None]:
        """The least and the most that something is worth."""
        with st.container(horizontal=True):
            least = self._amount(f"{name}_from", f"{label} from", "≥")
            most = self._amount(f"{name}_to", f"{label} to", "≤")
        return least, most

    def days(self, name: str, label: str) -> tuple[date | None, date | None]:
        """The first and the last day of a span around today, or of two days' choice."""
        by_label = {each.label: each for each in Days}
        key = self._key(name, lambda told: told[0] if told and told[0] in by_label else None, label)
        with st.container(horizontal=True):
            chosen = st.selectbox(
                label, list(by_label), index=None, key=key, bind="query-params", placeholder="Any day"
            )
            first = self._day(f"{name}_from", f"{label} from", "from")
            last = self._day(f"{name}_to", f"{label} until", "until")
        if chosen is None:
            return first, last
        calendar = workspace().calendar
        span: Period = calendar.around(by_label[chosen], today())
        called = calendar.label(span)
        said = f"{label}: {chosen.lower()}"
        self._chips.append(Chip(f"{said} ({called})" if called else said, key, None))
        return max(first or span.start, span.start), min(last or span.last_day, span.last_day)

    def past_day(self, name: str, label: str, word: str) -> date | None:
        """A day to look back to, none at first; `word` stands before it where it is told."""
        return self._day(name, label, word)

    def period(self) -> PeriodChoice | Period:
        """A period to choose, this quarter at first, or two days of one's own."""
        by_label: dict[str, PeriodChoice | None] = {choice.label: choice for choice in PeriodChoice}
        chosen = self.one("period", "Period", by_label | {OWN_DAYS: None}, PeriodChoice.THIS_QUARTER.label)
        if chosen is not None:
            return chosen
        first, last = self._day("from", "From", "from"), self._day("to", "Until", "until")
        today_ = today()
        first = first or min(today_, last or today_)
        last = max(last or today_, first)
        return Period(first, last + ONE_DAY)

    def owners(self, *, or_mine: bool = False) -> frozenset[int]:
        """Owners to choose, everyone at first; with `or_mine`, only what is the actor's own among them."""
        chosen = self.several("owner", "Owner", owner_labels(), "Everyone")
        if not or_mine:
            return chosen
        mine = frozenset({actor()})
        return mine if not chosen else chosen & mine or NOBODY

    def companies(self) -> frozenset[int]:
        """Companies to choose among those that a search finds."""
        key = self._key("company", list)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            looked_for = st.text_input(
                "Find a company", key=f"{key}_find", live=True, max_chars=200, width=FIELD_WIDTH
            )
            found = load(
                company_service.get_rows, CompanyFilter(text=looked_for or ""), limit=COMPANIES_OFFERED
            )
            chosen = st.multiselect(
                "Company",
                [company_label(row.id, row.name) for row in found],
                key=key,
                bind="query-params",
                placeholder="Every company",
                select_all=False,
                accept_new_options=True,  # the address may name others than were found
                filter_mode="contains",
            )
        self._chip_each(key, chosen, "{}")
        if not chosen:
            return frozenset()
        numbers = [NUMBERED.search(each) for each in chosen]
        return (
            frozenset(int(number[1]) for number in numbers if number and 0 < int(number[1]) <= LARGEST_ID)
            or NOBODY
        )

    def sort(self, orders: type[S], first: S) -> S:
        """An order to choose; a click on a column's head does the same."""
        return self.one("sort", "Sort by", {order.label: order for order in orders}, first.label)

    def sort_by(self, order: Sort) -> None:
        """Set the order; for a callback."""
        self.choose("sort", order.label)

    def one(self, name: str, label: str, by_label: Mapping[str, T], first: str) -> T:
        """One of the labelled values, always."""
        labels = list(by_label)
        key = self._key(name, lambda told: told[0] if told and told[0] in by_label else first)
        chosen = st.selectbox(
            label, labels, index=labels.index(first), key=key, bind="query-params", width=FIELD_WIDTH
        )
        return by_label[chosen]

    def _amount(self, name: str, label: str, sign: str) -> Decimal | None:
        """In the address it is a plain number, which means the same in every locale."""
        key = self._key(name, _amount_told, label)
        currency = Currency(workspace().currency)
        begins = st.session_state.get(key) or _amount_told(st.query_params.get_all(key))
        typed = st.number_input(
            label,
            min_value=0.0,
            max_value=float(LARGEST_AMOUNT),
            value=None,
            step=AMOUNT_STEP,
            format=f"%.{currency.decimals_of(_amount(begins or 0))}f",
            key=key,
            bind="query-params",
            width=FIELD_WIDTH,
        )
        if typed is None:
            return None
        found = _amount(typed)
        self._chips.append(Chip(f"{sign} {words.money(found, workspace())}", key, None))
        return found

    def _day(self, name: str, label: str, word: str) -> date | None:
        key = self._key(name, _day_told, label)
        space = workspace()
        chosen: date | None = st.date_input(
            label,
            None,
            key=key,
            bind="query-params",
            format=words.day_format(space),
            min_value=FIRST_DAY,
            max_value=LAST_DAY,
            width=FIELD_WIDTH,
        )
        if chosen is not None:
            self._chips.append(Chip(f"{word} {words.day(chosen, space)}", key, None))
        return chosen


def company_label(company_id: int, name: str) -> str:
    """How the address names a company; the number is what counts."""
    return f"{words.one_line(name)} #{company_id}"


def owner_labels() -> dict[str, int]:
    """A label for each owner. Later namesakes get their number, so that an older address stays true."""
    labels: dict[str, int] = {}
    for person in sorted(load(user_service.get_owners), key=lambda person: person.id):
        name = words.one_line(person.name)
        labels[f"{name} ({person.id})" if name in labels else name] = person.id
    return dict(sorted(labels.items(), key=lambda label: label[0].lower()))


def _storable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\x00", "")


def _day_told(told: list[str]) -> date | None:
    try:
        found = date.fromisoformat(told[0]) if told else None
    except ValueError:
        return None
    return found if found is not None and FIRST_DAY <= found <= LAST_DAY else None


def _amount(number: float) -> Decimal:
    """As fine as amounts are stored."""
    return Decimal(str(number)).quantize(SMALLEST_AMOUNT)


def _amount_told(told: list[str]) -> float | None:
    try:
        found = float(told[0]) if told else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found <= LARGEST_AMOUNT else None
