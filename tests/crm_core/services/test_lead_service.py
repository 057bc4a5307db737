"""What only leads have: a status that a conversion ends, and sources.

What is the same for every kind of record is in test_every_noun.py.
"""

from itertools import product

import pytest

from crm_core.filters import LeadFilter
from crm_core.models import Lead, LeadStatus
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.services.lead_service import (
    ConvertedNeedsConversion,
    LeadIsConverted,
    assign_leads,
    count_leads,
    create_lead,
    delete_lead,
    find_lead_ids,
    get_sources,
    restore_lead,
    update_lead,
    update_leads,
)
from crm_core.services.records import NothingWasChanged
from tests.conftest import NOW

CONVERTED = LeadStatus.CONVERTED
FREE = [status for status in LeadStatus if status is not CONVERTED]


@pytest.fixture
def converted(make) -> Lead:
    return make.lead("Grace Hopper", status=CONVERTED, converted_at=NOW, opportunity_id=make.opportunity().id)


def test_the_status_of_a_lead_is_free_until_it_is_converted(session, make):
    for here, there in product(FREE, FREE):
        lead = make.lead(status=here)
        update_lead(session, lead.id, LeadUpdate(status=there))
        assert lead.status is there


def test_only_a_conversion_converts(session, make):
    lead = make.lead("Grace Hopper", status=LeadStatus.QUALIFIED)

    with pytest.raises(ConvertedNeedsConversion, match="A status can't convert “Ada”"):
        create_lead(session, LeadCreate(name="Ada", status=CONVERTED))
    with pytest.raises(ConvertedNeedsConversion, match="“Grace Hopper”"):
        update_lead(session, lead.id, LeadUpdate(status=CONVERTED, phone="123"))
    with pytest.raises(NothingWasChanged, match="A status can't convert “Grace Hopper”"):
        update_leads(session, [lead.id], LeadUpdate(status=CONVERTED))

    assert (lead.status, lead.phone, count_leads(session)) == (LeadStatus.QUALIFIED, None, 1)


def test_a_converted_lead_keeps_its_status(session, converted):
    for status in FREE:
        with pytest.raises(LeadIsConverted, match="“Grace Hopper” was converted, so its status stays"):
            update_lead(session, converted.id, LeadUpdate(status=status, phone="123"))

    assert (converted.status, converted.phone) == (CONVERTED, None)


def test_the_words_of_a_converted_lead_can_be_corrected(session, converted):
    update_lead(session, converted.id, LeadUpdate(name="Grace B. Hopper", phone="123", status=CONVERTED))

    assert (converted.name, converted.phone, converted.status) == ("Grace B. Hopper", "123", CONVERTED)


def test_one_that_was_converted_keeps_the_others_from_their_new_status(session, make, converted):
    free = [make.lead("Ada", phone="1"), make.lead("Bob", phone="2")]
    changes = LeadUpdate(status=LeadStatus.CONTACTED, phone=None)

    with pytest.raises(NothingWasChanged, match="“Grace Hopper”: “Grace Hopper” was converted") as refused:
        update_leads(session, [lead.id for lead in (*free, converted)], changes)
    assert isinstance(refused.value.refusals[converted.id], LeadIsConverted)
    assert [(lead.status, lead.phone) for lead in free] == [(LeadStatus.NEW, "1"), (LeadStatus.NEW, "2")]

    assert update_leads(session, [lead.id for lead in free], changes) == free
    assert [(lead.status, lead.phone) for lead in free] == [(LeadStatus.CONTACTED, None)] * 2


def test_a_converted_lead_can_be_given_away_with_others(session, make, converted):
    owner, lead = make.user().id, make.lead()

    assign_leads(session, [lead.id, converted.id], owner_id=owner)

    assert (lead.owner_id, converted.owner_id, converted.status) == (owner, owner, CONVERTED)


def test_a_converted_lead_can_be_deleted_and_comes_back_converted(session, converted):
    delete_lead(session, converted.id)
    session.flush()
    restore_lead(session, converted.id)

    assert (converted.status, converted.opportunity_id) == (CONVERTED, 1)


def test_the_keys_and_the_sources_of_leads_are_those_of_the_list(session, make):
    make.lead("Ada", source="Fair")
    for name in ("Bob", "Cid"):
        make.lead(name, source="Web")
    make.lead("Dan")
    make.lead("Eve", source="Gone", deleted_at=NOW)

    assert find_lead_ids(session, LeadFilter(sources={"Web"})) == [2, 3]
    assert find_lead_ids(session, LeadFilter()) == [1, 2, 3, 4]
    assert get_sources(session) == ["Web", "Fair"]
