"""The dashboard's figures in words: how much, how it changed, over how many deals, and what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from crm_core import words
from crm_core.analytics.breakdowns import LeftOut, OwnerRate
from crm_core.analytics.dashboard import Overview, Tile
from crm_core.analytics.metrics import METRICS, MetricName, Unit
from crm_core.analytics.metrics.base import Number
from crm_core.analytics.rate import NO_LOST_DEALS, Rate
from crm_core.periods import Period
from crm_core.services.settings_service import Workspace

LABELS = {
    MetricName.OPEN_PIPELINE: "Total pipeline value",
    MetricName.WEIGHTED_PIPELINE: "Weighted value",
    MetricName.WON: "Won in the period",
}
"""Where a figure is called otherwise than in the API."""

MEANINGS = {
    MetricName.OPEN_PIPELINE: "The values of all open deals. Deals without a value are left out.",
    MetricName.WEIGHTED_PIPELINE: "Value × probability of each open deal, added up. Won and lost deals are"
    " never inside.",
    MetricName.OVERDUE: "Open deals whose expected close is before today, or before the last day of a period"
    " that is over.",
    MetricName.WIN_RATE: "Won ÷ (won + lost), by count, closed in the period.",
    MetricName.WON: "The values of the deals won in the period, by the day they were closed.",
    MetricName.AVERAGE_WON: "Won value ÷ won deals with a value, in the period.",
    MetricName.SALES_CYCLE: "Median calendar days from the day a deal was created to its closing day, of the"
    " deals won in the period.",
    MetricName.VELOCITY: "Open deals × win rate × average won deal ÷ sales cycle, over the last 365 days, or"
    " those that end with a period that is over: what the pipeline earns a day.",
}

NOUNS = {
    MetricName.OPEN_PIPELINE: "open",
    MetricName.WEIGHTED_PIPELINE: "open",
    MetricName.VELOCITY: "open",
    MetricName.OVERDUE: "overdue",
    MetricName.WIN_RATE: "closed",
}
"""What the deals are that a figure is counted over; the others' are won."""

LEFT_OUT = {
    "without_value": "without a value",
    "does_not_count": "not counted",
}

REASONS = {NO_LOST_DEALS: "There is no lost deal on record, so there is no win rate."}
IN_SHORT = {NO_LOST_DEALS: "no lost deal on record"}
"""Why there is no figure."""

FUNNEL_LEAVES_OUT = "Left out, as it is not known which stages they passed."
TIMES_LEAVE_OUT = "Left out, as it is not known when they came into a stage."
"""What becomes of deals whose path is unknown."""

LESS_IS_BETTER = {MetricName.OVERDUE, MetricName.SALES_CYCLE}


@dataclass(frozen=True)
class Told:
    """A tile in words."""

    label: str
    value: str
    change: str | None
    deals: str
    notes: str
    meaning: str


def told(tile: Tile, space: Workspace) -> Told:
    """The tile as people read it."""
    notes = [
        f"{words.number(count, space)} {LEFT_OUT[kind]}" for kind, count in tile.left_out.items() if count
    ]
    meaning = MEANINGS[tile.name]
    if tile.status is not None:
        notes.append(IN_SHORT[tile.status])
        meaning = f"{meaning} {REASONS[tile.status]}"
    elif tile.rate is not None:
        meaning = f"{meaning} {certainty(tile.rate, space)}"
    return Told(
        LABELS.get(tile.name, METRICS[tile.name].label),
        written(tile.value, METRICS[tile.name].unit, space),
        change(tile, space),
        words.deals(tile.deals, space, NOUNS.get(tile.name, "won")),
        " · ".join(filter(None, [", ".join(notes), _as_of(tile.open_on, space)])),
        meaning,
    )


def target(board: Overview, space: Workspace) -> str:
    """How what was won stands to the target; empty without one."""
    aim = board.aim
    if aim is None:
        return ""
    share = words.NONE if aim.attainment is None else words.share(aim.attainment, space)
    standing = f" · {aim.standing.replace('_', ' ')}" if aim.standing else ""
    return f"{share} of the target {words.money(Decimal(aim.target), space)}{standing}"


def written(value: Number | None, unit: Unit, space: Workspace) -> str:
    """A figure's value as people read it."""
    if value is None:
        return words.NONE
    if unit is Unit.RATIO:
        return words.share(value, space)
    if unit is Unit.DAYS:
        return f"{words.decimal(float(value), space)} days"
    if unit is Unit.COUNT:
        return words.number(int(value), space)
    money = words.money(Decimal(value), space)
    return f"{money} a day" if unit is Unit.MONEY_PER_DAY else money


def change(tile: Tile, space: Workspace) -> str | None:
    """“+$1,200 (+12%)”; None where one is unknown, or there was nothing before to compare with."""
    if tile.value is None or not tile.before:
        return None
    unit = METRICS[tile.name].unit
    now, before = Decimal(tile.value), Decimal(tile.before)
    difference = now - before
    sign = "-" if difference < 0 else "+"
    if unit is Unit.RATIO:
        return f"{sign}{words.decimal(float(abs(difference) * 100), space)} points"
    share = round(100 * difference / before)
    return f"{sign}{written(abs(difference), unit, space)} ({share:+}%)"


def caption(board: Overview, space: Workspace) -> str:
    """Which days the page is about, what changes are held against, and when it was known; plain text."""
    label = space.calendar.label(board.period)
    so_far = " so far" if board.elapsed != board.period else ""
    parts = [f"{label}: " if label else "", _days(board.elapsed, space), so_far]
    if board.before_period is not None:
        before = space.calendar.label(board.before_period) or _days(board.before_period, space)
        parts.append(f", compared with {before}")
    parts.append(_what_is_open(board, space))
    if board.moment.as_of is not None:
        parts.append(f" · as known at the end of {words.day(board.moment.today, space)}")
    return "".join(parts)


def open_note(board: Overview, space: Workspace) -> str:
    """“as of Sep 30, 2026”, where what is open is as of the last day of a period that is over; else empty."""
    return _as_of(board.open_on, space)


def _as_of(on: date | None, space: Workspace) -> str:
    return "" if on is None else f"as of {words.day(on, space)}"


def _what_is_open(board: Overview, space: Workspace) -> str:
    """“; what is open, as of Sep 30, 2026, compared with Jun 30, 2026”, or as much of it as there is."""
    began = "" if board.began is None else words.day(space.calendar.day_of(board.began), space)
    said = [open_note(board, space), f"compared with {began}" if began else ""]
    return ", ".join(["; what is open", *filter(None, said)]) if any(said) else ""


def _days(period: Period, space: Workspace) -> str:
    return words.days(period.start, period.last_day, space)


def left_out(found: LeftOut, space: Workspace) -> str:
    """“Path unknown: 2,794 deals”; empty without any."""
    return f"{found.label}: {words.deals(found.deals, space)}" if found.deals else ""


def without_rate(rates: Sequence[OwnerRate]) -> str:
    """Why none of the owners has a win rate; empty where they have."""
    return next((REASONS[each.rate.status] for each in rates if each.rate.status), "")


def certainty(share: Rate, space: Workspace) -> str:
    """How far a rate can be trusted, for its explanation."""
    if share.interval is None:
        return "Nothing was closed yet, so there is no rate."
    low, high = (words.share(end, space) for end in share.interval)
    return f"n = {words.number(share.n, space)}; 95 % interval {low} – {high} (Wilson)."
