"""What the documentation shows: one small sale, in every body and every answer."""

from typing import Any

from pydantic import BaseModel

from api.health import Health
from api.history import HistoryEntryResponse, RecordEntryResponse
from api.metrics import MetricDescription, MetricResponse
from api.opportunities import BulkUpdate, Close, Move
from api.stats import StatsResponse
from crm_core import __version__
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactResponse, ContactUpdate
from crm_core.schemas.conversion import Conversion, ConversionChoice
from crm_core.schemas.lead import LeadCreate, LeadResponse, LeadUpdate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityResponse, OpportunityUpdate
from crm_core.schemas.settings import CloseReasonResponse, SettingsResponse, StageSettingsResponse
from crm_core.schemas.team import TeamResponse
from crm_core.schemas.user import UserResponse

Example = dict[str, Any]

OWNER: Example = {"owner_id": 2, "owner_name": "Rita Rep"}
BEGINNING, LATER = "2026-03-02T09:30:00Z", "2026-03-18T14:05:12.345678Z"
FIRST_DAY, LAST_DAY = BEGINNING[:10], LATER[:10]
CREATED: Example = {"created_at": BEGINNING, "created_on": FIRST_DAY}
NEW: Example = {**CREATED, "updated_at": BEGINNING, "version": 1}
CHANGED: Example = {**CREATED, "updated_at": LATER, "version": 4}

COMPANY_DRAFT: Example = {
    "name": "Acme",
    "website": "https://www.acme.example",
    "industry": "Farming",
    "country": "Switzerland",
    "owner_id": 2,
    "request_id": "website-form-4711-company",
}
COMPANY: Example = {
    "id": 3,
    "name": "Acme",
    "website": "https://www.acme.example",
    "domain": "acme.example",
    "industry": "Farming",
    "country": "Switzerland",
    "description": None,
    **OWNER,
    **NEW,
}

CONTACT_DRAFT: Example = {
    "name": "Ada Lovelace",
    "company_id": 3,
    "email": "ada@acme.example",
    "other_emails": ["ada@home.example"],
    "phone": "+41 44 555 01 00",
    "job_title": "Head of buildings",
    "owner_id": 2,
    "request_id": "website-form-4711-contact",
}
CONTACT: Example = {
    "id": 5,
    "name": "Ada Lovelace",
    "company_id": 3,
    "company_name": "Acme",
    "email": "ada@acme.example",
    "other_emails": ["ada@home.example"],
    "phone": "+41 44 555 01 00",
    "other_phones": [],
    "job_title": "Head of buildings",
    **OWNER,
    **NEW,
}

LEAD_DRAFT: Example = {
    "name": "Ada Lovelace",
    "company_name": "Acme",
    "email": "ada@acme.example",
    "source": "Website",
    "estimated_value": "12000.00",
    "description": "Asks for a solar roof on the barn.",
    "owner_id": 2,
    "request_id": "website-form-4711",
}
LEAD: Example = {
    "id": 8,
    "name": "Ada Lovelace",
    "company_name": "Acme",
    "email": "ada@acme.example",
    "phone": None,
    "job_title": None,
    "source": "Website",
    "estimated_value": "12000.00",
    "description": "Asks for a solar roof on the barn.",
    **OWNER,
    "status": "new",
    "converted_at": None,
    "opportunity_id": None,
    **NEW,
}

DEAL_DRAFT: Example = {
    "name": "Solar roof",
    "company_id": 3,
    "contact_id": 5,
    "owner_id": 2,
    "stage": "discovery",
    "expected_value": "12000.00",
    "expected_close_date": "2026-05-29",
    "source": "Website",
    "request_id": "shop-order-1815",
}
DEAL: Example = {
    "id": 13,
    "name": "Solar roof",
    "company_id": 3,
    "company_name": "Acme",
    "contact_id": 5,
    "contact_name": "Ada Lovelace",
    "lead_id": 8,
    **OWNER,
    "stage": "proposal",
    "stage_entered_at": LATER,
    "stage_entered_on": LAST_DAY,
    "expected_value": "12000.00",
    "probability": 50,
    "expected_close_date": "2026-05-29",
    "actual_close_date": None,
    "closed_at": None,
    "close_reason_id": None,
    "close_note": None,
    "next_step": "Send the offer",
    "next_step_date": "2026-03-20",
    "source": "Website",
    "description": None,
    **CHANGED,
}
NEW_DEAL = DEAL | {
    "lead_id": None,
    "stage": "discovery",
    "stage_entered_at": BEGINNING,
    "stage_entered_on": FIRST_DAY,
    "probability": 25,
    "next_step": None,
    "next_step_date": None,
    **NEW,
}
LOST_DEAL = DEAL | {
    "stage": "closed_lost",
    "probability": 0,
    "actual_close_date": "2026-03-18",
    "closed_at": LATER,
    "close_reason_id": 7,
    "close_note": "Chose a cheaper offer",
}

HISTORY: Example = {
    "version": 4,
    "at": LATER,
    "on": None,
    "recorded_at": LATER,
    "actor_id": 2,
    "actor_name": "Rita Rep",
    "source": "ui",
    "note": None,
    "changes": [
        {
            "field": "expected_value",
            "before": "9500.00",
            "after": "12000.00",
            "before_name": None,
            "after_name": None,
        }
    ],
}

