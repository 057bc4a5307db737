"""What made-up deals are worth: spread like real ones, and rounded like people price."""

from decimal import Decimal
from random import Random

from crm_core.models import OpportunityStage

UNKNOWN_AT_FIRST = 0.24
SPREAD = 0.75
"""Of the logarithm of a value."""

STEPS = ((1_000, 50), (5_000, 100), (20_000, 500), (50_000, 1_000), (200_000, 2_500))
"""Below an amount, prices are multiples of the step."""

LARGEST_STEP = 10_000


def first_estimate(usual: int, chance: Random) -> Decimal | None:
    """The value a deal is created with; sometimes nobody knows yet."""
    if chance.random() < UNKNOWN_AT_FIRST:
        return None
    return rounded(usual * chance.lognormvariate(0, SPREAD))


def on_entering(stage: OpportunityStage, value: Decimal | None, usual: int, chance: Random) -> Decimal | None:
    """The value after a move: the proposal names a price, the negotiation takes a little off."""
    if stage is OpportunityStage.PROPOSAL:
        if value is None:
            return first_estimate(usual, chance)
        if chance.random() < 0.45:
            return changed(value, chance)
    if stage is OpportunityStage.NEGOTIATION and value is not None and chance.random() < 0.35:
        return rounded(float(value) * chance.uniform(0.82, 0.98))
    return value


def changed(value: Decimal, chance: Random) -> Decimal:
    """A value after the scope has changed."""
    return rounded(float(value) * chance.lognormvariate(0, 0.22))


def rounded(amount: float) -> Decimal:
    """The amount as somebody would put it into an offer; never nothing."""
    step = next((step for below, step in STEPS if amount < below), LARGEST_STEP)
    return Decimal(max(round(amount / step), 1) * step)
