"""Why an item stands where it does, as far as the model can be taken apart exactly.

A NeuMF's head is linear, so a score is the sum of GMF and MLP part, and the GMF part is the sum
over factors k of h_k·p_k·q_k (He et al. 2017, equation 9, with h of the fused head). A product of
vectors is such a sum, too. Where users' vectors are sums over their histories, and in models of
item similarities, there is also a sum over the items of the history. The layers of an MLP mix
everything: its part is one number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.scorers.scorer import Factors

CARRIERS = 3  # items of the history named with each factor


@dataclass(frozen=True)
class Factor:
    """One coordinate of the vectors."""

    number: int
    effect: float
    """Its summand of the item's score less the mean over the person's candidates; the sum over all
    factors is the centred part."""
    carriers: tuple[tuple[int, float], ...]
    """Items of the history with the strongest effect of the same sign, and that effect, strongest
    first."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The score of one item for one person, taken apart."""

    ranking: UserRanking
    row: int  # position of the item in `ranking`
    part: str
    """The part of the score that `factors` and `items` sum to, centred: its name in the ranking's
    `parts`, or SCORE for the whole; empty where the model cannot be taken apart any further."""
    factors: tuple[Factor, ...] = ()  # strongest effect first
    items: tuple[tuple[int, float], ...] = ()
    """Items of the history and what each adds, strongest first; empty where users' scores are not
    sums over their histories."""
    own: float = 0.0
    """What does not come from the history; with `items` it sums to the centred part."""

    @property
    def item(self) -> int:
        return int(self.ranking.items[self.row])


def explain(ranker: Ranker, ranking: UserRanking, row: int) -> Explanation:
    """Take the score of the candidate at position `row` of `ranking` apart."""
    profile = ranking.person.profile
    beside = ranking.items[np.isfinite(ranking.scores)]
    item = int(ranking.items[row])
    found = ranker.scorer.factors(profile)
    factors = () if found is None else _factors(found, profile.history, item, beside)
    part = "" if found is None else found.part
    shares = ranker.scorer.shares(profile, item, beside)
    if shares is None:
        return Explanation(ranking, row, part, factors)
    order = np.argsort(-np.abs(shares.items), kind="stable")
    items = tuple((int(profile.history[k]), float(shares.items[k])) for k in order)
    items = tuple(one for one in items if one[1])
    return Explanation(ranking, row, shares.part, factors, items, shares.own)


def _factors(
    found: Factors, history: NDArray[np.int64], item: int, beside: NDArray[np.int64]
) -> tuple[Factor, ...]:
    mean = found.table[beside].mean(0, dtype=np.float64)
    effects = found.weights * (found.table[item] - mean)
    carried: NDArray[np.float64] = found.weights * (found.table[history] - mean)
    factors = []
    for k in np.argsort(-np.abs(effects), kind="stable").tolist():
        sign = 1.0 if effects[k] >= 0 else -1.0
        best = np.argsort(-sign * carried[:, k], kind="stable")[:CARRIERS]
        # An item whose effect has the other sign does not carry the factor in this direction.
        carriers = tuple(
            (int(history[b]), float(carried[b, k])) for b in best if sign * carried[b, k] > 0
        )
        factors.append(Factor(k + 1, float(effects[k]), carriers))
    return tuple(factors)
