"""What comes in and goes out fits the tables, and is refused before a database would."""

import pytest
from pydantic import ValidationError

from crm_core.models import Company, Contact, Lead, Note, Opportunity, User
from crm_core.schemas import company, contact, lead, note, opportunity, user

NOUNS = {
    Company: (company.CompanyCreate, company.CompanyUpdate, company.CompanyResponse),
    Contact: (contact.ContactCreate, contact.ContactUpdate, contact.ContactResponse),
    Lead: (lead.LeadCreate, lead.LeadUpdate, lead.LeadResponse),
    Opportunity: (
        opportunity.OpportunityCreate,
        opportunity.OpportunityUpdate,
        opportunity.OpportunityResponse,
    ),
    User: (user.UserCreate, user.UserUpdate, user.UserResponse),
    Note: (note.NoteCreate, note.NoteResponse),
}
JOINED = {"company_name", "owner_name"}
"""Names that a response takes from the records beside it."""


@pytest.mark.parametrize("model", NOUNS)
def test_every_field_is_a_column(model):
    columns = {column.name for column in model.__table__.columns}
    joined = JOINED if model is Opportunity else set()

    assert all(set(schema.model_fields) - joined <= columns for schema in NOUNS[model])


@pytest.mark.parametrize("model", NOUNS)
def test_a_text_is_no_longer_than_its_column(model):
    create = NOUNS[model][0]
    for column in model.__table__.columns:
        limit = getattr(column.type.impl, "length", None) if hasattr(column.type, "impl") else None
        if column.name in create.model_fields and limit:
            with pytest.raises(ValidationError, match=column.name):
                create.model_validate({"name": "Acme", "text": "Hi", column.name: "x" * (limit + 1)})


@pytest.mark.parametrize("model", [Company, Contact, Lead, User])
def test_what_was_created_is_answered(session, model):
    create, _, response = NOUNS[model]
    record = model(**create(name="Acme").model_dump())
    session.add(record)
    session.flush()

    assert response.model_validate(record).name == "Acme"


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "a\x00b", "\ud800", "x" * 201])
@pytest.mark.parametrize("model", [Company, Contact, Lead, Opportunity, User])
def test_a_name_that_is_none_is_refused(model, name):
    with pytest.raises(ValidationError):
        NOUNS[model][0](name=name)


def test_what_is_not_sent_is_not_what_is_emptied():
    changes = company.CompanyUpdate(website=None)

    assert changes.model_fields_set == {"website"}
    assert changes.model_dump() == {"website": None}
