"""The new-user screen: pick items, and see what the model recommends to somebody who saw these."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from neumf_tui.errors import UsageError
from neumf_tui.explore.guests import Guest, delete_guest, guest_names, save_guest
from neumf_tui.runs.store import check_name
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.guest.moved_items import MovedItemTable
from neumf_tui.tui.guest.picks import Picks, UndoStack
from neumf_tui.tui.guest.text import PicksRanking, outdated_summary, summary
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.dialogs import ConfirmDialog
from neumf_tui.tui.widgets.head_text import model_head
from neumf_tui.tui.widgets.item_picker import ItemPicker
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.widgets.ranking_pane import RankingPane
from neumf_tui.tui.widgets.table import Column, Table, item_columns
from neumf_tui.views.items import item_cells

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker, UserRanking
    from neumf_tui.explore.users import Users
    from neumf_tui.views.sheet import Sheet

PICKED_COLUMNS = (
    Column("#", 3, right=True),
    Column("title", 12, flex=True),
    Column("year", 4, drop=1),
    Column("seen by", 7, right=True, drop=2),
)
HINT = "Enter picks the {item} under the cursor, in the list above or in the ranking."


class GuestScreen(SheetScreen):
    """Search and picked items on the left, the ranking for them on the right.

    Picks change at once, their ranking a moment later. Until it is there, a line above the ranking
    says from which picks the present one is made.
    """

    CSS_PATH = "screen.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "guest",
        shown("enter,space", "pick", "Pick", "Pick the {item} in the ranking, or remove a pick"),
        shown("delete,backspace,x", "remove", "Take out", "Remove this pick", display="x"),
        shown("ctrl+u,u", "step(-1)", "Undo", "The picks before the last change", key_id="undo"),
        hidden("ctrl+y,U", "step(1)", "Redo", "Repeat the change that was undone", key_id="redo"),
        shown("ctrl+r,r", "draw", "Reseed", "Fold in with other negatives, to see their effect"),
        shown("ctrl+s,s", "save", "Save", "Save this person as a guest"),
        hidden("D", "delete", "Delete", "Delete the saved guest"),
        hidden("slash", "search", "Search", "Go to the search line"),
        shown("d", "why", "Why", "Show or hide why the {item} under the cursor is there"),
        hidden("c", "raw", "Centre", "Scores relative to their mean, or as the model gives them"),
    )

    picker = getters.query_one(ItemPicker)
    picked_table = getters.query_one("#guest-picked", Table)
    ranking_pane = getters.query_one(RankingPane)
    ranking_table = getters.query_one(MovedItemTable)

    def __init__(self, ranker: "Ranker", users: "Users", guest: Guest | None = None) -> None:
        """Continue with `guest`. Raises RunError if the catalogue does not have their items."""
        super().__init__()
        self.ranker, self.users = ranker, users
        self.noun = ranker.dataset.noun
        picks = Picks()
        if guest is not None:
            picks = Picks(tuple(guest.history(ranker.dataset).tolist()), guest.seed)
        self.undo_stack = UndoStack(picks)
        self.saved_name = guest.name if guest else ""
        """Name of the guest's file, empty while there is none."""
        self.saved_picks = picks
        self.shown: PicksRanking | None = None
        self._problem = ""
        """Why the picks have no ranking."""
        self._before: PicksRanking | None = None
        """The ranking that moves are counted from."""

    def compose(self) -> ComposeResult:
        yield Static(id="guest-head")
        with Horizontal(id="guest-body"):
            with Vertical(id="guest-left"):
                yield ItemPicker(
                    self,
                    self.ranker.dataset,
                    self._pick_item,
                    lambda: self.picks.items,
                    id="guest-find",
                    classes="guest-pane",
                )
                with Vertical(id="guest-picks", classes="guest-pane"):
                    yield Static(self.noun.fill(HINT), id="guest-hint")
                    columns = item_columns(PICKED_COLUMNS, self.ranker.dataset)
                    yield Table(columns, id="guest-picked")
            with Vertical(id="guest-right", classes="guest-pane") as right:
                right.border_title = "ranking"
                yield Static(id="guest-state")
                yield RankingPane(MovedItemTable(id="guest-ranking"))
        yield ProtocolLine(self.ranker.info)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.action_search()
        self._show_picks()
        # What fold-in needs is computed now, so that the first pick does not wait for it.
        self.ask("ready", lambda _: self.ranker.scorer.prepare_newcomers(), lambda _: None)

    # Picks, and the ranking for them.

    @property
    def picks(self) -> Picks:
        return self.undo_stack.current

    def _change(self, picks: Picks) -> None:
        if picks != self.picks:
            self.undo_stack.push(picks)
            self._show_picks()

    def _show_picks(self) -> None:
        """Show the picks, and ask for the ranking for them."""
        self.picker.show_picked()
        self._draw_picked()
        self._ask_ranking()
        guest = f"guest {self.saved_name}" if self.saved_name else "new user"
        self.query_one("#guest-head", Static).update(model_head(guest, self.ranker))
        self._draw_state()
        self.refresh_bindings()

    def _ask_ranking(self) -> None:
        ranker, picks, name = self.ranker, self.picks, self.saved_name

        def rank() -> "UserRanking":
            from neumf_tui.explore.newcomer import UNSAVED, average_ranking

            if not picks.items:
                return average_ranking(ranker)
            return ranker.rank(picks.as_guest(name or UNSAVED, ranker.dataset))

        self._problem = ""
        self.ask("ranking", lambda _: rank(), partial(self._show_ranking, picks), self._show_none)

    def _show_none(self, problem: str) -> None:
        """Say in the place of the list why there is none, or why it is still another one."""
        self._problem = clean(problem)
        self._draw_state()

    def _show_ranking(self, picks: Picks, ranking: "UserRanking") -> None:
        if self.shown is None or self.shown.picks != picks:  # a new name alone moves nothing
            self._before = self.shown
        self.shown, before = PicksRanking(picks, ranking), self._before
        table, pane = self.ranking_table, self.ranking_pane
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

    def _pick_item(self, item: int) -> None:
        if item in self.picks.items:
            title = clean(self.ranker.dataset.catalogue.titles[item])
            self.notify(f"{title} is already picked.", markup=False)
        else:
            self._change(self.picks.toggled(item))
            self.picked_table.action_go(-1)

    # Keys.

    @on(Table.Chosen, "#guest-picked, #guest-ranking")
    def action_pick(self) -> None:
        table = self.ranking_table
        if self.focused is self.picked_table:
            self.action_remove()
        elif self.focused is table and self.shown is not None and table.row_count:
            self._pick_item(int(self.shown.ranking.items[table.cursor]))

    def action_remove(self) -> None:
        table = self.picked_table
        if self.focused is table and table.row_count:
            self._change(self.picks.toggled(self.picks.items[table.cursor]))

    def action_step(self, step: int) -> None:
        self.undo_stack.move(step)
        self._show_picks()

    def action_draw(self) -> None:
        self._change(replace(self.picks, seed=self.picks.seed + 1))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return None, which greys the key in the footer, where an action would do nothing."""
        if action == "step":
            return self.undo_stack.can_move(cast("int", parameters[0])) or None
        if action == "draw" and self.ranker.scorer.by_history:
            return False  # such a model draws no negatives
        if action in ("draw", "save"):
            return bool(self.picks.items) or None
        return (bool(self.saved_name) or None) if action == "delete" else True

    def action_search(self) -> None:
        self.picker.line.focus()

    def action_raw(self) -> None:
        self.ranking_pane.toggle_raw()

    def action_why(self) -> None:
        self.ranking_pane.toggle_why()

    def end_aside(self) -> bool:
        return self.picker.clear()

    @property
    def _question(self) -> str:
        """What to ask before unsaved picks are given up; empty if there are none."""
        count = len(self.picks.items)
        is_saved = not count or self.picks == self.saved_picks
        return "" if is_saved else f"Leave without saving {self.noun.counted(count)}?"

    def action_leave(self) -> None:
        if self._question:
            self.confirm(self._question, "Leave", super().action_leave)
        else:
            super().action_leave()

    def leave_question(self) -> ConfirmDialog | None:
        return ConfirmDialog(self._question, "Leave") if self._question else None

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        ranker, shown = self.ranker, self.shown
        if shown is None or not shown.picks.items:
            self.notify(f"Pick {self.noun.plural} first: this list is for no particular person.")
            return None
        from neumf_tui.views.person import guest_sheet

        return lambda: guest_sheet(ranker, shown.ranking)

    # Files of guests.

    def action_save(self) -> None:
        def check(name: str) -> str:
            try:
                check_name(name, "guest")
            except UsageError as error:
                return str(error)
            return ""

        question = "Name of the guest (letters, digits, '-', '_', '.')"
        self.ask_line(question, self.saved_name, check, "Save", self._save_as)

    def _save_as(self, name: str) -> None:
        if name != self.saved_name and name in guest_names(self.ranker.home):
            question = f"A guest {name} exists already. Replace its {self.noun.plural} with these?"
            self.confirm(question, "Replace", partial(self._save, name))
        else:
            self._save(name)

    def _save(self, name: str) -> None:
        ranker, data, picks = self.ranker, self.ranker.dataset, self.picks

        def show_saved(_: Path) -> None:
            self.saved_name, self.saved_picks = name, picks
            command = f"neumf-tui rank --guest {name} --run {ranker.info.name}"
            self.notify(f"Saved. The same list from the shell: {command}", markup=False)
            self._show_picks()

        guest = picks.as_guest(name, data)
        self.ask("guest", lambda _: save_guest(guest, data, ranker.home), show_saved)

    def action_delete(self) -> None:
        name, home = self.saved_name, self.ranker.home

        def show_deleted(_: None) -> None:
            self.saved_name, self.saved_picks = "", Picks()
            text = f"Deleted the guest {name}. The picks stay until you leave this screen."
            self.notify(text, markup=False)
            self._show_picks()

        delete = partial(self.ask, "guest", lambda _: delete_guest(home, name), show_deleted)
        self.confirm(f"Delete the guest {name}?", "Delete", delete)

    # Drawing.

    def _draw_picked(self) -> None:
        items, data = self.picks.items, self.ranker.dataset

        def cells(row: int) -> list[str]:
            title, year, _, seen_by = item_cells(data, items[row])
            return [str(row + 1), title, year, seen_by]

        self.picked_table.show_rows(len(items), cells, cursor=self.picked_table.cursor)
        self.query_one("#guest-hint").display = not items
        pane = self.query_one("#guest-picks")
        pane.border_title = f"picked · {len(items)}"
        if self.saved_name:
            changed = "" if self.picks == self.saved_picks else ", changed"
            pane.border_subtitle = Text(clean(self.saved_name + changed))
        else:
            pane.border_subtitle = "not saved" if items else ""

    def _draw_state(self) -> None:
        """Say from which picks the ranking is made, and how."""
        shown, ranker = self.shown, self.ranker
        box = self.query_one("#guest-state", Static)
        box.set_class(bool(self._problem), "-problem")
        self.ranking_pane.display = shown is not None or not self._problem
        if shown is None:
            box.update(self._problem or "ranking …")
            return
        count = len(shown.picks.items)
        picked = self.noun.counted(count)
        title = f"ranking for {picked}" if count else "ranking before the first pick"
        self.query_one("#guest-right").border_title = title
        by = ranker.scorer.newcomers_by
        if shown.picks == self.picks:
            box.update(summary(shown, self._before, ranker.dataset, by))
        else:
            box.update(outdated_summary(shown, self.picks, self._problem, by, self.noun))
