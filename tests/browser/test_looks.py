"""Every screen in every look: it is drawn, fits, can be read, names its controls, and is in reach of Tab.

A walk goes on after a finding, and shows at its end what was wrong at which of its stops.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from crm_core.database import Database
from crm_core.models import OpportunityStage
from tests import forms
from tests.browser.conftest import PHONE, WIDE, Look
from tests.browser.parts import drawer, fits, go, hard_to_read, unnamed_controls
from tests.builders import Make

LOOKS = {"wide-light": (WIDE, "light"), "phone-dark": (PHONE, "dark"), "wide-dark": (WIDE, "dark")}

TITLES = {
    "": "Dashboard",
    "opportunities": "Opportunities",
    "pipeline": "Pipeline",
    "leads": "Leads",
    "companies": "Companies",
    "contacts": "Contacts",
    "import": "Import deals",
    "workspace": "Workspace",
    "stages": "Stages",
    "reasons": "Close reasons",
    "people": "People and teams",
    "targets": "Targets",
}
"""What stands at the top of every screen, by its address."""

DEMO = {
    "": "Recent opportunities",
    "opportunities": "of 400 deals",
    "opportunities?opportunity=1": "Timeline",
    "pipeline": "Negotiation",
    "leads": "Edit in the table",
    "leads?lead=1": "Timeline",
    "leads?lead=new": "Create lead",
    "companies": "Columns",
    "companies?company=1": "Timeline",
    "contacts": "Columns",
    "contacts?contact=1": "Timeline",
    "import": "The demo deals are still here.",
    "workspace": "Language and region",
    "stages": "Probability, %",
    "reasons": "Add a reason",
    "people": "Add a person",
    "targets": "Set a target",
}
"""The stops with two years of deals, and what is read there."""

EMPTY = {
    "": "No opportunities yet",
    "opportunities": "No opportunities yet",
    "pipeline": "No opportunities yet",
    "leads": "No leads yet",
    "companies": "No companies yet",
    "contacts": "No contacts yet",
}
"""The stops while there is nothing, and what they say."""

LISTS = {"opportunity": "opportunities", "lead": "leads", "company": "companies", "contact": "contacts"}
"""Each kind of record, and the screen that lists it."""

IS_FOCUS_SEEN = """() => {
    const { activeElement, body } = document
    const isSeen = activeElement !== body && activeElement.checkVisibility({ visibilityProperty: true })
    activeElement.blur() // or the next screen is shown with the focus of this one
    return isSeen
}"""


class Walk:
    """Notes at each stop what is wrong there."""

    def __init__(self, seen: Look, look_name: str) -> None:
        self.seen = seen
        self.look_name = look_name
        self.findings: list[str] = []

    def visit(self, path: str, text: str, what: str = "demo") -> None:
        """Look at a screen, or where the address names a record, at its drawer; the text is read there."""
        name = f"{what}-{re.sub('[?=]', '-', path) or 'dashboard'}"
        try:
            go(self.seen, path, TITLES[path.partition("?")[0]])
            self.wait_for(path, text)
        except AssertionError as late:
            self.findings.append(f"{name}: {str(late).partition('Call log')[0]}")
        self.look_at(name)

    def wait_for(self, path: str, text: str) -> None:
        page = self.seen.page
        if "?" in path:
            expect(drawer(page).get_by_text(text).first).to_be_visible()
            self.seen.settle()
        else:
            expect(drawer(page)).to_have_count(0)
            expect(page.get_by_test_id("stMain").get_by_text(text).first).to_be_visible()

    def look_at(self, name: str) -> None:
        self.seen.screenshot(f"{self.look_name}-{name}")
        self.findings += [f"{name}: {each}" for each in (*whats_wrong(self.seen), *self.said_behind())]

    def said_behind(self) -> Iterator[str]:
        """What the browser complained of since it was last asked, and what was fetched from elsewhere."""
        for each in (self.seen.complaints, self.seen.foreign):
            yield from each
            each.clear()

    def end(self) -> None:
        findings = [*self.findings, *self.said_behind()]
        assert not findings, "\n".join(findings)


def whats_wrong(seen: Look) -> Iterator[str]:
    page = seen.page
    if page.get_by_test_id("stException").count():
        yield "it shows an exception"
    if page.get_by_text("Something went wrong").count():
        yield "it shows an incident"
    if page.get_by_text("Page not found").count():
        yield "there is no such page"
    if not fits(seen):
        yield "something is wider than the window"
    yield from (f"is hard to read: {each}" for each in hard_to_read(page))
    yield from (f"has no name: {each}" for each in unnamed_controls(page))
    tops = [each.bounding_box()["y"] for each in page.locator("section.column:not(.folded) .cards").all()]
    if tops and max(tops) - min(tops) >= 1:
        yield f"the first cards are not level: {tops}"
    page.keyboard.press("Tab")
    if not page.evaluate(IS_FOCUS_SEEN):
        yield "Tab leads to nothing that is seen"


@pytest.mark.parametrize("look_name", LOOKS)
def test_two_years_of_deals_are_drawn_well_on_every_screen(look, demo_address, look_name):
    size, scheme = LOOKS[look_name]
    walk = Walk(look(demo_address, size=size, scheme=scheme), look_name)

    for path, text in DEMO.items():
        walk.visit(path, text)
    walk.end()


@pytest.mark.parametrize("look_name", forms.either(["wide-light", "phone-dark"], list(LOOKS)))
def test_empty_bare_and_long_are_drawn_well_on_every_screen(look, address, database, look_name):
    size, scheme = LOOKS[look_name]
    walk = Walk(look(address, size=size, scheme=scheme), look_name)
    for path, sentence in EMPTY.items():
        walk.visit(path, sentence, "empty")

    bare, long = bare_and_long(database)
    for kind, screen in LISTS.items():
        walk.visit(screen, "WWWW", "long")
        walk.visit(f"{screen}?{kind}={bare[kind]}", "Bare", "bare")
        walk.visit(f"{screen}?{kind}={long[kind]}", "WWWW", "long")
        if kind == "opportunity":
            drawer(walk.seen.page).get_by_role("tab", name="Related").click()
            walk.seen.settle()
            walk.look_at("long-related")
    for path in ("pipeline", ""):
        walk.visit(path, "WWWW", "long")
    walk.end()


def bare_and_long(database: Database) -> tuple[dict[str, int], dict[str, int]]:
    """Of each kind a record that says nothing but its name, and one that says too much; their ids."""
    longwinded, endless = ("Longwinded & Sons " * 11).strip(), "W" * 200
    with database.write() as session:
        make = Make(session)
        bare = {kind: getattr(make, kind)(name="Bare").id for kind in LISTS}
        owner = make.user(longwinded).id
        company = make.company(longwinded).id
        contact = make.contact(longwinded, company_id=company).id
        deal = make.opportunity(
            name=endless,
            company_id=company,
            owner_id=owner,
            contact_id=contact,
            expected_value=Decimal("999999999999.99"),
            expected_close_date=date(2020, 1, 31),
            next_step=longwinded,
            stage=OpportunityStage.NEGOTIATION,
        )
        lead = make.lead(endless, company_name=longwinded, source=longwinded[:100], owner_id=owner)
        return bare, {
            "opportunity": deal.id,
            "lead": lead.id,
            "company": make.company(endless, owner_id=owner).id,
            "contact": make.contact(endless, company_id=company, owner_id=owner).id,
        }
