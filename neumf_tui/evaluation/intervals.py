"""Confidence intervals over users: of hits, of means, and of differences between models.

They are of 95 % if nothing else is said.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import CUTOFF

Interval = tuple[float, float]
_Z = 1.959963984540054  # standard deviations around the mean of a normal distribution with 95 %
_CHUNK = 1 << 20  # draws held at once: 8 MiB
_DRAWS = 300_000_000  # draws spent on one interval of means, but at least 1,000 resamples
_BOOTSTRAP_USERS = 10_000
"""Above this number of users the normal interval of a mean agrees with the bootstrap's in the third
digit of its width."""


def wilson_interval(share: float, count: int) -> Interval:
    """Return the interval of a share of `count` users (Wilson 1927); it stays inside 0..1."""
    scale = 1 + _Z * _Z / count
    centre = (share + _Z * _Z / (2 * count)) / scale
    half = _Z / scale * math.sqrt(share * (1 - share) / count + _Z * _Z / (4 * count * count))
    # Rounding would end the interval beside a share of 0 or 1, which it has to contain.
    low = max(0.0, centre - half) if share > 0 else 0.0
    high = min(1.0, centre + half) if share < 1 else 1.0
    return low, high


def hit_interval(ranks: NDArray[np.float32]) -> Interval:
    """Return the interval of Hit@50; ranks: (num_users,), NaN where nothing is held out."""
    rank = ranks[~np.isnan(ranks)]
    return wilson_interval(float(np.mean(rank <= CUTOFF)), len(rank))


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Return the interval of a mean by the bootstrap; for many users mean ± 1.96 s/√n."""
    if len(values) <= _BOOTSTRAP_USERS:
        return mean_difference_interval(values, resamples=2_000)
    mean, half = float(values.mean()), _Z * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean - half, mean + half


def hit_difference_interval(
    won: int, lost: int, same: int, seed: int = 0, resamples: int = 10_000
) -> Interval:
    """Return the interval of (won − lost) / users, a difference in Hit@K, by the paired bootstrap.

    Users are drawn with replacement, each with both models' outcomes (Efron & Tibshirani 1993,
    chapter 13, percentile interval). A user is one of three kinds, so the number drawn of each kind
    is multinomial. The models change places in it exactly: what is won and lost is drawn as more
    and fewer. Raises RunError where there is no user.
    """
    users = won + lost + same
    _check_users(users)
    shares = np.array([max(won, lost), min(won, lost), same]) / users
    drawn = np.random.default_rng(seed).multinomial(users, shares, size=resamples)
    differences = (drawn[:, 0] - drawn[:, 1]) / users
    if won == lost:  # its distribution is symmetric
        differences = np.concatenate((differences, -differences))
    return _percentiles(differences if won >= lost else -differences)


def mean_difference_interval(
    differences: ArrayLike,
    seed: int = 0,
    resamples: int = 10_000,
    chunk: int = _CHUNK,
    level: float = 0.95,
) -> Interval:
    """Return the interval of the mean of paired differences by the bootstrap over users.

    differences: (n,), one for each user, second model less first, without NaN. `chunk` draws are
    held at once: some tens of MB. For over 30,000 users fewer resamples are drawn, at least 1,000
    (1.5 s for 330,000 users): the interval's ends then vary by about 1/30 of its width from seed to
    seed. Raises RunError where there is no user.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    _check_users(n)
    resamples = min(resamples, max(1000, _DRAWS // n))
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    size = max(1, chunk // n)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = random.integers(n, size=(rows, n), dtype=np.int32)
        means[start : start + rows] = values[drawn].mean(1)
    return _percentiles(means, level)


def _check_users(count: int) -> None:
    if not count:
        raise RunError("no user has a held-out item in both, so there is nothing to compare")


def _percentiles(samples: NDArray[np.float64], level: float = 0.95) -> Interval:
    tail = round(50 * (1 - level), 9)  # 2.5 exactly, for 95 %
    # Both ends are computed alike, so that those of -samples are exactly the mirrored ones; + 0.0
    # turns -0.0 into 0.0.
    return float(np.percentile(samples, tail)) + 0.0, 0.0 - float(np.percentile(-samples, tail))
