"""The people of a run: users of the dataset and guests, searched, sorted and chosen."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from neumf_tui.explore.user_list import SORTS, UserList
from neumf_tui.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    import numpy as np

    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Who
    from neumf_tui.explore.users import Users

COLUMNS = (
    Column("id", 7),
    Column("seen", 4, right=True, drop=1),
    Column("held-out", 8, flex=True, drop=0),
    Column("rank", 5, right=True),
    Column("", 1),
)


class PeoplePane(Vertical):
    """A table over a search line. `who` is the person chosen, None where nobody is listed."""

    @dataclass
    class Picked(Message):
        """Another person is chosen, or nobody is left to choose."""

        who: "Who | None"

    def __init__(self) -> None:
        super().__init__(id="users-pane")
        self.list = UserList()
        self.who: Who | None = None
        self._before_search: Who | None = None

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="users")
        yield Input(placeholder="id or held-out title", id="search", compact=True)

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def take(self, users: "Users", guests: "Sequence[Guest]", ranks: "NDArray[np.float32]") -> None:
        """List these people, with their ranks at the epoch shown; `show` draws them."""
        self.list.take(users, guests, ranks)
        # As wide as the longest id needs and no wider: every cell is wanted for the titles.
        width = min(
            16,
            max(2, *map(len, users.dataset.user_ids), *(len(guest.name) + 1 for guest in guests)),
        )
        self.table.columns[0] = Column("id", width)

    def show(self, who: "Who | None") -> None:
        """Draw the people, with the cursor on `who` if they are still there."""
        order, table = self.list.order, self.table
        row = self.list.row_of(who)
        table.show_rows(len(order), self.list.cells, cursor=row or 0)
        if row:
            self.call_after_refresh(table.centre)  # once its size is known
        users = "" if self.screen.has_class("-narrow") else "users · "
        self.border_title = f"{users}{SORTS[self.list.sort]} · {len(order):,}"
        if not len(order):
            self.who = None
            self.post_message(self.Picked(None))

    @on(Table.Highlighted)
    def _pick(self, event: Table.Highlighted) -> None:
        event.stop()
        if event.row < len(self.list.order) and (who := self.list.who(event.row)) != self.who:
            self.who = who
            self.post_message(self.Picked(who))

    def go_to(self, who: "Who") -> None:
        """Choose a person, ending a search that hides them."""
        if self.list.row_of(who) is None:
            self.end_search()
        row = self.list.row_of(who)
        if row is not None:
            self.table.show_in_middle(row)

    def go_to_miss(self, step: int) -> bool:
        """Choose the next (1) or previous (−1) user whose held-out film is outside the top 50; whether there is one."""
        row = self.list.next_miss(self.table.cursor, step)
        if row is not None:
            self.table.cursor = row
        return row is not None

    def go_anywhere(self) -> None:
        if len(self.list.order):
            self.table.cursor = random.randrange(len(self.list.order))

    def next_sort(self) -> None:
        self.list.next_sort()
        self.show(self.who)

    # Search.

    def begin_search(self) -> None:
        if self.who is not None:
            self._before_search = self.who
        search = self.query_one(Input)
        search.add_class("-shown")
        search.focus()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self.list.search(event.value)
        self.show(self.who)

    @on(Input.Submitted)
    def _to_the_found(self) -> None:
        self.table.focus()

    @property
    def searching(self) -> bool:
        return self.query_one(Input).has_class("-shown")

    def end_search(self) -> None:
        """All people again, with the cursor on the person found, or where it was if nobody was."""
        search = self.query_one(Input)
        with self.prevent(Input.Changed):
            search.value = ""
        search.remove_class("-shown")
        self.list.search("")
        self.show(self.who if self.who is not None else self._before_search)
        self.table.focus()
