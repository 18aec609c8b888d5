"""Which people a list shows, and in what order: users of the dataset, after any guests."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import rank_text

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Who
    from neumf_tui.explore.users import Users

SORTS = ("rank ▲", "rank ▼", "dataset order", "most seen", "held-out title")


class UserList:
    """People after search and sort. Sorting is stable, users without a rank come last.

    In numpy throughout: a list of 330,000 users follows the typing.
    """

    def __init__(self) -> None:
        self.order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """User indices; guest number g stands as −1 − g."""
        self.sort = 0
        self.guests: Sequence[Guest] = ()
        self.ranks: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        """Held-out ranks at the epoch shown, one a user index."""
        self._query = ""
        self._users: Users | None = None
        self._ids: list[str] = []
        self._titles: list[str] = []
        self._by_title: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def take(
        self,
        users: "Users",
        guests: Sequence["Guest"] = (),
        ranks: NDArray[np.float32] | None = None,
    ) -> None:
        """`ranks` are those of the newest evaluation if left out."""
        if self._users is None or self._users.dataset is not users.dataset:
            self._ids = [user_id.casefold() for user_id in users.dataset.user_ids]

            self._titles = [
                users.dataset.catalogue.item_title(item).casefold()
                for item in range(users.dataset.num_items)
            ]
            # The place of each film in the alphabet, those without a title last; −1 picks the last entry: nothing held out.
            places = np.full(users.dataset.num_items + 1, users.dataset.num_items, dtype=np.int64)
            titled = [item for item, title in enumerate(self._titles) if title]
            places[sorted(titled, key=self._titles.__getitem__)] = np.arange(len(titled))
            self._by_title = places[np.asarray(users.dataset.split.heldout)]
        self._users, self.guests = users, guests
        self.ranks = users.ranks if ranks is None else ranks
        self._arrange()

    def search(self, query: str) -> None:
        """Keep people whose id begins with `query` or whose held-out title has it, whatever the case."""
        self._query = query.strip().casefold()
        self._arrange()

    def next_sort(self) -> None:
        self.sort = (self.sort + 1) % len(SORTS)
        self._arrange()

    def who(self, row: int) -> "Who":
        entry = int(self.order[row])
        return entry if entry >= 0 else self.guests[-1 - entry]

    def row_of(self, who: "Who | None") -> int | None:
        """Row of a person, None where they are not listed."""
        entry = (
            who
            if isinstance(who, int)
            else next((-1 - g for g, guest in enumerate(self.guests) if guest == who), None)
        )
        if entry is None:
            return None
        rows = np.flatnonzero(self.order == entry)
        return int(rows[0]) if len(rows) else None

    def next_miss(self, row: int, step: int) -> int | None:
        """The row after (step 1) or before (−1) `row`, going round, whose held-out item is outside the top 50."""
        users = self.order >= 0
        missed = np.flatnonzero(
            users & (np.where(users, self.ranks[np.maximum(self.order, 0)], 0) > CUTOFF)
        )
        if not len(missed):
            return None
        if step > 0:
            return int(missed[np.searchsorted(missed, row, side="right") % len(missed)])
        return int(missed[np.searchsorted(missed, row, side="left") - 1])

    def cells(self, row: int) -> list[str]:
        """Id, history size, held-out title, rank, and whether it is a hit."""
        assert self._users is not None
        who = self.who(row)
        if not isinstance(who, int):
            return [f"+{who.name}", str(len(who.item_ids)), "a guest", "", ""]
        rank = float(self.ranks[who])
        known = rank == rank
        return [
            self._users.dataset.user_ids[who],
            str(self._users.history_sizes[who]),
            self._users.heldout_title(who),
            rank_text(rank) if known else "–",
            "✓" if known and rank <= CUTOFF else "",
        ]

    def _arrange(self) -> None:
        users = self._users
        if users is None:
            return
        query = self._query
        order = np.arange(len(self._ids))
        if query:
            # The False at the end is for −1, nothing held out.
            in_title = np.array([*(query in title for title in self._titles), False])[
                np.asarray(users.dataset.split.heldout)
            ]
            by_id = np.array([user_id.startswith(query) for user_id in self._ids], dtype=bool)
            order = np.flatnonzero(in_title | by_id)
        keys: NDArray[Any]
        match SORTS[self.sort]:
            case "rank ▲":
                keys = self.ranks[order]
            case "rank ▼":
                keys = -self.ranks[order]
            case "most seen":
                keys = -users.history_sizes[order]
            case "held-out title":
                keys = self._by_title[order]
            case _:
                keys = order
        guests = [
            -1 - g for g, guest in enumerate(self.guests) if guest.name.casefold().startswith(query)
        ]
        # NaN, an unknown rank, sorts last.
        self.order = np.concatenate(
            [np.array(guests, dtype=np.int64), order[np.argsort(keys, kind="stable")]]
        )
