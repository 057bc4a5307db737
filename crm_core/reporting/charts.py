"""The charts of the dashboard, each from its segments.

A bar's length is a float, which is exact enough to draw; labels come from the exact value. Every bar knows
the position of its segment as `row`, and tells it when it is clicked.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import pandas as pd

from crm_core import words
from crm_core.analytics.breakdowns import WENT_ON, WON_AT_LAST, OwnerRate, Segment, StageTime
from crm_core.analytics.metrics.funnel import LOST, PENDING
from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.services.settings_service import Workspace

Drawn = Any
"""An Altair chart, plain or in layers; its methods are not typed."""

COLORS = {
    OpportunityStage.QUALIFICATION: "#7d8796",
    OpportunityStage.DISCOVERY: "#3b82f6",
    OpportunityStage.PROPOSAL: "#8b5cf6",
    OpportunityStage.NEGOTIATION: "#f59e0b",
    OpportunityStage.CLOSED_WON: "#22a06b",
    OpportunityStage.CLOSED_LOST: "#e5484d",
}
"""The stages' colours, the same as on the screens."""

CLICKED = "clicked"
"""What a click on a bar is called, in the chart and in what Streamlit tells of it."""

WITHOUT_VALUE = alt.Tooltip("Unknown", title="Without a value")

BAR_HEIGHT = 34
HEIGHT = 300
ROOM_FOR_LABELS = 1.7
"""How much longer than its longest bar a chart is, so that the labels have room."""

SHORT_NUMBER = "datum.value === 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"

FUNNEL_PARTS = {
    WENT_ON: ("Went on", "#3b82f6"),
    PENDING: ("Still there", "#94a3b8"),
    LOST: ("Lost there", "#e5484d"),
    WON_AT_LAST: ("Won", "#22a06b"),
}


def by_stage(segments: Sequence[Segment], space: Workspace) -> Drawn:
    """How many deals are open in each stage, with count and value written at each bar."""
    data = frame(segments, space)
    data["Label"] = data["Deals"].map(lambda deals: words.deals(deals, space)) + " · " + data["Value"]
    return _bars(
        data,
        "Bar:Q",
        _stage_colors(list(data["Part"])),
        tooltip=["Group", "Deals", "Value", WITHOUT_VALUE],
    )


def won_and_lost(segments: Sequence[Segment], space: Workspace) -> Drawn:
    """What was won and lost in each month, by value."""
    data = frame(segments, space)
    data["Month"] = [words.month(date.fromisoformat(segment.label), space) for segment in segments]
    data["Outcome"] = data["Part"].map(_outcome)
    return _columns(
        data,
        "Month",
        "Worth:Q",
        alt.Color(
            "Outcome:N",
            title=None,
            legend=alt.Legend(orient="top"),
            scale=alt.Scale(
                domain=["Won", "Lost"],
                range=[
                    COLORS[OpportunityStage.CLOSED_WON],
                    COLORS[OpportunityStage.CLOSED_LOST],
                ],
            ),
        ),
        space,
        tooltip=["Month", "Outcome", "Deals", "Value", WITHOUT_VALUE],
        beside="Outcome:N",
    )


def by_expected_close(segments: Sequence[Segment], space: Workspace) -> Drawn:
    """What is open by the month it is expected in, each month by stage."""
    data = frame(segments, space)
    data["Stage"] = data["Part"].map(lambda part: OpportunityStage(part).label)
    return _columns(
        data,
        "Group",
        "Worth:Q",
        alt.Color(
            "Stage:N",
            title=None,
            legend=alt.Legend(orient="top", columns=2),
            scale=alt.Scale(
                domain=[stage.label for stage in OPEN_STAGES],
                range=[COLORS[stage] for stage in OPEN_STAGES],
            ),
            sort=[stage.label for stage in OPEN_STAGES],
        ),
        space,
        tooltip=[
            alt.Tooltip("Group", title="Expected"),
            "Stage",
            "Deals",
            "Value",
            WITHOUT_VALUE,
        ],
    )


