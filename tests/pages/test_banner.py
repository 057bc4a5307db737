"""What stands above every screen."""

from datetime import timedelta

import pytest

from crm_core import check, clock

DASHBOARD, DEALS = "pages/insight/dashboard.py", "pages/sales/opportunities.py"


def warnings(page) -> list[str]:
    return [warning.value for warning in page.warning if "the clock says" in warning.value]


@pytest.mark.parametrize("path", [DASHBOARD, DEALS])
def test_a_wrong_clock_is_said_until_it_is_repaired(open_page, database, given, path):
    with given() as make:
        make.opportunity()
    assert warnings(open_page(path)) == []

    with database.write(at=clock.now() + timedelta(days=365)) as session:
        given_year = session.info["at"].year
        type(make)(session).opportunity()
    said = warnings(open_page(path))

    assert len(said) == 1
    assert str(given_year) in said[0]
    assert "python -m crm_core check --repair" in said[0]

    check.repair(database)
    assert warnings(open_page(path)) == []
