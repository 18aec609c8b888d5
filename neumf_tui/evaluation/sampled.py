"""Sampled evaluation, as in He et al. 2017, told from full ranks: for comparison with papers that sampled, and for that alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import DatasetError
from neumf_tui.views.output import print_line

CUTOFF = 10
NEGATIVES = 99
WHY = (
    "sampled figures can put models in another order than the full ranking does, even on average (Krichene and Rendle 2020, "
    "doi:10.1145/3394486.3403226): only for comparison with papers that sampled"
)


@dataclass(frozen=True)
class Sampled:
    """Metrics of each held-out item among itself and some of its other candidates, drawn uniformly without replacement."""

    negatives: int
    """Items drawn for each user, or all there are where that is fewer."""
    hr: float
    """HR@10, the mean over users and over all possible draws."""
    ndcg: float
    """NDCG@10, likewise."""
    hr_sd: float
    """Standard deviation of HR@10 from one draw to another, the model and the users being the same."""
    ndcg_sd: float
    even_rank: int
    """Down to this full rank an item of a user with `even_candidates` is at least as likely a hit as not."""
    even_candidates: int
    """The median over users."""


def sampled_metrics(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], negatives: int = NEGATIVES
) -> Sampled:
    """What sampling gives on average, without the noise of a draw.

    Of C − 1 other candidates r − 1 stand above an item of rank r, and of those that are drawn a hypergeometric number h: its
    place is 1 + h. HR@10 = P(h < 10); NDCG@10 = Σ P(h)/log2(2 + h) over h < 10. A rank that ties make a half one counts as
    the mean of its two neighbours.

    ranks: (num_users,), 1-based, NaN where nothing is held out; candidates: (num_users,). Raises DatasetError where nobody has a
    held-out item.
    """
    held = ~np.isnan(ranks)
    if not held.any():
        raise DatasetError(
            "no user has two interactions, so nothing is held out and nothing can be ranked"
        )
    above, others = ranks[held].astype(np.float64) - 1, candidates[held] - 1
    floor = np.floor(above).astype(np.int64)
    ceiling = np.ceil(above).astype(np.int64)
    places = (
        place_chances(floor, others, negatives) + place_chances(ceiling, others, negatives)
    ) / 2
    gains = 1 / np.log2(2 + np.arange(CUTOFF))
    hits, ndcg = places.sum(1), places @ gains
    users = len(hits)
    even_candidates = int(np.median(candidates[held]))
    every = np.arange(even_candidates)
    likely = place_chances(every, np.full_like(every, even_candidates - 1), negatives).sum(1) >= 0.5
    return Sampled(
        negatives,
        float(hits.mean()),
        float(ndcg.mean()),
        float(np.sqrt((hits * (1 - hits)).clip(min=0).sum())) / users,
        float(np.sqrt((places @ gains**2 - ndcg**2).clip(min=0).sum())) / users,
        int(likely.sum()),
        even_candidates,
    )


def place_chances(
    above: NDArray[np.int64], others: NDArray[np.int64], negatives: int
) -> NDArray[np.float64]:
    """Chance that an item stands at place 1, 2, … 10 among itself and `negatives` of `others`, `above` of which stand above it.

    above, others: int64 (n,), 0 ≤ above ≤ others; shape (n, 10). The hypergeometric distribution, by logarithms of factorials.
    """
    log_factorial = np.concatenate(
        ([0.0], np.cumsum(np.log(np.arange(1, others.max(initial=0) + 1))))
    )

    def log_choose(n: NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.float64]:
        possible = (k >= 0) & (k <= n)
        k = np.where(possible, k, 0)
        return np.where(
            possible, log_factorial[n] - log_factorial[k] - log_factorial[n - k], -np.inf
        )

    above, others = above[:, None], others[:, None]
    drawn = np.minimum(negatives, others)
    higher = np.arange(CUTOFF)[None, :]
    chances: NDArray[np.float64] = np.exp(
        log_choose(above, higher)
        + log_choose(others - above, drawn - higher)
        - log_choose(others, drawn)
    )
    return chances


def sampled_object(sampled: Sampled) -> dict[str, Any]:
    """The JSON object of it."""
    return {
        "negatives": sampled.negatives,
        "hr@10": sampled.hr,
        "ndcg@10": sampled.ndcg,
        "hr@10_draw_sd": sampled.hr_sd,
        "ndcg@10_draw_sd": sampled.ndcg_sd,
        "even_rank": sampled.even_rank,
        "even_candidates": sampled.even_candidates,
        "note": WHY,
    }


def print_sampled(sampled: Mapping[str, Any], full: Mapping[str, float]) -> None:
    """Sampled metrics beside the full ranking's, and why not to compare models by them."""
    hr, ndcg = (
        f"{sampled[key]:.4f} ± {sampled[f'{key}_draw_sd']:.4f}" for key in ("hr@10", "ndcg@10")
    )
    print_line(
        f"sampled: HR@10 {hr}, NDCG@10 {ndcg}; full ranking: {full['hit@10']:.4f} and {full['ndcg@10']:.4f}"
    )
    print_line(
        f"  each held-out item among {sampled['negatives']} of its other candidates, uniformly drawn (He et al. 2017)"
    )
    print_line(
        "  mean over all possible draws ± standard deviation of a single one, users and model the same"
    )
    even = f"{sampled['even_rank']:,}"
    print_line(
        f"  misleading: a full rank of {even} of {sampled['even_candidates']:,} still is a hit in half of the draws, so"
    )
    print_line(f"  this HR@10 is nearer to Hit@{even} than to Hit@10")
    print_line(f"  {WHY}")
