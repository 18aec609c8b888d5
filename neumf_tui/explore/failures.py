"""Every user's rank beside the rank that popularity alone would give. Needs no model."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import aucs_from_ranks
from neumf_tui.evaluation.popularity import popularity_ranks
from neumf_tui.evaluation.rank_bins import RankBin, bin_ranks
from neumf_tui.evaluation.ranks import num_candidates
from neumf_tui.explore.user_search import UserSearch
from neumf_tui.explore.users import Users
from neumf_tui.runs.events import CUTOFF

ORDERS = ("rank", "gain", "history", "popularity", "age", "dataset")
"""Orders of users: worst rank first; least gain over popularity; shortest history; held-out item
seen by fewest; oldest held-out item, where ages are known; as in the dataset."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Failures:
    """Every user after one evaluation.

    Arrays have shape (num_users,) and NaN where nothing is held out.
    """

    users: Users
    epoch: int
    ranks: NDArray[np.float32]
    popularity_ranks: NDArray[np.float32]
    candidates: NDArray[np.int64]  # items outside the history
    seen_by: NDArray[np.float64]  # how many users have the held-out item in their history
    ages: NDArray[np.float64]
    """Years from the held-out item's release to the last year of the interactions; NaN also where
    the year is not known."""

    @property
    def dataset(self) -> Dataset:
        return self.users.dataset

    @property
    def orders(self) -> tuple[str, ...]:
        """Those of ORDERS that this dataset has."""
        return tuple(by for by in ORDERS if by != "age" or self.dataset.has_ages)

    @cached_property
    def gains(self) -> NDArray[np.float32]:
        """Popularity's rank less the model's: below 0, popularity would serve the user better.

        NaN also where the item is beyond the user's list.
        """
        gains: NDArray[np.float32] = self.popularity_ranks - self.ranks
        gains[self.unlisted] = np.nan
        return gains

    @cached_property
    def unlisted(self) -> NDArray[np.int64]:
        """Indices of the users whose list does not have their held-out item."""
        if self.users.list_size is None:
            return np.empty(0, dtype=np.int64)
        ranks = self.ranks.tolist()
        return np.array(
            [user for user in self.evaluated if self.users.beyond(user, ranks[user]) is not None],
            dtype=np.int64,
        )

    @cached_property
    def evaluated(self) -> NDArray[np.int64]:
        """Indices of the users that have a rank."""
        return np.flatnonzero(~np.isnan(self.ranks))

    @cached_property
    def aucs(self) -> NDArray[np.float64]:
        return aucs_from_ranks(self.ranks, self.candidates)

    @cached_property
    def search(self) -> UserSearch:
        return UserSearch(self.dataset)

    def order(self, by: str) -> NDArray[np.int64]:
        """Return all user indices by one of `orders`.

        Equal ones stand in dataset order, those without a rank last.
        """
        if by == "dataset":
            return np.arange(len(self.ranks))
        keys: dict[str, NDArray[Any]] = {
            "rank": -self.ranks,
            "gain": self.gains,
            "history": self.users.history_sizes,
            "popularity": self.seen_by,
            "age": -self.ages,
        }
        return np.argsort(np.where(np.isnan(self.ranks), np.nan, keys[by]), kind="stable")

    def bins(self, users: NDArray[np.int64] | None = None) -> list[RankBin]:
        """Count all or some users by their ranks, without those whose list lacks the item."""
        known = self.ranks.copy()
        known[self.unlisted] = np.nan
        return bin_ranks(known if users is None else known[users], int(self.candidates.max()))

    def metrics(self) -> dict[str, Any]:
        """Return metrics over all users by name; only `num_users` where nobody has a rank."""
        users = self.evaluated
        if not len(users):
            return {"num_users": 0}
        ranks = self.ranks[users]
        return {
            "num_users": len(users),
            "hit@50": float(np.mean(ranks <= CUTOFF)),
            "hit@50_ci": list(hit_interval(ranks)),
            "popularity_hit@50": float(np.mean(self.popularity_ranks[users] <= CUTOFF)),
            "median_rank": None if len(self.unlisted) > len(users) / 2 else float(np.median(ranks)),
            "num_below_popularity": int((self.gains[users] < 0).sum()),
        }


def failures_at(users: Users, epoch: int) -> Failures:
    """Return every user after `epoch`; raises RunError where it has no ranks."""
    if epoch not in users.epochs:
        known = ", ".join(map(str, users.epochs[-5:])) or "none"
        raise RunError(
            f"{users.info.name}: no ranks after epoch {epoch}; the last epochs with ranks: {known}"
        )
    dataset = users.dataset
    heldout, candidates = np.asarray(dataset.split.heldout), num_candidates(dataset)
    last = datetime.fromtimestamp(int(dataset.split.times.max(initial=0)), UTC).year
    years = np.array([year or np.nan for year in dataset.catalogue.years])
    ages = last - years if dataset.has_ages else np.full(dataset.num_items, np.nan)
    return Failures(
        users=users,
        epoch=epoch,
        ranks=users.ranks_at(epoch),
        popularity_ranks=popularity_ranks(
            dataset.seen_by, heldout, candidates, dataset.split.items, dataset.offsets
        ),
        candidates=candidates,
        seen_by=np.where(heldout >= 0, dataset.seen_by[heldout], np.nan),
        ages=np.where(heldout >= 0, ages[heldout], np.nan),
    )
