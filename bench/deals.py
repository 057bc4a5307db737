"""Somebody who works with the list of deals and looks at the dashboard."""

from collections.abc import Callable, Iterator, Sequence

from playwright.sync_api import Browser

from bench.browser import Visitor
from bench.waits import Wait
from crm_core.models import OpportunityStage

TYPING = 40
"""Milliseconds between two keys."""

PAGES = 3
"""So far people turn pages before they begin anew; there are more, but not in the smallest of lists."""

ELSEWHERE = (640, 10)
"""A place with nothing to click."""

FILTERED = "opportunities?deals_state=open"
HEADS = ("name", "value", "expected_close", "owner")


class Deals(Visitor):
    """Somebody who works with the list of deals; `number` counts what they do."""

    def __init__(
        self,
        browser: Browser,
        port: int,
        searches: Sequence[str] = (),
        change: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(browser, port)
        self.searches = searches
        self.change = change

    def waits(self) -> Iterator[Wait]:
        """In this order, each on the screen as the one before it leaves it."""
        yield Wait("50 rows, after the menu", self.open_list, self.leave, goal=1000)
        yield Wait("filter by stage", self.choose_stage, self.offer_stages, goal=500)
        yield Wait(
            "... after a change elsewhere", self.choose_stage, self.offer_stages_after_a_change, goal=500
        )
        yield Wait("search, from the last key", self.search, self.clear, goal=500)
        yield Wait("sort by a head", self.sort, self.clear_at_first, goal=500)
        yield Wait("next page", self.turn_page, self.begin_again, goal=500)
        yield Wait("drawer of a row", self.open_row, self.close_drawer, goal=400, region="drawer")
        yield Wait("save in the drawer, seen in the table", self.save, self.write, shows=self.next_step)
        yield Wait("dashboard, in a new window", self.open_dashboard, self.open_a_window, region="page")
        yield Wait(
            "dashboard, after the menu", self.open_dashboard, self.leave_dashboard, goal=1000, region="page"
        )
        yield Wait(
            "dashboard, after a change elsewhere",
            self.open_dashboard,
            self.leave_dashboard_and_change,
            goal=1000,
            region="page",
        )

    def open_dashboard(self, number: int) -> None:
        self.in_menu("Dashboard").click()

    def open_a_window(self, number: int) -> None:
        """What draws charts is not in it yet."""
        self.go("opportunities")

    def leave_dashboard(self, number: int) -> None:
        self.leave_by_menu("Opportunities")

    def leave_dashboard_and_change(self, number: int) -> None:
        self.leave_dashboard(number)
        self.change()

    def leave(self, number: int) -> None:
        self.leave_by_menu("Dashboard")

    def open_list(self, number: int) -> None:
        self.in_menu("Opportunities").click()

    def clear(self, number: int) -> None:
        self.page.mouse.click(*ELSEWHERE)  # closes what a field offers
        clear = self.page.locator(".st-key-deals-clear button")
        if clear.count():
            self.wait(clear.click, "rows")

    def offer_stages(self, number: int) -> None:
        self.clear(number)
        self.page.get_by_role("combobox", name="Stage").click()

    def offer_stages_after_a_change(self, number: int) -> None:
        self.offer_stages(number)
        self.change()

    def choose_stage(self, number: int) -> None:
        stages = list(OpportunityStage)
        self.page.get_by_role("option", name=stages[number % len(stages)].label, exact=True).click()

    def search(self, number: int) -> None:
        field_ = self.page.get_by_placeholder("Deal, company or contact")
        field_.press_sequentially(self.searches[number % len(self.searches)], delay=TYPING)

    def clear_at_first(self, number: int) -> None:
        if number == 0:
            self.clear(number)

    def sort(self, number: int) -> None:
        self.page.locator(f"button.sort[data-column={HEADS[number % len(HEADS)]}]").click()

    def begin_again(self, number: int) -> None:
        if number % PAGES == 0:
            self.go("opportunities")

    def turn_page(self, number: int) -> None:
        self.page.get_by_role("button", name="Next page").click()

    def close_drawer(self, number: int) -> None:
        if number == 0:
            self.go(FILTERED)
        close = self.page.locator('[role="dialog"] button[aria-label="Close"]')
        if close.count():
            self.wait(close.click, "page")

    def open_row(self, number: int) -> None:
        self.page.locator("tbody button.open").nth(number % 10).click()

    def write(self, number: int) -> None:
        self.close_drawer(number)
        self.wait(lambda: self.open_row(number), "drawer")
        self.page.get_by_role("dialog").get_by_label("Next step", exact=True).fill(self.next_step(number))

    def save(self, number: int) -> None:
        self.page.locator(".st-key-drawer_save button").click()

    def next_step(self, number: int) -> str:
        return f"Call again {number}"
