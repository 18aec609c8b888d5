"""Sampled evaluation (He et al. 2017) computed from full ranks, to compare with older papers.

Sampled metrics can put models in another order than the full ranking does, even on average
(Krichene and Rendle 2020, doi:10.1145/3394486.3403226).
"""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.metrics import aucs_from_ranks
from neumf_tui.runs import events

CUTOFF = 10
NEGATIVES = 99


def sampled_metrics(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], negatives: int = NEGATIVES
) -> dict[str, float | int]:
    """Return metrics of held-out items that are each ranked among `negatives` other candidates.

    `hr@10`, `ndcg@10`: means over users and over all possible draws without replacement;
    `hr@10_draw_sd`, `ndcg@10_draw_sd`: their standard deviations between draws, with the same model
    and users. `even_rank`: the greatest full rank that is a hit in at least half of the draws, for
    a user with `even_candidates`, the median number of candidates.

    Of the C − 1 other candidates r − 1 stand above an item of rank r, and h of those that are
    drawn, a hypergeometric number: its place is 1 + h. HR@10 = P(h < 10); NDCG@10 = Σ P(h)/log2(2 +
    h) over h < 10. A half rank, from ties, counts as the mean of its two neighbours.

    ranks: (num_users,), from 1, NaN where nothing is held out; candidates: (num_users,). Raises
    DatasetError where nobody has a held-out item.
    """
    held = ~np.isnan(ranks)
    if not held.any():
        raise DatasetError("nothing is held out, so there is nothing to rank")
    places = _places(ranks[held], candidates[held], negatives)
    gains = 1 / np.log2(2 + np.arange(CUTOFF))
    hits, ndcg = places.sum(1), places @ gains
    users = len(hits)
    even_candidates = int(np.median(candidates[held]))
    every = np.arange(even_candidates)
    likely = place_chances(every, np.full_like(every, even_candidates - 1), negatives).sum(1) >= 0.5
    return {
        "negatives": negatives,
        "hr@10": float(hits.mean()),
        "ndcg@10": float(ndcg.mean()),
        "hr@10_draw_sd": float(np.sqrt((hits * (1 - hits)).clip(min=0).sum())) / users,
        "ndcg@10_draw_sd": float(np.sqrt((places @ gains**2 - ndcg**2).clip(min=0).sum())) / users,
        "even_rank": int(likely.sum()),
        "even_candidates": even_candidates,
    }


def sampled_user_metrics(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], negatives: int = NEGATIVES
) -> dict[str, NDArray[np.float64]]:
    """Return what `user_metrics` would be among sampled negatives: means over all draws.

    The AUC is that of the full ranking, because a draw of negatives does not change its mean.
    """
    held = ~np.isnan(ranks)
    places = _places(ranks[held], candidates[held], negatives, events.CUTOFF)
    gains = 1 / np.log2(2 + np.arange(CUTOFF))
    return {
        "hit@10": places[:, :CUTOFF].sum(1),
        "hit@50": places.sum(1),
        "ndcg@10": places[:, :CUTOFF] @ gains,
        "auc": aucs_from_ranks(ranks[held], candidates[held]),
    }


def _places(
    ranks: NDArray[np.float32],
    candidates: NDArray[np.int64],
    negatives: int,
    count: int = CUTOFF,
) -> NDArray[np.float64]:
    """Return the probabilities of the first `count` places; a half rank is between two."""
    above, others = ranks.astype(np.float64) - 1, candidates - 1
    low, high = (
        place_chances(rounded(above).astype(np.int64), others, negatives, count)
        for rounded in (np.floor, np.ceil)
    )
    return (low + high) / 2


def place_chances(
    above: NDArray[np.int64], others: NDArray[np.int64], negatives: int, count: int = CUTOFF
) -> NDArray[np.float64]:
    """Return the probabilities of the places from 1 to `count` for n items, shape (n, count).

    `negatives` of an item's `others` are drawn; `above` of the others stand above it. above,
    others: int64 (n,), 0 ≤ above ≤ others. The hypergeometric distribution, by logarithms of
    factorials.
    """
    logs = np.log(np.arange(1, others.max(initial=0) + 1))
    log_factorial = np.concatenate(([0.0], np.cumsum(logs)))

    def log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
        possible = (k >= 0) & (k <= n)
        k = np.where(possible, k, 0)
        logs = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
        return np.where(possible, logs, -np.inf)

    above, others = above[:, None], others[:, None]
    drawn = np.minimum(negatives, others)
    higher = np.arange(count)[None, :]
    chances: NDArray[np.float64] = np.exp(
        log_choose(above, higher)
        + log_choose(others - above, drawn - higher)
        - log_choose(others, drawn)
    )
    return chances
