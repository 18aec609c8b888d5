"""Whether a difference between two models is more than chance, how unequally something is shared out, and cohorts."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumf_tui.errors import RunError

Interval = tuple[float, float]
LEVEL = (2.5, 97.5)
"""Percentiles between which a 95 % interval lies."""
_CHUNK = 1 << 20
"""Draws held at once: 8 MiB."""
_DRAWS = 300_000_000
"""Draws spent on one interval of means, unless fewer than 1,000 resamples would come of it."""


def mcnemar(won: int, lost: int) -> float:
    """Exact two-sided p that `won` and `lost` differ so much or more by chance.

    won: users hit by the second model only; lost: by the first only. Under the null hypothesis each of these users is as
    likely to be one as the other: binomial with 1/2 (McNemar 1947; the exact form is the sign test). 1.0 for 0 and 0.
    """
    if min(won, lost) < 0:
        raise ValueError(f"counts of users are at least 0, not {won} and {lost}")
    n, k = won + lost, min(won, lost)
    if won == lost:
        return 1.0
    # P(X <= k) = P(X = k) (1 + k/(n-k+1) + k/(n-k+1) (k-1)/(n-k+2) + ...); in logarithms, for 2^n has no float.
    log_last = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    falling = np.arange(k, 0, -1, dtype=np.float64)
    terms = np.exp(np.cumsum(np.log(falling) - np.log(n + 1 - falling)))
    return min(1.0, 2 * math.exp(log_last + math.log1p(float(terms.sum()))))


def hit_difference_interval(
    won: int, lost: int, same: int, seed: int = 0, resamples: int = 10_000
) -> Interval:
    """95 % interval of the difference in the share of hits, (won - lost) / users, by the paired bootstrap.

    Users are drawn anew with replacement, each with both models' outcomes (Efron & Tibshirani 1993, chapter 13, percentile
    interval). A user is one of three kinds, so how many of each are drawn is multinomial, and nothing is lost by drawing
    that. Raises RunError where there is no user.
    """
    users = won + lost + same
    if not users:
        raise RunError("no user has a held-out film in both, so there is nothing to compare")
    drawn = np.random.default_rng(seed).multinomial(
        users, np.array([won, lost, same]) / users, size=resamples
    )
    return _percentiles((drawn[:, 0] - drawn[:, 1]) / users)


def mean_difference_interval(
    differences: ArrayLike, seed: int = 0, resamples: int = 10_000
) -> Interval:
    """95 % interval of the mean of paired differences by the bootstrap over users, as of `hit_difference_interval`.

    differences: shape (n,), one a user, second model less first, none of them NaN. Memory stays under some tens of MB. For over
    30,000 users fewer resamples are drawn, at least 1,000 (1.5 s for 330,000 users): the interval's ends then vary by about
    1/30 of its width from seed to seed. Raises RunError where there is no user.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if not n:
        raise RunError("no user has a held-out film in both, so there is nothing to compare")
    resamples = min(resamples, max(1000, _DRAWS // n))
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    size = max(1, _CHUNK // n)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        means[start : start + rows] = values[
            random.integers(n, size=(rows, n), dtype=np.int32)
        ].mean(1)
    return _percentiles(means)


def _percentiles(samples: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(samples, LEVEL)
    return float(low), float(high)


def gini(counts: ArrayLike) -> float:
    """Inequality of non-negative `counts`, shape (n,): 0 where all are equal, (n - 1)/n where one has everything.

    G = sum_i (2i - n - 1) x_i / (n sum_i x_i) over ascending x_i, i = 1..n (Gini 1912, in the form of Damgaard & Weiner 2000,
    Ecology 81:1139). 0.0 where there is nothing to share out.
    """
    ascending = np.sort(np.asarray(counts, dtype=np.float64))
    n, total = len(ascending), ascending.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))


def quartile_groups(values: ArrayLike) -> tuple[list[Interval], NDArray[np.int64]]:
    """Cohorts of about a quarter each: lowest and highest value of each group, ascending, and each value's group, shape (n,).

    Equal values are always in the same group, so that a value tells its group; where many coincide there are fewer
    groups, but never an empty one. NaN belongs to none: -1. The edges are values that occur (quantiles of Hyndman & Fan
    1996, type 1).
    """
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    groups = np.full(len(values), -1, dtype=np.int64)
    if not len(known):
        return [], groups
    edges = np.unique(np.quantile(known, (0.25, 0.5, 0.75, 1), method="inverted_cdf"))
    groups[~np.isnan(values)] = np.searchsorted(edges, known, side="left")
    return [
        (float(part.min()), float(part.max()))
        for g in range(len(edges))
        for part in [values[groups == g]]
    ], groups
