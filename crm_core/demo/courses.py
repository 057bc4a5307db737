"""The course a made-up deal takes, from its creation to its end or to the present."""

from math import inf

from crm_core.demo import prices
from crm_core.demo.closing import choose
from crm_core.demo.deals import HABITS, NO_NEXT_STEP, Deal, Habit
from crm_core.demo.stories import Remark
from crm_core.demo.words import INDUSTRIES, NOTES
from crm_core.models import OPEN_STAGES, OpportunityStage, Outcome

SPREAD = 0.7
"""Of the logarithm of a spell's length."""

FORGOTTEN, FORGOTTEN_FOR = 0.025, 8
"""How often a deal is not touched for a whole spell, and how much longer the spell then takes."""

WORKDAYS_BETWEEN_EDITS = 60
OVERLOOKED = 0.2
"""How often nobody minds, for a whole spell, that the expected close date passes."""

AT_THE_END_OF_A_MONTH = 0.35
"""How often a deal that would be won is signed only then."""

REOPENED = {Outcome.LOST: 0.04, Outcome.WON: 0.01}
REVIEWED = 0.78
"""How often an open deal that was not touched for a week is looked through before the present."""


def run(deal: Deal) -> None:
    """Let the deal live from its creation to its end or to the present, and add it to the chapter."""
    deal.chapter.deals.append(deal.life)
    chance, now = deal.chance, deal.business.workdays.now
    position = deal.life.actions[0].position
    while True:
        habit = HABITS[deal.stage]
        forgotten = chance.random() < FORGOTTEN and deal.rep.left > now
        leaves = position + habit.days * chance.lognormvariate(0, SPREAD) * (
            FORGOTTEN_FOR if forgotten else 1
        )
        if not forgotten:
            _work(deal, position, until=min(leaves, now))
        if leaves >= now:
            if not forgotten:
                _review(deal)
            return
        outcome = _outcome(deal, habit)
        if outcome is None:
            _move(deal, leaves, habit)
        else:
            leaves = _close(deal, leaves, outcome)
            if chance.random() >= REOPENED[outcome]:
                return
            leaves += chance.uniform(6, 35)
            if leaves >= now:
                return
            _reopen(deal, leaves)
        position = leaves


def _outcome(deal: Deal, habit: Habit) -> Outcome | None:
    """How the spell ends the deal, if it does; good sellers win more."""
    ticket = deal.chance.random()
    if ticket < habit.lost - deal.rep.skill / 2:
        return Outcome.LOST
    if ticket >= 1 - habit.won:
        return Outcome.WON
    return None


def _move(deal: Deal, position: float, habit: Habit) -> None:
    """On to the next stage, or now and then a step back."""
    chance, row = deal.chance, deal.life.row
    goes_back = chance.random() < habit.back
    stage = OPEN_STAGES[OPEN_STAGES.index(deal.stage) + (-1 if goes_back else 1)]
    usual = INDUSTRIES[deal.customer.industry].usual_value
    expected = row["expected_close_date"]
    if chance.random() < (0.4 if expected is None else 0.35 if goes_back else 0.12):
        expected = deal.foreseen(position, stage)
    deal.enter(
        position,
        stage,
        expected_value=prices.on_entering(stage, row["expected_value"], usual, chance),
        expected_close_date=expected,
    )
    if chance.random() < 0.1:
        _remark(deal, position + 0.01)


def _close(deal: Deal, position: float, outcome: Outcome) -> float:
    """Close the deal, a win often only at the end of the month; the position at which that was."""
    chance, workdays = deal.chance, deal.business.workdays
    if outcome is Outcome.WON and chance.random() < AT_THE_END_OF_A_MONTH:
        hoped_for = workdays.month_end(position) - chance.uniform(0, 2)
        position = hoped_for if position < hoped_for < workdays.now else position
    action = deal.chapter.act(position, deal.rep.id)
    reason_id, note = choose(deal.business.closing, outcome, chance)
    stage = OpportunityStage.of(outcome)
    deal.life.change(
        action,
        stage=stage,
        probability=deal.business.probabilities[stage],
        closed_at=action,
        actual_close_date=workdays.day(position),
        close_reason_id=reason_id,
        close_note=note,
        credited_owner_id=deal.life.row["owner_id"],
        **NO_NEXT_STEP,
    )
    return position


def _reopen(deal: Deal, position: float) -> None:
    """The customer comes back."""
    if position >= deal.rep.left:
        deal.rep = deal.business.staff.stand_in(deal.rep, position, deal.chance)
    stage = deal.chance.choice((OpportunityStage.DISCOVERY, OpportunityStage.PROPOSAL))
    deal.enter(
        position,
        stage,
        owner_id=deal.rep.id,
        expected_close_date=deal.foreseen(position, stage),
        closed_at=None,
        actual_close_date=None,
        close_reason_id=None,
        close_note=None,
        credited_owner_id=None,
    )


def _work(deal: Deal, position: float, *, until: float) -> None:
    """What happens to the deal while it is in one stage: slips, edits, another owner."""
    chance = deal.chance
    overlooked = chance.random() < OVERLOOKED
    while True:
        edit = position + chance.expovariate(1 / WORKDAYS_BETWEEN_EDITS)
        slip = inf if overlooked else max(deal.due() - chance.uniform(-2, 2), position + 0.05)
        handover = max(deal.rep.left, position) + 0.02 + chance.random()
        position = min(edit, slip, handover)
        if position >= until:
            return
        if position == handover or (position == edit and chance.random() < 0.07):
            _hand_over(deal, position)
        elif position == slip:
            deal.change(position, expected_close_date=deal.foreseen(position))
        else:
            _edit(deal, position)


def _edit(deal: Deal, position: float) -> None:
    chance = deal.chance
    kind = chance.random()
    if kind < 0.35 and deal.life.row["expected_value"] is not None:
        deal.change(position, expected_value=prices.changed(deal.life.row["expected_value"], chance))
    elif kind < 0.75:
        deal.change(position, **deal.next_step(position))
    else:
        _remark(deal, position)


def _hand_over(deal: Deal, position: float) -> None:
    """The manager gives the deal to somebody else."""
    deal.rep = deal.business.staff.stand_in(deal.rep, position, deal.chance)
    deal.life.change(deal.chapter.act(position, deal.rep.manager_id), owner_id=deal.rep.id)


def _review(deal: Deal) -> None:
    """Most open deals were looked through lately: a next step is planned, and the close date is possible."""
    chance, now = deal.chance, deal.business.workdays.now
    if deal.life.actions[-1].position > now - 5 or chance.random() > REVIEWED:
        return
    position = now - chance.uniform(0.001, 4.9)
    changes = deal.next_step(position)
    if deal.due() < now and chance.random() < 0.85:
        changes["expected_close_date"] = deal.foreseen(position)
    deal.change(position, **changes)


def _remark(deal: Deal, position: float) -> None:
    if position < deal.business.workdays.now:
        action = deal.chapter.act(position, deal.rep.id)
        deal.chapter.remarks.append(Remark(action, deal.life.row["id"], deal.chance.choice(NOTES)))
