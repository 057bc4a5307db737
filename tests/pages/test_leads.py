"""The screen of leads: its list, its drawer, and what a conversion would make."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import select

from crm_core import history
from crm_core.models import LOCAL_USER_ID, Lead, LeadStatus, Opportunity, OpportunityStage
from crm_core.schemas.lead import LeadUpdate
from crm_core.services import lead_service, opportunity_service
from tests.pages import tables
from ui.words import NOTHING

LEADS = "pages/sales/leads.py"


def newest(database):
    """The last transaction."""
    with database.read() as session:
        return history.newest(session)[0]


def button(page, label):
    """The one with that label."""
    (found,) = [each for each in page.button if each.label == label]
    return found


def texts(page) -> str:
    """Every text that is Markdown, one below the other."""
    return "\n".join(each.value for each in (*page.markdown, *page.caption))


def plain(text: str) -> str:
    """A label as it is read: without what makes it literal or grey."""
    return re.sub(r":gray\[(.*)(?<!\\)\]$", r"\1", text).replace("\\", "").replace(NOTHING, "")


def type_in(page, label: str, text: str):
    """Write into the field with that label."""
    (field,) = [each for each in (*page.text_input, *page.text_area) if each.label == label]
    field.set_value(text).run()


def status_of(page):
    """The drawer's buttons for the status."""
    return page.segmented_control[0]


def popovers(page):
    """Every button that opens something."""
    return page.get("popover")


def select_all(page):
    """Tick that all are meant."""
    (check,) = [each for each in page.checkbox if each.label.startswith("All ")]
    check.check().run()


def open_convert(page, lead: Lead):
    """Click on Convert, which AppTest can't."""
    page.session_state[f"convert {lead.id} {lead.version}"] = True
    page.run()


def lead_of(database, lead_id: int) -> Lead:
    with database.read() as session:
        found = session.get_one(Lead, lead_id)
        session.expunge(found)
        return found


def test_says_what_to_do_when_there_is_none(open_page):
    page = open_page(LEADS)

    assert "No leads yet" in page.markdown[0].value
    assert "New lead" in page.markdown[1].value
    assert tables.data(page) is None
    assert button(page, "New lead")


def test_shows_each_lead_with_what_a_rep_needs(open_page, given):
    with given() as make:
        make.lead(
            "Ada Lovelace",
            company_name="Sun & Sons",
            email="ada@sun.example",
            phone="(555) 0100",
            source="Web",
            status=LeadStatus.CONTACTED,
            estimated_value=Decimal("1234.50"),
            owner_id=make.user("Rita").id,
            created_at=datetime(2026, 3, 18, 12, tzinfo=UTC),
            updated_at=datetime(2026, 3, 20, 12, tzinfo=UTC),
        )

    (row,) = tables.rows(open_page(LEADS))

    assert row == {
        "Name": "Ada Lovelace",
        "Company": "Sun & Sons",
        "Status": "Contacted",
        "Source": "Web",
        "Owner": "Rita",
        "E-mail": "ada@sun.example",
        "Phone": "(555) 0100",
        "Estimated value": "$1,234.50",
        "Created": "Mar 18, 2026",
        "Last change": row["Last change"],
    }


def test_what_is_unknown_is_a_dash(open_page, given):
    with given() as make:
        make.lead()

    (row,) = tables.rows(open_page(LEADS))

    unknown = ("Company", "Source", "Owner", "E-mail", "Phone", "Estimated value")
    assert [row[name] for name in unknown] == ["–"] * 6


def test_each_status_has_a_badge_in_its_colour(open_page, given):
    with given() as make:
        for status in LeadStatus:
            at = datetime(2026, 3, 1, tzinfo=UTC) if status is LeadStatus.CONVERTED else None
            deal = make.opportunity().id if at else None
            make.lead(status=status, converted_at=at, opportunity_id=deal)

    assert tables.colors(open_page(LEADS), "status") == {
        "New": "blue",
        "Contacted": "violet",
        "Qualified": "orange",
        "Unqualified": "gray",
        "Converted": "green",
    }


