"""What can be asked of every kind of record."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, select

from crm_core.errors import InvalidInput
from crm_core.models import Record, User
from crm_core.moment import Moment
from crm_core.schemas.fields import Day, GivenInstant, Id, Title

R = TypeVar("R", bound=Record)

Text = Title

WORDS = "Each word occurs in its {}, in any order, without regard to case and accents."

Searched = tuple[type[Record], tuple[str, ...]]
"""Some columns of a kind of record."""

Users = Collection[int] | Select[int]
"""The keys of some users, or what selects them."""


class FieldsDoNotApply(InvalidInput):
    """The filter asks for what means nothing here: `fields`, in alphabetical order."""

    sentence: ClassVar[str]

    def __init__(self, fields: Iterable[str]) -> None:
        self.fields = sorted(fields)
        super().__init__(self.sentence.format(fields=", ".join(self.fields)))


class RecordFilter(BaseModel, Generic[R]):
    """Conditions that must all hold; an empty filter matches every record that was not deleted.

    Several values of one field are alternatives. Days are the workspace's, values its currency's, both ends
    of a range included. With `as_of` the records are meant as they were at that instant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ClassVar[type[Record]]
    searched: ClassVar[Mapping[str, Searched]]
    """What words are looked for in: by the key it is reached by, `id` for the record itself."""
    dialed: ClassVar[Mapping[str, Searched]] = {}
    """What phone numbers are looked for in."""

    text: Text = Field(default="", description=WORDS.format("names"))
    owners: frozenset[Id] = Field(default=frozenset(), description="Ids of users.")
    teams: frozenset[Id] = Field(default=frozenset(), description="Ids of teams: those of their members.")
    created_from: Day | None = Field(default=None, description="Created on this day or later.")
    created_to: Day | None = Field(default=None, description="Created on this day or earlier.")
    as_of: GivenInstant | None = Field(
        default=None, description="As it was at this instant, with a time zone; by default now."
    )

    def conditions(self, row: type[R], moment: Moment) -> list[ColumnElement[bool]]:
        """The SQL conditions on `row`, which is what `history.as_of` made of the model for the moment.

        The text is not among them, see `crm_core.filters.text`. What is linked is looked at as of the moment
        too; the members of a team are those of now.
        """
        return [
            *self.on_owner(lambda users: self._counts_for(row, users, moment)),
            *self._on_creation(row),
            *self._on_more(row, moment),
        ]

    def on_owner(self, count_for: Callable[[Users | None], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
        """The SQL conditions on whose a row is, where `count_for` tells which rows count for some users.

        None are no users: what counts for nobody.
        """
        found = []
        if self.owners:
            found.append(count_for(self.owners))
        if self.teams:
            found.append(count_for(select(User.id).where(User.team_id.in_(self.teams))))
        return found

    def of_anybody(self) -> Self:
        """The same filter, whoever the records count for."""
        return self.model_copy(update={"owners": frozenset(), "teams": frozenset()})

    @property
    def is_narrowed(self) -> bool:
        """Whether it lets anything less through than everything."""
        return self != type(self)()

    def _on_more(self, row: type[R], moment: Moment) -> Sequence[ColumnElement[bool]]:
        """Conditions that only this kind of record knows."""
        raise NotImplementedError

    def _counts_for(self, row: type[R], users: Users | None, moment: Moment) -> ColumnElement[bool]:
        """Whose it is."""
        return is_one_of(row.owner_id, users)

    def _on_creation(self, row: type[R]) -> Sequence[ColumnElement[bool]]:
        found = []
        if self.created_from is not None:
            found.append(row.created_on >= self.created_from)
        if self.created_to is not None:
            found.append(row.created_on <= self.created_to)
        return found


def is_one_of(user_id: Any, users: Users | None) -> ColumnElement[bool]:
    """SQL: the column names one of the users; without users, nobody."""
    found: ColumnElement[bool] = user_id.is_(None) if users is None else user_id.in_(users)
    return found
