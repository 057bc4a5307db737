"""Every figure of docs/metrics.md once more, in plain Python over the states that the deals were in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core.filters import OpportunityFilter
from crm_core.models import VERSIONS, CloseReason, Lead, Note, Opportunity, StageSettings
from crm_core.periods import Period
from tests.crm_core.analytics.histories import CENT, OPEN, S, State, lets_through, middle, weighted

Ids = set[int]
DAY = timedelta(days=1)


@dataclass
class Told:
    """What a figure should say."""

    value: Any
    counted: Ids
    out_of: Ids
    left_out: dict[str, Ids] = field(default_factory=dict)
    apart: dict[str, Ids] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, "Told"] = field(default_factory=dict)


@dataclass
class Past:
    """Every state that the deals and leads of a database were in, oldest first, and what is set up there."""

    deals: dict[int, list[State]]
    leads: dict[int, list[State]]
    notes: dict[int, list[datetime]]
    never_counts: Ids
    reasons: dict[int, bool]
    limits: dict[str, int | None]

    @classmethod
    def of(cls, session: Session) -> "Past":
        reasons = session.scalars(select(CloseReason).where(CloseReason.outcome == "lost")).all()
        notes: dict[int, list[datetime]] = {}
        for note in session.scalars(select(Note).where(Note.opportunity_id.is_not(None))):
            notes.setdefault(note.opportunity_id, []).append(note.created_at)
        return cls(
            deals=_states(session, Opportunity),
            leads=_states(session, Lead),
            notes=notes,
            never_counts={reason.id for reason in reasons if not reason.counts},
            reasons={reason.id: reason.is_active for reason in reasons if reason.counts},
            limits={each.stage: each.stale_after_days for each in session.scalars(select(StageSettings))},
        )


def _states(session: Session, model: Any) -> dict[int, list[State]]:
    versions = VERSIONS[model]
    found: dict[int, list[State]] = {}
    for row in session.execute(select(versions).order_by(versions.c.valid_from)):
        found.setdefault(row.id, []).append(dict(row._mapping))
    return found


@dataclass
class Recount:
    """The figures of a past as known at one instant, for a filter and a period (None: ever)."""

    past: Past
    at: datetime
    zone: ZoneInfo
    where: OpportunityFilter
    period: Period | None

    def __post_init__(self) -> None:
        self.known = {
            key: [state for state in states if state["valid_from"] <= self.at]
            for key, states in self.past.deals.items()
        }
        there = {key: states[-1] for key, states in self.known.items() if states}
        self.there = {key: state for key, state in there.items() if state["deleted_at"] is None}
        self.rows = {key: row for key, row in self.there.items() if lets_through(self.where, row)}
        self.opened = {key: row for key, row in self.rows.items() if row["stage"] in OPEN}
        self.closed = {
            key: row
            for key, row in self.rows.items()
            if row["stage"] not in OPEN and self.within(row["actual_close_date"])
        }
        self.created = {
            key: row
            for key, row in self.there.items()
            if self.within(row["created_on"])
            and lets_through(self.anybody, row)
            and self.is_owners(self.known[key][0]["owner_id"])
        }

    # What the words of the definitions mean

    @property
    def anybody(self) -> OpportunityFilter:
        return self.where.of_anybody()

    def is_owners(self, user: int | None) -> bool:
        if self.where.without_owner:
            return user is None
        return not self.where.owners or user in self.where.owners

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    @property
    def today(self) -> date:
        return self.day(self.at)

    def within(self, day: date) -> bool:
        return self.period is None or self.period.start <= day < self.period.end

    def first_day(self, state: State) -> date:
        """The day a state began: the one that is known, or that of its instant."""
        return state["valid_from_on"] or self.day(state["valid_from"])

    def is_won(self, row: State) -> bool:
        return row["stage"] == S.CLOSED_WON

    def is_lost(self, row: State) -> bool:
        return row["stage"] == S.CLOSED_LOST

    def never_counts(self, row: State) -> bool:
        return self.is_lost(row) and row["close_reason_id"] in self.past.never_counts

    def has_no_value(self, row: State) -> bool:
        return row["expected_value"] is None

    def is_overdue(self, row: State) -> bool:
        return row["expected_close_date"] is not None and row["expected_close_date"] < self.today

    # The figures

    def open_pipeline(self) -> Told:
        valued = without(self.opened, self.has_no_value)
        return Told(
            worth(self.opened),
            ids(valued),
            ids(valued),
            {"without_value": ids(only(self.opened, self.has_no_value))},
            {"overdue": ids(only(self.opened, self.is_overdue))},
        )

    def weighted_pipeline(self) -> Told:
        told = self.open_pipeline()
        told.value = None if told.value is None else weighted(list(self.opened.values()))
        return told

    def created_value(self) -> Told:
        firsts = {key: self.known[key][0] for key in self.created}
        return summed(firsts)

    def won(self) -> Told:
        return summed(only(self.closed, self.is_won))

    def lost(self) -> Told:
        return summed(only(self.closed, self.is_lost))

    def average_won(self) -> Told:
        told = self.won()
        values = [self.rows[key]["expected_value"] for key in told.counted]
        told.value = to_the_cent(sum(values) / len(values)) if values else None
        told.details = {"median": to_the_cent(middle(values)) if values else None}
        return told

    def _how_many(self, condition: Callable[[State], bool]) -> Told:
        found = ids(only(self.opened, condition))
        return Told(len(found), found, ids(self.opened))

    def without_value(self) -> Told:
        return self._how_many(self.has_no_value)

    def without_date(self) -> Told:
        return self._how_many(lambda row: row["expected_close_date"] is None)

    def overdue(self) -> Told:
        return self._how_many(self.is_overdue)

    @property
    def has_losses(self) -> bool:
        """Whether any deal is lost that counts, also one outside of the filter and the period."""
        return bool(without(only(self.there, self.is_lost), self.never_counts))

    def win_rate(self) -> Told:
        real = without(self.closed, self.never_counts)
        told = rate(ids(only(real, self.is_won)), ids(real))
        told.value = told.value if self.has_losses else None
        told.left_out = {"does_not_count": ids(only(self.closed, self.never_counts))}
        return told

    def win_rate_by_value(self) -> Told:
        real = without(self.closed, self.never_counts)
        valued = without(real, self.has_no_value)
        won = only(valued, self.is_won)
        whole = worth(valued)
        return Told(
            worth(won) / whole if whole and self.has_losses else None,
            ids(won),
            ids(valued),
            {
                "does_not_count": ids(only(self.closed, self.never_counts)),
                "without_value": ids(only(real, self.has_no_value)),
            },
        )

    def created_cohort(self) -> Told:
        real = without(self.created, self.never_counts)
        told = rate(ids(only(real, self.is_won)), ids(real))
        still_open = ids(only(real, lambda row: row["stage"] in OPEN))
        lost = ids(only(real, self.is_lost))
        told.left_out = {"does_not_count": ids(only(self.created, self.never_counts))}
        told.apart = {"open": still_open, "lost": lost}
        told.details = {"share_open": divided(still_open, real), "share_lost": divided(lost, real)}
        return told

    def lead_conversion(self) -> Told:
        known = {
            key: [state for state in states if state["valid_from"] <= self.at]
            for key, states in self.past.leads.items()
        }
        there = {key: states[-1] for key, states in known.items() if states}
        created = {
            key: row
            for key, row in there.items()
            if row["deleted_at"] is None
            and self.within(row["created_on"])
            and self.is_owners(row["owner_id"])
            and (not self.where.sources or row["source"] in self.where.sources)
        }
        return rate(ids(only(created, lambda row: row["status"] == "converted")), ids(created))

    def lost_reasons(self) -> Told:
        lost = only(self.closed, self.is_lost)
        real = without(lost, self.never_counts)
        by_reason: dict[str, Ids] = {
            str(key): set() for key, is_active in self.past.reasons.items() if is_active
        }
        by_reason["not_given"] = set()
        for key, row in real.items():
            by_reason.setdefault(str(row["close_reason_id"] or "not_given"), set()).add(key)
        whole = worth(real)
        parts = {}
        for reason, found in by_reason.items():
            rows = {key: real[key] for key in found}
            part = rate(found, ids(real))
            part.details = {
                "deals": len(found),
                "value": worth(rows),
                "share_by_value": (worth(rows) or 0) / whole if whole else None,
            }
            parts[reason] = part
        return Told(
            len(real),
            ids(real),
            ids(real),
            {"does_not_count": ids(only(lost, self.never_counts))},
            parts=parts,
        )

    def sales_cycle(self) -> Told:
        won = only(self.closed, self.is_won)
        lost = without(only(self.closed, self.is_lost), self.never_counts)
        took, lost_took = lengths(won), lengths(lost)
        return Told(
            middle(took) if took else None,
            ids(won),
            ids(won),
            {},
            {"lost": ids(lost)},
            {
                "mean": mean(took),
                "lost_median": middle(lost_took) if lost_took else None,
                "lost_mean": mean(lost_took),
            },
        )

    def days_in_stage(self) -> Told:
        parts = {stage: self._days_in(only(self.opened, stage_is(stage)), stage) for stage in OPEN}
        return self._days_in(self.opened, parts=parts)

    def _days_in(self, rows: dict[int, State], *_stage: str, parts: dict[str, Told] | None = None) -> Told:
        days = [max((self.today - self.entered_on(key)).days, 0) for key in rows]
        middle_one = middle(days) if days else None
        return Told(middle_one, ids(rows), ids(rows), details={"mean": mean(days)}, parts=parts or {})

    def entered_on(self, key: int) -> date:
        """The day of the first of the last states without a change of stage; of a closed deal its closing
        day.
        """
        states = self.known[key]
        if states[-1]["actual_close_date"] is not None:
            closed_on: date = states[-1]["actual_close_date"]
            return closed_on
        first = states[-1]
        for state in reversed(states):
            if state["stage"] != states[-1]["stage"]:
                break
            first = state
        return self.first_day(first)

    def stale(self) -> Told:
        limited = {key: row for key, row in self.opened.items() if self.past.limits[row["stage"]]}
        found = {key for key, row in limited.items() if self._rests(key) > self.past.limits[row["stage"]]}
        return Told(len(found), found, ids(limited), {"without_limit": ids(self.opened) - ids(limited)})

    def _rests(self, key: int) -> int:
        """Days since the last touch."""
        notes = [at for at in self.past.notes.get(key, []) if at <= self.at]
        return (self.today - self.day(max([self.known[key][-1]["valid_from"], *notes]))).days

    def velocity(self) -> Told:
        year = Period(self.today - 364 * DAY, self.today + DAY)
        then = Recount(self.past, self.at, self.zone, self.where, year)
        rate, average, days = then.win_rate(), then.average_won(), then.sales_cycle()
        value = None
        if self.opened and rate.value and average.value and days.value:
            exact = len(self.opened) * rate.value * average.value / Decimal(days.value)
            value = to_the_cent(exact)
        deals = Told(len(self.opened), ids(self.opened), ids(self.opened))
        parts = {"open_deals": deals, "win_rate": rate, "average_won": average, "sales_cycle": days}
        return Told(value, ids(self.opened), ids(self.opened), parts=parts)

    def funnel(self) -> Told:
        counted = without(self.created, self.never_counts)
        furthest = {key: self._furthest(key) for key in counted}
        steps = {key: step for key, step in furthest.items() if step is not None}
        real = {key: counted[key] for key in steps}
        parts: dict[str, Told] = {}
        for step, stage in enumerate((*OPEN, S.CLOSED_WON)):
            reached = {key for key in real if steps[key] >= step}
            parts[stage] = Told(len(reached), reached, reached)
            if stage in OPEN:
                here = {key: real[key] for key in reached if steps[key] == step}
                parts[stage].apart = {
                    "pending": ids(only(here, lambda row: row["stage"] in OPEN)),
                    "lost": ids(only(here, self.is_lost)),
                }
                went_on = {key for key in real if steps[key] > step}
                parts[stage].details = {"step_rate": divided(went_on, reached)}
        left_out = {
            "does_not_count": ids(only(self.created, self.never_counts)),
            "path_unknown": ids(counted) - ids(real),
        }
        return Told(len(real), ids(real), ids(real), left_out, parts=parts)

    def _furthest(self, key: int) -> int | None:
        """None where no open stage is known."""
        stages = [state["stage"] for state in self.known[key] if self._assumed(state) != "stage"]
        if not {*stages} & {*OPEN}:
            return None
        if self.is_won(self.known[key][-1]):
            return 4
        return max(OPEN.index(stage) if stage in OPEN else 3 for stage in stages if stage != S.CLOSED_LOST)

    def _assumed(self, state: State) -> str | None:
        """What of the state is assumed, once it is over."""
        is_over = state["valid_to"] is not None and state["valid_to"] <= self.at
        return state["assumed"] if is_over else None

    def time_in_stage(self) -> Told:
        never = only(self.there, self.never_counts)
        every = [stay for key in self.there for stay in self._stays(key)]
        real = [stay for stay in every if stay[0] not in never]
        stays = [stay[:4] for stay in real if not stay[4]]
        left_out = {
            "does_not_count": {key for key, *_ in every if key in never},
            "path_unknown": {key for key, *_, assumed in real if assumed},
        }
        parts = {}
        for stage in OPEN:
            here = [stay for stay in stays if stay[1] == stage]
            ended = [days for _, _, days, runs in here if not runs]
            parts[stage] = Told(
                half_life([(days, runs) for _, _, days, runs in here]),
                {key for key, *_ in here},
                {key for key, *_ in here},
                apart={"running": {key for key, _, _, runs in here if runs}},
                details={"mean_left": mean(ended), "deals": len({key for key, *_ in here})},
            )
        everybody = {key for key, *_ in stays}
        return Told(None, everybody, everybody, left_out, parts=parts)

    def _stays(self, key: int) -> Iterable[tuple[int, str, int, bool, str | None]]:
        """Deal, stage, days, whether it goes on and what is assumed, of every stay that is asked for."""
        if not lets_through(self.anybody, self.there[key]):
            return
        states = self.known[key]
        runs: list[list[State]] = []
        for state in states:
            if runs and runs[-1][-1]["stage"] == state["stage"]:
                runs[-1].append(state)
            else:
                runs.append([state])
        for run, after in zip(runs, [*runs[1:], None], strict=True):
            entered_on = self.first_day(run[0])
            if run[0]["stage"] not in OPEN or not self.within(entered_on):
                continue
            if not self.is_owners(run[-1]["owner_id"]):
                continue
            left_on = self.today if after is None else self._day_after(after[0])
            days = max((left_on - entered_on).days, 0)
            yield key, run[0]["stage"], days, after is None, self._assumed(run[0])

    def _day_after(self, state: State) -> date:
        """When the stage before it was left: on the closing day, where that is how it was left."""
        return state["actual_close_date"] or self.first_day(state)


def ids(rows: Iterable[int]) -> Ids:
    return set(rows)


def only(rows: dict[int, State], condition: Callable[[State], bool]) -> dict[int, State]:
    return {key: row for key, row in rows.items() if condition(row)}


def without(rows: dict[int, State], condition: Callable[[State], bool]) -> dict[int, State]:
    return {key: row for key, row in rows.items() if not condition(row)}


def stage_is(stage: str) -> Callable[[State], bool]:
    return lambda row: row["stage"] == stage


def worth(rows: dict[int, State]) -> Decimal | None:
    """None where there are deals, but not one value."""
    values = [row["expected_value"] for row in rows.values() if row["expected_value"] is not None]
    return None if rows and not values else sum(values, Decimal(0))


def summed(rows: dict[int, State]) -> Told:
    valued = {key for key, row in rows.items() if row["expected_value"] is not None}
    return Told(worth(rows), valued, valued, {"without_value": ids(rows) - valued})


def divided(some: Iterable[Any], whole: Iterable[Any]) -> Decimal | None:
    n = len(list(whole))
    return Decimal(len(list(some))) / n if n else None


def rate(some: Ids, whole: Ids) -> Told:
    return Told(divided(some, whole), some, whole)


def lengths(rows: dict[int, State]) -> list[int]:
    return [max((row["actual_close_date"] - row["created_on"]).days, 0) for row in rows.values()]


def mean(numbers: list[Any]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def half_life(stays: list[tuple[float, bool]]) -> float | None:
    """After how many days half of them are over, by Kaplan and Meier: exact, with fractions."""
    goes_on = Fraction(1)
    for days in sorted({days for days, runs in stays if not runs}):
        at_risk = sum(each >= days for each, _ in stays)
        ended = sum(each == days and not runs for each, runs in stays)
        goes_on *= Fraction(at_risk - ended, at_risk)
        if goes_on <= Fraction(1, 2):
            return days
    return None
