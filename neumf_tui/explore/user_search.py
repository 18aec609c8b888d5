"""Search for users by id or held-out title, and the list of people that screens show."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.strings import INSIDE, START, WHOLE, Strings
from neumf_tui.runs.events import CUTOFF

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.guests import Guest, Who
    from neumf_tui.explore.users import Users

SORTS = ("rank ▲", "rank ▼", "dataset order", "most seen", "held-out title")
NO_MATCH, YEAR, TITLE, ID_PART, ID_START, ID = range(6)
"""How well a user matches a query: the higher, the further up in the list."""


class UserSearch:
    """Finds users of one dataset; fast enough to search 330,000 users while a person types."""

    def __init__(self, dataset: "Dataset") -> None:
        self.dataset = dataset
        self._heldout = np.asarray(dataset.split.heldout)

    @cached_property
    def _ids(self) -> Strings:
        return Strings.of(self.dataset.user_ids)

    @cached_property
    def _titles(self) -> list[str]:
        titles = map(self.dataset.catalogue.item_title, range(self.dataset.num_items))
        return [title.casefold() for title in titles]

    def levels(self, query: str) -> NDArray[np.int8]:
        """Return how well each user matches, shape (num_users,); ID for all if the query is blank.

        From the best: the id is `query`, the id starts with it, the id contains it, the held-out
        title has it, only the year after that title has it; in any case of letters.
        """
        query = query.strip().casefold()
        if not query:
            return np.full(self.dataset.num_users, ID, dtype=np.int8)
        # NO_MATCH at the end is for −1, nothing held out.
        titles = np.array([*self._title_levels(query), NO_MATCH], dtype=np.int8)
        levels: NDArray[np.int8] = titles[self._heldout]
        of_ids = self._ids.matches(query)
        for match, level in ((INSIDE, ID_PART), (START, ID_START), (WHOLE, ID)):
            levels[of_ids == match] = level
        return levels

    def _title_levels(self, query: str) -> list[int]:
        """Return how well each item's title matches."""
        levels = []
        for title, year in zip(self._titles, self.dataset.catalogue.years, strict=True):
            at = title.find(query)
            # The year ends the text, as in "alien (1979)".
            in_title = 0 <= at < len(title) - (len(f" ({year})") if year else 0)
            levels.append(TITLE if in_title else YEAR if at >= 0 else NO_MATCH)
        return levels

    @cached_property
    def by_title(self) -> NDArray[np.int64]:
        """Keys that sort users by held-out title, those without one last; (num_users,)."""
        places = np.full(len(self._titles) + 1, len(self._titles), dtype=np.int64)
        titled = [item for item, title in enumerate(self._titles) if title]
        places[sorted(titled, key=self._titles.__getitem__)] = np.arange(len(titled))
        return places[self._heldout]  # −1, nothing held out, takes the last place


def best_first(order: NDArray[np.int64], levels: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the users of `order` who match, the best matches first, else in the same order."""
    found = order[levels[order] > NO_MATCH]
    best: NDArray[np.int64] = found[np.argsort(-levels[found], kind="stable")]
    return best


class UserList:
    """People after search and sort, guests first. Users without a rank come last."""

    def __init__(self) -> None:
        self.order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """User indices; guest number g stands as −1 − g."""
        self.sort = 0
        self.guests: Sequence[Guest] = ()
        self.users: Users | None = None
        self.ranks: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        """Held-out ranks at the epoch shown, one for each user index."""
        self._query = ""
        self._search: UserSearch | None = None

    def set_people(
        self,
        users: "Users",
        guests: Sequence["Guest"] = (),
        ranks: NDArray[np.float32] | None = None,
    ) -> None:
        """List these people; `ranks` are those of the newest evaluation if left out."""
        if self._search is None or self._search.dataset is not users.dataset:
            self._search = UserSearch(users.dataset)
        self.users, self.guests = users, guests
        self.ranks = users.ranks if ranks is None else ranks
        self._arrange()

    def search(self, query: str) -> None:
        """List only people who match as in `UserSearch`, guests by name; the best match first."""
        self._query = query
        self._arrange()

    @property
    def query(self) -> str:
        """What is searched for; empty where everybody is listed."""
        return self._query.strip()

    def next_sort(self) -> None:
        self.sort = (self.sort + 1) % len(SORTS)
        self._arrange()

    def who(self, row: int) -> "Who":
        """Return the person at a row."""
        entry = int(self.order[row])
        return entry if entry >= 0 else self.guests[-1 - entry]

    def row_of(self, who: "Who | None") -> int | None:
        """Return the row of a person, None where they are not listed."""
        if not isinstance(who, int):
            if who not in self.guests:
                return None
            who = -1 - self.guests.index(who)
        rows = np.flatnonzero(self.order == who)
        return int(rows[0]) if len(rows) else None

    def next_miss(self, row: int, step: int) -> int | None:
        """Return the next (step 1) or previous (−1) row, cyclic, with a rank beyond the top 50."""
        users = self.order >= 0
        ranks = self.ranks[np.maximum(self.order, 0)]
        missed = np.flatnonzero(users & (ranks > CUTOFF))
        if not len(missed):
            return None
        if step > 0:
            return int(missed[np.searchsorted(missed, row, side="right") % len(missed)])
        return int(missed[np.searchsorted(missed, row, side="left") - 1])

    def _arrange(self) -> None:
        if self.users is None or self._search is None:
            return
        levels = self._search.levels(self._query)
        order = np.flatnonzero(levels)
        keys: NDArray[Any]
        match SORTS[self.sort]:
            case "rank ▲":
                keys = self.ranks[order]
            case "rank ▼":
                keys = -self.ranks[order]
            case "most seen":
                keys = -self.users.history_sizes[order]
            case "held-out title":
                keys = self._search.by_title[order]
            case _:
                keys = order
        # NaN, an unknown rank, sorts last.
        order = best_first(order[np.argsort(keys, kind="stable")], levels)
        guests = self._guests_by_level()
        # A guest stands before the users who match as well or worse.
        places = [np.searchsorted(-levels[order], -level, side="left") for level, _ in guests]
        entries = [entry for _, entry in guests]
        self.order = np.insert(order, np.array(places, dtype=np.int64), entries)

    def _guests_by_level(self) -> list[tuple[int, int]]:
        """Return level and entry of the guests whose names match, the best match first."""
        query = self._query.strip().casefold().removeprefix("+")  # as lists mark guests
        names = [guest.name.casefold() for guest in self.guests]
        found = [
            (ID if name == query or not query else ID_START, -1 - number)
            for number, name in enumerate(names)
            if name.startswith(query)
        ]
        return sorted(found, key=lambda one: -one[0])
