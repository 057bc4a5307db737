"""The example of docs/importing.md does what the page says."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from crm_core.database import Database
from crm_core.importing import Mapping, deals, import_opportunities, lookups, mapping, opportunities, table
from crm_core.importing.mapping import shipped_names
from crm_core.importing.report import Count
from tests.crm_core.importing.conftest import AT, all_deals

PAGE = (Path(__file__).parents[3] / "docs" / "importing.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_works(database: Database) -> None:
    mapping = Mapping.model_validate(tomllib.loads(blocks("toml")[0]))

    report = import_opportunities(database, blocks("csv")[0].encode(), mapping, at=AT)

    assert [(deal.name, deal.stage, deal.expected_value) for deal in all_deals(database)] == [
        ("Pump for Acme", "closed_won", Decimal("1234.50")),
        ("Valve for acme", "closed_lost", None),
        ("Pump", "proposal", None),
    ]
    assert (report.refusals, report.companies, report.owners) == ([], Count(created=1), Count(created=1))


def test_the_example_of_statuses_works(database: Database) -> None:
    first, second = map(tomllib.loads, blocks("toml"))
    columns = {"name": "Product", "closed": "To"} | second["columns"]
    changes = {"columns": columns, "zero_is_unknown": ["Quote"], "optional": []}
    mapping = Mapping.model_validate(first | second | changes)
    file = b"""Product;To;Status;Stage;Quote;Invoiced
Pump;15.03.2024;Yes;Offer;9,00;8,50
Valve;06.02.2024;No;Talking;0,00;
Pipe;;Running;Offer;7,00;
"""

    report = import_opportunities(database, file, mapping, at=AT)

    assert report.refusals == []
    assert [(deal.name, deal.stage, deal.expected_value) for deal in all_deals(database)] == [
        ("Pump", "closed_won", Decimal("8.50")),
        ("Valve", "closed_lost", None),
        ("Pipe", "proposal", Decimal("7.00")),
    ]


def test_every_mapping_that_comes_with_the_program_is_named() -> None:
    assert [name for name in shipped_names() if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    "limit",
    [
        deals.MOST_ROWS,
        deals.MOST_REFUSALS,
        lookups.MOST_ROWS,
        opportunities.MOST_NEW_OWNERS,
        opportunities.MOST_NEW_REASONS,
        table.LONGEST_ROW,
        table.MOST_COLUMNS,
        table.MOST_LINES,
        mapping.LARGEST_MAPPING,
    ],
)
def test_every_limit_is_named(limit: int) -> None:
    assert f"{limit:,}" in PAGE.rpartition("## Limits")[2]
