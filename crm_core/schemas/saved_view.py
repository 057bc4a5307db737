"""What a saved view looks like from outside: to save one, to change one, to read one."""

from typing import Annotated

from pydantic import MISSING, AfterValidator, Field

from crm_core.schemas.fields import NeededLabel, Schema, ShortText, StoredLabel, StoredText, visible

LONGEST_QUERY = 20_000
"""Characters of all parameters together: more than a browser's address line takes."""


def _not_too_long(query: dict[str, list[str]]) -> dict[str, list[str]]:
    length = sum(len(name) + sum(map(len, values)) for name, values in query.items())
    if length > LONGEST_QUERY:
        raise ValueError(f"The filters are {length:,} characters long; at most {LONGEST_QUERY:,} fit.")
    return query


def _each_once(columns: list[str]) -> list[str]:
    if len(set(columns)) < len(columns):
        raise ValueError("A view shows each column once.")
    return columns


Parameters = Annotated[
    dict[StoredLabel, Annotated[list[ShortText], Field(max_length=500)]],
    Field(max_length=50),
    AfterValidator(_not_too_long),
]
Columns = Annotated[list[StoredLabel], Field(max_length=100), AfterValidator(_each_once)]
Screen = Annotated[StoredText, Field(min_length=1, max_length=50), AfterValidator(visible)]


class ViewDefinition(Schema):
    """What a screen shows: the parameters of its address (filters and order), and which columns.

    Without columns the screen shows its usual ones.
    """

    query: Parameters
    columns: Columns | None


class SavedViewCreate(Schema):
    """A new view of a screen, for oneself or for everybody."""

    screen: Screen
    name: NeededLabel
    definition: ViewDefinition
    is_shared: bool = False
    is_default: bool = False


class SavedViewUpdate(Schema):
    """Changes to a view: what is not sent stays. It stays on its screen."""

    name: NeededLabel | MISSING = MISSING
    definition: ViewDefinition | MISSING = MISSING
    is_shared: bool | MISSING = MISSING
    is_default: bool | MISSING = MISSING


class SavedViewResponse(Schema):
    """A view as it is for whoever asks: another's is never their default."""

    id: int
    user_id: int
    owner_name: str
    is_own: bool
    screen: str
    name: str
    definition: ViewDefinition
    is_shared: bool
    is_default: bool
