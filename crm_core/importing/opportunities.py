"""Imports deals: all or nothing, each from its start to its close, and none twice."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from crm_core import history, permissions
from crm_core.database import Database, instant
from crm_core.errors import InvalidInput
from crm_core.importing.deals import Reading, read_deals
from crm_core.importing.histories import process_of, states_of
from crm_core.importing.mapping import Mapping
from crm_core.importing.plan import Newcomer, Plan, make_plan
from crm_core.importing.report import ImportReport
from crm_core.importing.table import name_of
from crm_core.models import Company, Contact, Opportunity, Outcome, Record, Source, User
from crm_core.schemas.settings import CloseReasonCreate
from crm_core.services import settings_service

BATCH = 5_000
"""How many deals are built at once, so that memory does not grow with their states."""

MOST_NEW_OWNERS, MOST_NEW_REASONS = 1_000, 200
"""What an import creates beside deals, companies and contacts: people choose from lists of these."""

LONGEST_LABEL = 100
"""Characters of a close reason; a longer one stays a note."""

IMPORT = "import deals"

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class TooManyNewOwners(InvalidInput):
    def __init__(self, count: int) -> None:
        super().__init__(
            f"The file names {count:,} owners who are not in the CRM; at most {MOST_NEW_OWNERS:,} can be"
            " created at once. Check which column the mapping takes for the owner."
        )


class TooManyNewReasons(InvalidInput):
    def __init__(self, count: int) -> None:
        super().__init__(
            f"The file has {count:,} close reasons that the workspace lacks; at most {MOST_NEW_REASONS:,} can"
            " be created at once. Import them as notes on their deals."
        )


def import_opportunities(
    database: Database,
    file: Path | bytes,
    mapping: Mapping,
    *,
    at: datetime | None = None,
    actor: int | None = None,
    dry_run: bool = False,
    leave_out_other_currencies: bool = False,
    create_close_reasons: bool = False,
) -> ImportReport:
    """Write the file's deals with their past, unless one row is refused; then nothing is written.

    A deal in another currency than the workspace's is refused, or left out if asked for: amounts of two
    currencies are never added. A close reason that the workspace does not have becomes a note on the deal,
    or is created if asked for; the report names them.

    Rows whose key is there already are passed over, so a second import changes nothing; the report warns of
    those that differ from the CRM. With `dry_run` nothing is written and the report tells what would be. `at`
    is the instant of the import, by default now. Raises `NeedsAdmin`, `UnreadableFile`, `TooManyNewOwners`
    and `TooManyNewReasons`.
    """
    with database.read(actor=actor, at=at) as session:
        permissions.require_admin(session, IMPORT)
        workspace, now = settings_service.get_workspace(session), instant(session)
    reading = read_deals(file, mapping, workspace, now, leave_out_other_currencies=leave_out_other_currencies)
    if dry_run or reading.refusals:
        with database.read(actor=actor, at=at) as session:
            plan = make_plan(session, mapping.source, reading)
            _require_few_choices(plan, create_close_reasons)
    else:
        with database.write(actor=actor, source=Source.IMPORT, at=at) as session:
            permissions.require_admin(session, IMPORT)  # still, after a long reading
            plan = make_plan(session, mapping.source, reading)
            _require_few_choices(plan, create_close_reasons)
            if plan.deals:
                if create_close_reasons:
                    _create_close_reasons(session, plan)
                _write(session, plan, mapping, name_of(file) if isinstance(file, Path) else "a file")
    return _report(name_of(file), reading, plan, dry_run=dry_run, creates_reasons=create_close_reasons)


def _write(session: Session, plan: Plan, mapping: Mapping, file: str) -> None:
    history.transaction_of(session).note = f"Imported {file}: {len(plan.deals):,} opportunities"
    _write_owners(session, plan.owners.newcomers.values())
    _write_newcomers(session, Company, plan.companies.newcomers.values())
    _write_newcomers(session, Contact, plan.contacts.newcomers.values())
    process = process_of(session, mapping.source, mapping.start_stage)
    first_id = history.next_id(session, Opportunity)
    for start in range(0, len(plan.deals), BATCH):
        batch = enumerate(plan.deals[start : start + BATCH], start=first_id + start)
        histories = (list(states_of(deal_id, planned, process)) for deal_id, planned in batch)
        history.insert_with_past(session, Opportunity, histories)


def _require_few_choices(plan: Plan, create_close_reasons: bool) -> None:
    if (owners := plan.owners.count.created) > MOST_NEW_OWNERS:
        raise TooManyNewOwners(owners)
    if create_close_reasons and (reasons := len(_new_reasons(plan))) > MOST_NEW_REASONS:
        raise TooManyNewReasons(reasons)


def _new_reasons(plan: Plan) -> list[tuple[Outcome, str]]:
    return [reason for reason in plan.reasons.unknown if len(reason[1]) <= LONGEST_LABEL]


def _create_close_reasons(session: Session, plan: Plan) -> None:
    for outcome, label in _new_reasons(plan):
        settings_service.create_close_reason(session, CloseReasonCreate(outcome=outcome, label=label))


def _write_owners(session: Session, owners: Iterable[Newcomer]) -> None:
    for owner in owners:
        email = owner.name if EMAIL.fullmatch(owner.name) else None
        session.add(User(id=owner.id, name=owner.name, email=email))
    session.flush()  # deals refer to them
    history.catch_up_sequence(session, User.__table__)


def _write_newcomers(session: Session, model: type[Record], newcomers: Iterable[Newcomer]) -> None:
    """Companies and contacts, there since the first deal that names them began."""
    columns = model.__table__.columns
    histories = []
    for newcomer in newcomers:
        row = {
            "id": newcomer.id,
            "name": newcomer.name,
            "created_at": newcomer.since.at,
            "valid_from_on": newcomer.since.day,
        }
        if "company_id" in columns:
            row["company_id"] = newcomer.company_id
        histories.append([(newcomer.since.at, row)])
    history.insert_with_past(session, model, histories)


def _report(file: str, reading: Reading, plan: Plan, *, dry_run: bool, creates_reasons: bool) -> ImportReport:
    return ImportReport(
        file=file,
        dry_run=dry_run,
        created=len(plan.deals),
        already_there=plan.already_there,
        companies=plan.companies.count,
        contacts=plan.contacts.count,
        owners=plan.owners.count,
        other_currencies=reading.other_currencies,
        new_close_reasons=_by_label(plan),
        reasons_to_create=len(_new_reasons(plan)),
        creates_close_reasons=creates_reasons,
        lost_without_reason=plan.reasons.lost_without,
        closed_without_stage=plan.closed_without_stage,
        refusals=reading.refusals,
        stopped_at=reading.stopped_at,
        warnings=[*reading.warnings, *plan.warnings()],
    )


def _by_label(plan: Plan) -> dict[str, int]:
    """How many deals were closed for each reason that the workspace lacks, the most frequent first."""
    found = Counter[str]()
    for (_, label), deals in plan.reasons.unknown.items():
        found[label] += deals
    return dict(found.most_common())
