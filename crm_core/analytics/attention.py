"""Open deals that need a look, and why; those worth most first."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from crm_core.analytics.cards import Card, cards_of
from crm_core.analytics.pipeline import GROUPED, ListTotals, Worth, is_open, together, worths
from crm_core.filters import OpportunityFilter
from crm_core.kept import kept, plain_rows
from crm_core.mending import kept_sums
from crm_core.models import Opportunity
from crm_core.moment import Moment
from crm_core.scope import Scope, Some, scope_of
from crm_core.services import settings_service

DAYS_AHEAD = 7
SHOWN = 8


class Need(StrEnum):
    """Why a deal needs a look."""

    OVERDUE = "overdue"
    STALE = "stale"
    NO_NEXT_STEP = "no_next_step"
    CLOSING_SOON = "closing_soon"

    @property
    def label(self) -> str:
        if self is Need.CLOSING_SOON:
            return f"Closing within {DAYS_AHEAD} days"
        return self.value.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Needing:
    """The deals that need it, all that `where` lets through."""

    need: Need
    totals: ListTotals
    where: OpportunityFilter


@dataclass(frozen=True)
class Attention:
    """How many deals need what, and the few of them that are worth most."""

    needs: list[Needing]
    cards: list[Card]


def attention(session: Session, where: OpportunityFilter) -> Attention:
    """The open deals of the filter that need a look; a deal may be there for several reasons."""
    scope = scope_of(session, where)
    fields = _fields(scope.moment)
    totals = _totals(session, where)
    deal = scope.model
    chosen = (
        select(deal.id)
        .where(deal.is_open, or_(*_needs(scope).values()), *scope.conditions)
        .order_by(deal.expected_value.desc().nulls_last(), deal.id)
        .limit(SHOWN)
    )
    ids = kept(session, chosen, _ids)
    cards = cards_of(session, scope, ids)
    return Attention(
        [Needing(need, totals[need], where.model_copy(update=each)) for need, each in fields.items()],
        [cards[deal_id] for deal_id in ids],
    )


def _totals(session: Session, where: OpportunityFilter) -> dict[Need, ListTotals]:
    """What the deals with each need add up to, all counted together."""

    def question(some: Some[Opportunity] | None) -> Select[*tuple[Any, ...]]:
        scope = scope_of(session, where, among=some)
        deal = scope.model
        flags = (condition.label(need) for need, condition in _needs(scope).items())
        each = (
            select(deal.stage, deal.probability, deal.expected_value, *flags)
            .where(is_open(scope), *scope.conditions)  # needs are asked once: deals without any count nowhere
            .subquery()
            .c
        )
        return worths(each, *(each[need] for need in Need))

    rows = kept_sums(session, question, plain_rows, groups=len(Need) + len(GROUPED))
    currency = settings_service.get_currency(session)
    return {
        need: together((Worth(*row[len(Need) :]) for row in rows if row[place]), currency)
        for place, need in enumerate(Need)
    }


def _needs(scope: Scope[Opportunity]) -> dict[Need, ColumnElement[bool]]:
    """SQL: whether a deal needs it."""
    return {
        need: and_(*OpportunityFilter(**each).conditions(scope.model, scope.moment))
        for need, each in _fields(scope.moment).items()
    }


def _fields(moment: Moment) -> dict[Need, dict[str, Any]]:
    last = moment.today + timedelta(days=DAYS_AHEAD - 1)
    return {
        Need.OVERDUE: {"overdue": True},
        Need.STALE: {"stale": True},
        Need.NO_NEXT_STEP: {"without_next_step": True},
        Need.CLOSING_SOON: {"is_open": True, "expected_from": moment.today, "expected_to": last},
    }


def _ids(rows: Any) -> list[int]:
    return [deal_id for (deal_id,) in rows]
