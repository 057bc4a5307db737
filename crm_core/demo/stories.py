"""What a made-up record goes through: actions of users, and the states they leave it in."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from crm_core.models import Company, Contact, Lead, Opportunity, Record, Source

CHANGED_BY_PROGRAM = 0.08


@dataclass(slots=True)
class Action:
    """What one user did at once; it becomes one row of the transaction log.

    `position` is measured in working days; `id` and `at` are known once all actions are in order.
    """

    position: float
    actor_id: int
    source: Source = Source.UI
    note: str | None = None
    id: int = 0
    at: datetime = datetime.min  # noqa: DTZ901


class Life:
    """A record from its creation on: whole rows, oldest first, each with the action it came from.

    An instant in a row is given as the action it happened in.
    """

    __slots__ = ("actions", "row", "rows")

    def __init__(self, template: dict[str, Any], record_id: int, action: Action, **answers: Any) -> None:
        self.row = {**template, "id": record_id, "created_at": action, **answers}
        self.rows = [self.row]
        self.actions = [action]

    def change(self, action: Action, **changes: Any) -> None:
        """The next state."""
        self.row = {**self.row, **changes}
        self.rows.append(self.row)
        self.actions.append(action)


@dataclass
class Remark:
    """A note on a deal."""

    action: Action
    opportunity_id: int
    text: str


@dataclass
class Chapter:
    """Some of the records, made up together: always the same ones from the same chances."""

    chance: Random
    actions: list[Action] = field(default_factory=list)
    companies: list[Life] = field(default_factory=list)
    contacts: list[Life] = field(default_factory=list)
    leads: list[Life] = field(default_factory=list)
    deals: list[Life] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def act(self, position: float, actor_id: int) -> Action:
        """A user does something at that position, nearly always on the screen."""
        source = Source.API if self.chance.random() < CHANGED_BY_PROGRAM else Source.UI
        action = Action(position, actor_id, source)
        self.actions.append(action)
        return action

    def import_at(self, position: float, actor_id: int, note: str) -> Action:
        """A user brings in a file at that position."""
        action = Action(position, actor_id, Source.IMPORT, note)
        self.actions.append(action)
        return action


def _template(model: type[Record]) -> dict[str, Any]:
    """A row of the model in which nothing is known yet."""
    counted = ("version", "updated_at")
    return {column.name: None for column in model.__table__.columns if column.name not in counted}


COMPANY, CONTACT, LEAD, DEAL = map(_template, (Company, Contact, Lead, Opportunity))
