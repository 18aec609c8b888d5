"""The failures screen: all users compared with popularity, cohorts, and items never recommended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, TabbedContent, TabPane

from neumf_tui.explore.user_search import NO_MATCH, best_first
from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, counted
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.failures.side import FailuresSide
from neumf_tui.tui.failures.tables import COHORT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import OpenItem, OpenUser
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.head_text import head
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.widgets.table import Column, Table, id_column, item_columns
from neumf_tui.tui.widgets.user_search_line import UserSearchLine, matches_in
from neumf_tui.tui.work import Cancelled
from neumf_tui.views.coverage import coverage_sheet, coverage_text
from neumf_tui.views.failures import (
    SORTS,
    WHISKER,
    cohort_cells,
    cohorts_sheet,
    failures_sheet,
    summary_text,
    user_cells,
    verdict,
    width_of,
)
from neumf_tui.views.items import item_cells
from neumf_tui.views.model_label import model_label
from neumf_tui.views.people import nobody_text

if TYPE_CHECKING:
    from neumf_tui.explore.cohorts import Cohort
    from neumf_tui.explore.coverage import Coverage
    from neumf_tui.explore.failures import Failures
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users
    from neumf_tui.views.sheet import Sheet

GAIN_COLUMN = 4
"""Position in USER_COLUMNS."""
VERDICT_COLUMNS, WHISKER_COLUMN = (0, 4), 6
"""Positions in COHORT_COLUMNS."""


@dataclass
class CoverageProgress(Message):
    """So many percent of the users have been scored for the catalogue."""

    percent: int


class FailuresScreen(SheetScreen):
    """Three tabs. Users and cohorts need only the rank tape; the catalogue needs the model."""

    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "failures",
        hidden("1", "tab('users')", "Users", "Every user, the worst rank first", key_id="users"),
        hidden("2", "tab('cohorts')", "Cohorts", "Users by what they have and what is held out",
               key_id="cohorts"),
        hidden("3", "tab('catalogue')", "Catalogue", "The {items} that nobody is recommended",
               key_id="catalogue"),
        shown("o", "sort", "Sort", "Sort in another order"),
        shown("slash", "search", "Search", "Search users by id or held-out title", display="/"),
        shown("enter", "open", "Open", "Open the user, the cohort's users, or the {item}"),
    )  # fmt: skip

    tabs = getters.query_one("#failures-tabs", TabbedContent)
    users_table = getters.query_one("#users-table", Table)
    cohorts_table = getters.query_one("#cohorts-table", Table)
    items_table = getters.query_one("#catalogue-table", Table)
    search_line = getters.query_one(UserSearchLine)

    def __init__(self, ranker: "Ranker | None", users: "Users", epoch: int) -> None:
        """`ranker` is None while the model is being loaded; then call `take_ranker`."""
        super().__init__()
        self.ranker, self.users, self.epoch = ranker, users, epoch
        self.noun = users.dataset.noun
        self.failures: Failures | None = None
        self.order: NDArray[np.int64] | None = None
        """User indices in the order of the list."""
        self.by = "rank"
        self.cohort: Cohort | None = None
        """The cohort whose users are listed; None for all users."""
        self._came_from_cohorts = False
        """Whether the users were opened from the table of cohorts."""
        self.cohorts: list[Cohort] = []
        """In the order of the list, all users first."""
        self._cohorts_by_kind: list[Cohort] = []
        self.lowest_first = False
        """Whether cohorts are sorted by Hit@50 instead of by kind."""
        self.coverage: Coverage | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="failures-head")
        yield Static("counting", id="failures-summary", markup=False)
        with TabbedContent(id="failures-tabs"):
            with TabPane("1 users", id="users"), Horizontal():
                with Vertical(classes="failures-pane", id="failures-list"):
                    yield Table(item_columns(USER_COLUMNS, self.users.dataset), id="users-table")
                    yield UserSearchLine(id="failures-search")
                yield FailuresSide()
            with (
                TabPane("2 cohorts", id="cohorts"),
                Vertical(classes="failures-pane", id="failures-cohorts"),
            ):
                yield Table(COHORT_COLUMNS, id="cohorts-table")
            with (
                TabPane("3 catalogue", id="catalogue"),
                Vertical(classes="failures-pane", id="failures-catalogue"),
            ):
                yield Static(id="failures-figures", markup=False)
                yield Table(item_columns(ITEM_COLUMNS, self.users.dataset), id="catalogue-table")
        yield ProtocolLine(self.users.info)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        info = self.users.info
        rest = f"  {clean(info.dataset.label)}  {clean(model_label(info))}  epoch {self.epoch}"
        self.query_one("#failures-head", Static).update(head("failures", info.name).append(rest))
        self.query_one("#failures-tabs Tabs").can_focus = False
        self.users_table.focus()
        users, epoch = self.users, self.epoch

        def count(_: Cancelled) -> "tuple[Failures, str]":
            from neumf_tui.explore.failures import failures_at

            failures = failures_at(users, epoch)
            return failures, summary_text(failures)

        self.ask("failures", count, self._show_failures)

    def _show_failures(self, answer: "tuple[Failures, str]") -> None:
        failures, summary = answer
        self.failures = failures
        self.query_one("#failures-summary", Static).update(summary)
        columns = self.users_table.columns
        columns[0] = id_column("user", self.users.dataset.user_ids)
        columns[2] = Column("rank", max(5, width_of(failures.ranks)), right=True)
        columns[GAIN_COLUMN] = Column("gain", max(5, 1 + width_of(failures.gains)), right=True)
        self.query_one(FailuresSide).show_failures(failures)
        self._list_users()
        self._fill_tab()

    def take_ranker(self, ranker: "Ranker") -> None:
        """Use the model that has been loaded."""
        self.ranker = ranker
        self._fill_tab()

    def show_problem(self, text: str) -> None:
        super().show_problem(text)
        if self.failures is None and not self.waiting("failures"):
            self.query_one("#failures-summary", Static).update(clean(text))

    # Tabs.

    @property
    def front(self) -> str:
        """The tab in front: `users`, `cohorts` or `catalogue`."""
        return self.tabs.active or "users"

    @property
    def front_table(self) -> Table:
        return self.query_one(f"#{self.front}-table", Table)

    def action_tab(self, name: str) -> None:
        self.tabs.active = name
        self.front_table.focus()

    @on(TabbedContent.TabActivated)
    def _fill_tab(self) -> None:
        """Compute what the tab shows when it comes to the front for the first time."""
        self.refresh_bindings()
        failures = self.failures
        if failures is None:
            return
        if self.front != "users" or not self.search_line.has_focus:
            self.front_table.focus()
        if self.front == "cohorts" and not self.cohorts and not self.waiting("cohorts"):
            self.query_one("#failures-cohorts").border_title = "counting"

            def group(cancelled: Cancelled) -> "list[Cohort]":
                from neumf_tui.explore.cohorts import make_cohorts

                return make_cohorts(failures, cancelled)

            self.ask("cohorts", group, self._show_cohorts)
        elif self.front == "catalogue" and self.coverage is None and not self.waiting("catalogue"):
            self._ask_coverage()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        hidden_on = {"search": ("cohorts", "catalogue"), "sort": ("catalogue",)}
        return self.front not in hidden_on.get(action, ())

    def action_sort(self) -> None:
        if self.front == "users" and self.failures is not None:
            orders = self.failures.orders
            self.by = orders[(orders.index(self.by) + 1) % len(orders)]
            self._list_users()
        elif self.cohorts:
            self.lowest_first = not self.lowest_first
            self._show_cohorts(self._cohorts_by_kind)

    @on(Table.Chosen)
    def action_open(self) -> None:
        table = self.front_table
        if not table.row_count:
            return
        if self.front == "users" and self.order is not None:
            self.navigate(OpenUser(int(self.order[table.cursor]), self.ranker))
        elif self.front == "cohorts":
            self._choose_cohort(self.cohorts[table.cursor])
            self.action_tab("users")
        elif self.coverage is not None and self.ranker is not None:
            item = int(self.coverage.model.never[table.cursor])
            self.navigate(OpenItem(self.ranker, self.users, item))

    def end_aside(self) -> bool:
        if self.front != "users":
            return False
        if self.search_line.is_open:
            self.search_line.close()
            self._list_users()
            self.users_table.focus()
        elif self._came_from_cohorts:
            self._choose_cohort(None)
            self.action_tab("cohorts")
        else:
            return False
        return True

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        failures, order, by, cohort = self.failures, self.order, self.by, self.cohort
        cohorts, coverage, front = self.cohorts, self.coverage, self.front
        has_rows = {"users": order is not None, "cohorts": bool(cohorts), "catalogue": coverage}

        def make() -> "Sheet":
            if front == "catalogue":
                assert coverage is not None
                return coverage_sheet(coverage)
            assert failures is not None and order is not None
            if front == "cohorts":
                return cohorts_sheet(failures, cohorts)
            return failures_sheet(failures, order, by, cohort)

        return make if has_rows[front] else None

    # Users.

    def action_search(self) -> None:
        self.search_line.open()

    @on(Input.Submitted)
    def focus_users(self) -> None:
        self.users_table.focus()

    def _choose_cohort(self, cohort: "Cohort | None") -> None:
        self._came_from_cohorts = cohort is not None
        self.cohort = None if cohort is None or cohort.kind == "all" else cohort
        if self.failures is not None:
            members = None if self.cohort is None else self.cohort.members
            self.query_one(FailuresSide).show_failures(self.failures, members)
        self._list_users()

    @on(Input.Changed)
    def _list_users(self) -> None:
        """List the users of the cohort who match the search, in the order chosen."""
        failures, by, cohort = self.failures, self.by, self.cohort
        if failures is None:
            return
        query = self.search_line.value

        def find(_: Cancelled) -> NDArray[np.int64]:
            levels = failures.search.levels(query)
            if cohort is not None:
                levels[~np.isin(np.arange(len(levels)), cohort.members)] = NO_MATCH
            return best_first(failures.order(by), levels)

        self.ask("order", find, self._show_users)

    def _show_users(self, order: NDArray[np.int64]) -> None:
        failures, table = self.failures, self.users_table
        assert failures is not None
        self.order = order

        def sign(row: int, column: int) -> int:
            gain = failures.gains[order[row]] if column == GAIN_COLUMN else 0
            return int(np.nan_to_num(np.sign(gain)))

        query = self.search_line.value.strip()
        table.sign, table.matches = sign, matches_in(query, 0, 1)
        table.scroll_to(y=0, animate=False)
        whose = f"{self.cohort.kind} {self.cohort.name}" if self.cohort else ""
        nobody = "" if len(order) else nobody_text(self.users.dataset, query, whose)
        # A narrow screen has the table alone.
        ending = nobody.partition(":\n")[0]
        table.show_rows(
            len(order), lambda row: user_cells(failures, int(order[row])), ending=ending
        )
        pane = self.query_one("#failures-list")
        sort = self.noun.fill(SORTS[self.by])
        title = " · ".join(filter(None, (whose, counted(len(order), "user"), sort)))
        pane.border_title = Text(clean(title))
        pane.border_subtitle = "Esc: cohorts" if self._came_from_cohorts else ""
        if nobody:
            self.query_one(FailuresSide).show_nobody(nobody)

    @on(Table.Highlighted, "#users-table")
    def _draw_user(self) -> None:
        order, row = self.order, self.users_table.cursor
        if order is not None and row < len(order):
            self.query_one(FailuresSide).show_user(int(order[row]))

    # Cohorts.

    def _show_cohorts(self, by_kind: "list[Cohort]") -> None:
        self._cohorts_by_kind = by_kind
        everybody, *others = by_kind
        if self.lowest_first:
            others.sort(key=lambda cohort: cohort.hit)
        self.cohorts = listed = [everybody, *others]
        scale = max(max(cohort.hit_interval[1], cohort.popularity_hit) for cohort in listed)

        def cells(row: int) -> list[str]:
            names_kind = self.lowest_first or not row or listed[row - 1].kind != listed[row].kind
            return cohort_cells(listed[row], everybody, scale, names_kind)

        def sign(row: int, column: int) -> int:
            return verdict(listed[row], everybody) if column in VERDICT_COLUMNS else 0

        table = self.cohorts_table
        ends = f"0{f'{scale:.2f}':>{WHISKER - 1}}"
        table.columns[WHISKER_COLUMN] = Column(ends, WHISKER, drop=4)
        table.sign = sign
        table.show_rows(len(listed), cells)
        pane = self.query_one("#failures-cohorts")
        order = "lowest Hit@50 first" if self.lowest_first else "by kind"
        pane.border_title = f"{order} · ▲▼ interval above or below all users'"
        pane.border_subtitle = "● Hit@50  ○ popularity alone"

    # Catalogue.

    def _ask_coverage(self) -> None:
        ranker, epoch = self.ranker, self.epoch
        if ranker is None:
            self._show_figures("waiting until the model is loaded")
            return

        def measure(cancelled: Cancelled) -> "tuple[Ranker, Coverage | None]":
            from neumf_tui.explore.coverage import measure_coverage

            model = ranker if ranker.epoch == epoch else ranker.at(epoch)
            percent = 0

            def progress(done: int, total: int) -> None:
                nonlocal percent
                if 100 * done // total > percent:
                    percent = 100 * done // total
                    self.post_message(CoverageProgress(percent))

            return model, measure_coverage(model, cancelled, progress)

        self._show_figures(f"computing every user's top {CUTOFF}")
        self.ask("catalogue", measure, self._show_coverage, self._show_no_coverage)

    def _show_no_coverage(self, problem: str) -> None:
        self._show_figures(problem)
        self.items_table.display = False

    def _show_figures(self, text: str) -> None:
        self.query_one("#failures-figures", Static).update(clean(text))

    @on(CoverageProgress)
    def show_progress(self, message: CoverageProgress) -> None:
        if self.waiting("catalogue"):
            self._show_figures(f"computing every user's top {CUTOFF}: {message.percent} %")

    def _show_coverage(self, answer: "tuple[Ranker, Coverage | None]") -> None:
        self.ranker, coverage = answer
        if coverage is None:
            return
        self.coverage = coverage
        self.query_one("#failures-figures", Static).update(coverage_text(coverage))
        never, data = coverage.model.never, coverage.dataset
        self.items_table.show_rows(len(never), lambda row: item_cells(data, int(never[row])))
        title = f"{self.noun.counted(len(never))} in nobody's top {CUTOFF} · most seen first"
        self.query_one("#failures-catalogue").border_title = title
