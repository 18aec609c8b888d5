"""Whether two models' hits differ by more than chance."""

import math

import numpy as np


def mcnemar(won: int, lost: int) -> float:
    """Return the exact two-sided p that `won` and `lost` differ at least so much by chance.

    won: users hit by the second model only; lost: by the first only. Under the null hypothesis each
    of these users is equally likely to be one or the other: binomial with 1/2 (McNemar 1947; the
    exact form is the sign test). 1.0 for 0 and 0. Raises ValueError for a negative count.
    """
    if min(won, lost) < 0:
        raise ValueError(f"counts of users are at least 0, not {won} and {lost}")
    n, k = won + lost, min(won, lost)
    if won == lost:
        return 1.0
    # P(X <= k) = P(X = k) (1 + k/(n-k+1) + k/(n-k+1) (k-1)/(n-k+2) + ...); in logarithms, since 2^n
    # has no float.
    log_last = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    falling = np.arange(k, 0, -1, dtype=np.float64)
    terms = np.exp(np.cumsum(np.log(falling) - np.log(n + 1 - falling)))
    return min(1.0, 2 * math.exp(log_last + math.log1p(float(terms.sum()))))
