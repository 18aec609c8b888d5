"""Fold-in: user vectors for a history of no trained user, with the rest of the model frozen."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError, UsageError
from neumf_tui.scorers.scorer import DIVERGED, FloatArray, quiet

Slopes = Callable[[FloatArray, NDArray[np.int64]], tuple[FloatArray, FloatArray]]
"""Called with a user vector (p,) and items (m,): scores (m,) and their derivatives (m, p)."""

# Chosen on ML-100K (preset d2l, seed 0, trained with and without the leak of held-out items) on the
# 743 users whom `benchmarks foldin` does not take. Geometric mean of the held-out item's rank,
# without the leak, for histories of all, 10, 3 and 1 items (trained users: 77; everybody the mean
# user: 137):   PRIOR 0.03: 77 90 103 112   0.1: 76 87 98 111   0.3: 77 88 100 115   1: 80 93 109
# 124. NEGATIVES 64: 80   128: 77   256: 76   512: 76 (means over three seeds, whole histories,
# PRIOR 0.2). COLD_STEPS 6, 12, 20, 40: the loss is above the lowest found by 0.05, 0.01, 0.005,
# 0.004 on average. Ranks no longer change from 6 on; more steps make comparable starts for leaving
# items out.
PRIOR = 0.1
NEGATIVES = 256
COLD_STEPS = 20
WARM_STEPS = 4
INIT_STD = 0.01
"""The standard deviation of a NeuMF's initial weights (He et al. 2017, section 4.1)."""
_CONVERGED = 1e-5  # an item of the history adds about 0.15 to the loss
_ROWS = 1 << 14


def without_each_item(history: NDArray[np.int64], size: int) -> Iterator[list[NDArray[np.int64]]]:
    """Yield copies of the history that each lack one item, in its order, `size` at a time."""
    for first in range(0, len(history), size):
        rows = range(first, min(first + size, len(history)))
        yield [np.delete(history, row) for row in rows]


def check_not_empty(histories: Sequence[NDArray[np.int64]]) -> None:
    """Raise UsageError where a history is empty."""
    if not all(map(len, histories)):
        raise UsageError("The history is empty. Give at least one item.")