def win_rates(rates: Sequence[OwnerRate], space: Workspace) -> Drawn:
    """How often each owner's deals are won; pale where there are too few to tell."""
    data = pd.DataFrame(
        {
            "row": range(len(rates)),
            "Group": _apart([each.label for each in rates]),
            "Bar": [float(each.rate.value or 0) for each in rates],
            "Rate": [words.percent(each.rate, space) for each in rates],
            "Closed": [each.rate.n for each in rates],
            "Won": [each.rate.hits for each in rates],
            "Label": [
                f"{words.percent(each.rate, space)} of {words.number(each.rate.n, space)}" for each in rates
            ],
            "Opacity": [0.4 if each.rate.is_thin else 1.0 for each in rates],
        }
    )
    return _bars(
        data,
        "Bar:Q",
        alt.value(COLORS[OpportunityStage.CLOSED_WON]),
        tooltip=[alt.Tooltip("Group", title="Owner"), "Rate", "Won", alt.Tooltip("Closed", title="Closed")],
        opacity=alt.Opacity("Opacity:Q", scale=None, legend=None),
    )


def lost_reasons(segments: Sequence[Segment], space: Workspace) -> Drawn:
    """Why deals were lost, with count and value written at each bar."""
    data = frame(segments, space)
    data["Label"] = data["Deals"].map(lambda deals: words.deals(deals, space)) + " · " + data["Value"]
    return _bars(
        data,
        "Bar:Q",
        alt.value(COLORS[OpportunityStage.CLOSED_LOST]),
        tooltip=[
            alt.Tooltip("Group", title="Reason"),
            "Deals",
            "Value",
            WITHOUT_VALUE,
        ],
    )


def funnel(segments: Sequence[Segment], space: Workspace) -> Drawn:
    """How far deals came: of those who reached a stage, who went on, who is still there, who was lost."""
    data = frame(segments, space)
    data["What"] = data["Part"].map(lambda part: FUNNEL_PARTS[part][0])
    data["Order"] = data["Part"].map(list(FUNNEL_PARTS).index)
    return (
        alt.Chart(data)
        .mark_bar(cursor="pointer")
        .encode(
            y=alt.Y("Group:N", sort=list(dict.fromkeys(data["Group"])), title=None),
            x=alt.X("Deals:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=5, grid=False)),
            color=alt.Color(
                "What:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(
                    domain=[label for label, _ in FUNNEL_PARTS.values()],
                    range=[color for _, color in FUNNEL_PARTS.values()],
                ),
            ),
            order="Order:Q",
            tooltip=[alt.Tooltip("Group", title="Reached"), alt.Tooltip("What", title=" "), "Deals", "Value"],
        )
        .add_params(_click())
        .properties(height=HEIGHT)
    )


def times(stages: Sequence[StageTime], space: Workspace) -> Drawn:
    """How long deals stay in each stage."""
    data = pd.DataFrame(
        {
            "row": range(len(stages)),
            "Group": [each.stage.label for each in stages],
            "Bar": [each.median_days or 0.0 for each in stages],
            "Stays": [each.stays for each in stages],
            "Going on": [each.running for each in stages],
            "Deals": [each.deals for each in stages],
            "Label": [_stay(each, space) for each in stages],
        }
    )
    color = alt.Color("Group:N", scale=_colors_of(OPEN_STAGES, by_label=True), legend=None)
    told = [alt.Tooltip("Group", title="Stage"), "Stays", "Going on", "Deals"]
    return _bars(data, "Bar:Q", color, tooltip=told)


def months(segments: Sequence[Segment], space: Workspace) -> list[str]:
    """“Mar 2026, won”."""
    return [
        f"{words.month(date.fromisoformat(each.label), space)}, {_outcome(each.part).lower()}"
        for each in segments
    ]


def stages(segments: Sequence[Segment]) -> list[str]:
    """“March 2026, discovery”."""
    return [f"{each.label}, {OpportunityStage(each.part).label.lower()}" for each in segments]


def funnel_parts(segments: Sequence[Segment]) -> list[str]:
    """“Proposal, still there”."""
    return [
        each.label if each.part == WON_AT_LAST else f"{each.label}, {FUNNEL_PARTS[each.part][0].lower()}"
        for each in segments
    ]


