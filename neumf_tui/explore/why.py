"""Why an item stands where it does, as far as the model can be taken apart exactly.

The head is linear, so a score is the sum of GMF and MLP part, and the GMF part is the sum over
factors k of h_k·p_k·q_k (He et al. 2017, equation 9, with h of the fused head). Where users'
vectors are sums over their histories, it is also a sum over the items of the history. The layers of
the MLP mix everything: its part is one number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.history_vectors import item_shares
from neumf_tui.explore.ranker import Ranker, UserRanking

CARRIERS = 3  # items of the history named with each factor


@dataclass(frozen=True)
class Factor:
    """One coordinate of the GMF embeddings."""

    number: int
    effect: float
    """h_k·p_k·q_k of the item less the mean over the person's candidates; the sum over all factors
    is the centred GMF part."""
    carriers: tuple[tuple[int, float], ...]
    """Items of the history with the strongest effect of the same sign, and that effect, strongest
    first."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The score of one item for one person, taken apart."""

    ranking: UserRanking
    row: int  # position of the item in `ranking`
    factors: tuple[Factor, ...]  # strongest effect first
    items: tuple[tuple[int, float], ...] = ()
    """Items of the history and what each adds to the centred GMF part, strongest first; empty where
    users' vectors are not made of their histories."""
    own: float = 0.0
    """What the user's own vector adds; with `items` it sums to the centred GMF part."""

    @property
    def item(self) -> int:
        return int(self.ranking.items[self.row])


def explain(ranker: Ranker, ranking: UserRanking, row: int) -> Explanation:
    """Take the score of the candidate at position `row` of `ranking` apart."""
    person = ranking.person
    head = ranker.scorer.head_gmf.numpy()
    weights = head.astype(np.float64) * person.gmf
    table = ranker.model.item_gmf.weight.numpy()
    mean = table[ranking.items].mean(0, dtype=np.float64)
    difference = table[ranking.items[row]] - mean
    effects = weights * difference
    carried: NDArray[np.float64] = weights * (table[person.history] - mean)
    factors = []
    for k in np.argsort(-np.abs(effects), kind="stable").tolist():
        sign = 1.0 if effects[k] >= 0 else -1.0
        best = np.argsort(-sign * carried[:, k], kind="stable")[:CARRIERS]
        # An item whose effect has the other sign does not carry the factor in this direction.
        carriers = tuple(
            (int(person.history[b]), float(carried[b, k])) for b in best if sign * carried[b, k] > 0
        )
        factors.append(Factor(k + 1, float(effects[k]), carriers))
    if not ranker.by_history:
        return Explanation(ranking, row, tuple(factors))
    values = head * difference
    shares = item_shares(ranker.trained, person.history, values)
    order = np.argsort(-np.abs(shares), kind="stable")
    items = tuple((int(person.history[k]), float(shares[k])) for k in order if shares[k])
    own = float(person.gmf.astype(np.float64) @ values - shares.sum())
    return Explanation(ranking, row, tuple(factors), items, own)
