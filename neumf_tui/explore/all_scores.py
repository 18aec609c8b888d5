"""Scores of all users against all items, chunk by chunk, with the histories left out."""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.ranks import check_scores
from neumf_tui.explore.ranker import Ranker
from neumf_tui.scorers.scorer import Scorer


def num_chunks(scorer: Scorer) -> int:
    """Return how many chunks all users make."""
    return -(-scorer.num_users // scorer.chunk_users)


def chunk_numbers(scorer: Scorer, most_pairs: int | None, seed: int) -> list[int]:
    """Return the numbers of all the scorer's chunks, or of a random sample, ascending.

    A sample has at most `most_pairs` user-item pairs, but at least one chunk.
    """
    count = allowed = num_chunks(scorer)
    if most_pairs is not None:
        allowed = max(1, most_pairs // (scorer.chunk_users * scorer.num_items))
    if count <= allowed:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, allowed, replace=False).tolist())


def candidate_scores(
    ranker: Ranker, number: int, absent: float
) -> tuple[slice, NDArray[np.float32]]:
    """Return the users of chunk `number` and their scores (users, num_items).

    Items of the history have the score `absent`. Raises RunError where a score is not a number.
    """
    users = chunk_users(ranker.scorer, number)
    scores = ranker.scorer.scores(users)
    check_scores(scores, ranker.folder)
    leave_out_histories(scores, ranker.dataset, users.start, absent)
    return slice(users.start, users.stop), scores


def chunk_users(scorer: Scorer, number: int) -> range:
    """Return the users of chunk `number`."""
    start = number * scorer.chunk_users
    return range(start, min(start + scorer.chunk_users, scorer.num_users))


def leave_out_histories(
    scores: NDArray[np.float32], dataset: Dataset, first: int, absent: float
) -> None:
    """Set the scores of what users have in their history to `absent`.

    scores: (users, num_items) of the users of the dataset from `first` on.
    """
    pairs = slice(int(dataset.offsets[first]), int(dataset.offsets[first + len(scores)]))
    scores[dataset.split.users[pairs] - first, dataset.split.items[pairs]] = absent
