"""A small mapping, and a way to import a few lines with it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Row, select

from crm_core.database import Database
from crm_core.importing import ImportReport, Mapping, import_opportunities
from crm_core.models import Base, Company, Opportunity, OpportunityVersion, User

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

HEADER = "key,title,customer,seller,state,worth,from,to"

SMALL = {
    "source": "old",
    "columns": {
        "external_id": "key",
        "name": "title",
        "company": "customer",
        "owner": "seller",
        "stage": "state",
        "expected_value": "worth",
        "created": "from",
        "closed": "to",
    },
    "stages": {"Open": "proposal", "Won": "closed_won", "Lost": "closed_lost"},
}

GOOD = "G1,Pump,Acme,Rita Rep,Open,10,2024-01-02,"

PORTUGUESE = Mapping.model_validate(
    {
        "source": "ptbr",
        "columns": {
            "external_id": "id_oportunidade",
            "name": "Oportunidade {id_oportunidade}",
            "company": "id_empresa",
            "owner": "id_vendedor",
            "stage": "estagio",
            "expected_value": "valor",
            "created": "data",
            "closed": "data",
        },
        "stages": {
            "Lead": "qualification",
            "Pipeline": "discovery",
            "Commit": "negotiation",
            "Closed": "closed_won",
        },
        "lookups": {
            "company": {"file": "empresas.csv", "key": "id_empresa", "value": "nome_empresa"},
            "owner": {"file": "vendedores.csv", "key": "id_vendedor", "value": "nome_vendedor"},
        },
    }
)
"""What the columns of the Brazilian pipeline in the shared data mean."""

ImportLines = Callable[..., ImportReport]
Tables = dict[str, list[tuple[Any, ...]]]


def small_mapping(**changes: Any) -> Mapping:
    return Mapping.model_validate(SMALL | changes)


def with_columns(**columns: Any) -> Mapping:
    return small_mapping(columns=SMALL["columns"] | columns)  # type: ignore[operator]


def as_file(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


@pytest.fixture
def import_lines(database: Database) -> ImportLines:
    """Imports lines below the small mapping's header."""

    def import_lines(
        *lines: str, mapping: Mapping | None = None, header: str = HEADER, at: datetime = AT, **options: Any
    ) -> ImportReport:
        file = as_file(*lines, header=header)
        return import_opportunities(database, file, mapping or small_mapping(), at=at, **options)

    return import_lines


def every_row(database: Database) -> Tables:
    """What is in the database, table by table."""
    with database.read() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def all_deals(database: Database) -> Sequence[Row[Any]]:
    """The live deals in the order of the file."""
    with database.read() as session:
        return session.execute(select(Opportunity.__table__).order_by(Opportunity.id)).all()


def states_of(database: Database, name: str) -> Sequence[Row[Any]]:
    """The states that a deal was in, oldest first."""
    versions = OpportunityVersion.__table__
    with database.read() as session:
        chosen = select(versions).where(versions.c.name == name).order_by(versions.c.valid_from)
        return session.execute(chosen).all()


def names_of(database: Database, model: type[Company] | type[User]) -> dict[int, str]:
    """The names of companies or users by their ids."""
    with database.read() as session:
        return {row.id: row.name for row in session.execute(select(model.id, model.name))}