STAGES = ("qualification", "discovery", "proposal", "negotiation", "closed_won", "closed_lost")
FIGURES = (
    (0, "0.00", "0.00"),
    (0, "0.00", "0.00"),
    (1, "12000.00", "6000.00"),
    (0, "0.00", "0.00"),
    (3, "27300.00", "27300.00"),
    (1, "4000.00", "0.00"),
)
STATS: Example = {
    "as_of": "2026-03-18T23:00:00Z",
    "open_as_of": "2026-03-18T23:00:00Z",
    "period_from": "2026-01-01",
    "period_to": "2026-03-31",
    "period_label": "Q1 2026",
    "currency": "CHF",
    "stages": [
        {"stage": stage, "deals": deals, "value": value, "weighted": weighted, "without_value": 0}
        for stage, (deals, value, weighted) in zip(STAGES, FIGURES, strict=True)
    ],
    "open": {
        "deals": 1,
        "value": "12000.00",
        "weighted": "6000.00",
        "without_value": 0,
        "without_date": 0,
        "overdue": 0,
    },
    "closed": {
        "won": 3,
        "won_value": "27300.00",
        "won_without_value": 0,
        "lost": 1,
        "lost_value": "4000.00",
        "lost_without_value": 0,
        "not_counted": 0,
    },
    "win_rate": {"value": 0.75, "n": 4, "low": 0.3006, "high": 0.9544, "left_out": 0, "status": None},
    "win_rate_by_value": {
        "value": 0.8722,
        "n": 4,
        "low": None,
        "high": None,
        "left_out": 0,
        "status": None,
    },
    "wins": {
        "deals": 3,
        "valued": 3,
        "average_value": "9100.00",
        "median_value": "8800.00",
        "median_days": 31.5,
        "mean_days": 29.25,
    },
}

METRIC: Example = {
    "name": "win_rate",
    "label": "Win rate",
    "unit": "ratio",
    "days": "any",
    "of": "opportunities",
    "as_of": "2026-03-18T23:00:00Z",
    "period_from": "2026-01-01",
    "period_to": "2026-03-31",
    "period_label": "Q1 2026",
    "currency": "CHF",
    "value": 0.75,
    "n": 4,
    "counted": 3,
    "left_out": {"does_not_count": 1},
    "apart": {},
    "low": 0.3006,
    "high": 0.9544,
    "status": None,
    "details": {},
    "explain": {
        "counted": [4, 9, 11],
        "out_of": [4, 9, 10, 11],
        "left_out": {"does_not_count": [6]},
        "apart": {},
    },
    "parts": [],
}

EXAMPLES: dict[type[BaseModel], Example] = {
    Health: {"status": "ok", "version": __version__, "database": "sqlite", "migration": "current"},
    UserResponse: {
        "id": 2,
        "name": "Rita Rep",
        "email": "rita@example.com",
        "role": "rep",
        "team_id": 1,
        "is_active": True,
    },
    TeamResponse: {"id": 1, "name": "North", "manager_id": 4},
    SettingsResponse: {
        "currency": "CHF",
        "time_zone": "Europe/Zurich",
        "locale": "de_CH",
        "country": "CH",
        "fiscal_year_start_month": 1,
        "probability_follows_stage": True,
        "visibility": "all",
        "has_demo_data": False,
    },
    StageSettingsResponse: {
        "stage": "proposal",
        "default_probability": 50,
        "stale_after_days": 10,
        "can_be_won": True,
    },
    CloseReasonResponse: {
        "id": 7,
        "outcome": "lost",
        "label": "Price",
        "needs_note": False,
        "counts": True,
        "is_active": True,
    },
    CompanyCreate: COMPANY_DRAFT,
    CompanyUpdate: {"industry": "Farming"},
    CompanyResponse: COMPANY,
    ContactCreate: CONTACT_DRAFT,
    ContactUpdate: {"job_title": "Head of buildings"},
    ContactResponse: CONTACT,
    LeadCreate: LEAD_DRAFT,
    LeadUpdate: {"status": "qualified"},
    LeadResponse: LEAD,
    OpportunityCreate: DEAL_DRAFT,
    OpportunityUpdate: {"expected_value": "12000.00", "next_step": "Send the offer"},
    OpportunityResponse: DEAL,
    Move: {"to": "proposal"},
    Close: {"outcome": "lost", "reason": 7, "note": "Chose a cheaper offer", "closed_on": "2026-03-18"},
    BulkUpdate: {"ids": [13], "changes": {"owner_id": 2}, "versions": {"13": 3}},
    ConversionChoice: {"name": "Solar roof", "stage": "discovery", "expected_close_date": "2026-05-29"},
    Conversion: {
        "lead_id": 8,
        "company": {"id": 3, "name": "Acme", "how": "matched", "rule": "email_domain"},
        "contact": {"id": 5, "name": "Ada Lovelace", "how": "created", "rule": None},
        "opportunity": {"id": 13, "name": "Solar roof", "how": "created", "rule": None},
    },
    HistoryEntryResponse: HISTORY,
    RecordEntryResponse: HISTORY | {"kind": "opportunity", "record_id": 13, "record_name": "Solar roof"},
    StatsResponse: STATS,
    MetricDescription: {
        "name": "win_rate",
        "label": "Win rate",
        "unit": "ratio",
        "days": "any",
        "of": "opportunities",
    },
    MetricResponse: METRIC,
}
"""What each schema looks like when it is filled."""

ANSWERS: dict[tuple[str, str], Example] = {
    ("health", "503"): {
        "status": "unavailable",
        "version": __version__,
        "database": "sqlite",
        "migration": "empty",
    },
    ("create_opportunity", "201"): NEW_DEAL,
    ("close_opportunity", "200"): LOST_DEAL,
    ("update_lead", "200"): LEAD | {"status": "qualified", **CHANGED, "version": 2},
}
"""Where a record is not as it usually is, by operation and status."""
