"""Which items anybody is recommended at all, by the model and by popularity alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.all_scores import candidate_scores, chunk_numbers, num_chunks
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF, RunInfo

MAX_PAIRS = 300_000_000  # user-item pairs scored at most; above, a random sample of users is


def gini(counts: ArrayLike) -> float:
    """Return the inequality of non-negative counts: 0 if all are equal, (n − 1)/n if one has all.

    G = Σ_i (2i − n − 1) x_i / (n Σ_i x_i) over ascending x_i, i = 1..n (Gini 1912, in the form of
    Damgaard & Weiner 2000, Ecology 81:1139). 0.0 where all counts are 0.
    """
    ascending = np.sort(np.asarray(counts, dtype=np.float64))
    n, total = len(ascending), ascending.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))


@dataclass(frozen=True, eq=False)
class TopCounts:
    """How often each item stands in the top 50 of the users whose lists were made."""

    counts: NDArray[np.int64]  # (num_items,)
    seen_by: NDArray[np.int64]  # (num_items,): users with the item in their history

    @property
    def coverage(self) -> float:
        """Share of items in somebody's top 50."""
        return float(np.mean(self.counts > 0))

    @property
    def gini(self) -> float:
        """Gini index of the counts: 0 if all items stand in it equally often."""
        return gini(self.counts)

    @property
    def mean_seen_by(self) -> float:
        """Mean popularity of the recommended items, over all places of all lists."""
        return float(self.counts @ self.seen_by / max(1, self.counts.sum()))

    @property
    def never(self) -> NDArray[np.int64]:
        """Item indices in nobody's top 50, the most seen first, equal ones in item order."""
        items = np.flatnonzero(self.counts == 0)
        return items[np.argsort(-self.seen_by[items], kind="stable")]


@dataclass(frozen=True, eq=False)
class Coverage:
    """The top lists of the model and of popularity alone, over the same users."""

    info: RunInfo
    epoch: int
    dataset: Dataset
    users: int  # number of users whose lists were made
    seed: int | None  # seed of the sample of users; None where the lists of all users were made
    model: TopCounts
    popularity: TopCounts


def measure_coverage(
    ranker: Ranker,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, of: None,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
) -> Coverage | None:
    """Make every user's top 50, or those of a sample if all take more than `max_pairs` scores.

    A sample consists of whole chunks of the scorer: one user each, or a few who are neighbours in
    the dataset. `progress` gets the chunks done and their number. None if `cancelled`. Raises
    RunError where a score is not a number.
    """
    dataset = ranker.dataset
    numbers = chunk_numbers(ranker.scorer, max_pairs, seed)
    whole = len(numbers) == num_chunks(ranker.scorer)
    counts = np.zeros(dataset.num_items, dtype=np.int64)
    chosen = np.zeros(dataset.num_users, dtype=bool)
    for done, number in enumerate(numbers):
        if cancelled():
            return None
        progress(done, len(numbers))
        users, scores = candidate_scores(ranker, number, -np.inf)
        counts += in_top(scores).sum(0)
        chosen[users] = True
    return Coverage(
        info=ranker.info,
        epoch=ranker.epoch,
        dataset=dataset,
        users=int(chosen.sum()),
        seed=None if whole else seed,
        model=TopCounts(counts, dataset.seen_by),
        popularity=TopCounts(popularity_counts(dataset, chosen), dataset.seen_by),
    )


def in_top(scores: NDArray[np.float32], size: int = CUTOFF) -> NDArray[np.bool_]:
    """Return which items stand in each row's first `size`; both (users, num_items).

    −∞ is not a candidate, or has no score. Of items with equal scores at the end of the list, the
    first in item order stand in it, as in `Ranker.rank`.
    """
    size = min(size, scores.shape[1])
    last = np.partition(scores, -size, axis=1)[:, -size][:, None]
    inside = (scores >= last) & (scores > -np.inf)
    crowded = inside.sum(1) > size
    if crowded.any():
        rows, ends = scores[crowded], last[crowded]
        above, level = rows > ends, rows == ends
        inside[crowded] = above | (level & (level.cumsum(1) <= size - above.sum(1, keepdims=True)))
    return inside


def popularity_counts(
    dataset: Dataset, chosen: NDArray[np.bool_], size: int = CUTOFF
) -> NDArray[np.int64]:
    """Return how often each item stands in users' first `size` by popularity, shape (num_items,).

    Candidates are ordered by how many users saw them, equal ones in item order. chosen: whose
    lists count, shape (num_users,).

    All users share one order of items, without their history: a user's list is the first
    `size` + n places of it without the n of them in the history. With the history's places
    ascending p_0 < p_1 < …, p_j is one of them if p_j − j < `size`.
    """
    num_items = dataset.num_items
    order = np.argsort(-dataset.seen_by, kind="stable")
    place = np.empty(num_items, dtype=np.int64)
    place[order] = np.arange(num_items)
    users = np.asarray(dataset.split.users)
    wanted = chosen[users]
    users, places = users[wanted], place[np.asarray(dataset.split.items)[wanted]]
    by_place = np.lexsort((places, users))
    users, places = users[by_place], places[by_place]
    sizes = np.bincount(users, minlength=dataset.num_users)
    number = np.arange(len(users)) - (np.cumsum(sizes) - sizes)[users]
    skipped = places - number < size
    numbers = np.bincount(users[skipped], minlength=dataset.num_users)[chosen]
    lengths = np.minimum(size + numbers, num_items)
    # A list reaches a place if it is longer; users who have seen what stands there do not count.
    reached = chosen.sum() - np.cumsum(np.bincount(lengths, minlength=num_items + 1))[:num_items]
    counts = np.empty(num_items, dtype=np.int64)
    counts[order] = reached - np.bincount(places[skipped], minlength=num_items)
    return counts
