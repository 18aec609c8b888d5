"""Choose the users of the rank race."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from neumf_tui.explore.user_search import SORTS, UserList
from neumf_tui.text import clean
from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.widgets.table import Column, Table, id_column
from neumf_tui.tui.work import Asker, Cancelled
from neumf_tui.views.people import person_cells

if TYPE_CHECKING:
    from neumf_tui.explore.users import Users

COLUMNS = (
    Column("", 1),
    Column("user", 7),
    Column("seen", 5, right=True, drop=1),
    Column("held-out film", 20, flex=True),
    Column("rank", 6, right=True),
)


class PinDialog(ModalScreen[tuple[str, ...] | None]):
    """A list of users with a search line; ends with the pinned users' ids."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "pin",
        shown("space", "pin", "Pin", display="space", key_id="toggle"),
        shown("slash", "search", "Search", display="/"),
        shown("o", "sort", "Sort"),
        shown("enter", "finish", "Done", key_id="done"),
        shown("escape", "back", "Cancel", key_id="leave"),
    )

    table = getters.query_one(Table)
    line = getters.query_one(Input)
    title_box = getters.query_one("#pin-title", Static)

    def __init__(self, folder: Path, home: Path, pinned: tuple[str, ...]) -> None:
        super().__init__()
        self.folder, self.home = folder, home
        self.pinned = list(pinned)
        self.user_list = UserList()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="pin"):
            yield Static("reading the users", id="pin-title")
            yield Table(COLUMNS, id="pin-users")
            yield Input(placeholder="/ id or held-out title", id="pin-search", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.table.focus()
        Asker(self, self._show_problem).ask("users", self._load, self.show_users)

    def _load(self, _: Cancelled) -> "Users":
        from neumf_tui.explore.users import load_users

        return load_users(self.folder, self.home)

    def _show_problem(self, text: str) -> None:
        self.title_box.update(Text(clean(text)))

    def show_users(self, users: "Users") -> None:
        self.user_list.set_people(users)
        self.table.columns[1] = id_column("user", users.dataset.user_ids)
        self._draw()

    def _draw(self, cursor: int = 0) -> None:
        count, sort = len(self.user_list.order), SORTS[self.user_list.sort]
        self.title_box.update(f"{len(self.pinned)} pinned · {count:,} users · {sort}")
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

    def action_search(self) -> None:
        self.line.focus()

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

    def action_back(self) -> None:
        if self.line.has_focus:
            self.table.focus()
        else:
            self.dismiss(None)
