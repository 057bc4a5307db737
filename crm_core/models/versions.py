"""The kept past of leads, opportunities, companies and contacts: one row for each state a record was in."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    FromClause,
    Index,
    Table,
    func,
    literal_column,
)

from crm_core.columns import UtcDateTime, stored_enum
from crm_core.models.base import Base, Record
from crm_core.models.company import Company
from crm_core.models.contact import Contact
from crm_core.models.lead import Lead
from crm_core.models.opportunity import Opportunity

NEVER: ColumnElement[datetime] = literal_column("'9999-12-31 23:59:59.999999+00'")
"""The end of a state that is still so. No parameter, for the indexes have it."""


def valid_until(versions: FromClause) -> ColumnElement[datetime]:
    """SQL: when a state ended, later than any instant where it is still so; as the indexes have it.

    To compare with, not to be read: that later one is no instant of SQLite's.
    """
    return func.coalesce(versions.c.valid_to, NEVER, type_=versions.c.valid_to.type)


class Assumed(StrEnum):
    """What is not known of an open state that an import wrote for a closed deal."""

    STAGE = "stage"
    """The stage itself: the file had none."""
    ENTRY = "entry"
    """When the deal came into its stage: the file had only the stage."""


def _versions_of(model: type[Record], name: str, *more: Column[Any]) -> Table:
    """Every column of the model, `more`, and from when to when (null: still) the record was like that.

    A record's versions are half-open, `[valid_from, valid_to)`, without gap or overlap. `valid_from_on` is
    the day that a state holds from where the time is not known: `valid_from` follows from it in the
    workspace's time zone (`crm_core.dated`).
    """
    tracked = [
        Column(
            column.name,
            column.type,
            primary_key=column.primary_key,
            nullable=column.nullable,
            info=column.info,
        )
        for column in model.__table__.columns
    ]
    return Table(
        name,
        Base.metadata,
        *tracked,
        *more,
        Column("valid_from", UtcDateTime, primary_key=True),
        Column("valid_to", UtcDateTime),
        Column("valid_from_on", Date),
        Column("transaction_id", ForeignKey("transactions.id"), nullable=False, index=True),
        CheckConstraint("valid_from < valid_to", "lasts_a_while"),
        Index(
            f"uq_{name}_current",
            "id",
            unique=True,
            sqlite_where=Column("valid_to").is_(None),
            postgresql_where=Column("valid_to").is_(None),
        ),
    )


class CompanyVersion(Base):
    """A company as it was for a while."""

    __table__ = _versions_of(Company, "company_versions")


class ContactVersion(Base):
    """A contact as it was for a while."""

    __table__ = _versions_of(Contact, "contact_versions")


class LeadVersion(Base):
    """A lead as it was for a while."""

    __table__ = _versions_of(Lead, "lead_versions")


class OpportunityVersion(Base):
    """An opportunity as it was for a while."""

    __table__ = _versions_of(
        Opportunity, "opportunity_versions", Column("assumed", stored_enum(Assumed, "assumed"))
    )


_STATE = OpportunityVersion.__table__.c

AS_IT_IS = ["valid_to"]
"""What PostgreSQL needs beside an expression with it, to leave the table alone."""

Index(
    "ix_opportunity_versions_open",
    valid_until(OpportunityVersion.__table__),
    _STATE.valid_from,
    _STATE.stage,
    _STATE.probability,
    _STATE.expected_value,
    _STATE.expected_close_date,
    _STATE.deleted_at,
    _STATE.owner_id,
    _STATE.closed_at,
    sqlite_where=_STATE.closed_at.is_(None),
    postgresql_where=_STATE.closed_at.is_(None),
    postgresql_include=AS_IT_IS,
)
"""What was open on a day and what it was worth, without a look at the states that had ended by then."""

Index(
    "ix_opportunity_versions_closed",
    _STATE.stage,
    _STATE.actual_close_date,
    valid_until(OpportunityVersion.__table__),
    _STATE.valid_from,
    _STATE.created_on,
    _STATE.expected_value,
    _STATE.close_reason_id,
    _STATE.deleted_at,
    _STATE.credited_owner_id,
    sqlite_where=_STATE.actual_close_date.is_not(None),
    postgresql_where=_STATE.actual_close_date.is_not(None),
    postgresql_include=AS_IT_IS,
)
"""What had been won and lost in some days, as known on another."""

Index(
    "ix_opportunity_versions_stays",
    _STATE.stage_entered_at,
    _STATE.id,
    _STATE.stage,
    _STATE.valid_from,
    _STATE.valid_to,
    _STATE.closed_at,
    _STATE.owner_id,
    _STATE.stage_entered_on,
    _STATE.transaction_id,
    _STATE.assumed,
)
"""Which stages deals came into in some days, how long they stayed, and how they left."""

VERSIONS: dict[type[Record], Table] = {
    Company: CompanyVersion.__table__,
    Contact: ContactVersion.__table__,
    Lead: LeadVersion.__table__,
    Opportunity: OpportunityVersion.__table__,
}
