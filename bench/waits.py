"""What people wait for at the screen, and the same at a bare one, which does the least that a screen can."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.browser import Region, Visitor, Waited

ACROSS = ((300, 400), (1100, 520))
"""About where a card is dragged from and to."""


def nothing(number: int) -> None:
    """No preparation."""


class Bare(Visitor):
    """Somebody at the bare screen."""

    def turn(self) -> Waited:
        return self.wait(self.button("Next").click, "rows")

    def point(self) -> Waited:
        """Move the mouse as if something was dragged."""
        start, end = ACROSS
        self.page.mouse.move(*start)
        return self.work(lambda: self.move(*end))


@dataclass(frozen=True)
class Wait:
    """Something that people do at the screen and wait for: what they do, and what they look at.

    `act` ends with what starts the clock: a click, a key or a drop; with `shows`, the rows have to show that
    text.
    """

    name: str
    act: Callable[[int], object]
    prepare: Callable[[int], object] = nothing
    goal: int | None = None
    region: Region = "rows"
    shows: Callable[[int], str] = lambda _: ""

    def once(self, visitor: Visitor, number: int) -> Waited:
        return visitor.wait(lambda: self.act(number), self.region, self.shows(number))

    def least(self, bare: Bare) -> Waited:
        """The like of it at the bare screen."""
        return bare.turn()


class Work(Wait):
    """Something that has to keep up with a hand: how long the page's main thread works on `act`."""

    def once(self, visitor: Visitor, number: int) -> Waited:
        return visitor.work(lambda: self.act(number))

    def least(self, bare: Bare) -> Waited:
        return bare.point()
