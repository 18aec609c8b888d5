"""Metrics from the ranks of held-out items."""

import math

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF

Metrics = dict[str, float]


def metrics_from_ranks(ranks: NDArray[np.float32], candidates: NDArray[np.int64]) -> Metrics:
    """Means over the users with a held-out item.

    ranks: (num_users,), 1-based, NaN where nothing is held out. candidates: (num_users,), items outside the history.
    Hit@K = rank ≤ K; NDCG@10 = 1/log2(1 + rank) if rank ≤ 10; MRR = 1/rank; AUC = 1 − (rank − 1)/(candidates − 1).
    """
    held = ~np.isnan(ranks)
    rank = ranks[held].astype(np.float64)
    others = np.maximum(candidates[held] - 1, 1)  # a lone candidate is ranked right: AUC 1
    return {
        "hit@10": float(np.mean(rank <= 10)),
        "hit@50": float(np.mean(rank <= CUTOFF)),
        "ndcg@10": float(np.mean(np.where(rank <= 10, 1 / np.log2(1 + rank), 0.0))),
        "mrr": float(np.mean(1 / rank)),
        "auc": float(np.mean(1 - (rank - 1) / others)),
    }


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share of `count` users (Wilson 1927), which stays inside 0..1."""
    z = 1.959963984540054
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = (
        z
        / (1 + z * z / count)
        * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    )
    return max(0.0, centre - half), min(1.0, centre + half)


def hit_interval(ranks: NDArray[np.float32]) -> tuple[float, float]:
    """95 % confidence interval of Hit@50 over users."""
    rank = ranks[~np.isnan(ranks)]
    return wilson_interval(float(np.mean(rank <= CUTOFF)), len(rank))
