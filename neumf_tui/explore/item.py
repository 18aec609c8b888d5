"""How one item fares: the rank it has for every user who has not seen it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.evaluation.rank_bins import RankBin, bin_ranks
from neumf_tui.evaluation.ranks import num_candidates, rank_among
from neumf_tui.explore.all_scores import candidate_scores, chunk_numbers
from neumf_tui.explore.ranker import Ranker

MOST_PAIRS = 100_000_000
"""User–item pairs scored for one item, four seconds on one core; above, a sample of users is."""


@dataclass(frozen=True, eq=False)
class ItemRanks:
    """The ranks of one item."""

    item: int
    asked: NDArray[np.bool_]
    """Shape (num_users,): whose rank was computed; all users, or a random sample of them."""
    ranks: NDArray[np.float32]
    """Shape (num_users,): rank among the user's candidates; NaN where the item is in the history,
    and for users who were not asked."""
    beyond: NDArray[np.int64]
    """Indices of the users asked whose list does not have the item: they have no rank either."""
    best: NDArray[np.int64]
    """Indices of the users who have a rank, best rank first, equal ones by index."""
    last: int  # the greatest rank possible for any user

    @property
    def sampled(self) -> bool:
        return not bool(self.asked.all())

    @property
    def known(self) -> NDArray[np.float32]:
        """The ranks of the users who have one, ascending."""
        return self.ranks[self.best]

    @property
    def median(self) -> float | None:
        """None where no user has a rank, infinite where it lies beyond the users' lists."""
        ranks = np.concatenate([self.known, np.full(len(self.beyond), np.inf, np.float32)])
        if not len(ranks):
            return None
        middle = np.sort(ranks)[[(len(ranks) - 1) // 2, len(ranks) // 2]]
        return float(middle.mean(dtype=np.float64))

    def within(self, cutoff: int) -> int:
        """Return the number of users with a rank of at most `cutoff`."""
        return int((self.known <= cutoff).sum())

    def bins(self) -> list[RankBin]:
        return bin_ranks(self.known, self.last)


def rank_item(
    ranker: Ranker,
    item: int,
    cancelled: Callable[[], bool] = lambda: False,
    most_pairs: int | None = MOST_PAIRS,
    seed: int = 0,
) -> ItemRanks:
    """Rank `item` for every user, or for a random sample of as many as `most_pairs` allows.

    None: for every user. When `cancelled`, the result has the users ranked until then. Raises
    RunError where a score is not a number.
    """
    data = ranker.dataset
    asked = np.zeros(data.num_users, dtype=bool)
    ranks = np.full(data.num_users, np.nan, dtype=np.float32)
    unlisted = np.zeros(data.num_users, dtype=bool)
    for number in chunk_numbers(ranker.scorer, most_pairs, seed):
        if cancelled():
            break
        users, scores = candidate_scores(ranker, number, np.nan)
        unlisted[users] = scores[:, item] == -np.inf
        ranks[users] = rank_among(scores, np.where(unlisted[users], np.nan, scores[:, item]))
        asked[users] = True
    ranked = np.flatnonzero(~np.isnan(ranks))
    best = ranked[np.argsort(ranks[ranked], kind="stable")]
    last = int(num_candidates(data).max())
    return ItemRanks(item, asked, ranks, np.flatnonzero(unlisted), best, last)
