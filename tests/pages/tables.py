"""What a list on screen shows: the table is a component of ours, so its data is what AppTest knows of it."""

import json
from itertools import count
from typing import Any

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest

NUMBERS = count(1)
"""Each event has a higher one than those before it."""


def data(page: AppTest) -> dict[str, Any] | None:
    """Everything that the screen's table was told; None where there is no table."""
    shown = [json.loads(each.proto.json) for each in page.get("bidi_component") if _is_table(each)]
    return shown[0] if shown else None


def answers(page: AppTest) -> dict[str, int]:
    """The number of the last event that was done, by the key of what has told it."""
    shown = [each for each in page.get("bidi_component") if each.proto.component_name.endswith("answers")]
    told: dict[str, int] = json.loads(shown[0].proto.json)
    return told


def rows(page: AppTest) -> list[dict[str, str]]:
    """Each row as the texts in its cells, by what stands above them."""
    shown = data(page) or {"columns": [], "rows": []}
    return [
        {column["label"]: row["cells"][column["id"]]["text"] for column in shown["columns"]}
        for row in shown["rows"]
    ]


def names(page: AppTest) -> list[str]:
    """What the records are called, in the order of the rows."""
    return [row["Name"] for row in rows(page)]


def colors(page: AppTest, column: str) -> dict[str, str | None]:
    """The colour of each text in the column with that id; None where it is no badge."""
    cells = [row["cells"][column] for row in (data(page) or {"rows": []})["rows"]]
    return {cell["text"]: cell.get("color") for cell in cells}


def select(page: AppTest, *ids: int) -> None:
    """Tick these rows and no others."""
    element = _element(page)
    cleared = (data(page) or {})["cleared"]
    _send(page, element.proto.id, json.dumps({"selected": {"ids": list(ids), "cleared": cleared}}))


def open_row(page: AppTest, record_id: int) -> None:
    """Click on a row."""
    send_event(page, _element(page), "opened", {"id": record_id})


def sort_by(page: AppTest, column: str) -> None:
    """Click on the head of the column with that id."""
    send_event(page, _element(page), "sorted", {"column": column})


def edit(page: AppTest, record_id: int, column: str, value: str, *, version: int = 1) -> None:
    """Type another value into a cell, on the version that was on screen."""
    send_event(
        page,
        _element(page),
        "edited",
        {"id": record_id, "version": version, "column": column, "value": value},
    )


def send_event(page: AppTest, element: Any, event: str, value: dict[str, Any]) -> None:
    """What a component's script would send for something that somebody did."""
    tell(page, element, [{"number": next(NUMBERS), "event": event, "value": value}])


def tell(page: AppTest, element: Any, told: list[dict[str, Any]]) -> None:
    """What a component's script would send as long as none of these events is answered."""
    aggregator = _make_trigger_id(element.proto.id, "events")
    _send(page, aggregator, json.dumps([{"event": "told", "value": told}]), kind="json_trigger_value")


def _send(page: AppTest, widget: str, value: str, kind: str = "json_value") -> None:
    """What the browser would send; AppTest has no way to touch a component of somebody's own."""
    states = page._tree.get_widget_states()
    setattr(states.widgets.add(id=widget), kind, value)
    page._run(states)
    assert not page.exception


def _element(page: AppTest) -> Any:
    return next(each for each in page.get("bidi_component") if _is_table(each))


def _is_table(element: Any) -> bool:
    return element.proto.component_name.endswith("table")
