"""What chance gives where a user's held-out item is any of their candidates alike, and whether ranks differ from it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.metrics import wilson_interval

HITS = {"hit@10": 10, "hit@50": 50}
_SMALLEST = 1e-12
"""Below this a p is lost in the rounding of the sums that it comes from."""


@dataclass(frozen=True)
class Finding:
    """One metric beside what chance gives."""

    metric: str
    value: float
    interval: tuple[float, float]
    """95 % confidence interval of `value`, over users."""
    chance: float
    band: tuple[float, float]
    """Outside of it chance puts `value` at most as often as the test allows."""
    p: float
    """Two-sided: how often chance gives something as unlikely."""

    @property
    def verdict(self) -> str:
        """`chance`, `above` or `below`."""
        low, high = self.band
        return "below" if self.value < low else "above" if self.value > high else "chance"


def compare_with_chance(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], false_alarms: float
) -> list[Finding]:
    """Hit@10, Hit@50 and AUC of ranks that should be uniform, each tested two-sided.

    ranks: (n,), 1-based, NaN where nothing is held out; candidates: (n,). They are independent of one another: whatever was
    trained, each user's held-out item was drawn by itself. By chance one of the three or more lies outside its band with at most
    the probability `false_alarms` (Bonferroni). Raises DatasetError where nobody has a held-out item.
    """
    level = false_alarms / (len(HITS) + 1)
    held = ~np.isnan(ranks)
    rank, among = ranks[held].astype(np.float64), candidates[held]
    if not len(rank):
        raise DatasetError(
            "no user has two interactions, so nothing is held out and nothing can leak"
        )
    found = [
        _hits(name, int((rank <= cutoff).sum()), np.minimum(cutoff, among) / among, level)
        for name, cutoff in HITS.items()
    ]
    return [*found, _auc(rank, among, level)]


def _hits(name: str, hits: int, chances: NDArray[np.float64], level: float) -> Finding:
    users = len(chances)
    share = hits / users
    pmf = hit_distribution(chances)
    at_most = np.cumsum(pmf)
    at_least = np.cumsum(pmf[::-1])[::-1]
    low = int(np.argmax(at_most > level / 2))
    high = len(pmf) - 1 - int(np.argmax(at_least[::-1] > level / 2))
    tails = (at_most[hits], at_least[hits]) if hits < len(pmf) else (1.0, 0.0)
    p = min(1.0, max(_SMALLEST, 2 * float(min(tails))))
    return Finding(
        name,
        share,
        wilson_interval(share, users),
        float(chances.mean()),
        (low / users, high / users),
        p,
    )


def hit_distribution(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of 0, 1, 2, … hits where user u hits with `chances[u]`, whatever the others do (Poisson binomial).

    From its characteristic function (Hong 2013, Computational Statistics & Data Analysis 59:41), up to a number of hits that
    chance does not pass once in 10^20.
    """
    values, counts = np.unique(chances, return_counts=True)
    deviation = math.sqrt(float((chances * (1 - chances)).sum()))
    size = min(len(chances), int(chances.sum() + 12 * deviation + 40)) + 1
    turns = np.exp(2j * np.pi * np.arange(size) / size)
    characteristic = np.ones(size, dtype=np.complex128)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        characteristic *= (1 - value + value * turns) ** count
    pmf: NDArray[np.float64] = np.fft.fft(characteristic).real / size
    return pmf.clip(min=0)


def _auc(rank: NDArray[np.float64], among: NDArray[np.int64], level: float) -> Finding:
    """A user's AUC is any of 0, 1/(C − 1), …, 1 alike: mean 1/2, variance (C + 1)/(12 (C − 1)); of a lone candidate it is 1.

    The mean over users is taken as normal. A mean of uniform values has the lighter tails: the test errs towards chance.
    """
    users = len(rank)
    several = among > 1
    others = np.where(several, among - 1, 1)
    value = float((1 - (rank - 1) / others).mean())
    chance = float(np.where(several, 0.5, 1.0).mean())
    deviation = math.sqrt(float(np.where(several, (among + 1) / (12 * others), 0).sum())) / users
    spread = float(np.std(1 - (rank - 1) / others)) / math.sqrt(users)
    reach = NormalDist().inv_cdf(0.975) * spread
    band = NormalDist().inv_cdf(1 - level / 2) * deviation
    p = math.erfc(abs(value - chance) / deviation / math.sqrt(2)) if deviation else 1.0
    interval = max(0.0, value - reach), min(1.0, value + reach)
    return Finding(
        "auc",
        value,
        interval,
        chance,
        (max(0.0, chance - band), min(1.0, chance + band)),
        max(_SMALLEST, p),
    )
