"""What a company looks like from outside: to create one, to change one, to read one."""

from datetime import date
from typing import Self

from pydantic import MISSING, model_validator

from crm_core.schemas.fields import (
    Domain,
    Id,
    Instant,
    Label,
    Maybe,
    Name,
    RequestId,
    Schema,
    Text,
    Website,
    host_of,
)


class CompanyCreate(Schema):
    """A company we sell to; without a domain it gets its website's.

    Sent twice with the same `request_id`, it is created once.
    """

    name: Name
    website: Maybe[Website] = None
    domain: Maybe[Domain] = None
    industry: Maybe[Label] = None
    country: Maybe[Label] = None
    description: Maybe[Text] = None
    owner_id: Id | None = None
    request_id: RequestId | None = None

    @model_validator(mode="after")
    def _domain_follows_from_the_website(self) -> Self:
        if self.website and not self.domain:
            self.domain = host_of(self.website)
        return self


class CompanyUpdate(Schema):
    """Changes to a company: what is not sent stays, None empties."""

    name: Name | MISSING = MISSING
    website: Maybe[Website] | MISSING = MISSING
    domain: Maybe[Domain] | MISSING = MISSING
    industry: Maybe[Label] | MISSING = MISSING
    country: Maybe[Label] | MISSING = MISSING
    description: Maybe[Text] | MISSING = MISSING
    owner_id: Id | None | MISSING = MISSING


class CompanyResponse(Schema):
    """A company as it is. Instants in UTC."""

    id: int
    name: str
    website: str | None
    domain: str | None
    industry: str | None
    country: str | None
    description: str | None
    owner_id: int | None
    owner_name: str | None = None
    created_at: Instant
    created_on: date
    updated_at: Instant
    version: int
