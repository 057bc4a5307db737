"""Who sends a form and leaves its screen in the same moment finds it saved, or hears why it is not."""

import pytest
from sqlalchemy import select
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from crm_core.models import Company, Contact, Lead, Note, Opportunity
from ui import messages

LEADS = "pages/sales/leads.py"
COMPANIES = "pages/sales/companies.py"


def leave_for(page: AppTest, path: str) -> None:
    """What was pressed, and the menu, before the server comes to either; then the screen that is there."""
    page_hash = page._resolve_page_hash(path)

    def start(runner: LocalScriptRunner) -> None:
        menu = RerunData(widget_states=WidgetStates(), page_script_hash=page_hash)
        runner._requests.request_rerun(menu)
        original(runner)

    original = LocalScriptRunner.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalScriptRunner, "start", start)
        page.run()
    assert not page.exception


def press(page: AppTest, label: str) -> None:
    next(each for each in page.button if each.label == label).click()


def fill(page: AppTest, label: str, text: str) -> None:
    next(each for each in page.text_input if each.label == label).input(text)


def toasts(page: AppTest) -> str:
    return " ".join(each.value for each in page.toast).replace("\\", "")


@pytest.mark.parametrize(
    ("path", "new", "create", "kind", "model"),
    [
        ("pages/sales/opportunities.py", "New deal", "Create deal", "opportunity", Opportunity),
        ("pages/sales/leads.py", "New lead", "Create lead", "lead", Lead),
        ("pages/sales/companies.py", "New company", "Create company", "company", Company),
        ("pages/sales/contacts.py", "New contact", "Create contact", "contact", Contact),
    ],
)
def test_what_is_created_is_saved_and_told(open_page, database, path, new, create, kind, model):
    page = open_page(path, **{kind: "new"})
    fill(page, "Name", "Solar roof")
    press(page, create)
    leave_for(page, "pages/sales/pipeline.py")

    with database.read() as session:
        assert [each.name for each in session.scalars(select(model))] == ["Solar roof"]
    assert [each.value for each in page.title] == ["Pipeline"]
    assert page.toast


def test_who_leaves_a_form_that_is_refused_hears_why_and_finds_what_was_typed(open_page, database):
    page = open_page("pages/sales/opportunities.py", opportunity="new")
    fill(page, "Next step", "Call Mia")
    press(page, "Create deal")
    leave_for(page, LEADS)

    assert toasts(page).startswith("Not saved: Name: This is needed.")
    page.run()
    assert not page.toast

    page.switch_page("pages/sales/opportunities.py")
    page.query_params["opportunity"] = "new"
    page.run()
    assert next(each.value for each in page.text_input if each.label == "Next step") == "Call Mia"
    with database.read() as session:
        assert not session.scalars(select(Opportunity)).all()


@pytest.mark.parametrize(
    ("path", "query", "opener", "create"),
    [
        ("pages/sales/opportunities.py", {"opportunity": "new"}, None, "Create deal"),
        ("pages/settings/reasons.py", {}, "Add a reason", "Add"),
    ],
)
def test_who_has_read_why_a_form_is_refused_does_not_hear_it_again(
    open_page, monkeypatch, path, query, opener, create
):
    page = open_page(path, **query)
    if opener:
        press(page, opener)
        page.run()
    press(page, create)
    page.run()
    assert not page.toast

    monkeypatch.setattr(messages, "TO_READ", 0.0)  # it has been on screen for long enough
    page.query_params.clear()
    page.switch_page(LEADS)
    page.run()
    assert not page.toast


def test_who_leaves_before_reading_why_a_form_is_refused_hears_it(open_page, monkeypatch):
    monkeypatch.setattr(messages, "TO_READ", 3_600.0)
    page = open_page("pages/sales/opportunities.py", opportunity="new")
    press(page, "Create deal")
    page.run()
    assert not page.toast

    page.query_params.clear()
    page.switch_page(LEADS)
    page.run()
    assert toasts(page).startswith("Not saved: Name: This is needed.")
    page.run()
    assert not page.toast


def test_what_is_changed_is_saved_and_told(open_page, database, given):
    with given() as make:
        company = make.company("Sun").id
    page = open_page(COMPANIES, company=str(company))
    page.session_state["company 1 tab"] = "Details"
    page.run()
    fill(page, "Industry", "Energy")
    press(page, "Save")
    leave_for(page, LEADS)

    with database.read() as session:
        assert session.get_one(Company, company).industry == "Energy"
    assert "Saved" in toasts(page)


def test_a_note_is_saved_and_told(open_page, database, given):
    with given() as make:
        lead = make.lead("Bob").id
    page = open_page(LEADS, lead=str(lead))
    page.session_state[f"lead {lead} tab"] = "Notes"
    page.run()
    page.text_area[0].input("Called")
    press(page, "Add note")
    leave_for(page, COMPANIES)

    with database.read() as session:
        assert [note.text for note in session.scalars(select(Note))] == ["Called"]
    assert "Note added" in toasts(page)


def test_a_setting_that_is_refused_is_told_and_there_again(open_page):
    page = open_page("pages/settings/reasons.py")
    press(page, "Add a reason")
    page.run()
    press(page, "Add")
    leave_for(page, LEADS)

    assert toasts(page).startswith("Not saved: ")
