"""Scores of all users against all items, chunk by chunk, with the histories left out."""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.evaluation.ranks import check_scores
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.explore.ranker import Ranker


def chunk_numbers(scorer: Scorer, most_pairs: int | None, seed: int) -> list[int]:
    """Return the numbers of all the scorer's chunks, or of a random sample, ascending.

    A sample has at most `most_pairs` user-item pairs, but at least one chunk.
    """
    count = allowed = scorer.num_chunks()
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
    data = ranker.dataset
    gmf, mlp = (part.numpy() for part in ranker.scorer.chunk(number))
    scores = np.add(gmf, mlp, out=gmf)
    check_scores(scores, ranker.folder)
    start = number * ranker.scorer.chunk_users
    users = slice(start, start + len(scores))
    pairs = slice(int(data.offsets[users.start]), int(data.offsets[users.stop]))
    scores[data.split.users[pairs] - start, data.split.items[pairs]] = absent
    return users, scores
