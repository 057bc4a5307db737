"""The refusals that the documentation shows, told as they are when they happen."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from api.door import ReadOnlyToken
from api.examples import LATER, Example
from api.local_only import ANOTHER_NAME, OnlyOnThisMachine
from api.problems import SENTENCES, incident, invalid, problem, refused
from api.protection import NOT_JSON, TOO_LARGE
from crm_core.engines import BUSY
from crm_core.errors import CrmError, DatabaseUnavailable, NotSignedIn
from crm_core.models import (
    Company,
    Contact,
    Lead,
    LeadStatus,
    Opportunity,
    OpportunityStage,
    Source,
    User,
)
from crm_core.permissions import BelongsToSomebodyElse
from crm_core.services.closing import LossNeedsReason
from crm_core.services.company_service import CompanyIsInUse
from crm_core.services.contact_service import ContactIsInUse
from crm_core.services.conversion import LeadIsNotQualified
from crm_core.services.opportunity_service import OpportunityIsClosed, OpportunityIsOpen
from crm_core.services.records import (
    BelongsToDeleted,
    ChangedMeanwhile,
    NothingWasChanged,
    OwnerIsInactive,
    RecordNotFound,
)
from crm_core.timeline import FieldChange, HistoryEntry

RITA = User(id=2, name="Rita Rep", is_active=True)
ACME = Company(id=3, name="Acme", version=4)
ADA = Contact(id=5, name="Ada Lovelace", version=4)
LEAD = Lead(id=8, name="Ada Lovelace", status=LeadStatus.NEW, version=4)
DEAL = Opportunity(id=13, name="Solar roof", stage=OpportunityStage.PROPOSAL, version=4)
LOST = Opportunity(id=13, name="Solar roof", stage=OpportunityStage.CLOSED_LOST)

RECORDS = {"companies": ACME, "contacts": ADA, "leads": LEAD, "opportunities": DEAL}

RULES: dict[str, CrmError] = {
    "update_opportunities": NothingWasChanged({13: OpportunityIsClosed(LOST)}, {13: "“Solar roof”"}, of=2),
    "move_opportunity": OpportunityIsClosed(LOST),
    "close_opportunity": LossNeedsReason(),
    "reopen_opportunity": OpportunityIsOpen(DEAL),
    "restore_opportunity": BelongsToDeleted(DEAL, ACME),
    "convert_lead": LeadIsNotQualified(LEAD),
    "delete_company": CompanyIsInUse(ACME, deals=2, contacts=1),
    "delete_contact": ContactIsInUse(ADA, deals=1),
}
"""What speaks against an operation; against the others, that the owner no longer works here."""

SAYINGS = SENTENCES | {413: TOO_LARGE, 415: NOT_JSON}


def problem_of(operation: dict[str, Any], status: int) -> Example:
    """A problem that the operation of the description answers with that status."""
    record = RECORDS.get(operation["tags"][0], RITA)
    if operation["operationId"] == "convert_lead":
        record = LEAD
    return dict(json.loads(bytes(_answer(operation, record, status).body)))


def _answer(operation: dict[str, Any], record: Any, status: int) -> JSONResponse:
    name = operation["operationId"]
    match status:
        case 401:
            return refused(NotSignedIn("This token is unknown, expired or revoked. Create another."))
        case 403 if "409" not in operation["responses"]:  # it only reads, which no user is forbidden to
            return refused(OnlyOnThisMachine(ANOTHER_NAME, port=8501))
        case 403 if _ids(operation):
            return refused(BelongsToSomebodyElse(record, RITA, ["Mia Manager"]))
        case 403:
            return refused(ReadOnlyToken())
        case 404:
            missing = RITA if name.startswith("create") else record
            return refused(RecordNotFound(type(missing), missing.id))
        case 409:
            return refused(RULES.get(name, OwnerIsInactive(RITA)))
        case 412:
            return refused(_changed(record), has_version=True)
        case 422:
            return invalid(_wrong(operation))
        case 500:
            return incident("7F3K-2Q9D")
        case 503:
            return refused(DatabaseUnavailable(BUSY))
        case _:
            return problem(status, SAYINGS[status])


def _ids(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation["parameters"] if each["in"] == "path"]


def _changed(record: Any) -> ChangedMeanwhile:
    at = datetime.fromisoformat(LATER)
    change = FieldChange("expected_value", Decimal("9500.00"), Decimal("12000.00"))
    if not isinstance(record, Opportunity):
        change = FieldChange("owner_id", None, RITA.id, None, RITA.name)
    return ChangedMeanwhile(
        record, [HistoryEntry(4, at, None, at, RITA.id, RITA.name, Source.UI, None, [change])]
    )


def _wrong(operation: dict[str, Any]) -> RequestValidationError:
    """A field that there is not, or an id that can't be."""
    ids = _ids(operation)
    if "name" in ids:
        told = {"loc": ("query", "period_from"), "msg": "Write the day like 2026-03-31."}
        return RequestValidationError([told | {"type": "value_error"}])
    if ids and "requestBody" not in operation:
        told = {"loc": ("path", ids[0]), "msg": "Input should be greater than or equal to 1"}
        return RequestValidationError([told | {"type": "greater_than_equal"}])
    told = {"loc": ("body", "budget"), "msg": "Extra inputs are not permitted"}
    return RequestValidationError([told | {"type": "extra_forbidden"}])
