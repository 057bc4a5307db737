"""The deals that were created in a period, counted for whom they belonged to then."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, select

from crm_core.analytics.metrics.base import Kind, Question
from crm_core.filters.base import is_one_of
from crm_core.models import VERSIONS, Opportunity
from crm_core.scope import Scope, scope_of


@dataclass(frozen=True)
class Cohort:
    """`first` is the first state of each deal; `scope` what became of it until the instant asked for."""

    scope: Scope[Opportunity]
    first: FromClause
    conditions: list[ColumnElement[bool]]

    def rows(
        self, *kinds: Kind, others: ColumnElement[str] | str, amount: ColumnElement[Any] | None = None
    ) -> Select[Any]:
        """Its deals, each of the first kind whose condition it meets, as `Question.sort` takes them."""
        deal = self.scope.model
        worth = deal.expected_value if amount is None else amount
        return (
            select(deal.id, case(*kinds, else_=others).label("kind"), worth.label("amount"))
            .join(self.first, (self.first.c.id == deal.id) & (self.first.c.version == 1))
            .where(*self.conditions)
        )


def cohort_of(asked: Question) -> Cohort:
    """The deals created in the period, or ever. Who owns one later takes no credit for its creation."""
    scope = scope_of(asked.session, asked.where.of_anybody(), asked.as_of, among=asked.some)
    first = VERSIONS[Opportunity].alias("first")
    within = [asked.period.has(scope.model.created_on)] if asked.period else []
    owners = asked.where.on_owner(partial(is_one_of, first.c.owner_id))
    return Cohort(scope, first, [*within, *owners, *scope.conditions])
