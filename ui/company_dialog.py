"""The drawer of one company: what it is worth, its deals and people, its fields, its past; of a new one."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from crm_core import listing
from crm_core.analytics.pipeline import ListTotals, list_totals
from crm_core.errors import CrmError
from crm_core.filters import CompanyFilter, ContactFilter, OpportunityFilter
from crm_core.models import Outcome
from crm_core.schemas.company import CompanyCreate, CompanyResponse, CompanyUpdate
from crm_core.services import company_service, contact_service
from ui import drawer, figures, opportunity_filters, words
from ui.data import actor, load, workspace
from ui.drawer import choices, duplicates, form, merge_form, notes, related, timeline
from ui.drawer.form import Form
from ui.drawer.merge_form import Merging
from ui.listing.addressed import exact_link

KIND = "company"
FIGURE_WIDTH = 220

LABELS = {
    "name": "Name",
    "website": "Website",
    "domain": "Domain",
    "industry": "Industry",
    "country": "Country",
    "description": "Description",
    "owner_id": "Owner",
}


def new_button() -> None:
    """Opens the form of a new company."""
    st.button(
        "New company",
        key="new company",
        icon=":material/add:",
        type="primary",
        on_click=drawer.open_new,
        args=(KIND, "company new"),
    )


def show(company_id: int | None) -> None:
    """The drawer of the company with that id, or of the one it was merged into; or the form for a new one."""
    if company_id is None:
        _new()
        return
    try:
        company = load(_standing, company_id)
    except CrmError as refusal:
        _missing(refusal)
        return
    name = words.literal(company.name, limit=80)
    draw = st.dialog(name, position="right", width=drawer.WIDTH, on_dismiss=drawer.close)(_company)
    draw(company.id, stands_in=company.id != company_id)


@st.dialog("New company", position="right", width=drawer.WIDTH, on_dismiss=drawer.close)
def _new() -> None:
    drawer.draw_screen_anew()
    draft = form.draft_of("company new", {"owner_id": actor()}, version=0)

    def save() -> None:
        drawer.create(
            draft, CompanyCreate, company_service.create_company, KIND, "The company is in your list."
        )

    _fields(Form(draft, workspace()))
    duplicates.show(KIND, draft)
    drawer.buttons(draft, save, "Create company")


@st.dialog("Company", position="right", on_dismiss=drawer.close)
def _missing(refusal: CrmError) -> None:
    drawer.gone(refusal)


def _company(company_id: int, *, stands_in: bool) -> None:
    drawer.begin()
    try:
        company = load(_told, company_id)
    except CrmError as refusal:
        drawer.gone(refusal)
        return
    if stands_in:
        merge_form.say_merged("company")
    _head(company)
    overview, details, past, written = st.tabs(
        ["Overview", "Details", "Timeline", "Notes"], key=f"company {company.id} tab", on_change="rerun"
    )
    with overview:
        if overview.open:
            _overview(company)
    with details:
        if details.open:
            _details(company)
    with past:
        if past.open:
            timeline.show_whole(KIND, company.id, company_service.get_whole_history)
    with written:
        if written.open:
            notes.show(KIND, company.id)


def _head(company: CompanyResponse) -> None:
    """What and where it is at a glance, and what can be done."""
    about = [company.industry, company.country, company.domain, company.owner_name]
    told = " · ".join(words.literal(each, limit=60) for each in about if each)
    st.markdown(told or ":gray[Nothing else is known of it yet.]")
    with st.container(horizontal=True):
        MERGING.button(company)
        drawer.asks_first(
            "Delete",
            f"“{words.literal(company.name, limit=80)}” leaves every list. It can be undone.",
            lambda: _delete(company),
            key=f"company {company.id} delete",
            icon=":material/delete:",
            confirm="Delete this company",
        )


def _overview(company: CompanyResponse) -> None:
    """What is open and what was won, the deals behind it, and the people."""
    own = frozenset({company.id})
    open_deals = OpportunityFilter(companies=own, is_open=True)
    opened = load(list_totals, open_deals)
    won = load(list_totals, OpportunityFilter(companies=own, outcomes=frozenset({Outcome.WON})))
    every = load(list_totals, OpportunityFilter(companies=own))
    with st.grid(2, min_column_width=FIGURE_WIDTH):
        _figures(opened, won)
    _deals(company, open_deals, opened, won, every)
    _contacts(company)


def _figures(opened: ListTotals, won: ListTotals) -> None:
    space = workspace()
    weighted = words.total(opened.weighted, space, deals=opened.deals, without_value=opened.without_value)
    counted = words.counted(opened.deals, opened.without_value, space, "open")
    figures.show(
        "Open deals",
        _worth(opened),
        note=f"{counted} · weighted {words.literal(weighted)}",
        meaning="The values of its open deals; weighted: value × probability of each, added up. Deals without"
        " a value are left out.",
    )
    figures.show(
        "Won",
        _worth(won),
        note=words.counted(won.deals, won.without_value, space, "won"),
        meaning="The values of the deals that were won, ever. Deals without a value are left out.",
    )


def _worth(totals: ListTotals) -> str:
    return words.total(totals.value, workspace(), deals=totals.deals, without_value=totals.without_value)


def _deals(
    company: CompanyResponse, where: OpportunityFilter, opened: ListTotals, won: ListTotals, every: ListTotals
) -> None:
    space = workspace()
    all_deals = OpportunityFilter(companies=where.companies)
    only_won = all_deals.model_copy(update={"outcomes": frozenset({Outcome.WON})})
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Open deals**", width="stretch")
        related.new_button("New deal", "opportunity", "deal new", _suggested(company))
    with st.container(gap="xxsmall"):
        if not opened.deals:
            st.caption("No open deal.")
        related.deals(where, opened.deals)
    with st.container(horizontal=True):
        _in_list(all_deals, f"All {words.deals(every.deals, space)}", every.deals)
        _in_list(where, words.deals(opened.deals, space, "open"), opened.deals)
        _in_list(only_won, words.deals(won.deals, space, "won"), won.deals)


def _in_list(where: OpportunityFilter, label: str, deals: int) -> None:
    """Leads to the list of exactly these deals."""
    if deals:
        opportunity_filters.link(where, label, icon=":material/table_rows:")


def _contacts(company: CompanyResponse) -> None:
    where = ContactFilter(companies=frozenset({company.id}))
    count = load(contact_service.count_contacts, where)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Contacts**", width="stretch")
        related.new_button("New contact", "contact", "contact new", _suggested(company))
    with st.container(gap="xxsmall"):
        for row in load(contact_service.get_rows, where, limit=related.SHOWN):
            related.link("contact", row.id, row.name, more=row.job_title or row.email)
        if not count:
            st.caption("Nobody yet.")
    if count > related.SHOWN:
        exact_link(
            "pages/sales/contacts.py",
            f"All {words.counted_as(count, workspace(), 'contact')}",
            "contacts",
            {"company": str(company.id)},
            icon=":material/contacts:",
        )


def _suggested(company: CompanyResponse) -> dict[str, object]:
    """What something new begins with that belongs to the company."""
    return {"company_id": company.id, "company_name": company.name}


def _details(company: CompanyResponse) -> None:
    now = company.model_dump()
    draft = form.draft_of(f"company {company.id}", now, company.version)

    def save(version: int | None = None) -> None:
        drawer.save(
            draft,
            CompanyUpdate,
            _update(company.id),
            "Saved.",
            told=lambda session: _told(session, company.id),
            version=version,
        )

    if form.is_overtaken(draft, now, company.version):
        drawer.conflict(draft, now, company.version, choices.say, save)
    _fields(Form(draft, workspace()))
    drawer.buttons(draft, save, "Save")


def _fields(fields: Form) -> None:
    """What it is, and where. For a new one, the fields that find duplicates are answered while typing."""
    live = fields.draft.is_new
    fields.text("name", LABELS["name"], limit=200, live=live)
    left, right = st.columns(2)
    with left:
        fields.text("website", LABELS["website"], limit=500, live=live, placeholder="https://www.example.com")
    with right:
        fields.text(
            "domain", LABELS["domain"], limit=253, live=live, placeholder="The website's, if left empty"
        )
    left, right = st.columns(2)
    with left:
        fields.text("industry", LABELS["industry"], limit=100)
    with right:
        fields.text("country", LABELS["country"], limit=100)
    choices.owner(fields)
    fields.long_text("description", LABELS["description"])


def _delete(company: CompanyResponse) -> None:
    if drawer.act(
        lambda session: company_service.delete_company(session, company.id, expected_version=company.version),
        f"“{words.literal(company.name, limit=60)}” is deleted.",
        once=("delete", KIND, company.id, company.version),
    ):
        form.forget(f"company {company.id}")
        drawer.close()


def _told(session: Session, company_id: int) -> CompanyResponse:
    return listing.told(session, company_service.get_company(session, company_id), CompanyResponse)


def _standing(session: Session, company_id: int) -> CompanyResponse:
    return listing.told(session, company_service.get_standing_company(session, company_id), CompanyResponse)


def _update(company_id: int) -> Callable[[Session, CompanyUpdate, int], object]:
    return lambda session, changes, version: company_service.update_company(
        session, company_id, changes, expected_version=version
    )


def _merge(session: Session, kept_id: int, merged_id: int, version: int, merged_version: int) -> None:
    company_service.merge_companies(
        session, kept_id, merged_id, expected_version=version, merged_expected_version=merged_version
    )


def _find(text: str) -> list[CompanyResponse]:
    return load(company_service.get_rows, CompanyFilter(text=text), limit=merge_form.OFFERED)


MERGING = Merging(
    kind=KIND,
    labels=LABELS,
    find=_find,
    describe=lambda company: company.domain or company.country,
    told=_told,
    preview=company_service.preview_merge,
    merge=_merge,
)
