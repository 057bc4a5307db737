"""The orders a list can be in: unknown values come last, and the id decides between equals."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")

LABELS = {
    "value": ("lowest first", "highest first"),
    "estimated_value": ("lowest first", "highest first"),
    "probability": ("lowest first", "highest first"),
    "stage": ("first to last", "last to first"),
    "status": ("first to last", "last to first"),
    "expected_close": ("soonest first", "latest first"),
    "next_step_date": ("soonest first", "latest first"),
    "closed": ("oldest first", "newest first"),
    "created": ("oldest first", "newest first"),
    "changed": ("oldest first", "newest first"),
    "days_in_stage": ("fewest first", "most first"),
}


class Sort(StrEnum):
    """A column's name, with a minus in front for the other way round."""

    @property
    def is_descending(self) -> bool:
        return self.value.startswith("-")

    @property
    def column(self) -> str:
        """What it sorts by, whichever way round."""
        return self.value.removeprefix("-")

    @property
    def reversed(self) -> "Sort":
        """The same column the other way round."""
        return type(self)(self.column if self.is_descending else f"-{self.column}")

    @property
    def label(self) -> str:
        rising, falling = LABELS.get(self.column, ("A to Z", "Z to A"))
        name = self.column.replace("_", " ").capitalize()
        return f"{name}, {falling if self.is_descending else rising}"

    @property
    def is_falling(self) -> bool:
        """Whether the stored values fall: the more days in a stage, the earlier it was entered."""
        return self.is_descending != (self.column == "days_in_stage")

    def order_by(self, columns: Sequence[Any], record_id: Any) -> list[Any]:
        """SQL: by those columns in this direction, one after the other, then by id.

        Unknown values come last. Every record has a name, so an index has them in this order already.
        """
        directed = [column.desc() if self.is_falling else column.asc() for column in columns]
        if self.column != "name":
            directed = [column.nulls_last() for column in directed]
        return [*directed, record_id.desc() if self.is_falling else record_id.asc()]


class OpportunitySort(Sort):
    NAME = "name"
    NAME_DESCENDING = "-name"
    COMPANY = "company"
    COMPANY_DESCENDING = "-company"
    CONTACT = "contact"
    CONTACT_DESCENDING = "-contact"
    VALUE = "value"
    VALUE_DESCENDING = "-value"
    STAGE = "stage"
    STAGE_DESCENDING = "-stage"
    PROBABILITY = "probability"
    PROBABILITY_DESCENDING = "-probability"
    EXPECTED_CLOSE = "expected_close"
    EXPECTED_CLOSE_DESCENDING = "-expected_close"
    CLOSED = "closed"
    CLOSED_DESCENDING = "-closed"
    OWNER = "owner"
    OWNER_DESCENDING = "-owner"
    DAYS_IN_STAGE = "days_in_stage"
    DAYS_IN_STAGE_DESCENDING = "-days_in_stage"
    NEXT_STEP = "next_step"
    NEXT_STEP_DESCENDING = "-next_step"
    NEXT_STEP_DATE = "next_step_date"
    NEXT_STEP_DATE_DESCENDING = "-next_step_date"
    SOURCE = "source"
    SOURCE_DESCENDING = "-source"
    CREATED = "created"
    CREATED_DESCENDING = "-created"
    CHANGED = "changed"
    CHANGED_DESCENDING = "-changed"


class LeadSort(Sort):
    NAME = "name"
    NAME_DESCENDING = "-name"
    COMPANY = "company"
    COMPANY_DESCENDING = "-company"
    EMAIL = "email"
    EMAIL_DESCENDING = "-email"
    STATUS = "status"
    STATUS_DESCENDING = "-status"
    SOURCE = "source"
    SOURCE_DESCENDING = "-source"
    OWNER = "owner"
    OWNER_DESCENDING = "-owner"
    ESTIMATED_VALUE = "estimated_value"
    ESTIMATED_VALUE_DESCENDING = "-estimated_value"
    CREATED = "created"
    CREATED_DESCENDING = "-created"
    CHANGED = "changed"
    CHANGED_DESCENDING = "-changed"


class CompanySort(Sort):
    NAME = "name"
    NAME_DESCENDING = "-name"
    DOMAIN = "domain"
    DOMAIN_DESCENDING = "-domain"
    INDUSTRY = "industry"
    INDUSTRY_DESCENDING = "-industry"
    COUNTRY = "country"
    COUNTRY_DESCENDING = "-country"
    OWNER = "owner"
    OWNER_DESCENDING = "-owner"
    CREATED = "created"
    CREATED_DESCENDING = "-created"
    CHANGED = "changed"
    CHANGED_DESCENDING = "-changed"


class ContactSort(Sort):
    NAME = "name"
    NAME_DESCENDING = "-name"
    COMPANY = "company"
    COMPANY_DESCENDING = "-company"
    EMAIL = "email"
    EMAIL_DESCENDING = "-email"
    JOB_TITLE = "job_title"
    JOB_TITLE_DESCENDING = "-job_title"
    OWNER = "owner"
    OWNER_DESCENDING = "-owner"
    CREATED = "created"
    CREATED_DESCENDING = "-created"
    CHANGED = "changed"
    CHANGED_DESCENDING = "-changed"
