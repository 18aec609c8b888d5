"""Models of which only scores are known: a table of all of them, or each user's best ones."""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.scorers.scorer import CannotError, FloatArray, ItemScores, Profile, Scorer

NOTHING_KEPT = "this run kept no model: it has the ranks of held-out items alone"


class TableScorer(Scorer):
    """Scores of every user and item."""

    what = "a table of scores"

    def __init__(self, table: FloatArray) -> None:
        """Keep `table` (num_users, num_items), which may be memory-mapped."""
        self.num_users, self.num_items = table.shape
        self._table = table

    def scores(self, users: range) -> FloatArray:
        return np.array(self._table[users.start : users.stop])

    def item_scores(self, person: Profile) -> ItemScores:
        assert person.user is not None  # there are no newcomers
        return ItemScores(np.array(self._table[person.user]), {})


class TopScorer(Scorer):
    """The best items of every user with their scores; nothing is known of the others."""

    what = "a list of each user's best items"

    def __init__(self, items: NDArray[np.int32], scores: FloatArray, num_items: int) -> None:
        """Keep items and scores, both (num_users, k), best first; −1 where a list is shorter."""
        self.num_users = len(items)
        self.num_items = num_items
        self._items, self._scores = items, scores

    def scores(self, users: range) -> FloatArray:
        found = np.full((len(users), self.num_items), -np.inf, np.float32)
        rows = slice(users.start, users.stop)
        user, place = np.nonzero(self._items[rows] >= 0)
        found[user, self._items[rows][user, place]] = self._scores[rows][user, place]
        return found

    def item_scores(self, person: Profile) -> ItemScores:
        assert person.user is not None  # there are no newcomers
        return ItemScores(self.scores(range(person.user, person.user + 1))[0], {})


class NoScorer(Scorer):
    """Stands for a model that nobody kept."""

    what = "this run, which kept no model,"

    def __init__(self, num_users: int, num_items: int) -> None:
        self.num_users, self.num_items = num_users, num_items

    def scores(self, users: range) -> FloatArray:
        raise CannotError(NOTHING_KEPT)

    def item_scores(self, person: Profile) -> ItemScores:
        raise CannotError(NOTHING_KEPT)
