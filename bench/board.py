"""Somebody who drags deals on the board."""

from collections.abc import Iterator

from playwright.sync_api import Browser, Locator

from bench.browser import MOVES, Visitor
from bench.waits import Wait, Work
from crm_core.models import OpportunityStage

CARDS = 200
"""So many are on the board while one is dragged, where there are as many deals."""

COLUMNS = (OpportunityStage.DISCOVERY, OpportunityStage.NEGOTIATION)
"""Cards are dragged from one to the other and back."""


class Board(Visitor):
    """`number` counts what they do."""

    def __init__(self, browser: Browser, port: int) -> None:
        super().__init__(browser, port)
        self.held = ""  # the name of the deal whose card is in the air

    def waits(self) -> Iterator[Wait]:
        """In this order, each on the screen as the one before it leaves it."""
        yield Wait("board, after the menu", self.open, self.leave)
        yield Wait("show more of a column", self.show_more, self.begin_anew)
        yield Work(f"drag by {MOVES} moves, main thread", self.drag, self.take, goal=150)
        yield Wait("drop, saved and counted", self.drop, self.take_and_drag, goal=300, shows=self.outcome)

    def leave(self, number: int) -> None:
        self.leave_by_menu("Dashboard")

    def open(self, number: int) -> None:
        self.in_menu("Pipeline").click()

    def begin_anew(self, number: int) -> None:
        self.go("pipeline")
        self.page.locator(".card").first.wait_for()

    def show_more(self, number: int) -> None:
        self.page.locator(".more:visible").first.click()

    def show_many(self) -> None:
        """Of every column in turn."""
        self.begin_anew(0)
        buttons = self.page.locator(".more:visible")
        position = 0
        while self.page.locator(".card").count() < CARDS and buttons.count():
            self.wait(buttons.nth(position % buttons.count()).click, "rows")
            position += 1

    def take(self, number: int) -> None:
        """Press the mouse on the first card of a column; what was in the air before goes back."""
        if self.held:
            self.page.keyboard.press("Escape")
            self.page.mouse.up()
        if number == 0:
            self.show_many()
        card = self.column(number).locator(".card").first
        self.held = card.locator(".name").inner_text()
        self.page.mouse.move(*self.corner(card))
        self.page.mouse.down()

    def drag(self, number: int) -> None:
        x, y = self.corner(self.column(number + 1))
        self.move(x, y + 120)

    def take_and_drag(self, number: int) -> None:
        self.take(number)
        self.drag(number)

    def drop(self, number: int) -> None:
        self.page.mouse.up()

    def outcome(self, number: int) -> str:
        """What the board says when the server's answer has the deal in that column, with the new totals."""
        return f"{self.held} is in {COLUMNS[(number + 1) % 2].label}."

    def column(self, number: int) -> Locator:
        label = self.page.locator(".badge", has_text=COLUMNS[number % 2].label)
        return self.page.locator("section.column").filter(has=label)

    def corner(self, of: Locator) -> tuple[float, float]:
        """A place inside, near the upper left corner."""
        box = of.bounding_box()
        assert box
        return box["x"] + 30, box["y"] + 12
