"""How a test finds its way on the settings screens: by labels, as a person does."""

from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button, Selectbox

from ui.words import NOTHING


def plain(markdown: str) -> str:
    """What is to be read, where somebody's text was made literal."""
    return markdown.replace("\\", "").replace(NOTHING, "").replace("\xa0", " ")


def boxes(page: AppTest) -> dict[str, Selectbox]:
    return {box.label: box for box in page.selectbox}


def selected(page: AppTest, label: str) -> Any:
    return boxes(page)[label].value


def choose(page: AppTest, label: str, value: Any) -> None:
    """Choose it, where that alone tells the screen: outside of a form."""
    boxes(page)[label].set_value(value).run()


def button(page: AppTest, label: str, position: int = 0) -> Button:
    """One of the buttons that are called so, from top to bottom."""
    return [found for found in page.button if found.label == label][position]


def typed(page: AppTest, label: str) -> Any:
    return next(field for field in page.text_input if field.label == label)
