"""Models that score an item by its similarity to the history: EASE, SLIM, item kNN."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.scorers.fold_in import check_not_empty
from neumf_tui.scorers.scorer import (
    FloatArray,
    Histories,
    ItemScores,
    Kept,
    Profile,
    Scorer,
    Shares,
    Similar,
)

Weights = NDArray[np.float32] | NDArray[np.float64]


class SparseWeights(NamedTuple):
    """A square matrix by rows, of which only some entries are not 0."""

    data: Weights
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]

    @classmethod
    def of(cls, weights: Weights) -> "SparseWeights":
        """Return what is not 0 in a dense matrix."""
        rows, columns = np.nonzero(weights)
        ends = np.searchsorted(rows, np.arange(len(weights) + 1))
        return cls(weights[rows, columns], columns.astype(np.int32), ends.astype(np.int64))


class Recency(NamedTuple):
    """How much more recent items of a history count: exp(−place/decay) + floor.

    The latest item is at place 1.
    """

    decay: float
    floor: float


class ItemItemScorer(Scorer):
    """Scores item i by Σ_h w_h · weights[h, i] over the items h of the history.

    Sums are in float64, so that scores that should be equal are equal as float32. Everything about
    a person follows from their history: newcomers are scored exactly, and shares are exact.
    """

    what = "a model of item similarities"
    newcomers_by = "history"

    def __init__(
        self,
        weights: Weights | SparseWeights,
        histories: Histories,
        recency: Recency | None = None,
    ) -> None:
        """Keep weights (num_items, num_items), dense or sparse, and the histories of all users."""
        self._weights, self._histories, self._recency = weights, histories, recency
        self.num_items = (
            len(weights.indptr) - 1 if isinstance(weights, SparseWeights) else len(weights)
        )
        self.num_users = len(histories.starts)

    def kept(self) -> Kept:
        """Keep dense weights sparse where that takes less space."""
        weights = self._weights
        shape = {} if self._recency is None else self._recency._asdict()
        if not isinstance(weights, SparseWeights):
            count = np.count_nonzero(weights)
            if count * (weights.itemsize + 4) + 8 * (self.num_items + 1) >= weights.nbytes:
                return Kept("item_item", {"weights": weights}, shape)
            weights = SparseWeights.of(weights)
        return Kept("item_item", {f"weights.{k}": v for k, v in weights._asdict().items()}, shape)

    def with_histories(self, histories: Histories) -> "ItemItemScorer":
        return ItemItemScorer(self._weights, histories, self._recency)

    def scores(self, users: range) -> FloatArray:
        found = np.empty((len(users), self.num_items), np.float32)
        for row, user in enumerate(users):
            start = int(self._histories.starts[user])
            stop = start + int(self._histories.sizes[user])
            found[row] = self._score(np.asarray(self._histories.items[start:stop]))
        return found

    def item_scores(self, person: Profile) -> ItemScores:
        return ItemScores(self._score(person.history), {})

    def _score(self, history: NDArray[np.int64]) -> FloatArray:
        by_item = self._counted(history)
        if isinstance(self._weights, SparseWeights):
            data, indices, indptr = self._weights
            rows = [slice(indptr[item], indptr[item + 1]) for item in history]
            if not rows:
                return np.zeros(self.num_items, np.float32)
            terms = np.concatenate(
                [weight * data[row] for weight, row in zip(by_item, rows, strict=True)]
            )
            columns = np.concatenate([indices[row] for row in rows])
            return np.bincount(columns, terms, self.num_items).astype(np.float32)
        total = np.zeros(self.num_items)
        for weight, item in zip(by_item, history, strict=True):
            total += np.multiply(self._weights[item], weight, dtype=np.float64)
        return total.astype(np.float32)

    def _counted(self, history: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much each item of a history counts."""
        if self._recency is None:
            return np.ones(len(history))
        places = np.arange(len(history), 0, -1)
        return np.exp(-places / self._recency.decay) + self._recency.floor

    def newcomer(
        self, history: NDArray[np.int64], seed: int = 0, user: int | None = None
    ) -> Profile:
        check_not_empty([history])
        return Profile(history)

    def similar_items(self, item: int, count: int) -> Mapping[str, Similar]:
        """Return the items to which `item` in a history adds most."""
        row = self._row(item)
        row[item] = -np.inf
        order = np.argsort(-row, kind="stable")[: min(count, self.num_items - 1)]
        order = order[row[order] > 0]
        return {"weight": Similar(order, row[order], 0, zero=not len(order), measure="weight")}

    def _row(self, item: int) -> NDArray[np.float64]:
        """Return what `item` in a history adds to each item, before its place counts."""
        if isinstance(self._weights, SparseWeights):
            data, indices, indptr = self._weights
            inside = slice(indptr[item], indptr[item + 1])
            row = np.zeros(self.num_items)
            row[indices[inside]] = data[inside]
            return row
        dense: NDArray[np.float64] = self._weights[item].astype(np.float64)
        return dense

    def shares(self, person: Profile, item: int, beside: NDArray[np.int64]) -> Shares | None:
        """Return what the history adds to the score: all of it."""
        counted = self._counted(person.history)
        rows = (self._row(one) for one in person.history.tolist())
        each = np.array([row[item] - row[beside].mean() for row in rows])
        return Shares("score", counted * each, 0.0)
