"""Metrics from the ranks of held-out items."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF

Metrics = dict[str, float]


def aucs_from_ranks(
    ranks: NDArray[np.floating[Any]], candidates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each user's AUC = 1 − (rank − 1)/(candidates − 1), shape (n,); 1 if alone."""
    aucs: NDArray[np.float64] = 1 - (ranks.astype(np.float64) - 1) / np.maximum(candidates - 1, 1)
    return aucs


def user_metrics(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return each metric of every user with a held-out item, shape (users,).

    ranks: (num_users,), from 1, NaN where nothing is held out. candidates: (num_users,), items
    outside the history. Hit@K = rank ≤ K; NDCG@10 = 1/log2(1 + rank) if rank ≤ 10; MRR = 1/rank;
    AUC as in `aucs_from_ranks`.
    """
    held = ~np.isnan(ranks)
    rank = ranks[held].astype(np.float64)
    return {
        "hit@10": (rank <= 10).astype(np.float64),
        "hit@50": (rank <= CUTOFF).astype(np.float64),
        "ndcg@10": np.where(rank <= 10, 1 / np.log2(1 + rank), 0.0),
        "mrr": 1 / rank,
        "auc": aucs_from_ranks(rank, candidates[held]),
    }


def metrics_from_ranks(ranks: NDArray[np.float32], candidates: NDArray[np.int64]) -> Metrics:
    """Return the means of `user_metrics`."""
    values = user_metrics(ranks, candidates)
    return {name: float(np.mean(each)) for name, each in values.items()}
