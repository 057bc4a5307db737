"""Kinds of input that several records share, and what they refuse."""

import unicodedata
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from crm_core.columns import exact_amount, storable_text
from crm_core.errors import InvalidInput

INVISIBLE = ("C", "Z")
"""Unicode categories of control, format and space characters."""


class Schema(BaseModel):
    """Base of what comes in and goes out."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


def _storable(value: str) -> str:
    try:
        return storable_text(value)
    except InvalidInput as refusal:
        raise ValueError(str(refusal)) from refusal


def _visible(value: str) -> str:
    if all(unicodedata.category(character)[0] in INVISIBLE for character in value):
        raise ValueError("A name needs at least one visible character.")
    return value


def _amount(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        raise ValueError("This is not an amount of money.")
    try:
        return exact_amount(str(value) if isinstance(value, float) else value)
    except InvalidInput as refusal:
        raise ValueError(str(refusal)) from refusal


StoredText = Annotated[str, AfterValidator(_storable)]
ShortText = Annotated[str, Field(max_length=500), AfterValidator(_storable)]
Text = Annotated[str, Field(max_length=100_000), AfterValidator(_storable)]
Name = Annotated[
    str, Field(min_length=1, max_length=200), AfterValidator(_storable), AfterValidator(_visible)
]
Title = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_storable)]
Domain = Annotated[str, Field(max_length=253), AfterValidator(_storable)]
Phone = Annotated[str, Field(max_length=50), AfterValidator(_storable)]
Label = Annotated[str, Field(max_length=100), AfterValidator(_storable)]
Amount = Annotated[Decimal, BeforeValidator(_amount), Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
