"""Whether ranks differ from what chance gives if the held-out item is drawn from the candidates."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.intervals import Interval, wilson_interval
from neumf_tui.evaluation.metrics import aucs_from_ranks

HITS = {"hit@10": 10, "hit@50": 50}
_SMALLEST = 1e-12  # rounding errors of the sums make a smaller p meaningless


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One metric beside what chance gives."""

    metric: str
    value: float
    interval: Interval  # 95 % confidence interval of `value`, over users
    chance: float
    band: Interval  # chance puts `value` outside of it at most as often as the test allows
    p: float  # two-sided: how often chance gives something as unlikely

    @property
    def verdict(self) -> str:
        """`chance`, `above` or `below`."""
        low, high = self.band
        return "below" if self.value < low else "above" if self.value > high else "chance"


def compare_with_chance(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], false_alarms: float
) -> list[Finding]:
    """Test Hit@10, Hit@50 and AUC of ranks that should be uniform, each two-sided.

    ranks: (n,), from 1, NaN where nothing is held out; candidates: (n,). The ranks are independent
    of one another, since each user's held-out item is drawn by itself. By chance one or more of the
    three lie outside their bands with at most the probability `false_alarms` (Bonferroni). Raises
    DatasetError where nobody has a held-out item.
    """
    level = false_alarms / (len(HITS) + 1)
    held = ~np.isnan(ranks)
    rank, among = ranks[held], candidates[held]
    if not len(rank):
        raise DatasetError("nothing is held out that could leak")
    found = [
        _hits(name, int((rank <= cutoff).sum()), np.minimum(cutoff, among) / among, level)
        for name, cutoff in HITS.items()
    ]
    return [*found, _auc(rank, among, level)]


def _hits(name: str, hits: int, chances: NDArray[np.float64], level: float) -> Finding:
    users = len(chances)
    pmf = hit_distribution(chances)
    at_most = np.cumsum(pmf)
    at_least = np.cumsum(pmf[::-1])[::-1]
    low = int(np.argmax(at_most > level / 2))
    high = len(pmf) - 1 - int(np.argmax(at_least[::-1] > level / 2))
    tails = (at_most[hits], at_least[hits]) if hits < len(pmf) else (1.0, 0.0)
    return Finding(
        metric=name,
        value=hits / users,
        interval=wilson_interval(hits / users, users),
        chance=float(chances.mean()),
        band=(low / users, high / users),
        p=min(1.0, max(_SMALLEST, 2 * float(min(tails)))),
    )


def hit_distribution(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Poisson binomial distribution of hits: user u hits with `chances[u]`.

    From its characteristic function (Hong 2013, Computational Statistics & Data Analysis 59:41), up
    to a number of hits that chance exceeds less than once in 10^20.
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


def _auc(rank: NDArray[np.float32], among: NDArray[np.int64], level: float) -> Finding:
    # A user's AUC is uniform on 0, 1/(C − 1), …, 1: mean 1/2, variance (C + 1)/(12 (C − 1)); it is
    # 1 for a lone candidate. The mean over users is treated as normal: a mean of uniform values has
    # lighter tails, so the test errs towards chance.
    users, several = len(rank), among > 1
    aucs = aucs_from_ranks(rank, among)
    value, chance = float(aucs.mean()), float(np.where(several, 0.5, 1.0).mean())
    variances = np.where(several, (among + 1) / (12 * np.maximum(among - 1, 1)), 0)
    deviation = math.sqrt(float(variances.sum())) / users
    reach = NormalDist().inv_cdf(0.975) * float(np.std(aucs)) / math.sqrt(users)
    band = NormalDist().inv_cdf(1 - level / 2) * deviation
    p = math.erfc(abs(value - chance) / deviation / math.sqrt(2)) if deviation else 1.0
    return Finding(
        metric="auc",
        value=value,
        interval=(max(0.0, value - reach), min(1.0, value + reach)),
        chance=chance,
        band=(max(0.0, chance - band), min(1.0, chance + band)),
        p=max(_SMALLEST, p),
    )
