"""A search line over the list of matching items, and a dialog that ends with the item chosen."""

from collections.abc import Callable, Collection
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from neumf_tui.text import clean
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.screen import TerminalScreen
from neumf_tui.tui.widgets.table import Column, Table, item_columns
from neumf_tui.tui.widgets.user_search_line import matches_in
from neumf_tui.tui.work import Asker
from neumf_tui.views.items import item_cells

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset

COLUMNS = (
    Column("", 1),
    Column("title", 14, flex=True),
    Column("year", 4, drop=1),
    Column("genres", 18, drop=3),
    Column("seen by", 7, right=True, drop=2),
)
MOST_LISTED = 100
"""Items listed for a query."""


def _bindings(
    area: str, pick: str, enter: tuple[str, str], escape: tuple[str, str]
) -> list[BindingType]:
    """Return the keys of a picker. `pick` is the full id of Enter's binding."""
    return [
        Binding("enter", "pick", enter[0], tooltip=enter[1], id=pick),
        Binding("down", "move(1)", "Down", show=False, tooltip="Next {item}", id=f"{area}.down"),
        Binding("up", "move(-1)", "Up", show=False, tooltip="Previous {item}", id=f"{area}.up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id=f"{area}.page-down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id=f"{area}.page-up"),
        # In the footer, because q is a letter here.
        Binding("escape", "screen.back", escape[0], tooltip=escape[1], id=f"{area}.leave"),
    ]


