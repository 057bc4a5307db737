"""The four kinds of record, for tests of what is the same for each."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm_core.filters import CompanyFilter, ContactFilter, LeadFilter, OpportunityFilter, RecordFilter
from crm_core.models import Company, Contact, Lead, Opportunity, Record
from crm_core.schemas.company import CompanyCreate, CompanyUpdate
from crm_core.schemas.contact import ContactCreate, ContactUpdate
from crm_core.schemas.fields import Schema
from crm_core.schemas.lead import LeadCreate, LeadUpdate
from crm_core.schemas.opportunity import OpportunityCreate, OpportunityUpdate
from crm_core.services import company_service, contact_service, lead_service, opportunity_service
from crm_core.sorting import CompanySort, ContactSort, LeadSort, OpportunitySort, Sort
from tests.builders import Make


@dataclass(frozen=True, eq=False)
class Noun:
    """A kind of record, what is done with it, and which of its fields take any text."""

    name: str
    plural: str
    model: type[Record]
    service: ModuleType
    create_schema: type[Schema]
    update_schema: type[Schema]
    filter: type[RecordFilter[Any]]
    sort: type[Sort]
    texts: tuple[str, ...]
    text: str
    """A field that may stay empty."""
    begins_as: dict[str, object]
    """What a new one has that nobody has said."""

    def verb(self, verb: str) -> Any:
        """The service's function for one record."""
        return getattr(self.service, f"{verb}_{self.name}")

    def verb_for_many(self, verb: str) -> Any:
        return getattr(self.service, f"{verb}_{self.plural}")

    def create(self, session: Session, **answers: Any) -> Any:
        return self.verb("create")(session, self.create_schema(**{"name": "Acme", **answers}))

    def update(
        self, session: Session, key: int, *, expected_version: int | None = None, **answers: Any
    ) -> Any:
        changes = self.update_schema(**answers)
        return self.verb("update")(session, key, changes, expected_version=expected_version)

    def update_many(self, session: Session, keys: list[int], *, seen: Any = None, **answers: Any) -> Any:
        changes = self.update_schema(**answers)
        return self.verb_for_many("update")(session, keys, changes, expected_versions=seen)

    def make(self, session: Session, name: str = "Acme", **answers: Any) -> Any:
        """A record that no service has seen."""
        return getattr(Make(session), self.name)(name=name, **answers)

    def total(self, session: Session, where: Any = None, **options: Any) -> int:
        """How many the list says that it has."""
        page = self.verb_for_many("get")(session, where or self.filter(), **options)
        return page.totals.deals if self.model is Opportunity else page.total

    @property
    def pointers(self) -> list[str]:
        """Its fields that name another record or a user."""
        fields = self.create_schema.model_fields
        return [field for field in ("company_id", "contact_id", "owner_id") if field in fields]


OPPORTUNITY = Noun(
    "opportunity",
    "opportunities",
    Opportunity,
    opportunity_service,
    OpportunityCreate,
    OpportunityUpdate,
    OpportunityFilter,
    OpportunitySort,
    texts=("name", "next_step", "source", "description"),
    text="next_step",
    begins_as={"stage": "qualification", "probability": 10},
)
LEAD = Noun(
    "lead",
    "leads",
    Lead,
    lead_service,
    LeadCreate,
    LeadUpdate,
    LeadFilter,
    LeadSort,
    texts=("name", "company_name", "job_title", "source", "description"),
    text="phone",
    begins_as={"status": "new"},
)
COMPANY = Noun(
    "company",
    "companies",
    Company,
    company_service,
    CompanyCreate,
    CompanyUpdate,
    CompanyFilter,
    CompanySort,
    texts=("name", "industry", "country", "description"),
    text="country",
    begins_as={},
)
CONTACT = Noun(
    "contact",
    "contacts",
    Contact,
    contact_service,
    ContactCreate,
    ContactUpdate,
    ContactFilter,
    ContactSort,
    texts=("name", "job_title"),
    text="phone",
    begins_as={},
)
NOUNS = {noun.name: noun for noun in (OPPORTUNITY, LEAD, COMPANY, CONTACT)}

every_noun = pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
