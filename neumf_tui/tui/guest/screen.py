"""The new-user screen: pick films, and see at once what the model makes of somebody who saw just these."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static

from neumf_tui.errors import UsageError
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.guest.moved_items import MovedItemTable
from neumf_tui.tui.guest.picks import Picks, UndoStack
from neumf_tui.tui.guest.text import PicksRanking, film_count, outdated_summary, summary
from neumf_tui.tui.widgets.item_picker import ItemPicker
from neumf_tui.tui.widgets.ranking_pane import RankingPane
from neumf_tui.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Ranker, UserRanking
    from neumf_tui.explore.users import Users
    from neumf_tui.views.sheet import Sheet

PICKED_COLUMNS = (
    Column("#", 3, right=True),
    Column("title", 12, flex=True),
    Column("year", 4, drop=1),
    Column("seen by", 7, right=True, drop=2),
)


class GuestScreen(SheetScreen):
    """Search and picked films on the left, the ranking for them on the right.

    Picks change at once and their list a moment later; until it is there, the line above the ranking says of which films the
    list still is. `undo_stack.current` are the picks, `shown` the list with its own.
    """

    CSS_PATH = "screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "pick", "Pick", tooltip="Pick the ranked film, take a picked one out", id="guest.pick"),
        Binding("delete,backspace,x", "remove", "Take out", key_display="x", tooltip="Take a picked film out", id="guest.remove"),
        Binding("ctrl+u,u", "step(-1)", "Undo", tooltip="The picks as they were before", id="guest.undo"),
        Binding("ctrl+y,U", "step(1)", "Redo", show=False, tooltip="Do again what was undone", id="guest.redo"),
        Binding("ctrl+r,r", "draw", "Reseed", tooltip="Fold in with other negatives: what hangs on the draw", id="guest.draw"),
        Binding("ctrl+s,s", "save", "Save", tooltip="Keep this person as a guest", id="guest.save"),
        Binding("D", "delete", "Delete", show=False, tooltip="Delete the guest who is kept", id="guest.delete"),
        Binding("slash", "search", "Search", show=False, tooltip="To the search line", id="guest.search"),
        Binding("d", "why", "Details", show=False, tooltip="Why the film under the cursor stands there", id="guest.why"),
        Binding("c", "raw", "Centre", show=False, tooltip="Parts less their means, or as they are", id="guest.raw"),
    ]  # fmt: skip

    def __init__(self, ranker: "Ranker", users: "Users", guest: "Guest | None" = None) -> None:
        """`guest` is one to go on with; raises RunError where its films are not in this catalogue."""
        super().__init__()
        self.ranker, self.users = ranker, users
        picks = (
            Picks(tuple(guest.history(ranker.dataset).tolist()), guest.seed) if guest else Picks()
        )
        self.undo_stack = UndoStack(picks)
        self.name_kept = guest.name if guest else ""
        """Name of the guest in its file, empty while there is none."""
        self.kept = picks
        """What its file has."""
        self.shown: PicksRanking | None = None
        self._before: PicksRanking | None = None
        """The list that moves are told against."""

    def compose(self) -> ComposeResult:
        yield Static(id="guest-head")
        with Horizontal(id="guest-body"):
            with Vertical(id="guest-left"):
                data = self.ranker.dataset
                yield ItemPicker(
                    self,
                    data,
                    self._pick_item,
                    lambda: self.picks.items,
                    id="guest-find",
                    classes="guest-pane",
                )
                with Vertical(id="guest-picks", classes="guest-pane"):
                    yield Static(
                        "Enter picks a film found here, or a ranked one that you have seen.",
                        id="guest-hint",
                    )
                    yield Table(PICKED_COLUMNS, id="guest-picked")
            with Vertical(id="guest-right", classes="guest-pane"):
                yield Static(id="guest-state")
                yield RankingPane(MovedItemTable(id="guest-ranking"))
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.action_search()
        self._take_picks()
        self.ask(
            "ready", lambda _: self.ranker.fold_in, lambda _: None
        )  # so that the first pick waits for nothing

    # Picks, and the list for them.

    @property
    def picks(self) -> Picks:
        return self.undo_stack.current

    def _do(self, picks: Picks) -> None:
        if picks != self.picks:
            self.undo_stack.push(picks)
            self._take_picks()

    def _take_picks(self) -> None:
        """Show the picks, and ask for the list that is theirs."""
        self.query_one(ItemPicker).show_picked()
        self._draw_picked()
        self._ask_list()
        self._draw_head()
        self._draw_state()
        self.refresh_bindings()

    def _ask_list(self) -> None:
        ranker, picks, name = self.ranker, self.picks, self.name_kept

        def fold_in() -> "UserRanking":
            from neumf_tui.explore.guests import Guest
            from neumf_tui.explore.newcomer import UNSAVED, average_ranking

            if not picks.items:
                return average_ranking(ranker)
            ids = ranker.dataset.catalogue.item_ids
            return ranker.rank(
                Guest(name or UNSAVED, tuple(ids[item] for item in picks.items), picks.seed)
            )

        self.ask("list", lambda _: fold_in(), partial(self._show_list, picks))

    def _show_list(self, picks: Picks, ranking: "UserRanking") -> None:
        if (
            self.shown is None or self.shown.picks != picks
        ):  # folded in again under another name only, it moves nothing
            self._before = self.shown
        self.shown, before = PicksRanking(picks, ranking), self._before
        table = self.query_one(MovedItemTable)
        pane = self.query_one(RankingPane)
        pane.set_class(not picks.items, "-nobody")
        if picks.items:
            pane.ranker = self.ranker
        else:  # the mean of all users has no history that could explain anything
            pane.clear_why()
        top, row = (table.scroll_offset.y, table.cursor) if table.has_focus else (0, 0)
        table.show_moves(ranking, before.ranking if before else None, self.ranker.dataset)
        table.scroll_to(y=top, animate=False)
        table.cursor = row
        self._draw_state()

    def show_problem(self, text: str) -> None:
        super().show_problem(clean(text))
        self._draw_state()

    # Keys of the picks.

    def _pick_item(self, item: int) -> None:
        if item in self.picks.items:
            self.notify(
                f"{self.ranker.dataset.catalogue.titles[item]} is picked already.", markup=False
            )
        else:
            self._do(self.picks.toggled(item))
            self.query_one("#guest-picked", Table).action_go(-1)

    @on(Table.Chosen, "#guest-picked, #guest-ranking")
    def action_pick(self) -> None:
        match self.focused:
            case Table(id="guest-picked"):
                self.action_remove()
            case Table(id="guest-ranking") as table:
                if self.shown is not None and table.row_count:
                    self._pick_item(int(self.shown.ranking.items[table.cursor]))

    def action_remove(self) -> None:
        table = self.query_one("#guest-picked", Table)
        if self.focused is table and table.row_count:
            self._do(self.picks.toggled(self.picks.items[table.cursor]))

    def action_step(self, step: int) -> None:
        self.undo_stack.move(step)
        self._take_picks()

    def action_draw(self) -> None:
        self._do(replace(self.picks, seed=self.picks.seed + 1))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greyed in the footer where there is nothing to do."""
        if action == "step":
            return self.undo_stack.can_move(cast("int", parameters[0])) or None
        if action == "draw" and self.ranker.by_history:
            return False  # nothing is drawn
        if action in ("draw", "save"):
            return bool(self.picks.items) or None
        return (bool(self.name_kept) or None) if action == "delete" else True

    # Other keys.

    def action_search(self) -> None:
        self.query_one(ItemPicker).line.focus()

    def action_raw(self) -> None:
        self.query_one(RankingPane).toggle_raw()

    def action_why(self) -> None:
        self.query_one(RankingPane).toggle_why()

    def end_aside(self) -> bool:
        return self.query_one(ItemPicker).clear()

    def action_leave(self) -> None:
        count = len(self.picks.items)
        if not count or self.picks == self.kept:
            super().action_leave()
            return
        question = f"These {film_count(count)} are not saved. Leave without saving them?"
        self.confirm(question, "Leave", super().action_leave)

    # Guests in their files.

    def action_save(self) -> None:
        from neumf_tui.runs.store import check_name

        def check(name: str) -> str:
            try:
                check_name(name, "guest")
            except UsageError as error:
                return str(error)
            return ""

        question = "Name of the guest (letters, digits, '-', '_', '.')"
        self.ask_line(question, self.name_kept, check, "Save", self._save_as)

    def _save_as(self, name: str) -> None:
        from neumf_tui.explore.guests import guest_names

        if name != self.name_kept and name in guest_names(self.ranker.home):
            question = f"A guest {name} exists already. Replace its films with these?"
            self.confirm(question, "Replace", partial(self._save, name))
        else:
            self._save(name)

    def _save(self, name: str) -> None:
        ranker, picks = self.ranker, self.picks

        def save() -> None:
            from neumf_tui.explore.guests import Guest, save_guest

            ids = ranker.dataset.catalogue.item_ids
            save_guest(
                Guest(name, tuple(ids[item] for item in picks.items), picks.seed),
                ranker.dataset,
                ranker.home,
            )

        def saved(_: None) -> None:
            self.name_kept, self.kept = name, picks
            self.notify(
                f"Saved. Elsewhere: neumf-tui rank --guest {name} --run {ranker.info.name}",
                markup=False,
            )
            self._take_picks()

        self.ask("guest", lambda _: save(), saved)

    def action_delete(self) -> None:
        name, home = self.name_kept, self.ranker.home

        def delete() -> None:
            from neumf_tui.explore.guests import delete_guest

            delete_guest(home, name)

        def deleted(_: None) -> None:
            self.name_kept, self.kept = "", Picks()
            self.notify(
                f"Deleted: guest {name}. The picks stay until this screen is left.", markup=False
            )
            self._take_picks()

        def ask() -> None:
            self.ask("guest", lambda _: delete(), deleted)

        self.confirm(f"Delete the guest {name}?", "Delete", ask)

    # Out of the screen.

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        ranker, shown = self.ranker, self.shown
        if shown is None or not shown.picks.items:
            self.notify("Pick a film first: nobody's list is no list to keep.")
            return None
        from neumf_tui.views.person import guest_sheet

        return lambda: guest_sheet(ranker, shown.ranking)

    # Drawing.

    def _draw_head(self) -> None:
        info = self.users.info
        whose = f"guest {self.name_kept}" if self.name_kept else "new user"
        head = Text.assemble(
            ("neumf-tui", "bold"), f" ▸ {clean(whose)}  ", (clean(info.name), "bold"),
            f"  {clean(self.ranker.dataset.label)}  {info.preset}  epoch {self.ranker.epoch}",
        )  # fmt: skip
        self.query_one("#guest-head", Static).update(head)

    def _draw_picked(self) -> None:
        items, data = self.picks.items, self.ranker.dataset

        def cells(row: int) -> list[str]:
            item = items[row]
            year = str(data.catalogue.years[item] or "")
            return [str(row + 1), data.catalogue.titles[item], year, f"{data.seen_by[item]:,}"]

        table = self.query_one("#guest-picked", Table)
        table.show_rows(len(items), cells, cursor=table.cursor)
        self.query_one("#guest-hint").display = not items
        pane = self.query_one("#guest-picks")
        pane.border_title = f"picked · {len(items)}"
        kept = "not saved" if items else ""
        if self.name_kept:
            kept = self.name_kept if self.picks == self.kept else f"{self.name_kept}, changed"
        pane.border_subtitle = Text(clean(kept))

    def _draw_state(self) -> None:
        """Of which films the list is, and how it came about."""
        shown, pane = self.shown, self.query_one("#guest-right")
        box = self.query_one("#guest-state", Static)
        if shown is None:
            box.update("ranking …")
            return
        pane.border_title = (
            f"ranking for {film_count(len(shown.picks.items))}"
            if shown.picks.items
            else "nobody yet"
        )
        if shown.picks == self.picks:
            box.update(
                summary(
                    shown, self._before, self.ranker.dataset.num_users, not self.ranker.by_history
                )
            )
        else:
            box.update(outdated_summary(shown, self.picks, self.waiting("list")))
