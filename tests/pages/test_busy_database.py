"""Every screen is drawn while another process holds the write lock for long."""

from contextlib import closing

import pytest

from crm_core.config import PROJECT
from tests.databases import as_another_process
from ui.navigation import DRAWERS

SCREENS = sorted(str(file.relative_to(PROJECT)) for file in (PROJECT / "pages").rglob("*.py"))
BESIDE = "pages/sales/opportunities.py"

pytestmark = pytest.mark.both_databases


def test_every_screen_is_drawn(open_page, given, database, subtests):
    with given() as make:
        company = make.company().id
        person = make.contact(company_id=company).id
        there = {
            "company": company,
            "contact": person,
            "lead": make.lead().id,
            "opportunity": make.opportunity(company_id=company, contact_id=person).id,
        }
    addresses = [(screen, {}) for screen in SCREENS]
    addresses += [(BESIDE, {kind: str(there[kind])}) for kind in DRAWERS]
    another_process = as_another_process(database)
    with closing(another_process), another_process.write():
        for screen, query in addresses:
            with subtests.test(f"{screen} {query}"):
                page = open_page(screen, **query)

                assert page.title
                assert [said.value for said in page.error] == []
