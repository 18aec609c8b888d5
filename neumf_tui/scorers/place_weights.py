"""Vectors of histories: weighted sums of the vectors of their latest items."""

import contextlib

import numpy as np
from numpy.typing import NDArray

from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels
from neumf_tui.scorers.scorer import FloatArray, Histories
from neumf_tui.scorers.sums import sum_in_order


class PlaceWeights:
    """How much an item counts by its place: exp(−place/decay) + floor, the latest at place 0.

    At most `length` items count. A sum over a history is divided by the root of its weights' sum.
    """

    def __init__(self, length: int, decay: float, floor: float) -> None:
        self.length = length
        exponents = -np.arange(length).astype(np.float32) / np.float32(decay)
        self.weights: FloatArray = np.exp(exponents.astype(np.float64)).astype(np.float32)
        self.weights += np.float32(floor)

    def roots(self, sizes: NDArray[np.int64]) -> FloatArray:
        """Return the divisor of each history: √Σ w over as many items as count."""
        counted, which = np.unique(np.minimum(sizes, self.length), return_inverse=True)
        inside = np.arange(self.length)[:, None] < counted
        totals = sum_in_order(self.weights[:, None] * inside)
        # An empty history is the zero vector, not 0/0.
        return np.sqrt(np.maximum(totals, np.finfo(np.float32).tiny))[which]

    def sums(self, vectors: FloatArray, histories: Histories) -> FloatArray:
        """Return the weighted sums of the items' rows in `vectors` (num_items, d), (n, d)."""
        roots = self.roots(histories.sizes)
        with contextlib.suppress(NoKernels):
            return kernels.history_sums(
                vectors, histories.items, histories.starts, histories.sizes, self.weights, roots
            )
        total = np.zeros((len(roots), vectors.shape[1]), np.float32)
        longest = min(self.length, int(histories.sizes.max(initial=0)))
        for place in range(longest):
            has = histories.sizes > place
            row = (histories.starts + histories.sizes - 1 - place)[has]
            weights = self.weights[place] / roots[has]
            total[has] += weights[:, None] * vectors[histories.items[row]]
        return total

    def shares(
        self, vectors: FloatArray, history: NDArray[np.int64], direction: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return what each item of a history (oldest first) adds to its sum along `direction`.

        Shape of `history`; 0 for items too old to count.
        """
        counted = min(len(history), self.length)
        latest = history[::-1][:counted]
        root = self.roots(np.array([len(history)]))
        found = np.zeros(len(history))
        weights = (self.weights[:counted] / root).astype(np.float64)
        found[::-1][:counted] = weights * (vectors[latest].astype(np.float64) @ direction)
        return found
