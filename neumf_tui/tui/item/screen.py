"""The item screen: similar items in each space, and the users for whom the item ranks high."""

from collections.abc import Callable, Mapping
from functools import partial
from math import isinf
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.text import Text
from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, counted, rank_text
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import OpenUser
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.tui.widgets.head_text import model_head
from neumf_tui.tui.widgets.item_picker import ItemDialog
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.widgets.table import Column, Table, id_column, named_columns
from neumf_tui.views.histogram import histogram
from neumf_tui.views.items import further_columns
from neumf_tui.views.parts import MEASURE
from neumf_tui.views.sheet import Sheet

if TYPE_CHECKING:
    from neumf_tui.explore.item import ItemRanks
    from neumf_tui.explore.neighbours import Neighbours
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users

NEAR_COLUMNS = (
    Column(MEASURE, 7, right=True),
    Column("both", 6, right=True, drop=1),
    Column("seen by", 7, right=True, drop=2),
    Column("title", 20, flex=True),
)
USER_COLUMNS = (
    Column("rank", 6, right=True),
    Column("user", 4),
    Column("seen", 5, right=True, drop=2),
    Column("", 1),
    Column("held-out {item}", 14, flex=True, drop=1),
)
NEAR = 100
"""Neighbours listed for each vector."""
REMEMBERED = 8
"""Items whose ranks are kept, for going back to them."""
SIDES = ("first", "second")
"""The two tables of near items; for a NeuMF they are by GMF and by MLP. Others have one or none."""


