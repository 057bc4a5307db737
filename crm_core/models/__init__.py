"""Every table, by name."""

from crm_core.models.api_token import ApiToken, IdempotencyKey, TokenScope
from crm_core.models.base import Base, Mergeable, Record
from crm_core.models.close_reason import CloseReason, Outcome
from crm_core.models.company import Company
from crm_core.models.contact import Contact
from crm_core.models.lead import Lead, LeadStatus
from crm_core.models.note import Note
from crm_core.models.opportunity import CLOSED_STAGES, OPEN_STAGES, Opportunity, OpportunityStage
from crm_core.models.saved_view import Preference, SavedView
from crm_core.models.search import SEARCHED
from crm_core.models.settings import Settings, StageSettings, Visibility
from crm_core.models.target import Target, TargetPeriod
from crm_core.models.transaction import Reach, Source, Transaction
from crm_core.models.user import LOCAL_USER_ID, Role, Team, User
from crm_core.models.versions import (
    VERSIONS,
    Assumed,
    CompanyVersion,
    ContactVersion,
    LeadVersion,
    OpportunityVersion,
    valid_until,
)

__all__ = [
    "CLOSED_STAGES",
    "LOCAL_USER_ID",
    "OPEN_STAGES",
    "SEARCHED",
    "VERSIONS",
    "ApiToken",
    "Assumed",
    "Base",
    "CloseReason",
    "Company",
    "CompanyVersion",
    "Contact",
    "ContactVersion",
    "IdempotencyKey",
    "Lead",
    "LeadStatus",
    "LeadVersion",
    "Mergeable",
    "Note",
    "Opportunity",
    "OpportunityStage",
    "OpportunityVersion",
    "Outcome",
    "Preference",
    "Reach",
    "Record",
    "Role",
    "SavedView",
    "Settings",
    "Source",
    "StageSettings",
    "Target",
    "TargetPeriod",
    "Team",
    "TokenScope",
    "Transaction",
    "User",
    "Visibility",
    "valid_until",
]
