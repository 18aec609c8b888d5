"""The users of a run's dataset and the guests, to be searched, sorted and chosen."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from numpy.typing import NDArray
from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from neumf_tui.explore.user_search import SORTS, UserList
from neumf_tui.tui.widgets.fitted_text import fitting
from neumf_tui.tui.widgets.table import Column, Table, id_column
from neumf_tui.tui.widgets.user_search_line import UserSearchLine, matches_in
from neumf_tui.views.people import person_cells

if TYPE_CHECKING:
    import numpy as np

    from neumf_tui.explore.guests import Guest, Who
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

    table = getters.query_one(Table)
    search_line = getters.query_one(UserSearchLine)

    def __init__(self) -> None:
        super().__init__(id="users-pane")
        self.user_list = UserList()
        self.who: Who | None = None
        self._before_search: Who | None = None

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="users")
        yield UserSearchLine(id="search")

    def set_people(
        self, users: "Users", guests: "Sequence[Guest]", ranks: "NDArray[np.float32]"
    ) -> None:
        """List these people, with their ranks at the epoch shown; `show` draws them."""
        self.user_list.set_people(users, guests, ranks)
        names = (f"+{guest.name}" for guest in guests)
        self.table.columns[0] = id_column("id", users.dataset.user_ids, names)

    def show(self, who: "Who | None") -> None:
        """Draw the people, with the cursor on `who` if they are still listed."""
        count, row = len(self.user_list.order), self.user_list.row_of(who)
        self.table.matches = matches_in(self.user_list.query, 0, 2)
        self.table.show_rows(count, partial(person_cells, self.user_list), cursor=row or 0)
        if row:
            self.call_after_refresh(self.table.centre)  # when its height is known
        self.on_resize()
        if not count:
            self.who = None
            self.post_message(self.Picked(None))

    def on_resize(self) -> None:
        if self.user_list.users is not None:
            what = f"{SORTS[self.user_list.sort]} · {len(self.user_list.order):,}"
            room = self.outer_size.width - 4  # beside the corners
            self.border_title = fitting((f"users · {what}", what), room)

    @on(Table.Highlighted)
    def _pick(self, event: Table.Highlighted) -> None:
        event.stop()
        if event.row < len(self.user_list.order):
            who = self.user_list.who(event.row)
            if who != self.who:
                self.who = who
                self.post_message(self.Picked(who))

    def go_to(self, who: "Who") -> None:
        """Choose a person, ending a search that hides them."""
        if self.user_list.row_of(who) is None:
            self.end_search()
        row = self.user_list.row_of(who)
        if row is not None:
            self.table.show_in_middle(row)

    def go_to_miss(self, step: int) -> bool:
        """Choose the next (step 1) or previous (step -1) user who is a miss; False without one."""
        row = self.user_list.next_miss(self.table.cursor, step)
        if row is not None:
            self.table.cursor = row
        return row is not None

    def go_to_random(self) -> None:
        if count := len(self.user_list.order):
            self.table.cursor = random.randrange(count)

    def next_sort(self) -> None:
        self.user_list.next_sort()
        self.show(self.who)

    # Search.

    def start_search(self) -> None:
        if self.who is not None:
            self._before_search = self.who
        self.search_line.open()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self.user_list.search(event.value)
        # The best match is first: Enter takes it.
        self.show(None if self.user_list.query else self.who)

    @on(Input.Submitted)
    def _focus_table(self) -> None:
        self.table.focus()

    def end_search(self) -> bool:
        """List all people again; return whether there was a search.

        The cursor is on the person found, or where it was before the search if nobody was found.
        """
        if not self.search_line.is_open:
            return False
        self.search_line.close()
        self.user_list.search("")
        self.show(self.who if self.who is not None else self._before_search)
        self.table.focus()
        return True
