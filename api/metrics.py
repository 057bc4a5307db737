"""`/api/metrics`: every figure of docs/metrics.md, and the records behind it."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.answers import errors
from api.door import DoorDep
from api.periods import PeriodQuery
from crm_core import permissions
from crm_core.analytics.metrics import (
    METRICS,
    Answer,
    Days,
    Figure,
    Group,
    Metric,
    MetricName,
    Subject,
    Unit,
    measure,
)
from crm_core.filters import OpportunityFilter
from crm_core.periods import Calendar
from crm_core.schemas.fields import Instant, Money, Schema
from crm_core.services import settings_service

router = APIRouter(prefix="/metrics", tags=["metrics"])

Number = int | float | Money
"""Money is text with the currency's decimals, as everywhere; counts, ratios and days are numbers."""


class MetricQuery(OpportunityFilter, PeriodQuery):
    """Every field of the filter, the days, and whether to name the records."""

    explain: bool = Field(default=False, description="1: name the records that are counted and left out.")


class MetricDescription(Schema):
    """A figure that can be asked for: its unit, and whether it takes a period."""

    name: MetricName
    label: str
    unit: Unit
    days: Days
    of: Subject


class Part(Schema):
    """Which stage, reason or figure, and what people call it."""

    key: str
    label: str | None
    unit: Unit


class Explanation(Schema):
    """The ids behind a number, each once. A rate divides by `out_of`; null where the whole tells it."""

    counted: list[int]
    out_of: list[int] | None
    left_out: dict[str, list[int]]
    apart: dict[str, list[int]]


class FigureResponse(Schema):
    """A number over `n` records; null where there is nothing to count it from, which is not zero.

    `counted` is how many it counts, a rate's numerator. `left_out` are those that it would count, by the
    reason why it does not; `apart` those that are told apart, be they inside or beside the number. `n` counts
    stays where the figure does (time in stage). `low` and `high` are a rate's Wilson 95 % interval. `status`
    says how one stands, or why there is no number: `no_lost_deals` where no lost deal was ever recorded.
    """

    value: Number | None
    n: int
    counted: int
    left_out: dict[str, int]
    apart: dict[str, int]
    low: float | None
    high: float | None
    status: str | None
    details: dict[str, Number | None]
    explain: Explanation | None
    parts: list["PartResponse"]


class PartResponse(FigureResponse, Part):
    """The same figure of one stage or one reason, or one of the figures that it is made of."""


class MetricResponse(FigureResponse, MetricDescription):
    """A figure as known `as_of` that instant; `period_to` is the last day, both null mean ever.

    `period_label` names a whole quarter or year of the workspace, such as Q1 FY27. Every amount is in the
    `currency`.
    """

    as_of: Instant
    period_from: date | None
    period_to: date | None
    period_label: str | None
    currency: str

    @classmethod
    def of_answer(cls, answer: Answer, calendar: Calendar) -> "MetricResponse":
        period = answer.period
        return cls(
            **_described(answer.name, answer.metric),
            as_of=answer.as_of,
            period_from=period.start if period else None,
            period_to=period.last_day if period else None,
            period_label=calendar.label(period) if period else None,
            currency=answer.currency,
            **_told(answer.figure, answer.metric.unit),
        )


@router.get("", responses=errors())
def list_metrics(door: DoorDep) -> list[MetricDescription]:
    """Every figure that can be asked for."""
    with door.read() as session:
        permissions.actor_of(session)
    return [MetricDescription(**_described(name, metric)) for name, metric in METRICS.items()]


@router.get("/{name}", responses=errors())
def get_metric(name: MetricName, door: DoorDep, query: Annotated[MetricQuery, Query()]) -> MetricResponse:
    """One figure: now, or as known at `as_of`; with `explain=1` the ids that it counts and leaves out."""
    with door.read() as session:
        period = query.days(session, query.as_of)
        answer = measure(session, name, query, period=period, explain=query.explain)
        return MetricResponse.of_answer(answer, settings_service.get_calendar(session))


def _described(name: MetricName, metric: Metric) -> dict[str, Any]:
    return {
        "name": name,
        "label": metric.label,
        "unit": metric.unit,
        "days": metric.days,
        "of": metric.of,
    }


def _told(figure: Figure, unit: Unit) -> dict[str, Any]:
    """The figure's own fields; with ids where they were asked for."""
    low, high = figure.interval or (None, None)
    return {
        "value": figure.value,
        "n": figure.n,
        "counted": figure.counted.count,
        "left_out": _counts(figure.left_out),
        "apart": _counts(figure.apart),
        "low": low,
        "high": high,
        "status": figure.status,
        "details": figure.details,
        "explain": _explained(figure),
        "parts": [
            PartResponse(key=key, label=part.label, unit=part.unit or unit, **_told(part, part.unit or unit))
            for key, part in figure.parts.items()
        ],
    }


def _explained(figure: Figure) -> Explanation | None:
    if figure.counted.ids is None:
        return None
    return Explanation(
        counted=figure.counted.ids,
        out_of=figure.out_of.ids,
        left_out=_ids(figure.left_out),
        apart=_ids(figure.apart),
    )


def _counts(groups: Mapping[str, Group]) -> dict[str, int]:
    return {kind: group.count for kind, group in groups.items()}


def _ids(groups: Mapping[str, Group]) -> dict[str, list[int]]:
    return {kind: group.ids or [] for kind, group in groups.items()}