def frame(segments: Sequence[Segment], space: Workspace) -> pd.DataFrame:
    """What charts show of segments; columns: row, Group, Part, Deals, Bar, Worth, Value, Unknown."""
    return pd.DataFrame(
        {
            "row": range(len(segments)),
            "Group": _apart([segment.label for segment in segments], segments),
            "Part": [segment.part for segment in segments],
            "Deals": [segment.deals for segment in segments],
            "Bar": [float(segment.deals) for segment in segments],
            "Worth": [float(segment.value or 0) for segment in segments],
            "Value": [words.money(segment.value, space) for segment in segments],
            "Unknown": [segment.without_value for segment in segments],
        }
    )


def _outcome(part: str) -> str:
    return OpportunityStage(part).label.split()[-1].capitalize()


def text(chart: str, labels: Sequence[str], values: Sequence[str]) -> str:
    """The chart in words, for who can't see it."""
    return f"{chart}: " + "; ".join(f"{label} {value}" for label, value in zip(labels, values, strict=True))


def _bars(
    data: pd.DataFrame,
    length: str,
    color: Any,
    *,
    tooltip: Sequence[Any],
    opacity: alt.Opacity | None = None,
) -> Drawn:
    """Lying bars, each with its label behind it."""
    base = alt.Chart(data).encode(
        y=alt.Y("Group:N", sort=list(data["Group"]), title=None, axis=alt.Axis(labelLimit=130)),
        tooltip=list(tooltip),
    )
    longest = float(data["Bar"].max()) if len(data) else 0.0
    bars = base.mark_bar(cornerRadiusEnd=3, cursor="pointer").encode(
        x=alt.X(
            length,
            title=None,
            axis=alt.Axis(labels=False, ticks=False, grid=False, domain=False),
            scale=alt.Scale(domainMax=max(longest * ROOM_FOR_LABELS, 0.01), domainMin=0),
        ),
        color=color,
        **({"opacity": opacity} if opacity is not None else {}),
    )
    bars = bars.add_params(_click())
    texts = base.mark_text(align="left", dx=6).encode(x=length, text="Label")
    return (bars + texts).properties(height=max(BAR_HEIGHT * len(data), 80))


def _columns(
    data: pd.DataFrame,
    group: str,
    height: str,
    color: alt.Color,
    space: Workspace,
    *,
    tooltip: Sequence[Any],
    beside: str | None = None,
) -> Drawn:
    """Standing bars, parted by colour; on top of each other, or beside."""
    order = list(dict.fromkeys(data[group]))
    return (
        alt.Chart(data)
        .mark_bar(cursor="pointer", cornerRadiusEnd=2)
        .encode(
            x=alt.X(f"{group}:N", sort=order, title=None, axis=alt.Axis(labelAngle=-40, labelOverlap=True)),
            y=alt.Y(
                height,
                title=f"Value ({space.currency})",
                axis=alt.Axis(labelExpr=SHORT_NUMBER, tickCount=5),
            ),
            color=color,
            tooltip=list(tooltip),
            **({"xOffset": alt.XOffset(beside, sort=["Won", "Lost"])} if beside else {}),
        )
        .add_params(_click())
        .properties(height=HEIGHT)
    )


def _click() -> alt.Parameter:
    return alt.selection_point(name=CLICKED, fields=["row"], on="click", toggle=False)


def _stage_colors(parts: Sequence[str]) -> alt.Color:
    return alt.Color("Part:N", scale=_colors_of([OpportunityStage(part) for part in parts]), legend=None)


def _colors_of(stages: Sequence[OpportunityStage], *, by_label: bool = False) -> alt.Scale:
    return alt.Scale(
        domain=[stage.label if by_label else stage.value for stage in stages],
        range=[COLORS[stage] for stage in stages],
    )


def _apart(labels: Sequence[str], segments: Sequence[Segment] | None = None) -> list[str]:
    """Labels on one line, and namesakes told apart: a chart knows its bars by them."""
    told: Mapping[int, str] = words.told_apart(dict(enumerate(labels)))
    parts = {segment.part for segment in segments or ()}
    return [words.one_line(label) for label in labels] if len(parts) > 1 else list(told.values())


def _stay(each: StageTime, space: Workspace) -> str:
    stays = words.counted_as(each.stays, space, "stay")
    if each.median_days is None:
        return f"{words.NONE} · {stays}"
    return f"{words.decimal(each.median_days, space)} days · {stays}"
