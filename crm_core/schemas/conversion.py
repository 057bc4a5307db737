"""What a lead's conversion is told, and what it answers."""

from enum import StrEnum

from pydantic import MISSING

from crm_core.models import OpportunityStage
from crm_core.schemas.fields import Amount, Day, Id, Name, Priced, Schema


class How(StrEnum):
    """How a conversion came by a record."""

    CREATED = "created"
    MATCHED = "matched"
    PICKED = "picked"
    NONE = "none"


class MatchRule(StrEnum):
    """Why a record is taken to be the one that the lead means."""

    EMAIL = "email"
    EMAIL_DOMAIN = "email_domain"
    PHONE = "phone"
    NAME_AND_COMPANY = "name_and_company"
    COMPANY_NAME = "company_name"
    DOMAIN = "domain"

    @property
    def label(self) -> str:
        return {
            "email": "same e-mail address",
            "email_domain": "same e-mail domain",
            "phone": "same phone number",
            "name_and_company": "same name and company",
            "company_name": "same company name",
            "domain": "same domain",
        }[self.value]


class ConversionChoice(Priced):
    """What the user decided; by default company and contact are matched or created, and a new deal is made.

    `opportunity_id` picks an existing open deal, which then keeps what it has. Name, value and owner of a new
    deal are by default the lead's.
    """

    company_id: Id | None = None
    new_company: bool = False
    contact_id: Id | None = None
    new_contact: bool = False
    opportunity_id: Id | None = None
    name: Name | None = None
    stage: OpportunityStage = OpportunityStage.QUALIFICATION
    expected_value: Amount | None | MISSING = MISSING
    expected_close_date: Day | None = None
    owner_id: Id | None | MISSING = MISSING


class ConversionStep(Schema):
    """One of the three records. Without an `id` it is yet to be created; `rule` tells why it matched."""

    id: int | None
    name: str | None
    how: How
    rule: MatchRule | None = None


class Conversion(Schema):
    """What came, or would come, of a lead."""

    lead_id: int
    company: ConversionStep
    contact: ConversionStep
    opportunity: ConversionStep