def test_filters_come_from_the_address_and_say_what_is_on(open_page, given):
    with given() as make:
        make.lead("Ada", company_name="ÜBER roofs", source="Web", owner_id=LOCAL_USER_ID)
        make.lead("Bob", email="bob@uber.example", source="Fair", status=LeadStatus.QUALIFIED)
        rita = make.user("Rita").id
        make.lead("Cid", owner_id=rita, created_at=datetime(2020, 5, 5, tzinfo=UTC))

    assert tables.names(open_page(LEADS, leads_search="roofs uber")) == ["Ada"]
    assert tables.names(open_page(LEADS, leads_search="UBER.EX")) == ["Bob"]
    assert tables.names(open_page(LEADS, leads_status=["qualified"])) == ["Bob"]
    assert tables.names(open_page(LEADS, leads_source=["Fair"])) == ["Bob"]
    assert tables.names(open_page(LEADS, leads_owner=[str(rita)])) == ["Cid"]
    assert tables.names(open_page(LEADS, leads_created_to="2021-01-01")) == ["Cid"]
    page = open_page(LEADS, leads_only=["mine"])
    assert tables.names(page) == ["Ada"]
    assert "**1 lead**" in texts(page)

    button(page, "Mine").click().run()
    assert sorted(tables.names(page)) == ["Ada", "Bob", "Cid"]


def test_a_filter_that_matches_nothing_says_so_and_is_cleared(open_page, given):
    with given() as make:
        make.lead()

    page = open_page(LEADS, leads_search="nowhere")
    assert "No lead matches" in page.info[0].value

    button(page, "Clear the filters").click().run()
    assert len(tables.rows(page)) == 1


def test_a_click_on_a_head_sorts_the_whole_list_and_unknown_values_come_last(open_page, given):
    with given() as make:
        make.lead("Unknown")
        make.lead("Small", estimated_value=Decimal(1))
        make.lead("Big", estimated_value=Decimal(9))
    page = open_page(LEADS)

    tables.sort_by(page, "estimated_value")
    assert tables.names(page) == ["Big", "Small", "Unknown"]
    tables.sort_by(page, "estimated_value")
    assert tables.names(page) == ["Small", "Big", "Unknown"]
    tables.sort_by(page, "name")
    assert tables.names(page) == ["Big", "Small", "Unknown"]


def test_a_page_of_the_list_is_not_the_list(open_page, given):
    with given() as make:
        for number in range(120):
            make.lead(f"Lead {number:03}")
    page = open_page(LEADS, leads_sort="name")
    assert "**120 leads**" in texts(page)

    page.get("pagination")[0].set_value(3).run()

    assert tables.names(page)[0] == "Lead 100"
    assert "101–120 of 120 leads" in texts(page)


def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_made(open_page, database):
    page = open_page(LEADS, lead="new")
    type_in(page, "E-mail", "ada at sun")
    type_in(page, "Estimated value (USD)", "12 apples")

    button(page, "Create lead").click().run()

    told = plain(texts(page))
    assert "This is needed." in told
    assert "Write an amount like 1,234.50" in told
    assert "e-mail" in told
    with database.read() as session:
        assert lead_service.count_leads(session) == 0


def test_the_drawer_saves_what_was_changed_and_nothing_else(open_page, given, database):
    with given() as make:
        make.lead("Ada", phone="555 0100", company_name="Sun")
    page = open_page(LEADS, lead="1")

    type_in(page, "Job title", "Countess")
    type_in(page, "Phone", "")
    with database.write() as session:
        lead_service.update_lead(session, 1, LeadUpdate(source="Web"))
    button(page, "Save").click().run()

    lead = lead_of(database, 1)
    assert (lead.job_title, lead.phone, lead.company_name, lead.source) == ("Countess", None, "Sun", "Web")
    assert tables.rows(page)[0]["Phone"] == "–"


def test_two_who_change_the_same_see_both(open_page, given, database):
    with given() as make:
        make.lead("Ada")
    page = open_page(LEADS, lead="1")
    type_in(page, "Job title", "Mine")
    with database.write() as session:
        lead_service.update_lead(session, 1, LeadUpdate(job_title="Theirs"))

    button(page, "Save").click().run()

    (both,) = page.table[0].value.to_dict("records")
    assert both == {"Field": "Job title", "Yours": "Mine", "Saved meanwhile": "Theirs"}
    assert lead_of(database, 1).job_title == "Theirs"
    button(page, "Save mine").click().run()
    assert lead_of(database, 1).job_title == "Mine"


def test_a_click_on_a_status_sets_it_in_any_direction(open_page, given, database):
    with given() as make:
        make.lead("Ada")
    page = open_page(LEADS, lead="1")
    assert status_of(page).value is LeadStatus.NEW

    for status in (LeadStatus.QUALIFIED, LeadStatus.CONTACTED, LeadStatus.UNQUALIFIED, LeadStatus.NEW):
        status_of(page).set_value(status).run()
        assert lead_of(database, 1).status is status
        assert status_of(page).value is status
        assert tables.rows(page)[0]["Status"] == status.label

    page.button(key=f"undo {newest(database)} inside").click().run()
    assert lead_of(database, 1).status is LeadStatus.UNQUALIFIED


