"""The example of docs/importing.md does what the page says."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path

from crm_core.database import Database
from crm_core.importing import Mapping, import_opportunities
from crm_core.importing.mapping import shipped_names
from crm_core.importing.report import Count
from tests.crm_core.importing.conftest import AT, all_deals

PAGE = (Path(__file__).parents[3] / "docs" / "importing.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_example_works(database: Database) -> None:
    mapping = Mapping.model_validate(tomllib.loads(block("toml")))

    report = import_opportunities(database, block("csv").encode(), mapping, at=AT)

    assert [(deal.name, deal.stage, deal.expected_value) for deal in all_deals(database)] == [
        ("Pump for Acme", "closed_won", Decimal("1234.50")),
        ("Valve for acme", "closed_lost", None),
        ("Pump", "proposal", None),
    ]
    assert (report.refusals, report.companies, report.owners) == ([], Count(created=1), Count(created=1))


def test_every_mapping_that_comes_with_the_program_is_named() -> None:
    assert [name for name in shipped_names() if f"`{name}`" not in PAGE] == []
