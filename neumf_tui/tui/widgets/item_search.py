"""A line to type a title into, and below it the films that match, to be picked one after the other."""

from collections.abc import Callable, Collection
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from neumf_tui.text import clean
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import Asker

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.data.titles import Titles

COLUMNS = (
    Column("", 1),
    Column("title", 14, flex=True),
    Column("year", 4, drop=1),
    Column("seen by", 7, right=True, drop=2),
)
FOUND = 100
"""Films listed for a query."""


class SearchLine(Input, inherit_bindings=False):
    """A line whose Enter and Ctrl-U are those of the screen around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in Input.BINDINGS
        if isinstance(binding, Binding) and not {"enter", "ctrl+u"} & set(binding.key.split(","))
    ]

    async def _on_key(self, event: events.Key) -> None:
        """Enter is obeyed in the order of typing.

        The app would look its binding up only when the key has come all the way up, and letters typed after it are in the
        line by then.
        """
        active = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if (
            active is not None
            and isinstance(active.node, FilmSearch)
            and active.binding.action == "pick"
        ):
            event.stop()
            event.prevent_default()
            active.node.action_pick()


class FilmSearch(Vertical):
    """An empty line lists the most seen films that are not picked yet; a query all that match, picked ones with a mark.

    Enter works ahead of the answer: the best film of what was typed is picked as soon as it is known, in the order of typing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "pick", "Pick", tooltip="Pick the film under the cursor", id="film-search.pick"
        ),
        Binding(
            "down", "move(1)", "Down", show=False, tooltip="Next film found", id="film-search.down"
        ),
        Binding(
            "up", "move(-1)", "Up", show=False, tooltip="Film found before", id="film-search.up"
        ),
        Binding(
            "pagedown",
            "page(1)",
            "Page down",
            show=False,
            tooltip="Films found further down",
            id="film-search.page-down",
        ),
        Binding(
            "pageup",
            "page(-1)",
            "Page up",
            show=False,
            tooltip="Films found further up",
            id="film-search.page-up",
        ),
        # Shown here, where q is a letter.
        Binding(
            "escape",
            "screen.back",
            "Leave",
            tooltip="Empty the line, or leave this screen",
            id="film-search.leave",
        ),
    ]

    def __init__(
        self,
        screen: Screen[Any],
        dataset: "Dataset",
        picked: Callable[[], Collection[int]],
        pick: Callable[[int], None],
        *,
        id: str,  # noqa: A002
        classes: str = "",
    ) -> None:
        """`picked` gives the item indices picked now; `pick` is called, not posted: the next Enter must see what it did."""
        super().__init__(id=id, classes=classes)
        self.found: list[int] = []
        """Item indices listed."""
        self._found_for = ""
        """The query that they match."""
        self._dataset, self._picked, self._pick = dataset, picked, pick
        self._asker = Asker(screen, self._show_problem)
        self._popular: list[int] = np.argsort(-dataset.seen_by, kind="stable").tolist()
        self._titles: Titles | None = None
        self._lock = Lock()
        self._late: list[str] = []
        """Queries that were entered before their answer came."""

    def compose(self) -> ComposeResult:
        yield SearchLine(placeholder="a title; Enter picks", compact=True)
        found = Table(COLUMNS)
        found.can_focus = False  # its cursor is moved from the line
        yield found

    def on_mount(self) -> None:
        self.take_picked()

    @property
    def line(self) -> Input:
        return self.query_one(SearchLine)

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def take_picked(self) -> None:
        """What is picked has changed."""
        if self.line.value.strip():
            self.table.refresh()
        else:
            self._show_popular()

    def clear(self) -> bool:
        """Empty the line; whether there was anything in it."""
        query, cursor = self.line.value, self.table.cursor
        with self.prevent(Input.Changed):
            self.line.value = ""
        self._asker.drop("search")
        self._show_popular(cursor=0 if query.strip() else cursor)
        return bool(query)

    @on(Input.Changed)
    def search(self) -> None:
        query = self.line.value  # the line may have gone on since
        if query.strip():
            self._asker.ask(
                "search",
                lambda _: self._search(query, FOUND),
                lambda found: self._show(found, query),
            )
        else:
            self._asker.drop("search")
            self._show_popular(cursor=0)

    def _search(self, query: str, count: int) -> list[int]:
        """In a thread; two at once would make the titles ready twice."""
        with self._lock:
            if self._titles is None:
                from neumf_tui.data.titles import Titles

                self._titles = Titles(self._dataset)
            return self._titles.search(query, count)

    def _show_popular(self, cursor: int | None = None) -> None:
        picked = set(self._picked())
        few = self._popular[: FOUND + len(picked)]
        self._show(
            [item for item in few if item not in picked][:FOUND],
            "",
            self.table.cursor if cursor is None else cursor,
        )

    def _show(self, found: list[int], query: str, cursor: int = 0) -> None:
        data = self._dataset
        self.found, self._found_for = found, query.strip()

        def cells(row: int) -> list[str]:
            item = found[row]
            mark = "✓" if item in self._picked() else ""
            return [
                mark,
                data.catalogue.titles[item],
                str(data.catalogue.years[item] or ""),
                f"{data.seen_by[item]:,}",
            ]

        self.table.show_rows(len(found), cells, cursor=cursor)
        many = f"{len(found)}+" if len(found) == FOUND else str(len(found) or "none")
        self.border_title = Text(
            f"search · {many} like “{clean(query.strip())}”" if query else "search · most seen"
        )

    def _show_problem(self, text: str) -> None:
        self._late.clear()
        self.notify(clean(text), severity="error", markup=False)

    @on(Table.Chosen)
    def action_pick(self) -> None:
        query = self.line.value.strip()
        waits = query != self._found_for or bool(self._late)
        item = self.found[self.table.cursor] if self.found else None
        self.clear()
        if query and waits:
            self._late.append(query)
            if len(self._late) == 1:
                self._pick_late()
        else:
            self._pick_or_say(item, query)

    def _pick_late(self) -> None:
        query = self._late[0]

        def take(found: list[int]) -> None:
            self._late.pop(0)
            self._pick_or_say(found[0] if found else None, query)
            if self._late:
                self._pick_late()

        self._asker.ask("late", lambda _: self._search(query, 1), take)

    def _pick_or_say(self, item: int | None, query: str) -> None:
        if item is not None:
            self._pick(item)
        elif query:
            self.notify(f"No film is like “{clean(query)}”.", markup=False)

    def action_move(self, by: int) -> None:
        self.table.action_move(by)

    def action_page(self, by: int) -> None:
        self.table.action_page(by)
