"""Go to a film: a line to type a title into, and the films that match it, best first."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from neumf_tui.text import clean
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import Asker

if TYPE_CHECKING:
    from neumf_tui.data.titles import Titles

COLUMNS = (
    Column("title", 20, flex=True),
    Column("year", 4, drop=1),
    Column("genres", 18, drop=3),
    Column("seen by", 7, right=True, drop=2),
)
SHOWN = 100
"""Films listed for a query."""


class TitleInput(Input):
    """The line of the dialog. Its Enter comes after what was typed before it, which a key of the dialog might not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "submit",
            "Go to it",
            tooltip="The film under the cursor",
            id="find-film.choose",
        ),
    ]


class FilmDialog(ModalScreen[int | None]):
    """Ends with the item index of the film that was chosen, or None."""

    CSS_PATH = "item_dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", show=False, tooltip="Next film", id="find-film.down"),
        Binding("up", "move(-1)", "Up", show=False, tooltip="Film before", id="find-film.up"),
        Binding(
            "pagedown",
            "page(1)",
            "Page down",
            show=False,
            tooltip="Films further down",
            id="find-film.page-down",
        ),
        Binding(
            "pageup",
            "page(-1)",
            "Page up",
            show=False,
            tooltip="Films further up",
            id="find-film.page-up",
        ),
        Binding(
            "escape",
            "dismiss(None)",
            "Leave it",
            tooltip="Back, without a film",
            id="find-film.leave",
        ),
    ]

    def __init__(self, titles: Callable[[], "Titles"]) -> None:
        """`titles` is called in a thread, at each search: making them takes a while, so the caller keeps what it made."""
        super().__init__()
        self._titles = titles
        self._asker = Asker(self, self._show_problem)
        self._found: list[int] = []
        self._choosing = False
        """Whether the best film is to be chosen as soon as it is known."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="find-film"):
            yield Static("Go to a film", id="find-film-title", markup=False)
            yield TitleInput(placeholder="title, as you remember it", compact=True)
            yield Table(COLUMNS)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(
            Table
        ).can_focus = False  # the mouse moves the cursor there, and typing goes on
        self.query_one(Input).focus()
        self._search("")

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, query: str) -> None:
        self._choosing = False

        def find() -> tuple["Titles", list[int]]:
            titles = self._titles()
            return titles, titles.search(query, SHOWN)

        self._asker.ask("search", lambda _: find(), lambda answer: self._show(*answer))

    def _show(self, titles: "Titles", found: list[int]) -> None:
        self._found = found
        data = titles.dataset
        catalogue = data.catalogue

        def cells(row: int) -> list[str]:
            item = found[row]
            genres = " ".join(catalogue.genres[item])
            return [
                catalogue.titles[item],
                str(catalogue.years[item] or ""),
                genres,
                f"{data.seen_by[item]:,}",
            ]

        query = self.query_one(Input).value.strip()
        many = f"{len(found)}+" if len(found) == SHOWN else str(len(found))
        what = (
            f"{many} like “{clean(query)}”"
            if query
            else f"{data.num_items:,} films, the most seen first"
        )
        self.query_one("#find-film-title", Static).update(
            f"Go to a film · {what if found or not query else 'none is like that'}"
        )
        self.query_one(Table).show_rows(len(found), cells)
        if self._choosing:
            self.choose()

    def _show_problem(self, text: str) -> None:
        self.query_one("#find-film-title", Static).update(Text(clean(text), "bold"))

    @on(Table.Chosen)
    @on(Input.Submitted)
    def choose(self) -> None:
        """Choose the film under the cursor; where what was typed last is still being searched, the best of it."""
        self._choosing = self._asker.waiting("search")
        if not self._choosing and self._found:
            self.dismiss(self._found[self.query_one(Table).cursor])

    def action_move(self, by: int) -> None:
        self.query_one(Table).action_move(by)

    def action_page(self, by: int) -> None:
        self.query_one(Table).action_page(by)
