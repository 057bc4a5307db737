"""Filter bars. What they are set to lives in the URL, so a view can be shared and gone back to."""

from typing import TypeVar

import streamlit as st

from crm_core.filters import OpportunityFilter
from crm_core.models import OpportunityStage
from crm_core.periods import PeriodChoice
from crm_core.services import user_service
from crm_core.sorting import OpportunitySort
from ui import words
from ui.data import load

T = TypeVar("T")

FIELD_WIDTH = 171
"""Two fit side by side on a phone."""


def period(key: str) -> PeriodChoice:
    """A period to choose, this quarter at first."""
    choices = list(PeriodChoice)
    chosen = st.selectbox(
        "Period",
        choices,
        index=choices.index(PeriodChoice.THIS_QUARTER),
        format_func=lambda choice: choice.label,
        key=key,
        bind="query-params",
        width=FIELD_WIDTH,
    )
    return PeriodChoice(chosen)


def owners(key: str) -> frozenset[int]:
    """Owners to choose, everyone at first; returns their ids."""
    return _several("Owner", _labels(load(user_service.get_owners)), "Everyone", key)


def stages(key: str) -> frozenset[OpportunityStage]:
    """Stages to choose, all at first."""
    return _several("Stage", {stage.label: stage for stage in OpportunityStage}, "Every stage", key)


def search(key: str) -> str:
    """Words to look for in names, answered while typing."""
    typed = st.text_input(
        "Search",
        key=key,
        bind="query-params",
        type="search",
        placeholder="Deal, company or contact",
        icon=":material/search:",
        max_chars=200,
        live=True,
    )
    return (typed or "").encode("utf-8", "ignore").decode().replace("\x00", "")


def opportunities(key: str) -> OpportunityFilter:
    """What narrows down a list or a board of opportunities."""
    return OpportunityFilter(
        text=search(f"{key}_search"),
        stages=stages(f"{key}_stage"),
        owners=owners(f"{key}_owner"),
    )


def sort(key: str) -> OpportunitySort:
    """An order to choose, the most valuable first at first."""
    by_label = {order.label: order for order in OpportunitySort}
    labels = list(by_label)
    chosen = st.selectbox(
        "Sort by",
        labels,
        index=labels.index(OpportunitySort.VALUE_DESCENDING.label),
        key=key,
        bind="query-params",
        width=FIELD_WIDTH,
    )
    return by_label[chosen]


def _several(label: str, by_label: dict[str, T], everything: str, key: str) -> frozenset[T]:
    """Several of the labelled values to choose, none at first, which means `everything`."""
    chosen = st.multiselect(
        label,
        list(by_label),
        key=key,
        bind="query-params",
        placeholder=everything,
        filter_mode="contains",
        select_all=False,
        width=FIELD_WIDTH,
    )
    return frozenset(by_label[name] for name in chosen if name in by_label)


def _labels(people: list[user_service.Owner]) -> dict[str, int]:
    """A label for each owner. Later namesakes get their number, so that an older address stays true."""
    labels: dict[str, int] = {}
    for person in sorted(people, key=lambda person: person.id):
        name = words.one_line(person.name)
        labels[f"{name} ({person.id})" if name in labels else name] = person.id
    return dict(sorted(labels.items(), key=lambda label: label[0].lower()))