class FoldIn:
    """Fits user vectors to histories (item indices, oldest first, each at most once).

    Minimises the loss of training, averaged over the draw of negatives, and a Gaussian prior:

        Σ_positives mean_negatives softplus(s_neg − s_pos) + weight_decay/2·|u|²
          + PRIOR/2·(u − m)ᵀ C⁻¹ (u − m)

    where u is a user vector, all paths side by side, and m and C are mean and covariance of the
    trained users' u. Training restrains users by its few epochs, which a fit cannot repeat for one
    person alone; the prior replaces that, knows which factors go together, and keeps a person with
    one item near the average.

    Along u a NeuMF with ReLU is piecewise linear, so the second derivatives are exact and cheap:
    Newton's method, damped as by Levenberg and Marquardt, is near the minimum in about six steps.

    Every history is fitted by itself: its vectors are the same bits for the same seed, whatever
    else is in the call. Memory: 16 bytes × NEGATIVES × items of the longest history (3 MB for 700).
    """

    @quiet
    def __init__(
        self, users: Sequence[FloatArray], num_items: int, slopes: Slopes, weight_decay: float
    ) -> None:
        """Prepare the prior.

        users: tables (num_users, d) of the trained users' vectors, one of each path.
        """
        self.num_items, self._slopes = num_items, slopes
        mean, covariance = _moments(users)
        # At least the spread of the initial weights: C is singular if no user has moved.
        spread = covariance + INIT_STD**2 * np.eye(len(mean))
        prior = PRIOR * np.linalg.inv(spread)
        # Both quadratic terms are one, around a centre a little nearer to zero.
        both = prior + weight_decay * np.eye(len(mean))
        self.precision: FloatArray = both.astype(np.float32)
        self.centre: FloatArray = np.linalg.solve(both, prior @ mean).astype(np.float32)

    @quiet
    def fit(
        self,
        history: NDArray[np.int64],
        seed: int = 0,
        start: FloatArray | None = None,
        spared: NDArray[np.int64] | None = None,
    ) -> FloatArray:
        """Return the vector (p,) of a history.

        From the vector `start` fewer steps are needed. `spared` items are never drawn as negatives.
        Raises UsageError for a history that is empty or holds every item, RunError where the loss
        is not a number.
        """
        check_not_empty([history])
        # One order for all: histories that differ in one item meet the same negatives.
        order = np.random.default_rng(seed).permutation(self.num_items)
        items = np.concatenate([history, self.negatives(history, order, spared)])
        if start is None:
            return self._newton(items, len(history), self.centre, COLD_STEPS)
        return self._newton(items, len(history), start, WARM_STEPS)

    def without_each(self, history: NDArray[np.int64], seed: int = 0) -> Iterator[FloatArray]:
        """Yield the vector of the whole history, then of it without each item in turn.

        An item left out is never a negative.
        """
        whole = self.fit(history, seed)
        yield whole
        for row in range(len(history)):
            yield self.fit(np.delete(history, row), seed, start=whole, spared=history)

    def negatives(
        self, history: NDArray[np.int64], order: NDArray[np.int64], spared: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Return the first NEGATIVES items of `order` outside the history and `spared`."""
        never = history if spared is None else np.concatenate([history, spared])
        few = order[: NEGATIVES + len(never)]
        negatives: NDArray[np.int64] = few[~np.isin(few, never)][:NEGATIVES]
        if not len(negatives):
            raise UsageError(
                f"The history holds all {self.num_items:,} items: none is left to compare with. "
                "Give fewer items."
            )
        return negatives

    def _newton(
        self, items: NDArray[np.int64], positives: int, begin: FloatArray, steps: int
    ) -> FloatArray:
        user, damping = begin, 0.0
        loss, gradient, curvature = self.loss(user, items, positives)
        if not np.isfinite(loss):
            raise RunError(f"fold-in: the loss {DIVERGED}")
        for _ in range(steps):
            # Semidefinite plus definite; in double precision rounding cannot change that.
            stiff = (curvature + (1 + damping) * self.precision).astype(np.float64)
            step = np.linalg.solve(stiff, gradient.astype(np.float64)).astype(np.float32)
            if float(step @ gradient) < _CONVERGED:
                break
            new = self.loss(user - step, items, positives)
            if new[0] < loss:
                user, damping = user - step, damping / 4
                loss, gradient, curvature = new
            else:  # the step has crossed into pieces with other slopes: take a shorter one
                damping = max(4.0, 4 * damping)
        return user

    def loss(
        self, user: FloatArray, items: NDArray[np.int64], positives: int
    ) -> tuple[float, FloatArray, FloatArray]:
        """Return loss, gradient (p,) and curvature (p, p) at `user` (p,).

        `items` start with the positives. The curvature leaves out the prior, whose is constant.
        """
        scores, slopes = self._slopes(user, items)
        ahead = scores[positives:] - scores[:positives, None]
        count = ahead.shape[1]
        share = (1 + np.tanh(ahead / 2)) / 2
        bend = share - share * share
        away = user - self.centre
        pull = self.precision @ away
        loss = float(np.logaddexp(0, ahead).sum() / count + away @ pull / 2)
        weights = np.concatenate([-share.sum(1), share.sum(0)]) / np.float32(count)
        own = np.concatenate([bend.sum(1), bend.sum(0)])[:, None]
        up, down = slopes[:positives], slopes[positives:]
        across = up.T @ (bend @ down)
        curvature = (slopes.T @ (own * slopes) - across - across.T) / np.float32(count)
        gradient = slopes.T @ weights + pull
        return loss, gradient.astype(np.float32), curvature.astype(np.float32)


def _moments(tables: Sequence[FloatArray]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean (p,) and covariance (p, p) of the rows of `tables`, side by side."""
    count = len(tables[0])
    mean = np.concatenate([table.mean(0, dtype=np.float64) for table in tables])
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, count, _ROWS):
        rows = np.concatenate([table[start : start + _ROWS] for table in tables], 1) - mean
        products += rows.T @ rows
    return mean, products / count
