"""Open deals that need a look, and why; those worth most first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from crm_core.analytics.cards import Card, cards_of
from crm_core.analytics.pipeline import ListTotals, Worth, is_open, together, worths
from crm_core.filters import OpportunityFilter
from crm_core.kept import kept, plain_rows
from crm_core.models import Opportunity
from crm_core.moment import Moment
from crm_core.scope import Scope, scope_of

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
    needs = {
        need: and_(*OpportunityFilter(**each).conditions(scope.model, scope.moment))
        for need, each in fields.items()
    }
    totals = _totals(session, scope, needs)
    deal = scope.model
    chosen = (
        select(deal.id)
        .where(deal.is_open, or_(*needs.values()), *scope.conditions)
        .order_by(deal.expected_value.desc().nulls_last(), deal.id)
        .limit(SHOWN)
    )
    ids = kept(session, chosen, _ids)
    cards = cards_of(session, scope, ids)
    return Attention(
        [Needing(need, totals[need], where.model_copy(update=each)) for need, each in fields.items()],
        [cards[deal_id] for deal_id in ids],
    )


def _totals(
    session: Session, scope: Scope[Opportunity], needs: Mapping[Need, ColumnElement[bool]]
) -> dict[Need, ListTotals]:
    """What the deals with each need add up to, all counted together."""
    deal = scope.model
    flags = (condition.label(need) for need, condition in needs.items())
    each = (
        select(deal.stage, deal.probability, deal.expected_value, *flags)
        .where(is_open(scope), *scope.conditions)  # `needs` are asked once: deals without any count nowhere
        .subquery()
        .c
    )
    needed = [each[need] for need in needs]
    rows = kept(session, worths(each).add_columns(*needed).group_by(*needed), plain_rows)
    return {
        need: together(Worth(*row[: -len(needs)]) for row in rows if row[place - len(needs)])
        for place, need in enumerate(needs)
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
