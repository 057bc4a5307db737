"""Companies: their list, and the drawer of one with what it is worth, its people, and its twin."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from crm_core.models import Company, Contact, Opportunity, OpportunityStage
from crm_core.schemas.company import CompanyUpdate
from crm_core.schemas.contact import ContactUpdate
from crm_core.services import company_service, contact_service
from tests.pages import tables

COMPANIES = "pages/sales/companies.py"

HOSTILE = "**x** :red[y] <img src=x onerror=alert(1)> [a](javascript:alert(2))"


def of(database, model, **wanted):
    """The records that were not deleted."""
    with database.read() as session:
        found = list(session.scalars(select(model).filter_by(deleted_at=None, **wanted).order_by(model.id)))
        session.expunge_all()
    return found


def field(page, label):
    return next(each for each in [*page.text_input, *page.selectbox, *page.text_area] if each.label == label)


def press(page, label):
    next(each for each in page.button if each.label == label).click().run()
    assert not page.exception


def figures(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def said(page) -> str:
    return "\n".join(each.value for each in [*page.markdown, *page.caption])


def tab(page, label, company_id):
    page.session_state[f"company {company_id} tab"] = label
    page.run()


def test_says_what_to_do_when_there_is_nothing(open_page):
    page = open_page(COMPANIES)

    assert "No companies yet" in said(page)
    assert tables.data(page) is None


def test_shows_what_one_knows_of_each(open_page, given):
    with given() as make:
        ada = make.user("Ada").id
        make.company("Sun & Sons", domain="sun.example", industry="Energy", country="Chile", owner_id=ada)
        make.company("Bare")

    shown = {row.pop("Name"): row for row in tables.rows(open_page(COMPANIES))}

    sun = shown["Sun & Sons"]
    assert [sun[name] for name in ("Domain", "Industry", "Country", "Owner")] == [
        "sun.example",
        "Energy",
        "Chile",
        "Ada",
    ]
    assert [shown["Bare"][name] for name in ("Domain", "Industry", "Country", "Owner")] == ["–"] * 4


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"companies_search": "SUN.ex"}, ["Sun & Sons"]),
        ({"companies_owner": "42"}, ["Sun & Sons"]),
        ({"companies_industry": ["Energy"]}, ["Moon", "Sun & Sons"]),
        ({"companies_country": ["Chile"]}, ["Sun & Sons"]),
        ({"companies_industry": ["Energy"], "companies_country": ["Peru"]}, ["Moon"]),
    ],
)
def test_filters_from_the_address(open_page, given, query, found):
    with given() as make:
        ada = make.user("Ada", id=42).id
        make.company("Sun & Sons", domain="sun.example", industry="Energy", country="Chile", owner_id=ada)
        make.company("Moon", industry="Energy", country="Peru")
        make.company("Other", industry="Retail")

    page = open_page(COMPANIES, **query)

    assert tables.names(page) == found
    assert words_of(len(found)) in said(page)


def words_of(count: int) -> str:
    return f"**{count} {'company' if count == 1 else 'companies'}**"


def test_a_filter_that_matches_nothing_says_so(open_page, given):
    with given() as make:
        make.company()

    page = open_page(COMPANIES, companies_search="nowhere")

    assert "No company matches" in page.info[0].value


def test_a_click_on_a_head_sorts_the_whole_list(open_page, given):
    with given() as make:
        make.company("A", country="Peru")
        make.company("B", country="Chile")
        make.company("C")

    page = open_page(COMPANIES)
    tables.sort_by(page, "country")
    assert tables.names(page) == ["B", "A", "C"]

    tables.sort_by(page, "country")
    assert tables.names(page) == ["A", "B", "C"]


def test_a_click_on_a_row_opens_its_drawer(open_page, given):
    with given() as make:
        make.company("A", industry="Energy")
        other = make.company("B", industry="Retail").id

    page = open_page(COMPANIES)
    tables.open_row(page, other)

    assert "Retail" in said(page)
    assert "Overview" in [each.label for each in page.tabs]


def test_the_overview_adds_up_and_unknown_is_not_zero(open_page, given):
    with given() as make:
        sun, moon = make.company("Sun").id, make.company("Moon").id
        make.opportunity(company_id=sun, expected_value=Decimal(1000), stage=OpportunityStage.PROPOSAL)
        make.opportunity(company_id=sun, expected_value=Decimal(100), stage=OpportunityStage.NEGOTIATION)
        make.opportunity(company_id=sun)
        make.won(7000, company_id=sun)
        make.won(company_id=sun)
        make.lost(50, company_id=sun)
        make.opportunity(company_id=moon, expected_value=Decimal(9))

    page = open_page(COMPANIES, company=str(sun))

    assert figures(page) == {"Open deals": "$1,100", "Won": "$7,000"}
    told = said(page).replace("\\", "")
    assert "3 open deals, 1 without a value · weighted $575" in told
    assert "2 won deals, 1 without a value" in told
    assert [link.label for link in page.get("page_link")] == ["All 6 deals", "3 open deals", "2 won deals"]


def test_worth_is_a_dash_where_no_value_is_known(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        make.opportunity(company_id=sun)

    assert figures(open_page(COMPANIES, company=str(sun))) == {"Open deals": "–", "Won": "$0"}


def test_its_contacts_and_open_deals_are_a_click_away(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        ada = make.contact("Ada Lovelace", company_id=sun, job_title="Countess").id
        make.opportunity(name="Roof", company_id=sun)
        make.won(1, name="Old roof", company_id=sun)

    page = open_page(COMPANIES, company=str(sun))
    labels = [button.label for button in page.button]
    assert "Roof" in labels
    assert "Old roof" not in labels

    page.button(key=f"related contact {ada}").click().run()

    assert field(page, "Name").value == "Ada Lovelace"


def test_the_timeline_tells_of_all_that_belongs_to_it(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
        ada = make.contact("Ada", company_id=sun).id
        make.opportunity(name="Roof", company_id=sun)
    with database.write() as session:
        contact_service.update_contact(session, ada, ContactUpdate(job_title="Countess"))

    page = open_page(COMPANIES, company=str(sun))
    tab(page, "Timeline", sun)

    told = said(page).replace("\\", "")
    assert "contact “Ada”" in told.split("Countess")[0]
    assert "deal “Roof”" in told
    assert "company “Sun”" not in told


def test_the_timeline_shows_older_changes_on_request(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
    for number in range(60):
        with database.write() as session:
            company_service.update_company(session, sun, CompanyUpdate(country=f"Country {number:02}"))
    page = open_page(COMPANIES, company=str(sun))
    tab(page, "Timeline", sun)
    assert "Country 10" in said(page)
    assert "Country 08" not in said(page)

    press(page, "Show older")

    assert "Country: Country 00" in said(page)
    assert "Show older" not in [button.label for button in page.button]


def test_creates_one_and_shows_it(open_page, given, database):
    with given() as make:
        make.company("Other")
    page = open_page(COMPANIES)

    press(page, "New company")
    field(page, "Name").set_value("Sun & Sons")
    field(page, "Website").set_value("https://www.sun.example/roof")
    press(page, "Create company")

    (made,) = of(database, Company, name="Sun & Sons")
    assert made.domain == "sun.example"
    assert page.query_params["company"] == str(made.id)


def test_what_is_wrong_is_said_below_the_field_and_nothing_is_lost(open_page, given, database):
    with given() as make:
        make.company("Other")
    page = open_page(COMPANIES, company="new")

    field(page, "Country").set_value("Chile")
    field(page, "Website").set_value("not a website")
    press(page, "Create company")

    assert "This is needed." in said(page).replace("\\", "")
    assert field(page, "Country").value == "Chile"
    assert len(of(database, Company)) == 1


def test_changes_only_what_was_typed(open_page, given, database):
    with given() as make:
        sun = make.company("Sun", industry="Energy", country="Chile").id
    page = open_page(COMPANIES, company=str(sun))
    tab(page, "Details", sun)

    field(page, "Country").set_value("Peru").run()
    with database.write() as session:
        company_service.update_company(session, sun, CompanyUpdate(industry="Solar"))
    page.run()
    press(page, "Save")

    (now,) = of(database, Company)
    assert (now.country, now.industry) == ("Peru", "Solar")


def test_a_conflict_shows_both_values_and_keeps_what_was_typed(open_page, given, database):
    with given() as make:
        sun = make.company("Sun", country="Chile").id
    page = open_page(COMPANIES, company=str(sun))
    tab(page, "Details", sun)
    field(page, "Country").set_value("Peru").run()
    with database.write() as session:
        company_service.update_company(session, sun, CompanyUpdate(country="Cuba"))

    press(page, "Save")

    beside = page.table[0].value
    assert list(beside.iloc[0]) == ["Country", "Peru", "Cuba"]
    press(page, "Save mine")
    assert of(database, Company)[0].country == "Peru"


def test_one_that_is_in_use_is_not_deleted_and_says_why(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
        make.contact(company_id=sun)
    page = open_page(COMPANIES, company=str(sun))

    press(page, "Delete this company")

    assert "still has 1 contact" in page.toast[0].value.replace("\\", "")
    assert len(of(database, Company)) == 1


def test_deletes_after_asking_and_takes_it_back(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id
        make.company("Moon")
    page = open_page(COMPANIES, company=str(sun))

    press(page, "Delete this company")
    assert tables.names(page) == ["Moon"]

    press(page, "Undo")
    assert tables.names(page) == ["Moon", "Sun"]
    assert len(of(database, Company)) == 2


def begin_merge(page, company_id, other_id):
    page.text_input(key=f"merge company {company_id} search").set_value("o").run()
    page.selectbox(key=f"merge company {company_id} other").select(other_id).run()
    assert not page.exception


@pytest.fixture
def twins(given) -> tuple[int, int]:
    with given() as make:
        kept = make.company("Sol One", country="Chile").id
        merged = make.company("Sol Two", country="Peru", domain="sol.example", industry="Energy").id
        make.contact(company_id=merged)
        make.contact(company_id=merged)
        make.opportunity(company_id=merged)
        make.note(company_id=merged)
    return kept, merged


def test_a_merge_tells_what_moves_what_is_filled_and_what_is_given_up(open_page, twins):
    kept, merged = twins
    page = open_page(COMPANIES, company=str(kept))

    begin_merge(page, kept, merged)

    told = said(page).replace("\\", "")
    assert "2 contacts, 1 deal and 1 note" in told
    assert "**Filled in**: Domain: sol.example · Industry: Energy" in told
    assert "**Given up**: Name: Sol Two · Country: Peru" in told
    assert "“Sol Two” leaves every list, and “Sol One” stays. You can undo this right afterwards." in told


def test_makes_one_of_two_and_two_again(open_page, database, twins):
    kept, merged = twins
    page = open_page(COMPANIES, company=str(kept))
    begin_merge(page, kept, merged)

    press(page, "Merge into “Sol One”")

    (left,) = of(database, Company)
    assert (left.id, left.domain, left.country) == (kept, "sol.example", "Chile")
    assert {row.company_id for row in [*of(database, Contact), *of(database, Opportunity)]} == {kept}
    assert tables.names(page) == ["Sol One"]
    tab(page, "Notes", kept)
    assert "from “Sol Two”" in said(page).replace("\\", "")

    press(page, "Undo")

    assert {row.company_id for row in [*of(database, Contact), *of(database, Opportunity)]} == {merged}
    assert tables.names(page) == ["Sol One", "Sol Two"]
    tab(page, "Notes", kept)
    assert "from “Sol Two”" not in said(page).replace("\\", "")


def test_a_link_to_a_merged_company_opens_the_one_that_stands_for_it(open_page, database, twins):
    kept, merged = twins
    with database.write() as session:
        company_service.merge_companies(session, kept, merged)

    page = open_page(COMPANIES, company=str(merged))

    assert "company behind this link was merged into this one" in said(page)
    assert "behind this link" not in said(open_page(COMPANIES, company=str(kept)))


def test_the_other_one_may_be_the_one_that_stays(open_page, database, twins):
    kept, merged = twins
    page = open_page(COMPANIES, company=str(kept))
    begin_merge(page, kept, merged)

    page.radio[0].set_value(merged).run()
    press(page, "Merge into “Sol Two”")

    assert [company.id for company in of(database, Company)] == [merged]
    assert page.query_params["company"] == str(merged)


def test_a_merge_on_an_older_state_is_refused(open_page, database, twins):
    kept, merged = twins
    page = open_page(COMPANIES, company=str(kept))
    begin_merge(page, kept, merged)
    with database.write() as session:
        company_service.update_company(session, merged, CompanyUpdate(country="Cuba"))

    press(page, "Merge into “Sol One”")

    assert len(of(database, Company)) == 2
    assert "Sol Two" in page.error[0].value


def test_a_new_deal_and_a_new_contact_begin_with_the_company(open_page, given, database):
    with given() as make:
        sun = make.company("Sun").id

    page = open_page(COMPANIES, company=str(sun))
    press(page, "New contact")
    field(page, "Name").set_value("Ada")
    press(page, "Create contact")
    page = open_page(COMPANIES, company=str(sun))
    press(page, "New deal")
    field(page, "Name").set_value("Roof")
    press(page, "Create deal")

    assert [row.company_id for row in of(database, Contact)] == [sun]
    assert [row.company_id for row in of(database, Opportunity)] == [sun]


def test_a_contact_of_another_company_is_not_chosen_for_a_deal_that_begins_here(open_page, given):
    with given() as make:
        sun = make.company("Sun").id
        ada = make.contact("Ada", company_id=make.company("Moon").id).id
    page = open_page(COMPANIES, opportunity="new")
    field(page, "Name").set_value("Roof").run()
    field(page, "Contact").select(ada).run()

    page.query_params.pop("opportunity")
    page.query_params["company"] = str(sun)
    page.run()
    press(page, "New deal")

    assert [field(page, label).value for label in ("Name", "Company", "Contact")] == ["Roof", sun, None]


def test_a_company_that_is_gone_says_so(open_page, given):
    with given() as make:
        make.company()

    page = open_page(COMPANIES, company="999")

    assert page.error


def test_hostile_names_are_shown_as_typed(open_page, given):
    with given() as make:
        hostile = make.company(HOSTILE, industry=HOSTILE[:60])
        make.contact(HOSTILE, company_id=hostile.id, job_title=HOSTILE)
        make.opportunity(name=HOSTILE, company_id=hostile.id)

    page = open_page(COMPANIES, company=str(hostile.id))

    assert tables.names(page) == [HOSTILE]
    assert all("**x**" not in text for text in [said(page), *(button.label for button in page.button)])
