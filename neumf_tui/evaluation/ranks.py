"""The rank rule: rank = 1 + scored higher + ties / 2, at float32 scores. NaN is an error.

`full_ranking.py` applies it to all users; the explorer applies it to one.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.scorers.scorer import DIVERGED


def check_scores(scores: NDArray[np.float32], where: object) -> None:
    """Raise RunError, which begins with `where`, if a score is NaN or +∞.

    −∞ stands for a score that the model does not have.
    """
    if not (scores < np.inf).all():
        raise RunError(f"{where}: a score {DIVERGED}")


def num_candidates(dataset: Dataset) -> NDArray[np.int64]:
    """Return the number of items outside each user's history, shape (num_users,)."""
    return dataset.num_items - np.diff(dataset.offsets)


def rank_among(scores: NDArray[np.float32], target: ArrayLike) -> NDArray[np.float32]:
    """Return the rank of each `target` among its scores.

    scores: (..., num_items), NaN for what is not a candidate. target: (...), the score of one
    candidate; the rank of a NaN is NaN.
    """
    beside = np.asarray(target)[..., None]
    higher, equal = (scores > beside).sum(-1), (scores == beside).sum(-1)
    ranks = ranks_from_counts(higher, equal - 1)
    return np.where(np.isnan(target), np.nan, ranks).astype(np.float32)


def ranks_from_counts(higher: ArrayLike, ties: ArrayLike) -> NDArray[np.float32]:
    """Return ranks from how many other candidates score higher and how many score the same."""
    return (1 + np.asarray(higher) + np.asarray(ties) / 2).astype(np.float32)


def ranks_from_lead(
    lead: NDArray[np.float64], candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return ranks from how many other candidates score higher less how many score lower.

    With higher + ties + lower = candidates − 1 that is the same rule.
    """
    return ((candidates + 1 + lead) / 2).astype(np.float32)


def list_length(rank: float, candidates: int, list_size: int | None) -> int | None:
    """Return the length of a user's list, if `rank` is that of an item beyond it; else None.

    `list_size` is the length of the longest list, None where all items have scores. The rule gives
    all items beyond one rank, 1 + length + (candidates − length − 1) / 2, which says no more than
    the length. Where lists hold over half of the candidates, a shorter one may go unnoticed.
    """
    if list_size is None or rank != rank:
        return None
    length = round(2 * rank) - candidates - 1
    is_long = 2 * list_size > candidates
    return None if length < 0 or (is_long and rank <= list_size) else length


def ranks_in_order(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the ranks of all candidates; scores: (candidates,), descending."""
    starts = np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1])))
    sizes = np.diff(np.append(starts, len(scores)))
    return np.repeat(ranks_from_counts(starts, sizes - 1), sizes)


def ranks_without(ranks: NDArray[np.float32], gone: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the ranks that remain without the candidates `gone`; ranks: (candidates,), ascending.

    One that scores higher counts 1, one that scores the same 1/2.
    """
    lost = ranks[gone]
    above = np.searchsorted(lost, ranks, "left") + np.searchsorted(lost, ranks, "right")
    return ranks - (above / 2).astype(np.float32)
