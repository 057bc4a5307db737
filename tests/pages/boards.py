"""What the board on screen shows, and how it is touched in AppTest, where no component can be."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.pages.tables import NUMBERS, send_event, tell


def data(page: AppTest) -> dict[str, Any]:
    """Everything that the board was told."""
    told: dict[str, Any] = json.loads(_element(page).proto.json)
    return told


def columns(page: AppTest) -> dict[str, dict[str, Any]]:
    """Each column by its id."""
    return {column["id"]: column for column in data(page)["columns"]}


def names(page: AppTest, column: str) -> list[str]:
    """What the cards of a column are called, in their order."""
    return [card["name"] for card in data(page)["cards"] if card["column"] == column]


def card(page: AppTest, name: str) -> dict[str, Any]:
    """The card with that name."""
    return next(card for card in data(page)["cards"] if card["name"] == name)


def lines(page: AppTest, name: str) -> list[str]:
    """What a card says below its name."""
    return [line["text"] for line in card(page, name)["lines"]]


def signs(page: AppTest, name: str) -> list[str]:
    """The signs on a card."""
    return [sign["text"] for sign in card(page, name)["signs"]]


def drop(page: AppTest, name: str, to: str, *, at: int = 0, version: int | None = None) -> None:
    """Drag a card into a column, to that position among the cards that are loaded there."""
    send_event(page, _element(page), "moved", _dropped(page, name, to, at, version))


def drop_at_once(page: AppTest, *drops: tuple[str, str]) -> list[dict[str, Any]]:
    """Drag several cards, each into a column, before the first is answered; returns what was told."""
    told = [
        {"number": next(NUMBERS), "event": "moved", "value": _dropped(page, name, to)} for name, to in drops
    ]
    tell_again(page, told)
    return told


def tell_again(page: AppTest, told: list[dict[str, Any]]) -> None:
    """Tell what was told before, as if its answer had not come."""
    tell(page, _element(page), told)


def _dropped(page: AppTest, name: str, to: str, at: int = 0, version: int | None = None) -> dict[str, Any]:
    moved = card(page, name)
    ids = [each["id"] for each in data(page)["cards"] if each["column"] == to and each["id"] != moved["id"]]
    ids.insert(at, moved["id"])
    return {
        "id": moved["id"],
        "version": version or moved["version"],
        "from": moved["column"],
        "to": to,
        "ids": ids,
    }


def act(page: AppTest, name: str, action: str) -> None:
    """Choose something in a card's menu."""
    chosen = card(page, name)
    send_event(
        page, _element(page), "acted", {"id": chosen["id"], "version": chosen["version"], "action": action}
    )


def press(page: AppTest, event: str, column: str) -> None:
    """Press a column's button: `added`, `more` or `folded`."""
    send_event(page, _element(page), event, {"column": column})


def open_card(page: AppTest, name: str) -> None:
    """Click on a card."""
    send_event(page, _element(page), "opened", {"id": card(page, name)["id"]})


def _element(page: AppTest) -> Any:
    return next(each for each in page.get("bidi_component") if each.proto.component_name.endswith("board"))
