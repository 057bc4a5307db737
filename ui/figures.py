"""One figure in a card: what it is, how much, what it leaves out, and how it changed."""

from decimal import Decimal

import streamlit as st

from crm_core.analytics.outcomes import Outcomes
from crm_core.analytics.rate import Rate
from crm_core.services.settings_service import Workspace
from ui import words


def show(label: str, value: str, *, note: str, meaning: str, change: str | None = None) -> None:
    """A card with the figure; `note` says over what it was counted, `meaning` how it is defined."""
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(label, value, change, help=meaning)
        st.caption(note)


def rate(share: Rate, workspace: Workspace) -> str:
    """A rate for a card: grey where there are too few cases to rely on."""
    written = words.percent(share, workspace)
    return f":gray[{written}]" if share.n and share.is_thin else written


def won_and_lost(closed: Outcomes, workspace: Workspace) -> str:
    """“11 won, 27 lost, 2 not counted”: what a win rate was made of, and what it leaves out."""
    lost = closed.win_rate.n - closed.won
    said = f"{words.number(closed.won, workspace)} won, {words.number(lost, workspace)} lost"
    left_out = words.number(closed.not_counted, workspace)
    return f"{said}, {left_out} not counted" if closed.not_counted else said


def certainty(share: Rate, workspace: Workspace) -> str:
    """How far a rate can be trusted, for its explanation."""
    if share.interval is None:
        return "Nothing was closed yet, so there is no rate."
    low, high = (words.share(end, workspace) for end in share.interval)
    return f"n = {words.number(share.n, workspace)}; 95 % interval {low} – {high} (Wilson)."


def change(now: Decimal | None, before: Decimal | None, workspace: Workspace) -> str | None:
    """“+$1,200 (+12%)”; None where one is unknown, or there was nothing before to compare with."""
    if now is None or not before:
        return None
    difference = now - before
    sign = "-" if difference < 0 else "+"
    share = round(100 * difference / before)
    return f"{sign}{words.money(abs(difference), workspace)} ({share:+}%)".replace("$", "\\$")
