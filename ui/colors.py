"""One colour for each stage and each status, the same on every screen and legible in light and dark."""

from typing import Literal

from crm_core.models import LeadStatus, OpportunityStage

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

LEADS: dict[LeadStatus, Badge] = {
    LeadStatus.NEW: "blue",
    LeadStatus.CONTACTED: "violet",
    LeadStatus.QUALIFIED: "orange",
    LeadStatus.UNQUALIFIED: "gray",
    LeadStatus.CONVERTED: "green",
}
"""The same for the statuses of leads."""
