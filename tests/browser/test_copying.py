"""What people copy from a screen is what was typed: Markdown makes nothing of it, and nothing is put in."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.parts import close_drawer, drawer, open_row, table
from tests.browser.typed import TYPED
from tests.builders import Make

ON_A_BUTTON = {
    "button": "stButton",
    "link": "stLinkButton",
    "expander": "stExpander",
    "popover": "stPopover",
    "tab": "stTab",
}
"""Elements whose words can't be selected with the mouse, by what they are."""

MADE_OF_IT = ".katex, .stMarkdownBadge, [role=img], img, b, em, del, code:not(pre code), a:not([href='#'])"
"""What Markdown would turn a text into."""


def copied(place: Locator) -> str:
    """What the clipboard has once somebody has selected the element and copied it."""
    place.evaluate("element => getSelection().selectAllChildren(element)")
    place.page.keyboard.press("Control+c")
    return place.page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n").strip()


def test_every_element_gives_what_was_typed(look, elements):
    seen = look(elements.address)
    page = seen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.open("quoted")
    main = page.get_by_test_id("stMain")
    expect(main.get_by_test_id("stTable")).to_be_visible()

    assert [copied(each) for each in main.get_by_test_id("stCaptionContainer").all()] == [*TYPED]
    assert [copied(each) for each in main.get_by_test_id("stAlertContentError").all()] == [*TYPED]
    assert [copied(each) for each in main.locator("td").all()] == [*TYPED]
    assert [copied(each) for each in main.locator("strong").all()] == [*TYPED]
    assert [copied(each) for each in main.locator("span.stMarkdownColoredText").all()] == [*TYPED]
    assert copied(page.get_by_test_id("stToastText")) == " ".join(TYPED)
    for kind, test_id in ON_A_BUTTON.items():
        labels = main.get_by_test_id(test_id).get_by_test_id("stMarkdownContainer")
        assert labels.all_inner_texts()[: len(TYPED)] == [*TYPED], kind
    assert [each.evaluate("it => it.outerHTML") for each in main.locator(MADE_OF_IT).all()] == []
    main.get_by_test_id("stTooltipIcon").nth(1).hover()
    assert copied(page.get_by_test_id("stTooltipContent")) == TYPED[1]
    seen.press("Ask")
    expect(drawer(page)).to_be_visible()
    assert copied(drawer(page).get_by_role("heading")) == " ".join(TYPED)
    assert (seen.complaints, seen.foreign) == ([], [])


def test_what_was_copied_in_the_drawer_finds_its_deal(look, address, database):
    with database.write() as session:
        for text in TYPED:
            Make(session).opportunity(name=text)
    seen = look(address)
    page = seen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.open("opportunities")

    for name in TYPED[1], TYPED[6], TYPED[8]:
        open_row(seen, name)
        assert copied(drawer(page).get_by_role("heading").first) == name
        close_drawer(page)
        find_what_was_copied(page, name)
    assert (seen.complaints, seen.foreign) == ([], [])


def find_what_was_copied(page: Page, name: str) -> None:
    search = page.get_by_placeholder("Deal, company or contact")
    search.press("Control+v")
    expect(table(page).locator("tbody th")).to_have_text([name])
    search.fill("")
    expect(table(page).locator("tbody th")).to_have_count(len(TYPED))
