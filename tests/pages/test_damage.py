"""Once anything has met damage in the database, every screen says to stop."""

from crm_core import check
from tests.damaged import overwrite_a_page_of
from tests.pages.test_busy_database import SCREENS

BANNER = "The database is damaged"


def banners(page) -> int:
    return sum(BANNER in said.value for said in page.error)


def test_every_screen_says_so_whoever_met_it(filled, open_page, monkeypatch, subtests):
    monkeypatch.setenv("CRM_DATABASE_URL", filled.url.render_as_string(hide_password=False))
    page = open_page(SCREENS[0])
    assert banners(page) == 0
    overwrite_a_page_of(filled)

    check.begin(filled, whole=False).result(timeout=60)

    assert banners(page.run()) == 1
    for screen in SCREENS:
        with subtests.test(screen):
            assert banners(open_page(screen)) == 1


def test_a_screen_that_meets_it_itself_says_so_when_it_is_drawn_again(filled, open_page, monkeypatch):
    monkeypatch.setenv("CRM_DATABASE_URL", filled.url.render_as_string(hide_password=False))
    overwrite_a_page_of(filled, "opportunities")

    page = open_page("pages/sales/opportunities.py")
    assert "or it is damaged" in page.error[0].value

    assert banners(page.run()) == 1