class SearchLine(Input, inherit_bindings=False):
    """A line that leaves Enter and Ctrl-U to the widgets around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in Input.BINDINGS
        if isinstance(binding, Binding) and not {"enter", "ctrl+u"} & set(binding.key.split(","))
    ]


class ItemPicker(Vertical):
    """An empty line lists the most seen items that are not picked; a query lists all matches.

    Enter may come before the answer to what was typed: the best match is then picked as soon as
    it is known, and several such picks are made in the order of typing.
    """

    CAPTION: ClassVar[str] = "search"
    """A template of `Noun.fill`."""
    BINDINGS: ClassVar[list[BindingType]] = _bindings(
        "item-search",
        "item-search.pick",
        ("Pick", "Pick the {item} under the cursor"),
        ("Back", "Empty the line, or leave this screen"),
    )

    def __init__(
        self,
        screen: Screen[Any],
        dataset: "Dataset",
        pick: Callable[[int], None],
        picked: Callable[[], Collection[int]] = tuple,
        *,
        id: str,  # noqa: A002
        classes: str = "",
    ) -> None:
        """
        pick: called with an item's index; no message, because the next Enter must see its effect.
        picked: returns the items picked so far.
        """
        super().__init__(id=id, classes=classes)
        self.found: list[int] = []
        """Indices of the items listed."""
        self._found_for = ""
        """The query that they match."""
        self._dataset, self._picked, self._pick = dataset, picked, pick
        self._asker = Asker(screen, self._show_problem)
        self._popular: list[int] = np.argsort(-dataset.seen_by, kind="stable").tolist()
        self._lock = Lock()
        self._pending: list[str] = []
        """Queries whose best match is to be picked when it is known."""

    def compose(self) -> ComposeResult:
        yield SearchLine(placeholder="title or id", compact=True)
        found = Table(item_columns(COLUMNS, self._dataset))
        found.can_focus = False  # keys typed in the line move its cursor
        yield found

    def on_mount(self) -> None:
        self.show_picked()

    @property
    def line(self) -> Input:
        return self.query_one(SearchLine)

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def show_picked(self) -> None:
        """Show which items are picked now."""
        if self.line.value.strip():
            self.table.refresh()
        else:
            self._show_popular(self.table.cursor)

    def clear(self) -> bool:
        """Empty the line; return whether there was text in it."""
        query, cursor = self.line.value, self.table.cursor
        with self.prevent(Input.Changed):
            self.line.value = ""
        self._asker.drop("search")
        self._show_popular(0 if query.strip() else cursor)
        return bool(query)

    @on(Input.Changed)
    def search(self) -> None:
        query = self.line.value
        if query.strip():
            show = partial(self._show, query=query)
            self._asker.ask("search", lambda _: self._search(query, MOST_LISTED), show)
        else:
            self._asker.drop("search")
            self._show_popular(0)

    def _search(self, query: str, count: int) -> list[int]:
        """Search in a thread; the lock keeps two threads from indexing the titles twice."""
        with self._lock:
            return self._dataset.title_search.search(query, count)

    def _show_popular(self, cursor: int) -> None:
        picked = set(self._picked())
        most_seen = self._popular[: MOST_LISTED + len(picked)]
        self._show([i for i in most_seen if i not in picked][:MOST_LISTED], "", cursor)

    def _show(self, found: list[int], query: str, cursor: int = 0) -> None:
        self.found, self._found_for = found, query.strip()

        def cells(row: int) -> list[str]:
            mark = "✓" if found[row] in self._picked() else ""
            title, *others = item_cells(self._dataset, found[row])
            item_id = self._dataset.catalogue.item_ids[found[row]]
            if self._found_for and item_id.casefold().startswith(self._found_for.casefold()):
                title = title if title == item_id else f"{item_id}  {title}"
            return [mark, title, *others]

        self.table.matches = matches_in(self._found_for, 2, 1)  # year and title
        self.table.show_rows(len(found), cells, cursor=cursor)
        count = f"{len(found)}+" if len(found) == MOST_LISTED else str(len(found) or "none")
        what = f"{count} match “{clean(self._found_for)}”" if self._found_for else "most seen first"
        self.border_title = Text(f"{self._dataset.noun.fill(self.CAPTION)} · {what}")

    def _show_problem(self, text: str) -> None:
        self._pending.clear()
        self.notify(clean(text), severity="error", markup=False)

    @on(Table.Chosen)
    def action_pick(self) -> None:
        query = self.line.value.strip()
        is_known = query == self._found_for and not self._pending
        item = self.found[self.table.cursor] if self.found else None
        self.clear()
        if is_known or not query:
            self._pick_or_say(item, query)
        else:
            self._pending.append(query)
            if len(self._pending) == 1:
                self._pick_pending()

    def _pick_pending(self) -> None:
        query = self._pending[0]

        def pick(found: list[int]) -> None:
            self._pending.pop(0)
            self._pick_or_say(found[0] if found else None, query)
            if self._pending:
                self._pick_pending()

        self._asker.ask("pending", lambda _: self._search(query, 1), pick)

    def _pick_or_say(self, item: int | None, query: str) -> None:
        if item is not None:
            self._pick(item)
        elif query:
            noun = self._dataset.noun.singular
            text = f"No {noun} has “{clean(query)}” as its id or in its title."
            self.notify(text, markup=False)

    def action_move(self, by: int) -> None:
        self.table.action_move(by)

    def action_page(self, by: int) -> None:
        self.table.action_page(by)


class DialogItemPicker(ItemPicker, inherit_bindings=False):
    CAPTION = "find {item}"
    BINDINGS: ClassVar[list[BindingType]] = _bindings(
        "find-item",
        "find-item.choose",
        ("Go to it", "Go to the {item} under the cursor"),
        ("Cancel", "Close without choosing"),
    )


class ItemDialog(ModalScreen[int | None], TerminalScreen[int | None]):
    """Ends with the index of the item that was chosen, or None."""

    CSS_PATH = "item_picker.tcss"

    def __init__(self, dataset: "Dataset") -> None:
        super().__init__()
        self._dataset, self.noun = dataset, dataset.noun

    def compose(self) -> ComposeResult:
        yield DialogItemPicker(self, self._dataset, self._choose, id="find-item", classes="dialog")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(ItemPicker).line.focus()

    def _choose(self, item: int) -> None:
        if self.is_current:  # a second Enter may come after the first one closed the dialog
            self.dismiss(item)

    def action_back(self) -> None:
        self.dismiss(None)