def test_a_status_on_an_older_state_is_refused_and_shown_as_it_is(open_page, given, database):
    with given() as make:
        make.lead("Ada")
    page = open_page(LEADS, lead="1")
    with database.write() as session:
        lead_service.update_lead(session, 1, LeadUpdate(status=LeadStatus.CONTACTED))

    status_of(page).set_value(LeadStatus.QUALIFIED).run()

    assert "was changed meanwhile" in plain(page.toast[0].value)
    assert lead_of(database, 1).status is LeadStatus.CONTACTED
    assert status_of(page).value is LeadStatus.CONTACTED


def test_only_a_qualified_lead_can_be_converted(open_page, given):
    with given() as make:
        deal = make.opportunity(name="Sun roof").id
        for status in LeadStatus:
            at = datetime(2026, 3, 1, tzinfo=UTC) if status is LeadStatus.CONVERTED else None
            make.lead(status=status, converted_at=at, opportunity_id=deal if at else None)

    can_convert = {}
    for lead_id, status in enumerate(LeadStatus, start=1):
        page = open_page(LEADS, lead=str(lead_id))
        can_convert[status] = any(popover.proto.popover.label == "Convert" for popover in popovers(page))

    assert can_convert == {status: status is LeadStatus.QUALIFIED for status in LeadStatus}


def test_a_conversion_says_what_it_makes_and_opens_the_deal(open_page, given, database):
    with given() as make:
        company = make.company("Sun & Sons", domain="sun.example").id
        make.contact("Ada Lovelace", company_id=company, email="ada@sun.example")
        make.lead(
            "Ada Lovelace",
            email="ada@sun.example",
            company_name="Sun",
            status=LeadStatus.QUALIFIED,
            estimated_value=Decimal(500),
        )
    page = open_page(LEADS, lead="1")

    open_convert(page, lead_of(database, 1))
    told = plain(texts(page))
    assert "Company: **Sun & Sons** :gray[(known already: same e-mail address)]" in told
    assert "Contact: **Ada Lovelace** :gray[(known already: same e-mail address)]" in told
    assert "Deal: **Sun** :gray[(new)], in qualification, worth $500" in told

    button(page, "Convert to a deal").click().run()

    assert "lead" not in page.query_params
    assert page.query_params["opportunity"] == "1"
    with database.read() as session:
        deal = session.get_one(Opportunity, 1)
        assert (deal.name, deal.company_id, deal.expected_value) == ("Sun", company, 500)
    assert lead_of(database, 1).status is LeadStatus.CONVERTED

    page.button(key=f"undo {newest(database)} inside").click().run()
    assert lead_of(database, 1).status is LeadStatus.QUALIFIED


def test_a_conversion_takes_what_was_chosen(open_page, given, database):
    with given() as make:
        company = make.company("Sun & Sons", domain="sun.example").id
        make.lead("Ada", email="ada@sun.example", status=LeadStatus.QUALIFIED, estimated_value=Decimal(500))
    page = open_page(LEADS, lead="1")
    open_convert(page, lead_of(database, 1))

    type_in(page, "Value (USD)", "nonsense")
    assert "Value: Write an amount like" in plain(page.error[0].value)
    assert not [each for each in page.button if each.label == "Convert to a deal"]

    type_in(page, "Value (USD)", "$1,250.50")
    type_in(page, "Deal", "Roof of the south wing")
    (another,) = [each for each in page.checkbox if "another company" in each.label]
    another.check().run()
    told = plain(texts(page))
    assert re.search(r"Company: \*\*[^*]+\*\* :gray\[\(new\)\]", told)
    assert "Deal: **Roof of the south wing** :gray[(new)], in qualification, worth $1,250.50" in told
    button(page, "Convert to a deal").click().run()

    with database.read() as session:
        (deal,) = session.scalars(select(Opportunity))
        assert (deal.name, deal.expected_value) == ("Roof of the south wing", Decimal("1250.50"))
        assert deal.company_id != company