class ItemScreen(SheetScreen):
    """One item of a run at one epoch; leads to similar items and to users."""

    CSS_PATH = "screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "item",
        shown("enter", "choose", "Go to it", "Go to the {item} or user under the cursor"),
        shown("1", "front('near')", "Similar", "The most similar {items}",
              key_id="neighbours"),
        shown("2", "front('users')", "Users", "The users for whom this {item} ranks highest",
              key_id="users"),
        shown("slash", "search", "Find", "Find another {item} by its title", display="/"),
        shown("h", "heldout", "Held-out", "Next user whose held-out {item} this is"),
        hidden("backspace", "back", "Back", "Back to the previous {item}, or leave this screen"),
    )  # fmt: skip

    story_box = getters.query_one("#item-story", Static)
    users_table = getters.query_one("#item-users", Table)
    spread_box = getters.query_one("#item-spread", FittedText)

    def __init__(self, ranker: "Ranker", users: "Users", item: int) -> None:
        super().__init__()
        self.ranker, self.users, self.item = ranker, users, item
        self.noun = ranker.dataset.noun
        self.trail: list[int] = []
        """Items visited before this one, the latest last."""
        self.neighbours: Mapping[str, Neighbours] = {}
        """Empty until they are known."""
        self.ranks: ItemRanks | None = None
        self._ranks_problem = ""
        """Why the item has no ranks."""
        self._remembered: dict[int, ItemRanks] = {}
        self._came_from = -1
        """The item that was left to come back to this one: the cursor is put on it."""

    def compose(self) -> ComposeResult:
        yield Static(id="item-head")
        yield Static(id="item-story")
        yield Static(id="item-columns")
        with Horizontal(id="item-near"):
            for side in SIDES:
                with Vertical(id=f"item-{side}-pane", classes="item-pane") as pane:
                    pane.border_title = f"near {self.noun.plural}"
                    yield Static(classes="item-says")
                    yield Table(NEAR_COLUMNS, id=f"item-{side}")
        with Horizontal(id="item-ranks"):
            with Vertical(id="item-users-pane", classes="item-pane") as pane:
                pane.border_title = "users for whom it ranks highest"
                yield Static(classes="item-says")
                yield Table(named_columns(USER_COLUMNS, self.noun), id="item-users")
            yield FittedText(id="item-spread", classes="item-pane")
        yield ProtocolLine(self.ranker.info)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#item-head", Static).update(model_head(self.noun.singular, self.ranker))
        self.users_table.columns[1] = id_column("user", self.ranker.dataset.user_ids)
        self.near_table(0).focus()
        self._open(self.item)

    def near_table(self, place: int) -> Table:
        """Return the table of the first (0) or the second space (1)."""
        return self.query_one(f"#item-{SIDES[place]}", Table)

    # An item.

    def go(self, item: int) -> None:
        """Show another item, from which Esc leads back to this one."""
        if item != self.item:
            self.trail.append(self.item)
            self._came_from = -1
            self._open(item)

    def end_aside(self) -> bool:
        """Go back to the previous item; return whether there was one."""
        if not self.trail:
            return False
        self._came_from = self.item
        self._open(self.trail.pop())
        return True

    def _open(self, item: int) -> None:
        self.item, self.neighbours, self.ranks = item, {}, None
        self._ranks_problem = ""
        self._show_columns()
        for table in self.query(Table):
            table.clear()
        for pane in self.query(".item-pane"):
            pane.remove_class("-says")
        ranker = self.ranker

        def near() -> "Mapping[str, Neighbours]":
            from neumf_tui.explore.neighbours import similar_items

            return similar_items(ranker, item, NEAR)

        def rank(cancelled: Callable[[], bool]) -> "ItemRanks":
            from neumf_tui.explore.item import rank_item

            return rank_item(ranker, item, cancelled)

        self.ask("near", lambda _: near(), self._show_near, self._show_no_near)
        self.drop("ranks")
        if item in self._remembered:
            self._show_ranks(self._remembered[item])
        else:
            self.ask("ranks", rank, self._show_ranks, self._show_no_ranks)
            self._draw_ranks()

    def _show_columns(self) -> None:
        """Show what else the file of items says of this one."""
        columns = further_columns(self.ranker.dataset, self.item)
        text = Text(" · ").join(
            Text.assemble((f"{clean(name)} ", "dim"), clean(value))
            for name, value in columns.items()
        )
        box = self.query_one("#item-columns", Static)
        box.display = bool(columns)
        box.update(text)

    def _say(self, pane: str, text: str) -> None:
        """Say in the place of a table why there is none."""
        self.query_one(pane).add_class("-says")
        self.query_one(f"{pane} .item-says", Static).update(Text(clean(text)))

    def _show_no_near(self, problem: str) -> None:
        self.add_class("-one-space")
        self._say("#item-first-pane", problem)

    def _show_no_ranks(self, problem: str) -> None:
        self._ranks_problem = clean(problem)
        self._say("#item-users-pane", problem)
        self._draw_ranks()

    def _show_near(self, neighbours: "Mapping[str, Neighbours]") -> None:
        from neumf_tui.scorers.nearest import CLOSE
        from neumf_tui.views.neighbours import space_name

        self.neighbours = neighbours
        self.set_class(len(neighbours) == 1, "-one-space")
        data = self.ranker.dataset
        for place, (space, found) in enumerate(neighbours.items()):
            table, measure = self.near_table(place), found.near.measure
            table.columns[0] = Column(measure, 7, right=True)

            def cells(row: int, found: "Neighbours" = found) -> list[str]:
                item = int(found.rows[row])
                return [
                    f"{found.near.values[row]:.4f}",
                    f"{found.both[row]:,}",
                    f"{data.seen_by[item]:,}",
                    data.catalogue.item_title(item),
                ]

            rows = np.flatnonzero(found.rows == self._came_from)
            cursor = int(rows[0]) if len(rows) else 0
            table.show_rows(len(found.rows), cells, cursor=cursor)
            # Of a hundred nearly parallel vectors, the first ten are no nearer than the others.
            title = f"near by {space_name(space)} · {found.near.close:,} at ≥ {CLOSE}"
            if measure != MEASURE:
                title = f"{self.noun.plural} to which it adds, by {measure}"
            elif found.near.zero:
                title = f"near by {space_name(space)} · zero, so nothing is near"
            self.query_one(f"#item-{SIDES[place]}-pane").border_title = title

    def _show_ranks(self, found: "ItemRanks") -> None:
        self.ranks = self._remembered[self.item] = found
        while len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
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

        if not len(found.best) and len(found.beyond):
            self._say("#item-users-pane", "It stands in nobody's list.")
        if len(found.best):
            width = len(f"{found.known[-1]:,.0f}") + (2 if (found.known % 1).any() else 0)
            self.users_table.columns[0] = Column("rank", max(4, width), right=True)
        self.users_table.show_rows(len(found.best), cells)
        self._draw_ranks()

    def _draw_ranks(self) -> None:
        """Draw the lines above the lists, and how many users have which ranks."""
        self.story_box.update(self._story())
        pane, found = self.spread_box, self.ranks
        if found is None:
            pane.border_title, pane.border_subtitle = "its rank over users", ""
            pane.say("")
            return
        pane.border_title = f"its rank for {counted(len(found.best), 'user')}"
        asked = f"random sample of {found.asked.sum():,} of {self.ranker.dataset.num_users:,}"
        pane.border_subtitle = asked if found.sampled else ""
        pane.show(partial(histogram, found.bins()))

    def _story(self) -> Text:
        data, item = self.ranker.dataset, self.item
        facts = [
            " ".join(clean(genre) for genre in data.catalogue.genres[item]),
            f"item {clean(data.catalogue.item_ids[item])}",
            f"seen by {data.seen_by[item]:,} of {data.num_users:,}",
            f"held out for {int((np.asarray(data.split.heldout) == item).sum()):,}",
        ]
        title = clean(data.catalogue.item_title(item)).strip() or "(no title)"
        lines = f"\n{' · '.join(filter(None, facts))}\n{self._ranks_line()}"
        return Text.assemble((title, "bold"), lines)

    def _ranks_line(self) -> str:
        found = self.ranks
        if self._ranks_problem:
            return self._ranks_problem
        if found is None:
            return "ranking it for every user who has not seen it …"
        median = found.median
        if median is None:
            return "every user has seen it, so it is ranked for nobody"
        whom = f"{len(found.best) + len(found.beyond):,} who have not seen it"
        if found.sampled:
            whom += f" (random sample of {found.asked.sum():,} users)"
        tops = f"in {found.within(CUTOFF):,} top {CUTOFF}s and {found.within(10):,} top 10s"
        rank = "beyond most lists" if isinf(median) else rank_text(median)
        beyond = f" · beyond the lists of {len(found.beyond):,}" if len(found.beyond) else ""
        return f"median rank {rank} · {tops}, of {whom}{beyond}"

    # Keys and mouse.

    @on(events.DescendantFocus)
    def show_focused_half(self, event: events.DescendantFocus) -> None:
        self.set_class(event.widget is self.users_table, "-show-users")

    def action_front(self, which: str) -> None:
        users = which == "users"
        self.set_class(users, "-show-users")
        if users or not self.near_table(1).has_focus:
            table = self.users_table if users else self.near_table(0)
            # A list that was hidden can take the focus when it is laid out.
            self.call_after_refresh(table.focus)

    def action_choose(self) -> None:
        if isinstance(self.focused, Table):
            self._choose(self.focused)

    @on(Table.Chosen)
    def choose_by_mouse(self, event: Table.Chosen) -> None:
        self._choose(event.table)

    def _choose(self, table: Table) -> None:
        if not table.row_count:
            return
        if table is self.users_table and self.ranks is not None:
            self.navigate(OpenUser(int(self.ranks.best[table.cursor]), self.ranker))
        for place, found in enumerate(self.neighbours.values()):
            if table is self.near_table(place):
                self.go(int(found.rows[table.cursor]))
                return

    def action_search(self) -> None:
        def go(item: int | None) -> None:
            if item is not None:
                self.go(item)

        self.app.push_screen(ItemDialog(self.ranker.dataset), go)

    def action_heldout(self) -> None:
        if self.ranks is None:
            return
        rows = np.flatnonzero(self.ranker.dataset.split.heldout[self.ranks.best] == self.item)
        if not len(rows):
            self.notify(f"It is the held-out {self.noun.singular} of no user listed here.")
            return
        later = rows[rows > self.users_table.cursor]
        row = int(later[0] if len(later) else rows[0])
        self.action_front("users")
        self.call_after_refresh(self.users_table.show_in_middle, row)

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        ranker, item, found = self.ranker, self.item, self.ranks

        def near() -> Sheet:
            from neumf_tui.views.neighbours import similar_items_sheet

            return similar_items_sheet(ranker, item, NEAR)

        def users() -> Sheet:
            from neumf_tui.views.item import item_sheet

            assert found is not None
            return item_sheet(ranker, found)

        if self.has_class("-show-users"):
            return users if found is not None else None
        return near
