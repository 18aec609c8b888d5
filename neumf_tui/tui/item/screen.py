"""The film screen: which films are like it by either vector, and which users it is ranked high for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.navigation import OpenUser
from neumf_tui.tui.widgets.item_picker import ItemDialog
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.histogram import histogram
from neumf_tui.views.sheet import Sheet

if TYPE_CHECKING:
    from neumf_tui.explore.item import ItemRanks
    from neumf_tui.explore.neighbours import Neighbours
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users

NEAR_COLUMNS = (
    Column("cosine", 7, right=True),
    Column("both", 6, right=True, drop=1),
    Column("seen by", 7, right=True, drop=2),
    Column("title", 20, flex=True),
)
USER_COLUMNS = (
    Column("rank", 6, right=True),
    Column("user", 4),
    Column("seen", 5, right=True, drop=2),
    Column("", 1),
    Column("held-out film", 14, flex=True, drop=1),
)
NEAR = 100
"""Neighbours listed by each vector."""
REMEMBERED = 8
"""Films whose ranks for all users are kept, for the way back."""
TABLES = {"gmf": "#film-by-gmf", "mlp": "#film-by-mlp"}


class ItemScreen(SheetScreen):
    """One film of a run at one epoch; neighbours lead to further films, users back to the explore screen."""

    CSS_PATH = "screen.tcss"
    COMPONENT_CLASSES: ClassVar[set[str]] = {"film--inside", "film--outside"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "choose",
            "Go to it",
            tooltip="The film or user under the cursor",
            id="film.choose",
        ),
        Binding(
            "1", "front('near')", "Near films", tooltip="The nearest films", id="film.neighbours"
        ),
        Binding(
            "2",
            "front('users')",
            "Users",
            tooltip="For whom this film ranks highest",
            id="film.users",
        ),
        Binding(
            "slash",
            "search",
            "Find film",
            key_display="/",
            tooltip="Another film, by title",
            id="film.search",
        ),
        Binding(
            "h",
            "heldout",
            "Held-out",
            tooltip="Next user whose held-out film this is",
            id="film.heldout",
        ),
        Binding(
            "backspace",
            "back",
            "Back",
            show=False,
            tooltip="The film before, or leave this screen",
            id="film.back",
        ),
    ]

    def __init__(self, ranker: "Ranker", users: "Users", item: int) -> None:
        super().__init__()
        self.ranker, self.users, self.item = ranker, users, item
        self.trail: list[int] = []
        """Films visited before this one, the latest last."""
        self.neighbours: dict[str, Neighbours] = {}
        """Of this film; empty until they are known."""
        self.reach: ItemRanks | None = None
        self._reaches: dict[int, ItemRanks] = {}
        self._left = -1
        """The film one has just come back from: the cursor stands on it."""

    def compose(self) -> ComposeResult:
        yield Static(id="film-head")
        yield Static(id="film-story")
        with Horizontal(id="film-near"):
            for kind, name in TABLES.items():
                with Vertical(id=f"{name[1:]}-pane", classes="film-pane") as pane:
                    pane.border_title = _near_title(kind)
                    yield Table(NEAR_COLUMNS, id=name[1:])
        with Horizontal(id="film-reach"):
            with Vertical(id="film-users-pane", classes="film-pane") as pane:
                pane.border_title = "users it ranks highest for"
                yield Table(USER_COLUMNS, id="film-users")
            yield Static(id="film-spread", classes="film-pane")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        info = self.ranker.info
        head = Text.assemble(
            ("neumf-tui", "bold"), " ▸ film  ", (clean(info.name), "bold"),
            f"  {clean(self.ranker.dataset.label)}  {info.preset}  epoch {self.ranker.epoch}",
        )  # fmt: skip
        self.query_one("#film-head", Static).update(head)
        ids = self.ranker.dataset.user_ids
        self.query_one("#film-users", Table).columns[1] = Column(
            "user", min(16, max(4, *map(len, ids)))
        )
        self.query_one("#film-by-gmf").focus()
        self._open(self.item)

    # A film.

    def go(self, item: int) -> None:
        """Show another film; Esc leads back to this one."""
        if item != self.item:
            self.trail.append(self.item)
            self._left = -1
            self._open(item)

    def end_aside(self) -> bool:
        """Back along the trail."""
        if not self.trail:
            return False
        self._left = self.item
        self._open(self.trail.pop())
        return True

    def _open(self, item: int) -> None:
        self.item, self.neighbours, self.reach = item, {}, None
        for name in (*TABLES.values(), "#film-users"):
            self.query_one(name, Table).show_rows(0, lambda _row: ())
        ranker = self.ranker

        def near() -> "dict[str, Neighbours]":
            from neumf_tui.explore.neighbours import similar_items

            return similar_items(ranker, item, NEAR)

        def ranks(cancelled: Callable[[], bool]) -> "ItemRanks":
            from neumf_tui.explore.item import rank_item

            return rank_item(ranker, item, cancelled)

        self.ask("near", lambda _: near(), self._show_near)
        self.drop("reach")
        if item in self._reaches:
            self._show_reach(self._reaches[item])
        else:
            self.ask("reach", ranks, self._show_reach)
            self._draw_reach()

    def _show_near(self, neighbours: "dict[str, Neighbours]") -> None:
        from neumf_tui.explore.neighbours import CLOSE

        self.neighbours = neighbours
        data = self.ranker.dataset
        for kind, name in TABLES.items():
            found, table = neighbours[kind], self.query_one(name, Table)

            def cells(row: int, found: "Neighbours" = found) -> list[str]:
                item = int(found.rows[row])
                return [
                    f"{found.cosines[row]:.4f}",
                    f"{found.both[row]:,}",
                    f"{data.seen_by[item]:,}",
                    data.catalogue.item_title(item),
                ]

            left = np.flatnonzero(found.rows == self._left)
            table.show_rows(len(found.rows), cells, cursor=int(left[0]) if len(left) else 0)
            # Of a hundred that are all but parallel, the first ten are no nearer than the rest.
            how = "zero, so nothing is near" if found.zero else f"{found.close:,} at ≥ {CLOSE}"
            self.query_one(f"{name}-pane").border_title = f"{_near_title(kind)} · {how}"

    def _show_reach(self, found: "ItemRanks") -> None:
        self.reach = self._reaches[self.item] = found
        while len(self._reaches) > REMEMBERED:
            del self._reaches[next(iter(self._reaches))]
        users, heldout = self.users, self.ranker.dataset.split.heldout

        def cells(row: int) -> list[str]:
            user = int(found.best[row])
            return [
                rank_text(float(found.ranks[user])),
                users.dataset.user_ids[user],
                f"{users.history_sizes[user]:,}",
                "★" if heldout[user] == self.item else "",
                users.heldout_title(user),
            ]

        table = self.query_one("#film-users", Table)
        if len(found.best):
            halves = 2 if (found.known % 1).any() else 0
            table.columns[0] = Column(
                "rank", max(4, len(f"{found.known[-1]:,.0f}") + halves), right=True
            )
        table.show_rows(len(found.best), cells)
        self._draw_reach()

    # What is drawn of it.

    def _draw_reach(self) -> None:
        """The lines above the lists and the spread of the ranks."""
        data, item, found = self.ranker.dataset, self.item, self.reach
        genres = " ".join(clean(genre) for genre in data.catalogue.genres[item])
        heldout_for = int((np.asarray(data.split.heldout) == item).sum())
        story = Text(clean(data.catalogue.item_title(item)).strip() or "(no title)", "bold", end="")
        facts = [
            genres,
            f"item {clean(data.catalogue.item_ids[item])}",
            f"seen by {data.seen_by[item]:,} of {data.num_users:,}",
            f"held out for {heldout_for:,}",
        ]
        story.append("\n" + " · ".join(fact for fact in facts if fact) + "\n", "not bold")
        story.append(self._fate(), "not bold")
        self.query_one("#film-story", Static).update(story)
        pane = self.query_one("#film-spread", Static)
        if found is None:
            pane.border_title, pane.border_subtitle = "its rank over users", ""
            pane.update("")
            return
        pane.border_title = f"its rank for {len(found.best):,} users"
        pane.border_subtitle = (
            f"random sample of {found.asked.sum():,} of {data.num_users:,}" if found.sampled else ""
        )
        inside, outside = (
            self.get_component_rich_style(f"film--{side}", partial=True)
            for side in ("inside", "outside")
        )
        pane.update(histogram(found.bins(), max(20, pane.content_size.width), inside, outside))

    def _fate(self) -> str:
        """How it fares, in one line."""
        found = self.reach
        if found is None:
            return "ranking it for every user who has not seen it …"
        if found.median is None:
            return "every user has seen it: nobody is left to rank it for"
        whom = f"{len(found.best):,} who have not seen it"
        if found.sampled:
            whom += f" (random sample of {found.asked.sum():,} users)"
        tops = f"in {found.within(CUTOFF):,} top {CUTOFF}s and {found.within(10):,} top 10s"
        return f"median rank {rank_text(found.median)} · {tops}, of {whom}"

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_reach)

    # Keys and mouse.

    @on(events.DescendantFocus)
    def note_front(self, event: events.DescendantFocus) -> None:
        self.set_class(event.widget.id == "film-users", "-show-users")

    def action_front(self, which: str) -> None:
        users = which == "users"
        self.set_class(users, "-show-users")
        if users or not self.query_one("#film-by-mlp").has_focus:
            name = "#film-users" if users else TABLES["gmf"]
            # A list that was hidden takes the focus once it is laid out.
            self.call_after_refresh(self.query_one(name, Table).focus)
        self.call_after_refresh(self._draw_reach)

    def action_choose(self) -> None:
        if isinstance(self.focused, Table):
            self._choose(self.focused)

    @on(Table.Chosen)
    def choose_by_mouse(self, event: Table.Chosen) -> None:
        self._choose(event.table)

    def _choose(self, table: Table) -> None:
        if not table.row_count:
            return
        if table.id == "film-users" and self.reach is not None:
            self.navigate(OpenUser(int(self.reach.best[table.cursor])))
        for kind, name in TABLES.items():
            if name == f"#{table.id}":
                self.go(int(self.neighbours[kind].rows[table.cursor]))

    def action_search(self) -> None:
        def go(item: int | None) -> None:
            if item is not None:
                self.go(item)

        self.app.push_screen(ItemDialog(self.ranker.dataset), go)

    def action_heldout(self) -> None:
        if self.reach is None:
            return
        table = self.query_one("#film-users", Table)
        rows = np.flatnonzero(self.ranker.dataset.split.heldout[self.reach.best] == self.item)
        if not len(rows):
            self.notify("It is the held-out film of no user here.")
            return
        later = rows[rows > table.cursor]
        self.action_front("users")
        self.call_after_refresh(table.show_in_middle, int(later[0] if len(later) else rows[0]))

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        ranker, item, found = self.ranker, self.item, self.reach
        if not self.has_class("-show-users"):

            def near() -> Sheet:
                from neumf_tui.views.neighbours import similar_items_sheet

                return similar_items_sheet(ranker, item, NEAR)

            return near
        if found is None:
            return None

        def users() -> Sheet:
            from neumf_tui.views.item import item_sheet

            return item_sheet(ranker, found)

        return users


def _near_title(kind: str) -> str:
    return f"near by {kind.upper()} vector"
