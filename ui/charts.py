"""The charts. A bar's length is a float, which is exact enough to draw; labels come from the exact value."""

import altair as alt
import pandas as pd
import streamlit as st

from crm_core.models import OPEN_STAGES, OpportunityStage
from crm_core.services.settings_service import Workspace
from ui import colors, words

BAR_HEIGHT = 62
MONTHS_HEIGHT = 248
SHORT_NUMBER = "datum.value === 0 ? '0' : replace(format(datum.value, '~s'), 'G', 'B')"


def by_stage(stages: pd.DataFrame, workspace: Workspace) -> None:
    """How many deals are open in each stage, with count and value written at each bar."""
    shown = stages[stages["stage"].isin(OPEN_STAGES)]
    data = pd.DataFrame(
        {
            "Stage": [stage.label for stage in shown["stage"]],
            "Deals": shown["deals"],
            "Worth": _worth(shown, workspace),
            "Without a value": shown["without_value"],
        }
    )
    data["Label"] = data["Deals"].map(lambda deals: words.deals(deals, workspace)) + " · " + data["Worth"]
    order = [stage.label for stage in OPEN_STAGES]
    base = alt.Chart(data).encode(
        y=alt.Y("Stage:N", sort=order, title=None, axis=alt.Axis(labelLimit=120)),
        tooltip=["Stage", "Deals", alt.Tooltip("Worth", title="Value"), "Without a value"],
    )
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        x=alt.X(
            "Deals:Q",
            title=None,
            axis=alt.Axis(labels=False, ticks=False, grid=False, domain=False),
            scale=alt.Scale(domainMax=max(data["Deals"].max() * 1.6, 1.0)),
        ),
        color=alt.Color("Stage:N", scale=_stage_colors(), legend=None),
    )
    texts = base.mark_text(align="left", dx=6, color=colors.TEXT_IN_CHARTS).encode(x="Deals:Q", text="Label")
    st.altair_chart(
        (bars + texts).properties(height=BAR_HEIGHT * len(order)),
        alt="Open opportunities by stage: " + "; ".join(data["Stage"] + " " + data["Label"]),
    )


def won_by_month(months: pd.DataFrame, workspace: Workspace) -> None:
    """What was won in each month, by value."""
    data = pd.DataFrame(
        {
            "Month": [month.strftime("%Y-%m-01") for month in months["month"]],
            "Value": months["value"].astype(float),
            "Deals": months["deals"],
            "Worth": _worth(months, workspace),
            "Without a value": months["without_value"],
        }
    )
    chart = (
        alt.Chart(data)
        .mark_bar(color=colors.CHART[OpportunityStage.CLOSED_WON], cornerRadiusEnd=3)
        .encode(
            x=alt.X(
                "yearmonth(Month):O",
                title=None,
                axis=alt.Axis(format="%b ’%y", labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y(
                "Value:Q",
                title=f"Won value ({workspace.currency})",
                axis=alt.Axis(labelExpr=SHORT_NUMBER, tickCount=5),
            ),
            tooltip=[
                alt.Tooltip("yearmonth(Month):T", title="Month", format="%B %Y"),
                "Deals",
                alt.Tooltip("Worth", title="Value"),
                "Without a value",
            ],
        )
        .properties(height=MONTHS_HEIGHT)
    )
    st.altair_chart(
        chart, alt="Won value by month: " + "; ".join(data["Month"].str[:7] + " " + data["Worth"])
    )


def _worth(rows: pd.DataFrame, workspace: Workspace) -> list[str]:
    """What each row's deals are worth, as written."""
    return [
        words.total(value, workspace, deals=deals, without_value=without_value)
        for deals, value, without_value in zip(
            rows["deals"], rows["value"], rows["without_value"], strict=True
        )
    ]


def _stage_colors() -> alt.Scale:
    return alt.Scale(
        domain=[stage.label for stage in OpportunityStage],
        range=[colors.CHART[stage] for stage in OpportunityStage],
    )
