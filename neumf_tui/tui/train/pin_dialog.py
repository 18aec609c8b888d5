"""Choose the users of the rank race."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import Input

from neumf_tui.data.nouns import Noun
from neumf_tui.explore.user_search import SORTS, UserList
from neumf_tui.text import counted
from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.widgets.dialogs import ListDialog
from neumf_tui.tui.widgets.table import Column, Table, id_column, named_columns
from neumf_tui.tui.widgets.user_search_line import matches_in
from neumf_tui.views.people import nobody_text, person_cells

if TYPE_CHECKING:
    from neumf_tui.explore.users import Users

COLUMNS = (
    Column("", 1),
    Column("user", 7),
    Column("seen", 5, right=True, drop=1),
    Column("held-out {item}", 20, flex=True),
    Column("rank", 6, right=True),
)


class PinDialog(ListDialog[tuple[str, ...]]):
    """A list of users with a search line; ends with the pinned users' ids."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "pin",
        shown("space", "pin", "Pin", display="space", key_id="toggle"),
        shown("slash", "filter", "Search", display="/", key_id="search"),
        shown("o", "sort", "Sort"),
        shown("enter", "finish", "Save", key_id="done"),
        shown("escape", "back", "Cancel", key_id="leave"),
    )

    def __init__(self, folder: Path, home: Path, noun: Noun, pinned: tuple[str, ...]) -> None:
        super().__init__(
            named_columns(COLUMNS, noun), "reading the users", "/ id or held-out title"
        )
        self.folder, self.home, self.noun = folder, home, noun
        self.pinned = list(pinned)
        self.user_list = UserList()

    def read(self) -> "Users":
        from neumf_tui.explore.users import load_users

        return load_users(self.folder, self.home)

    def show_list(self, found: "Users") -> None:
        self.user_list.set_people(found)
        self.table.columns[1] = id_column("user", found.dataset.user_ids)
        self._draw()

    def _draw(self, cursor: int = 0) -> None:
        count, sort = len(self.user_list.order), SORTS[self.user_list.sort]
        self.table.matches = matches_in(self.user_list.query, 1, 3)
        title = f"{len(self.pinned)} pinned · {counted(count, 'user')} · {sort}"
        if not count and (users := self.user_list.users):
            title += f"\n{nobody_text(users.dataset, self.user_list.query)}"
        self.show_title(title)
        self.table.show_rows(count, self._cells, cursor=cursor)

    def _cells(self, row: int) -> list[str]:
        user, seen, title, rank, _ = person_cells(self.user_list, row)
        return ["●" if user in self.pinned else "", user, seen, title, rank]

    @on(Table.Chosen)
    def action_pin(self) -> None:
        if not self.table.row_count:
            return
        row = self.table.cursor
        user = self._cells(row)[1]
        if user in self.pinned:
            self.pinned.remove(user)
        else:
            self.pinned.append(user)
        self._draw(row)

    def action_sort(self) -> None:
        self.user_list.next_sort()
        self._draw()

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        self.user_list.search(event.value)
        if self.user_list.users is not None:
            self._draw()

    @on(Input.Submitted)
    def end_search(self) -> None:
        self.table.focus()

    def action_finish(self) -> None:
        self.dismiss(tuple(self.pinned))
