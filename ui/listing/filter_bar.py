"""Filter bars: every kind of field that a screen narrows its list by."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Generic, Literal, TypeVar

import streamlit as st

from crm_core.columns import LARGEST_AMOUNT, SMALLEST_AMOUNT
from crm_core.currency import Currency
from crm_core.errors import NotFound
from crm_core.filters import CompanyFilter
from crm_core.folding import fold
from crm_core.periods import ONE_DAY, Days, Period, PeriodChoice, PeriodKind
from crm_core.services import company_service, user_service
from crm_core.sorting import Sort
from ui import words
from ui.data import actor, load, today, workspace
from ui.drawer import choices as records
from ui.listing.addressed import NOBODY, Addressed, Chip, is_id

T = TypeVar("T")
S = TypeVar("S", bound=Sort)

FIELD_WIDTH = 171
"""Two fit side by side on a phone."""

AMOUNT_STEP = 1000.0
"""What a click on the field of an amount adds."""

COMPANIES_OFFERED = 50

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)

OWN_DAYS = "Days of your own"


class Offer(Generic[T]):
    """Values to choose from, each with the label that a field shows and the code that the address has."""

    def __init__(self, labels: Mapping[T, str]) -> None:
        self.values = {str(value): value for value in labels}
        self._labels = {str(value): label for value, label in labels.items()}

    @property
    def codes(self) -> list[str]:
        return list(self.values)

    def label_of(self, code: str) -> str | None:
        return self._labels.get(code)

    def text(self, code: str) -> str:
        """Its label; Streamlit asks for those of codes that are gone as well."""
        return self._labels.get(code, code)


class FilterBar(Addressed):
    """The filters of one screen, drawn where they are asked for."""

    def search(self, placeholder: str) -> str:
        """Words to look for in names, answered while typing."""
        key = self._bound_key("search", lambda said: said[0] if said else "")
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
        self,
        name: str,
        label: str,
        choices: Mapping[T, str],
        everything: str,
        *,
        chip: str = "{}",
        by_id: bool = False,
    ) -> frozenset[T]:
        """Several of the values to choose by their labels, none at first, which means `everything`.

        `chip` is what a chip says of each; `by_id` if the values are ids.
        """
        offer = Offer(choices)
        key = self._several_key(name, label, offer.label_of, by_id=by_id)
        chosen = st.multiselect(
            label,
            offer.codes,
            format_func=offer.text,
            key=key,
            persist_state="session",
            placeholder=everything,
            filter_mode="contains",
            select_all=False,
            width=FIELD_WIDTH,
        )
        return self._taken(key, offer, chosen, chip)

    def flags(self, name: str, label: str, choices: Mapping[T, str]) -> frozenset[T]:
        """Conditions to switch on."""
        offer = Offer(choices)
        key = self._several_key(name, label, offer.label_of, by_id=False)
        chosen = st.pills(
            label,
            offer.codes,
            format_func=offer.text,
            key=key,
            persist_state="session",
            selection_mode="multi",
        )
        return self._taken(key, offer, chosen)

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
        key = self._bound_key(name, list)
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
        self._chip_each(key, {text: text for text in chosen}, label + ": {}")
        return frozenset(_storable(text)[:100] for text in chosen)

    def amounts(self, name: str, label: str) -> tuple[Decimal | None, Decimal | None]:
        """The least and the most that something is worth."""
        with st.container(horizontal=True):
            least = self._amount(f"{name}_from", f"{label} from", "≥")
            most = self._amount(f"{name}_to", f"{label} to", "≤")
        return least, most

    def days(self, name: str, label: str) -> tuple[date | None, date | None]:
        """The first and the last day of a span around today, or of two days' choice."""
        offer = Offer({each: each.label for each in Days})
        key = self._one_key(name, label, offer.label_of, None)
        with st.container(horizontal=True):
            chosen = st.selectbox(
                label,
                offer.codes,
                index=None,
                format_func=offer.text,
                key=key,
                persist_state="session",
                placeholder="Any day",
            )
            first = self._day(f"{name}_from", f"{label} from", "from")
            last = self._day(f"{name}_to", f"{label} until", "until")
        self._say(key, [chosen] if chosen else [])
        if chosen is None:
            return first, last
        calendar = workspace().calendar
        span: Period = calendar.around(offer.values[chosen], today())
        called = calendar.label(span)
        said = f"{label}: {offer.text(chosen).lower()}"
        self._chips.append(Chip(f"{said} ({called})" if called else said, key, None))
        return max(first or span.start, span.start), min(last or span.last_day, span.last_day)

    def past_day(self, name: str, label: str, word: str) -> date | None:
        """A day to look back to, none at first; `word` stands before it where it is told."""
        return self._day(name, label, word)

    def period(self) -> PeriodChoice | Period:
        """A period to choose, this quarter at first, or two days of one's own."""
        choices: dict[PeriodChoice | PeriodKind, str] = {choice: choice.label for choice in PeriodChoice}
        choices[PeriodKind.CUSTOM] = OWN_DAYS
        chosen = self.one("period", "Period", choices, PeriodChoice.THIS_QUARTER, must_be_known=True)
        if isinstance(chosen, PeriodChoice):
            return chosen
        first, last = self._day("from", "From", "from"), self._day("to", "Until", "until")
        today_ = today()
        first = first or min(today_, last or today_)
        last = max(last or today_, first)
        return Period(first, last + ONE_DAY)

    def owners(self, *, or_mine: bool = False) -> frozenset[int]:
        """Owners to choose, everyone at first; with `or_mine`, only what is the actor's own among them."""
        chosen = self.several("owner", "Owner", owner_labels(), "Everyone", by_id=True)
        if not or_mine:
            return chosen
        mine = frozenset({actor()})
        return mine if not chosen else chosen & mine or NOBODY

    def companies(self) -> frozenset[int]:
        """Companies to choose among those that a search finds."""
        with st.container(horizontal=True, vertical_alignment="bottom"):
            looked_for = st.text_input(
                "Find a company",
                key=f"{self.prefix}_company_find",
                live=True,
                max_chars=200,
                width=FIELD_WIDTH,
            )
            rows = load(
                company_service.get_rows, CompanyFilter(text=looked_for or ""), limit=COMPANIES_OFFERED
            )
            found = {str(row.id): company_label(row.id, row.name) for row in rows}
            key = self._several_key(
                "company", "Company", lambda code: found.get(code) or _company_called(code), by_id=True
            )
            labels = found | {code: _company_called(code) or code for code in st.session_state[key]}
            chosen = st.multiselect(
                "Company",
                list(labels),
                format_func=lambda code: labels.get(code, code),
                key=key,
                persist_state="session",
                placeholder="Every company",
                select_all=False,
                filter_mode="contains",
            )
        self._say(key, chosen)
        self._chip_each(key, {code: labels[code] for code in chosen})
        return frozenset(map(int, chosen))

    def sort(self, orders: type[S], first: S) -> S:
        """An order to choose; a click on a column's head does the same."""
        return self.one("sort", "Sort by", {order: order.label for order in orders}, first)

    def sort_by(self, order: Sort) -> None:
        """Set the order; for a callback."""
        self.choose("sort", order.value)

    def one(
        self, name: str, label: str, choices: Mapping[T, str], first: T, *, must_be_known: bool = False
    ) -> T:
        """One of the labelled values, always; the first instead of an unknown one that need not be known."""
        offer = Offer(choices)
        key = self._one_key(name, label, offer.label_of, str(first), takes_all=not must_be_known)
        chosen = st.selectbox(
            label,
            offer.codes,
            format_func=offer.text,
            key=key,
            persist_state="session",
            width=FIELD_WIDTH,
        )
        return self._taken_one(key, offer, chosen, first)

    def segment(self, name: str, label: str, choices: Mapping[T, str], first: T) -> T:
        """One of a few labelled values, always, all in sight."""
        offer = Offer(choices)
        key = self._one_key(name, label, offer.label_of, str(first), takes_all=True)
        chosen = st.segmented_control(
            label, offer.codes, format_func=offer.text, required=True, key=key, persist_state="session"
        )
        return self._taken_one(key, offer, chosen, first)

    def _taken(self, key: str, offer: Offer[T], chosen: list[str], chip: str = "{}") -> frozenset[T]:
        self._say(key, chosen)
        self._chip_each(key, {code: offer.text(code) for code in chosen}, chip)
        return frozenset(offer.values[code] for code in chosen)

    def _taken_one(self, key: str, offer: Offer[T], chosen: str | None, first: T) -> T:
        taken = first if chosen is None else offer.values[chosen]
        self._say(key, [] if taken == first else [str(taken)])
        return taken

    def _amount(self, name: str, label: str, sign: str) -> Decimal | None:
        """In the address it is a plain number, which means the same in every locale."""
        key = self._read_key(name, label, _amount_said)
        currency = Currency(workspace().currency)
        begins = st.session_state.get(key) or 0
        typed = st.number_input(
            label,
            min_value=0.0,
            max_value=float(LARGEST_AMOUNT),
            value=None,
            step=AMOUNT_STEP,
            format=f"%.{currency.decimals_of(_amount(begins))}f",
            key=key,
            persist_state="session",
            width=FIELD_WIDTH,
        )
        found = None if typed is None else _amount(typed)
        self._say(key, [] if found is None else [f"{found.normalize():f}"])
        if found is None:
            return None
        self._chips.append(Chip(f"{sign} {words.money(found, workspace())}", key, None))
        return found

    def _day(self, name: str, label: str, word: str) -> date | None:
        key = self._read_key(name, label, _day_said)
        space = workspace()
        chosen: date | None = st.date_input(
            label,
            None,
            key=key,
            persist_state="session",
            format=words.day_format(space),
            min_value=FIRST_DAY,
            max_value=LAST_DAY,
            width=FIELD_WIDTH,
        )
        self._say(key, [] if chosen is None else [chosen.isoformat()])
        if chosen is not None:
            self._chips.append(Chip(f"{word} {words.day(chosen, space)}", key, None))
        return chosen


def company_label(company_id: int, name: str) -> str:
    """What a company is called where there may be others of that name."""
    return f"{words.one_line(name)} #{company_id}"


def owner_labels() -> dict[int, str]:
    """What each owner is called, by name; namesakes get their number."""
    labels = words.told_apart({person.id: person.name for person in load(user_service.get_owners)})
    return dict(sorted(labels.items(), key=lambda label: fold(label[1])))


def _company_called(code: str) -> str | None:
    """The label of a company, deleted or not; None if there is none with that id."""
    if not is_id(code):
        return None
    try:
        return company_label(int(code), load(records.name_of, "company_id", int(code)))
    except NotFound:
        return None


def _storable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\x00", "")


def _day_said(said: str) -> date | None:
    try:
        found = date.fromisoformat(said)
    except ValueError:
        return None
    return found if FIRST_DAY <= found <= LAST_DAY else None


def _amount(number: float) -> Decimal:
    """As fine as amounts are stored."""
    return Decimal(str(number)).quantize(SMALLEST_AMOUNT)


def _amount_said(said: str) -> float | None:
    try:
        found = float(said)
    except ValueError:
        return None
    return found if 0 <= found <= LARGEST_AMOUNT else None