def test_a_lead_joins_an_open_deal_of_its_company(open_page, given, database):
    with given() as make:
        company = make.company("Sun & Sons", domain="sun.example").id
        there = make.opportunity(name="Roof", company_id=company, expected_value=Decimal(7)).id
        make.opportunity(name="Over", company_id=company, stage=OpportunityStage.CLOSED_LOST)
        make.lead("Ada", email="ada@sun.example", status=LeadStatus.QUALIFIED, estimated_value=Decimal(500))
    page = open_page(LEADS, lead="1")
    open_convert(page, lead_of(database, 1))

    (join,) = [each for each in page.selectbox if each.label == "Join an open deal"]
    assert join.options == ["Roof"]
    join.select_index(0).run()
    assert "Deal: **Roof** :gray[(chosen)]" in plain(texts(page))
    button(page, "Convert to a deal").click().run()

    assert lead_of(database, 1).opportunity_id == there
    with database.read() as session:
        assert session.get_one(Opportunity, there).expected_value == 7


def test_several_are_converted_at_once_after_a_summary(open_page, given, database):
    with given() as make:
        make.company("Sun & Sons")
        make.lead("Ada", company_name="Sun & Sons", status=LeadStatus.QUALIFIED)
        make.lead("Bob", company_name="Wind", status=LeadStatus.QUALIFIED)
        make.lead("Cid")
    page = open_page(LEADS)
    tables.select(page, 1, 2)

    page.session_state["leads convert"] = True
    page.run()
    assert "* 1 new company, 1 known already" in texts(page)
    assert "* 2 new contacts, 0 known already" in texts(page)
    button(page, "Convert 2 leads").click().run()

    assert [lead_of(database, key).status for key in (1, 2, 3)] == ["converted", "converted", "new"]


def test_what_is_not_saved_does_not_go_into_the_deal_and_the_preview_says_so(open_page, given, database):
    with given() as make:
        make.lead("Ada", status=LeadStatus.QUALIFIED)
    page = open_page(LEADS, lead="1")
    open_convert(page, lead_of(database, 1))
    assert "stays behind" not in texts(page)

    type_in(page, "Company", "Sun")

    assert "did not save stays behind" in texts(page)


def test_a_converted_lead_leads_to_its_deal(open_page, given):
    with given() as make:
        deal = make.opportunity(name="Sun roof", expected_value=Decimal(500)).id
        at = datetime(2026, 3, 18, 12, tzinfo=UTC)
        make.lead(status=LeadStatus.CONVERTED, converted_at=at, opportunity_id=deal)
    page = open_page(LEADS, lead="1")
    assert not page.segmented_control
    assert "converted Mar 18, 2026" in plain(texts(page))

    (link,) = [each for each in page.button if each.key == f"lead to deal {deal}"]
    assert plain(link.label) == "Sun roof · $500 · Qualification"
    link.click().run()

    assert page.query_params["opportunity"] == str(deal)


def test_cells_are_edited_in_their_place(open_page, given, database):
    with given() as make:
        rita = make.user("Rita").id
        make.lead("Ada")
    page = open_page(LEADS)
    page.toggle[0].set_value(True).run()

    tables.edit(page, 1, "status", "contacted", version=1)
    tables.edit(page, 1, "owner", str(rita), version=2)
    tables.edit(page, 1, "estimated_value", "1,234.5", version=3)
    (row,) = tables.rows(page)
    assert (row["Status"], row["Owner"], row["Estimated value"]) == ("Contacted", "Rita", "$1,234.50")

    for column, value in {"estimated_value": "a lot", "status": "sold", "owner": "99", "name": "Bob"}.items():
        tables.edit(page, 1, column, value, version=4)
        assert page.toast[0].icon == ":material/block:"
    tables.edit(page, 1, "owner", "", version=1)
    assert "was changed meanwhile" in plain(page.toast[0].value)
    assert (lead_of(database, 1).version, lead_of(database, 1).name) == (4, "Ada")

    tables.edit(page, 1, "owner", "", version=4)
    button(page, "Undo").click().run()
    assert tables.rows(page)[0]["Owner"] == "Rita"


def test_the_status_of_a_converted_lead_is_no_field(open_page, given):
    with given() as make:
        at = datetime(2026, 3, 18, 12, tzinfo=UTC)
        make.lead(status=LeadStatus.CONVERTED, converted_at=at, opportunity_id=make.opportunity().id)
    page = open_page(LEADS)
    page.toggle[0].set_value(True).run()

    (row,) = tables.data(page)["rows"]
    assert row["cells"]["status"]["fixed"]
    assert "fixed" not in row["cells"]["owner"]


