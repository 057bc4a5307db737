"""One colour for each stage, the same on every screen and legible in light and dark."""

from typing import Literal

from crm_core.models import OpportunityStage

Badge = Literal["gray", "blue", "violet", "orange", "green", "red"]

BADGES: dict[OpportunityStage, Badge] = {
    OpportunityStage.QUALIFICATION: "gray",
    OpportunityStage.DISCOVERY: "blue",
    OpportunityStage.PROPOSAL: "violet",
    OpportunityStage.NEGOTIATION: "orange",
    OpportunityStage.CLOSED_WON: "green",
    OpportunityStage.CLOSED_LOST: "red",
}
"""Streamlit's colour names, for badges."""

CHART = {
    OpportunityStage.QUALIFICATION: "#7d8796",
    OpportunityStage.DISCOVERY: "#3b82f6",
    OpportunityStage.PROPOSAL: "#8b5cf6",
    OpportunityStage.NEGOTIATION: "#f59e0b",
    OpportunityStage.CLOSED_WON: "#22a06b",
    OpportunityStage.CLOSED_LOST: "#e5484d",
}
"""The same as hex, for charts."""

TEXT_IN_CHARTS = "#808793"
