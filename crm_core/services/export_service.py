"""Whole lists as files for people: in words, with real numbers and days, however long."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import IO, Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_core import listing, permissions
from crm_core.errors import InvalidInput
from crm_core.exporting import Column, ExportFormat, Kind, write_csv_for_people, write_excel
from crm_core.filters import RecordFilter
from crm_core.models import CloseReason, Company, Contact, Lead, Opportunity, Record
from crm_core.schemas.company import CompanyResponse
from crm_core.schemas.contact import ContactResponse
from crm_core.schemas.fields import Schema
from crm_core.schemas.lead import LeadResponse
from crm_core.schemas.opportunity import OpportunityResponse
from crm_core.services import settings_service
from crm_core.sorting import Sort

R = TypeVar("R", bound=Record)

Progress = Callable[[int, int], None]
"""Told how many rows are written, of how many."""

RESPONSES: dict[type[Record], type[Schema]] = {
    Opportunity: OpportunityResponse,
    Lead: LeadResponse,
    Company: CompanyResponse,
    Contact: ContactResponse,
}

TITLES: dict[type[Record], str] = {
    Opportunity: "Opportunities",
    Lead: "Leads",
    Company: "Companies",
    Contact: "Contacts",
}

LONG_TEXT = 60

KEPT_BY_US = {
    "created_on": Column("Created on", Kind.DAY),
    "created_at": Column("Created", Kind.INSTANT),
    "updated_at": Column("Changed", Kind.INSTANT),
    "id": Column("ID", Kind.NUMBER),
}

COLUMNS: dict[type[Record], dict[str, Column]] = {
    Opportunity: {
        "name": Column("Name", width=40),
        "company_name": Column("Company"),
        "contact_name": Column("Contact"),
        "owner_name": Column("Owner"),
        "stage": Column("Stage", width=15),
        "expected_value": Column("Value", Kind.AMOUNT),
        "probability": Column("Probability", Kind.PERCENT),
        "expected_close_date": Column("Expected close", Kind.DAY),
        "next_step": Column("Next step"),
        "next_step_date": Column("Next step on", Kind.DAY),
        "source": Column("Source"),
        "actual_close_date": Column("Closed on", Kind.DAY),
        "close_reason_id": Column("Close reason"),
        "close_note": Column("Close note"),
        "description": Column("Description", width=LONG_TEXT),
        "stage_entered_on": Column("In stage since", Kind.DAY),
        **KEPT_BY_US,
    },
    Lead: {
        "name": Column("Name", width=32),
        "company_name": Column("Company"),
        "job_title": Column("Job title"),
        "email": Column("E-mail", width=32),
        "phone": Column("Phone", width=20),
        "status": Column("Status", width=14),
        "source": Column("Source"),
        "estimated_value": Column("Estimated value", Kind.AMOUNT),
        "owner_name": Column("Owner"),
        "description": Column("Description", width=LONG_TEXT),
        "converted_at": Column("Converted", Kind.INSTANT),
        **KEPT_BY_US,
    },
    Company: {
        "name": Column("Name", width=40),
        "website": Column("Website", width=32),
        "domain": Column("Domain"),
        "industry": Column("Industry"),
        "country": Column("Country"),
        "owner_name": Column("Owner"),
        "description": Column("Description", width=LONG_TEXT),
        **KEPT_BY_US,
    },
    Contact: {
        "name": Column("Name", width=32),
        "company_name": Column("Company"),
        "job_title": Column("Job title"),
        "email": Column("E-mail", width=32),
        "other_emails": Column("Other e-mails", width=32),
        "phone": Column("Phone", width=20),
        "other_phones": Column("Other phones", width=20),
        "owner_name": Column("Owner"),
        **KEPT_BY_US,
    },
}
"""What a file of each kind of record holds, by the field of its response, in this order."""


class NoSuchColumn(InvalidInput):
    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no column “{name}”. Choose from {', '.join(known)}.")


def export(
    session: Session,
    where: RecordFilter[R],
    sort: Sort,
    to: IO[bytes],
    *,
    format: ExportFormat,  # noqa: A002  # what people call it
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the whole filtered and sorted list into the file, which stays open; tells how many rows it has.

    The filter says which kind of record. `columns` are some of `COLUMNS`, by default all. Keys are told as
    what they stand for. `progress` is called inside the transaction. Raises `NoSuchColumn`.
    """
    permissions.actor_of(session)
    chosen = _chosen(where.model, columns)
    workspace = settings_service.get_workspace(session)
    rows = _Rows(session, where, sort, list(chosen), progress)
    if format is ExportFormat.CSV:
        write_csv_for_people(to, list(chosen.values()), rows, workspace=workspace)
    else:
        write_excel(to, list(chosen.values()), rows, workspace=workspace, title=TITLES[where.model])
    return rows.written


class _Rows:
    """The values of each row in turn, and how many there were so far."""

    def __init__(
        self,
        session: Session,
        where: RecordFilter[R],
        sort: Sort,
        fields: Sequence[str],
        progress: Progress | None,
    ) -> None:
        self.found = listing.every_row(session, where, sort, RESPONSES[where.model])
        self.fields = fields
        self.progress = progress or (lambda _written, _total: None)
        self.total = listing.count(session, where) if progress else 0
        self.reasons: dict[int, str] = dict(session.execute(select(CloseReason.id, CloseReason.label)).all())
        self.written = 0

    def __iter__(self) -> Iterator[list[Any]]:
        self.progress(0, self.total)
        for row in self.found:
            yield [self._told(field, getattr(row, field)) for field in self.fields]
            self.written += 1
            if self.written % listing.BATCH == 0 and self.written < self.total:
                self.progress(self.written, self.total)
        if self.written:
            self.progress(self.written, self.total)

    def _told(self, field: str, value: Any) -> Any:
        """The value in words."""
        if field == "close_reason_id":
            return self.reasons.get(value)
        return value.label if isinstance(value, StrEnum) else value  # type: ignore[attr-defined]


def _chosen(model: type[Record], columns: Sequence[str] | None) -> dict[str, Column]:
    known = COLUMNS[model]
    for name in columns or []:
        if name not in known:
            raise NoSuchColumn(name, list(known))
    return {name: known[name] for name in columns} if columns else known
