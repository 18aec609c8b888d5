"""Who is being failed: all users beside popularity alone, cohorts of them, and the films that nobody is recommended."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Footer, Input, Static, TabbedContent, TabPane

from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.failures.tables import COHORT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from neumf_tui.tui.navigation import OpenItem, OpenUser
from neumf_tui.tui.widgets.head_text import with_protocol
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import Cancelled
from neumf_tui.views.coverage import coverage_text
from neumf_tui.views.failures import (
    SORTS,
    USER_LINES,
    WHISKER,
    cohort_cells,
    fewer,
    user_cells,
    user_text,
    verdict,
    width_of,
)
from neumf_tui.views.histogram import histogram

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neumf_tui.explore.cohorts import Cohort
    from neumf_tui.explore.coverage import Coverage
    from neumf_tui.explore.failures import Failures
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users
    from neumf_tui.views.sheet import Sheet


@dataclass
class Scored(Message):
    """So much of the pass over the catalogue is done, in percent."""

    percent: int


class FailuresScreen(SheetScreen):
    """Three tabs. Users and cohorts need the rank tape alone; the catalogue waits until there is a model."""

    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "1",
            "tab('users')",
            "Users",
            show=False,
            tooltip="Every user, the worst served first",
            id="failures.users",
        ),
        Binding(
            "2",
            "tab('cohorts')",
            "Cohorts",
            show=False,
            tooltip="By history, popularity, genre and era",
            id="failures.cohorts",
        ),
        Binding(
            "3",
            "tab('catalogue')",
            "Catalogue",
            show=False,
            tooltip="Which films anybody is recommended",
            id="failures.catalogue",
        ),
        Binding("o", "sort", "Sort", tooltip="Another order", id="failures.sort"),
        Binding(
            "slash",
            "search",
            "Search",
            key_display="/",
            tooltip="Users by id or held-out title",
            id="failures.search",
        ),
        Binding(
            "enter",
            "open",
            "Open",
            tooltip="The user; the cohort's users; the film",
            id="failures.open",
        ),
    ]

    def __init__(self, ranker: "Ranker | None", users: "Users", epoch: int) -> None:
        """`ranker` is None while the model is loading; hand it in by `take_ranker` then."""
        super().__init__()
        self.ranker, self.users, self.epoch = ranker, users, epoch
        self.failures: Failures | None = None
        self.order: NDArray[np.int64] | None = None
        """User indices as listed."""
        self.by = "rank"
        self.cohort: Cohort | None = None
        """Whose users are listed; None for everybody."""
        self.cohorts: list[Cohort] = []
        """As listed, all users first."""
        self._grouped: list[Cohort] = []
        """The same by kind."""
        self.lowest_first = False
        """Cohorts by Hit@50 instead of by kind."""
        self.catalogue: Coverage | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="failures-head")
        yield Static("counting", id="failures-summary", markup=False)
        with TabbedContent(id="failures-tabs"):
            with TabPane("1 users", id="users"), Horizontal():
                with Vertical(classes="failures-pane", id="failures-list"):
                    yield Table(USER_COLUMNS, id="users-table")
                    yield Input(
                        placeholder="id or held-out title", id="failures-search", compact=True
                    )
                with Vertical(classes="failures-pane", id="failures-side"):
                    yield Static(id="failures-spread")
                    yield Static(id="failures-user")
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
                yield Table(ITEM_COLUMNS, id="catalogue-table")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#failures-tabs Tabs").can_focus = False
        self.query_one("#users-table").focus()
        self.query_one("#failures-side").border_title = "ranks"
        users, epoch = self.users, self.epoch

        def count(_: Cancelled) -> "tuple[Failures, str]":
            from neumf_tui.explore.failures import failures_at
            from neumf_tui.views.failures import summary_text

            failures = failures_at(users, epoch)
            return failures, summary_text(failures)

        self.ask("failures", count, self._show_failures)

    def _show_failures(self, answer: "tuple[Failures, str]") -> None:
        self.failures, summary = answer
        self.query_one("#failures-summary", Static).update(summary)
        found = self.failures
        columns = self.query_one("#users-table", Table).columns
        columns[0] = Column("user", min(16, max(4, *map(len, self.users.dataset.user_ids))))
        columns[2] = Column("rank", max(5, width_of(found.ranks)), right=True)
        columns[4] = Column("gain", max(5, 1 + width_of(found.gains)), right=True)
        self._draw_side()
        self._arrange()
        self._opened()

    def take_ranker(self, ranker: "Ranker") -> None:
        """The model has come."""
        self.ranker = ranker
        self._opened()

    # Tabs.

    @property
    def front(self) -> str:
        """users, cohorts or catalogue."""
        return self.query_one("#failures-tabs", TabbedContent).active or "users"

    def action_tab(self, name: str) -> None:
        self.query_one("#failures-tabs", TabbedContent).active = name
        self.query_one(f"#{name}-table").focus()

    @on(TabbedContent.TabActivated)
    def _opened(self) -> None:
        """What costs something is counted when its tab is in front for the first time."""
        self.refresh_bindings()
        failures = self.failures
        if failures is None:
            return
        if self.front != "users" or not self.query_one("#failures-search").has_focus:
            self.query_one(f"#{self.front}-table").focus()
        if self.front == "cohorts" and not self.cohorts and not self.waiting("cohorts"):
            self.query_one("#failures-cohorts").border_title = "counting"

            def group(cancelled: Cancelled) -> "list[Cohort]":
                from neumf_tui.explore.cohorts import make_cohorts

                return make_cohorts(failures, cancelled)

            self.ask("cohorts", group, self._show_cohorts)
        elif self.front == "catalogue" and self.catalogue is None and not self.waiting("catalogue"):
            self._ask_catalogue()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "search":
            return self.front == "users" if self.is_mounted else True
        if action == "sort":
            return self.front != "catalogue" if self.is_mounted else True
        return True

    def action_sort(self) -> None:
        if self.front == "users":
            orders = list(SORTS)
            self.by = orders[(orders.index(self.by) + 1) % len(orders)]
            self._arrange()
        elif self.cohorts:
            self.lowest_first = not self.lowest_first
            self._show_cohorts(self._grouped)

    def action_open(self) -> None:
        table = self.query_one(f"#{self.front}-table", Table)
        if not table.row_count:
            return
        if self.front == "users" and self.order is not None:
            self.navigate(OpenUser(int(self.order[table.cursor])))
        elif self.front == "cohorts":
            self._choose_cohort(self.cohorts[table.cursor])
            self.action_tab("users")
        elif self.catalogue is not None and self.ranker is not None:
            item = int(self.catalogue.model.never[table.cursor])
            self.navigate(OpenItem(self.ranker, self.users, item))

    @on(Table.Chosen)
    def open_chosen(self) -> None:
        self.action_open()

    def end_aside(self) -> bool:
        search = self.query_one("#failures-search", Input)
        if self.front != "users":
            return False
        if search.has_class("-shown"):
            search.remove_class("-shown")
            search.value = ""  # asks for the whole list by itself
            self.query_one("#users-table").focus()
        elif self.cohort is not None:
            self._choose_cohort(None)
        else:
            return False
        return True

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        failures, order, by, cohort = self.failures, self.order, self.by, self.cohort
        cohorts, catalogue = self.cohorts, self.catalogue

        def make_users() -> "Sheet":
            from neumf_tui.views.failures import failures_sheet

            assert failures is not None and order is not None
            return failures_sheet(failures, order, by, cohort)

        def make_cohorts() -> "Sheet":
            from neumf_tui.views.failures import cohorts_sheet

            assert failures is not None
            return cohorts_sheet(failures, cohorts)

        def make_catalogue() -> "Sheet":
            from neumf_tui.views.coverage import coverage_sheet

            assert catalogue is not None
            return coverage_sheet(catalogue)

        return {
            "users": make_users if order is not None else None,
            "cohorts": make_cohorts if cohorts else None,
            "catalogue": make_catalogue if catalogue is not None else None,
        }[self.front]

    # Users.

    def action_search(self) -> None:
        search = self.query_one("#failures-search", Input)
        search.add_class("-shown")
        search.focus()

    @on(Input.Changed, "#failures-search")
    def search_users(self) -> None:
        self._arrange()

    @on(Input.Submitted, "#failures-search")
    def end_search(self) -> None:
        self.query_one("#users-table").focus()

    def _choose_cohort(self, cohort: "Cohort | None") -> None:
        self.cohort = None if cohort is None or cohort.kind == "all" else cohort
        self._arrange()

    def _arrange(self) -> None:
        """List the users of the cohort that match the search, in the order chosen."""
        failures, by, cohort = self.failures, self.by, self.cohort
        if failures is None:
            return
        query = self.query_one("#failures-search", Input).value

        def arrange(_: Cancelled) -> "NDArray[np.int64]":
            import numpy as np

            wanted = failures.search.matching(query)
            if cohort is not None:
                wanted &= np.isin(np.arange(len(wanted)), cohort.members)
            order = failures.order(by)
            found: NDArray[np.int64] = order[wanted[order]]
            return found

        self.ask("order", arrange, self._show_users)

    def _show_users(self, order: "NDArray[np.int64]") -> None:
        import numpy as np

        failures = self.failures
        assert failures is not None
        self.order = order
        table = self.query_one("#users-table", Table)
        table.sign = lambda row, column: (
            int(np.nan_to_num(np.sign(failures.gains[order[row]]))) if column == 4 else 0
        )
        table.scroll_to(y=0, animate=False)
        table.show_rows(len(order), lambda row: user_cells(failures, int(order[row])))
        pane = self.query_one("#failures-list")
        whose = f"{self.cohort.kind} {self.cohort.name} · " if self.cohort else ""
        pane.border_title = Text(clean(f"{whose}{len(order):,} users · {SORTS[self.by]}"))
        pane.border_subtitle = "Esc: everybody" if self.cohort else ""
        if not len(order):
            self.query_one("#failures-user", Static).update("no user matches")

    @on(Table.Highlighted, "#users-table")
    def _draw_user(self) -> None:
        """The user under the cursor, whole: a narrow table leaves columns out."""
        failures, order = self.failures, self.order
        row = self.query_one("#users-table", Table).cursor
        if failures is not None and order is not None and row < len(order):
            self.query_one("#failures-user", Static).update(user_text(failures, int(order[row])))

    def _draw_side(self) -> None:
        failures = self.failures
        if failures is None:
            return
        side = self.query_one("#failures-side")
        side.border_title = f"ranks of {len(failures.evaluated):,} users"
        table = self.query_one("#users-table", Table)
        room = side.scrollable_content_region
        bins = failures.bins() if len(failures.evaluated) else []
        if room.height < len(bins) + USER_LINES:
            bins = fewer(bins)
        text = histogram(bins, max(20, room.width), table.sign_style(1), table.sign_style(-1))
        self.query_one("#failures-spread", Static).update(text)

    def on_resize(self) -> None:
        self._draw_head()
        self.call_after_refresh(self._draw_side)

    def _draw_head(self) -> None:
        info = self.users.info
        names = Text.assemble(("neumf-tui", "bold"), " ▸ failures  ", (clean(info.name), "bold"))
        rest = f"  {info.dataset.label}  {info.preset}  epoch {self.epoch}"
        self.query_one("#failures-head", Static).update(
            with_protocol(names, rest, protocol_of(info), self.app.size.width)
        )

    # Cohorts.

    def _show_cohorts(self, grouped: "list[Cohort]") -> None:
        self._grouped = grouped
        everybody, *others = grouped
        if self.lowest_first:
            others.sort(key=lambda c: c.hit)
        self.cohorts = shown = [everybody, *others]
        scale = max(max(c.hit_interval[1], c.popularity_hit) for c in shown)
        table = self.query_one("#cohorts-table", Table)
        table.columns[6] = Column(f"0{f'{scale:.2f}':>{WHISKER - 1}}", WHISKER, drop=4)

        def cells(row: int) -> list[str]:
            first = self.lowest_first or not row or shown[row - 1].kind != shown[row].kind
            return cohort_cells(shown[row], everybody, scale, first)

        table.sign = lambda row, column: verdict(shown[row], everybody) if column in (0, 4) else 0
        table.show_rows(len(shown), cells)
        pane = self.query_one("#failures-cohorts")
        order = "lowest Hit@50 first" if self.lowest_first else "by kind"
        pane.border_title = f"{order} · ▲▼ interval above or below all users'"
        pane.border_subtitle = "● Hit@50  ○ popularity alone"

    # Catalogue.

    def _ask_catalogue(self) -> None:
        ranker, epoch = self.ranker, self.epoch
        if ranker is None:
            self._say("waits until the model is loaded")
            return

        def score(cancelled: Cancelled) -> "tuple[Ranker, Coverage | None]":
            from neumf_tui.explore.coverage import measure_coverage

            model = ranker if ranker.epoch == epoch else ranker.at(epoch)
            said = 0

            def progress(done: int, of: int) -> None:
                nonlocal said
                if 100 * done // of > said:
                    said = 100 * done // of
                    self.post_message(Scored(said))

            return model, measure_coverage(model, cancelled, progress)

        self._say("making everybody's top 50")
        self.ask("catalogue", score, self._show_catalogue)

    def _say(self, text: str) -> None:
        self.query_one("#failures-figures", Static).update(clean(text))

    @on(Scored)
    def show_progress(self, message: Scored) -> None:
        if self.waiting("catalogue"):
            self._say(f"making everybody's top 50: {message.percent} %")

    def show_problem(self, text: str) -> None:
        super().show_problem(text)
        if self.failures is None and not self.waiting("failures"):
            self.query_one("#failures-summary", Static).update(clean(text))
        if self.front == "catalogue" and self.catalogue is None and not self.waiting("catalogue"):
            self._say(text)

    def _show_catalogue(self, answer: "tuple[Ranker, Coverage | None]") -> None:
        self.ranker, catalogue = answer
        if catalogue is None:
            return
        self.catalogue = catalogue
        self.query_one("#failures-figures", Static).update(coverage_text(catalogue))
        never, names = catalogue.model.never, catalogue.dataset.catalogue

        def cells(row: int) -> list[str]:
            item = int(never[row])
            year, seen = names.years[item], catalogue.dataset.seen_by[item]
            return [names.titles[item], str(year or ""), " ".join(names.genres[item]), f"{seen:,}"]

        self.query_one("#catalogue-table", Table).show_rows(len(never), cells)
        self.query_one(
            "#failures-catalogue"
        ).border_title = f"{len(never):,} films in nobody's top {CUTOFF} · most seen first"