def test_many_are_changed_together_or_not_at_all(open_page, given, database):
    with given() as make:
        at = datetime(2026, 3, 18, 12, tzinfo=UTC)
        for name in ("Ada", "Bob", "Cid"):
            make.lead(name)
        make.lead("Dan", status=LeadStatus.CONVERTED, converted_at=at, opportunity_id=make.opportunity().id)
    page = open_page(LEADS)

    tables.select(page, 1, 4)
    page.radio[0].set_value(LeadStatus.QUALIFIED).run()
    button(page, "Set for 2 leads").click().run()
    assert "Nothing was changed, because 1 of 2" in plain(page.toast[0].value)

    tables.select(page, 1, 2)
    page.radio[0].set_value(LeadStatus.QUALIFIED).run()
    button(page, "Set for 2 leads").click().run()
    assert [lead_of(database, key).status for key in (1, 2, 3)] == ["qualified", "qualified", "new"]
    assert not [each for each in page.button if "leads" in each.label]

    button(page, "Undo").click().run()
    assert [lead_of(database, key).status for key in (1, 2, 3)] == ["new"] * 3


def test_all_that_match_are_assigned_and_deleted_and_it_can_be_undone(open_page, given, database):
    with given() as make:
        rita = make.user("Rita").id
        for number in range(60):
            make.lead(f"Ada {number}")
        make.lead("Bob")
    page = open_page(LEADS, leads_search="ada")
    tables.select(page, 60)

    select_all(page)
    (owner,) = [each for each in page.selectbox if each.label == "To"]
    owner.set_value(rita).run()
    button(page, "Assign 60 leads").click().run()
    assert [lead_of(database, key).owner_id for key in (1, 60, 61)] == [rita, rita, None]

    tables.select(page, 60)
    select_all(page)
    assert "Delete 60 leads? They leave every list" in texts(page)
    button(page, "Delete 60 leads").click().run()
    assert "No lead matches" in page.info[0].value

    button(page, "Undo").click().run()
    assert "**60 leads**" in texts(page)


def test_deleting_asks_first_and_can_be_undone(open_page, given):
    with given() as make:
        make.lead("Ada")
        make.lead("Bob")
    page = open_page(LEADS, lead="1")
    assert "leaves every list and figure" in texts(page)

    button(page, "Delete this lead").click().run()
    assert "lead" not in page.query_params
    assert tables.names(page) == ["Bob"]

    button(page, "Undo").click().run()
    assert sorted(tables.names(page)) == ["Ada", "Bob"]


def test_a_lead_that_is_gone_says_so(open_page, given):
    with given() as make:
        make.lead(deleted_at=datetime(2026, 3, 18, tzinfo=UTC))

    page = open_page(LEADS, lead="1")

    assert "There is no lead 1" in plain(page.error[0].value)


def test_a_row_opens_its_lead_with_its_past_and_its_notes(open_page, given, database):
    with given() as make:
        make.lead("Ada")
        make.lead("Bob")
    with database.write(actor=LOCAL_USER_ID) as session:
        lead_service.update_lead(session, 1, LeadUpdate(status=LeadStatus.CONTACTED))
    page = open_page(LEADS)

    tables.open_row(page, 1)
    assert page.query_params["lead"] == "1"

    page.session_state["lead 1 tab"] = "Timeline"
    page.run()
    assert "Status: New :material/arrow_forward: Contacted" in texts(page)
    page.session_state["lead 1 tab"] = "Notes"
    page.run()
    type_in(page, "New note", "Call **her**")
    button(page, "Add note").click().run()
    assert [text.value for text in page.text] == ["Call **her**"]


def test_what_is_known_of_a_lead_is_on_its_deal_contact_and_company(open_page, given, database):
    with given() as make:
        lead = make.lead("Zed **x**", status=LeadStatus.QUALIFIED, company_name="Notes Co").id
        make.note("wants a quote", lead_id=lead)
    with database.write(actor=LOCAL_USER_ID) as session:
        conversion = opportunity_service.convert_lead_to_opportunity(session, lead)
    screens = {"opportunity": ("opportunities", "deal"), "contact": ("contacts", "contact")}
    screens["company"] = ("companies", "company")

    for kind, (screen, drawer) in screens.items():
        key = getattr(conversion, kind).id
        page = open_page(f"pages/sales/{screen}.py", **{kind: str(key)})
        page.session_state[f"{drawer} {key} tab"] = "Notes"
        page.run()
        assert [text.value for text in page.text] == ["wants a quote"]
        assert "from the lead “Zed **x**”" in plain(texts(page))
        page.session_state[f"{drawer} {key} tab"] = "Timeline"
        page.run()
        assert "from the lead “Zed **x**”" in plain(texts(page))
