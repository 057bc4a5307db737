"""The kept past of leads, opportunities, companies and contacts: one row for each state a record was in."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table

from crm_core.columns import UtcDateTime
from crm_core.models.base import Base, Record
from crm_core.models.company import Company
from crm_core.models.contact import Contact
from crm_core.models.lead import Lead
from crm_core.models.opportunity import Opportunity


def _versions_of(model: type[Record], name: str) -> Table:
    """Every column of the model, and from when to when (null: still) the record was like that.

    A record's versions are half-open, `[valid_from, valid_to)`, without gap or overlap.
    """
    tracked = [
        Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)
        for column in model.__table__.columns
    ]
    return Table(
        name,
        Base.metadata,
        *tracked,
        Column("valid_from", UtcDateTime, primary_key=True),
        Column("valid_to", UtcDateTime),
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

    __table__ = _versions_of(Opportunity, "opportunity_versions")


VERSIONS: dict[type[Record], Table] = {
    Company: CompanyVersion.__table__,
    Contact: ContactVersion.__table__,
    Lead: LeadVersion.__table__,
    Opportunity: OpportunityVersion.__table__,
}
