"""What is on a screen as people find it: rows, the drawer, what is hard to read, and what has no name."""

import csv
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from python_calamine import CalamineWorkbook

from tests.browser.conftest import Look

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()

CONTROLS = {
    "button",
    "checkbox",
    "combobox",
    "link",
    "listbox",
    "menuitem",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
}


def drawer(page: Page) -> Locator:
    """The record at the side, or any other dialog, but none of the popovers in it."""
    return page.locator('[role="dialog"]:not([data-testid="stPopoverBody"])')


def popover(page: Page) -> Locator:
    return page.get_by_test_id("stPopoverBody")


def table(page: Page) -> Locator:
    """The list behind a drawer."""
    return page.get_by_test_id("stMain").locator("table")


def row(page: Page, name: str) -> Locator:
    """The row of the record with that name in the list."""
    return table(page).locator("tbody tr").filter(has=page.locator("th").get_by_text(name, exact=True))


def names(page: Page) -> list[str]:
    """What the rows of the list are called, from the top."""
    return table(page).locator("tbody th").all_inner_texts()


def open_row(seen: Look, name: str) -> None:
    """Open the record of that row at the side."""
    row(seen.page, name).locator("th").get_by_role("button").click()
    expect(drawer(seen.page).first).to_be_visible()
    seen.settle()  # for a moment its fields may be drawn twice


def close_drawer(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)


def click_thrice(button: Locator) -> None:
    """As a nervous hand does; the later clicks may find the button gone."""
    button.click(click_count=3, delay=15)


def unnamed_controls(page: Page) -> list[str]:
    """Everything to press or to fill that a screen reader has no name for, as the browser computes them."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    found = [
        session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]})["node"]
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in CONTROLS
        and not node.get("name", {}).get("value", "").strip()
    ]
    session.detach()
    return [f"{node['localName']} {node['attributes']}" for node in found]


def hard_to_read(page: Page) -> list[dict[str, Any]]:
    """Visible texts with less contrast than WCAG AA asks for."""
    found: list[dict[str, Any]] = page.evaluate(CONTRAST)
    return found


def fits(seen: Look) -> bool:
    """Whether nothing is wider than the window."""
    is_narrow = bool(seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
    inside = drawer(seen.page)
    return is_narrow and all(
        one.evaluate("each => each.scrollWidth <= each.clientWidth + 1") for one in inside.all()
    )


def exported(page: Page, label: str, folder: Path) -> list[list[Any]]:
    """Name and value of each row of the file that is downloaded."""
    page.get_by_role("button", name="Export").click()
    drawer(page).get_by_role("radio", name=label).click()
    drawer(page).get_by_role("button", name="Prepare the file").click()
    with page.expect_download() as download:
        drawer(page).get_by_role("button", name=f"Download {label}").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    page.keyboard.press("Escape")
    expect(drawer(page)).to_have_count(0)
    if label == "Excel":
        head, *rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
    else:
        with file.open(encoding="utf-8-sig", newline="") as text:
            head, *rows = csv.reader(text)
    name, value = head.index("Name"), head.index("Value (USD)")
    return [[each[name], float(each[value]) if each[value] != "" else None] for each in rows]


def go(seen: Look, path: str, title: str) -> None:
    """To the screen of that title without loading the app anew, as the browser's back button does.

    It takes half of the time of `open`. Where the same screen stays, wait for what else there is to come.
    """
    if seen.page.url == "about:blank":
        seen.open(path)
    else:
        seen.page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }",
            f"/{path}",
        )
    expect(seen.page.get_by_test_id("stMain").locator("h1")).to_have_text(title)
    seen.settle()
