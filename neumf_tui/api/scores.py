"""The scores of a person's own model, as scorers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.api.arrays import to_numpy
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from neumf_tui.scorers.scorer import FloatArray, ItemScores, Profile, Scorer

ScoreFunction = Callable[[NDArray[np.int64]], Any]
"""Takes row numbers of users (n,), and returns scores of all items (n, num_items)."""
CHUNK_SCORES = 1 << 22
"""Scores that are asked for at once: 16 MiB."""
LARGEST_TABLE = 1 << 31
"""Bytes of the largest table of scores that is kept."""


class FunctionScorer(Scorer):
    """Scores by a function of somebody's own."""

    what = "a function"

    def __init__(self, function: ScoreFunction, dataset: Dataset) -> None:
        if not callable(function):
            raise UsageError(
                "scores: expected a function that takes an array of user rows and returns the "
                f"scores of all items, (n, {dataset.num_items}), found {type(function).__name__}"
            )
        self._function = function
        self.num_users, self.num_items = dataset.num_users, dataset.num_items

    @property
    def chunk_users(self) -> int:
        return max(1, min(self.num_users, CHUNK_SCORES // self.num_items))

    def scores(self, users: range) -> FloatArray:
        rows = np.arange(users.start, users.stop)
        found = to_numpy(self._function(rows), "scores")
        if found.shape != (len(users), self.num_items):
            raise UsageError(
                f"scores: the function returned shape {found.shape} for {len(users)} users; "
                f"expected ({len(users)}, {self.num_items}): a row for each user, with a score of "
                "each item in the order of `item_ids`"
            )
        scores = np.ascontiguousarray(found, dtype=np.float32)
        if np.isnan(scores).any():
            user = int(rows[np.isnan(scores).any(1)][0])
            raise UsageError(f"scores: a score of the user in row {user} is NaN")
        return scores

    def item_scores(self, person: Profile) -> ItemScores:
        assert person.user is not None  # there are no newcomers
        return ItemScores(self.scores(range(person.user, person.user + 1))[0], {})


def all_scores(scorer: FunctionScorer) -> FloatArray:
    """Return the scores of all users, (num_users, num_items); raises UsageError if too many."""
    users, items = scorer.num_users, scorer.num_items
    if 4 * users * items > LARGEST_TABLE:
        raise UsageError(
            f"scores: {users:,} × {items:,} scores take {4 * users * items / 2**30:.1f} GiB; keep "
            "the best of each user with top=1000, or keep vectors"
        )
    table = np.empty((users, items), np.float32)
    for chunk in _chunks(scorer):
        table[chunk.start : chunk.stop] = scorer.scores(chunk)
    return table


def best_scores(
    scorer: FunctionScorer, dataset: Dataset, count: int
) -> tuple[NDArray[np.int32], FloatArray]:
    """Return the best `count` items of each user and their scores, both (num_users, count).

    Items of the history are left out; −1 fills a list that is shorter.
    """
    count = min(count, scorer.num_items)
    items = np.full((scorer.num_users, count), -1, np.int32)
    kept = np.full((scorer.num_users, count), -np.inf, np.float32)
    for chunk in _chunks(scorer):
        scores = scorer.scores(chunk).copy()
        pairs = slice(int(dataset.offsets[chunk.start]), int(dataset.offsets[chunk.stop]))
        users, seen = dataset.split.users[pairs] - chunk.start, dataset.split.items[pairs]
        scores[users, seen] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        values = np.take_along_axis(scores, best, 1)
        rows = slice(chunk.start, chunk.stop)
        items[rows] = np.where(values > -np.inf, best, -1)
        kept[rows] = values
    return items, kept


def _chunks(scorer: Scorer) -> list[range]:
    size = scorer.chunk_users
    starts = range(0, scorer.num_users, size)
    return [range(start, min(start + size, scorer.num_users)) for start in starts]
