"""What a search looks into: an index of every three letters in a row, in each kind of database its own.

It holds the texts as they are compared (`crm_core.compared_texts`). On SQLite it is a table beside each kind
of record, which `crm_core.search` keeps in line. PostgreSQL keeps its index by itself.
"""

from sqlalchemy import DDL, Index, TableClause, column, event, table

from crm_core.models.base import Base, Record
from crm_core.models.company import Company
from crm_core.models.contact import Contact
from crm_core.models.lead import Lead
from crm_core.models.opportunity import Opportunity

SEARCHED: dict[type[Record], TableClause] = {
    Company: table("company_search", column("rowid"), column("folded_name"), column("folded_domain")),
    Contact: table(
        "contact_search",
        column("rowid"),
        *map(
            column,
            ("folded_name", "folded_email", "phone_digits", "folded_other_emails", "other_phone_digits"),
        ),
    ),
    Lead: table(
        "lead_search",
        column("rowid"),
        *map(column, ("folded_name", "folded_company_name", "folded_email", "phone_digits")),
    ),
    Opportunity: table("opportunity_search", column("rowid"), column("folded_name")),
}
"""The table on SQLite for each kind of record: its id, and the texts that people find it by."""


def texts_in(found: TableClause) -> list[str]:
    """The columns of such a table that hold texts."""
    return [each.name for each in found.columns if each.name != "rowid"]


def _statement(sql: str) -> DDL:
    return DDL(sql)  # type: ignore[no-untyped-call]  # it has no types of its own


def create_table(found: TableClause) -> DDL:
    """SQL for such a table, empty."""
    texts = ", ".join(texts_in(found))
    return _statement(
        f"CREATE VIRTUAL TABLE {found.name} USING"
        f" fts5({texts}, tokenize='trigram case_sensitive 1', columnsize=0)"
    )


def _index(model: type[Record], found: TableClause) -> Index:
    names = texts_in(found)
    return Index(
        f"ix_{model.__tablename__}_search",
        *(getattr(model, name) for name in names),
        postgresql_using="gin",
        postgresql_ops=dict.fromkeys(names, "gin_trgm_ops"),
    ).ddl_if(dialect="postgresql")


SERVER_INDEX = {model: _index(model, found) for model, found in SEARCHED.items()}
CREATE_EXTENSION = _statement("CREATE EXTENSION IF NOT EXISTS pg_trgm")

event.listen(Base.metadata, "before_create", CREATE_EXTENSION.execute_if(dialect="postgresql"))
for found in SEARCHED.values():
    event.listen(Base.metadata, "after_create", create_table(found).execute_if(dialect="sqlite"))
