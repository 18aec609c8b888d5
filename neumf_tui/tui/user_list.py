"""Which users the explore screen lists, and in what order."""

from typing import TYPE_CHECKING

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import rank_text

if TYPE_CHECKING:
    from neumf_tui.ranking.users import Users

SORTS = ("rank ▲", "rank ▼", "dataset order", "most seen", "held-out title")


class UserList:
    """User indices after search and sort. Sorting is stable, users without a rank come last."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.sort = 0
        self._query = ""
        self._users: Users | None = None
        self._titles: list[str] = []

    def take(self, users: "Users") -> None:
        self._users = users
        self._titles = [users.heldout_title(user) for user in range(users.dataset.num_users)]
        self._arrange()

    def search(self, query: str) -> None:
        """Keep users whose id begins with `query` or whose held-out title has it, whatever the case."""
        self._query = query.strip().casefold()
        self._arrange()

    def next_sort(self) -> None:
        self.sort = (self.sort + 1) % len(SORTS)
        self._arrange()

    def position(self, user: int) -> int:
        """Row of a user index, 0 where it is not listed."""
        return self.order.index(user) if user in self.order else 0

    def next_miss(self, row: int, step: int) -> int | None:
        """The row after (step 1) or before (−1) `row`, going round, whose held-out item is outside the top 50."""
        if self._users is None:
            return None
        for far in range(1, len(self.order) + 1):
            at = (row + step * far) % len(self.order)
            if self._users.ranks[self.order[at]] > CUTOFF:
                return at
        return None

    def cells(self, row: int) -> list[str]:
        """Id, history size, held-out title, rank, and whether it is a hit."""
        assert self._users is not None
        user = self.order[row]
        rank = float(self._users.ranks[user])
        known = rank == rank
        return [
            self._users.dataset.user_ids[user],
            str(self._users.history_sizes[user]),
            self._titles[user],
            rank_text(rank) if known else "–",
            "✓" if known and rank <= CUTOFF else "",
        ]

    def _arrange(self) -> None:
        users = self._users
        if users is None:
            return
        ids, ranks, sizes, titles = users.dataset.user_ids, users.ranks, users.history_sizes, self._titles
        query = self._query
        self.order = [
            user
            for user in range(len(ids))
            if not query or ids[user].casefold().startswith(query) or query in titles[user].casefold()
        ]
        match SORTS[self.sort]:
            case "rank ▲":
                self.order.sort(key=lambda u: (ranks[u] != ranks[u], ranks[u]))
            case "rank ▼":
                self.order.sort(key=lambda u: (ranks[u] != ranks[u], -ranks[u]))
            case "most seen":
                self.order.sort(key=lambda u: -sizes[u])
            case "held-out title":
                self.order.sort(key=lambda u: (not titles[u], titles[u].casefold()))
