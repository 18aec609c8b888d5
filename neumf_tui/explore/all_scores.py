"""Passes over everybody's scores: which chunks of users are scored, and their scores with the history left out."""

import numpy as np
import torch
from torch import Tensor

from neumf_tui.errors import RunError
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.explore.ranker import Ranker


def chunk_numbers(scorer: Scorer, most_pairs: int | None, seed: int) -> list[int]:
    """Numbers of the scorer's chunks, ascending: all, or a random sample of `most_pairs` pairs at most, one at least."""
    count = scorer.num_chunks()
    allowed = (
        count
        if most_pairs is None
        else max(1, most_pairs // (scorer.chunk_users * scorer.num_items))
    )
    if count <= allowed:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, allowed, replace=False).tolist())


@torch.inference_mode()
def candidate_scores(ranker: Ranker, number: int, absent: float) -> tuple[int, Tensor]:
    """First user index of chunk `number`, and its users' scores (users, num_items), `absent` for items of the history.

    Raises RunError where a score is not a number.
    """
    data, scorer = ranker.dataset, ranker.scorer
    gmf, mlp = scorer.chunk(number)
    scores = gmf.add_(mlp)
    if not bool(scores.isfinite().all()):
        raise RunError(f"{ranker.folder}: a score is not a number; train the run again")
    start = number * scorer.chunk_users
    pairs = slice(int(data.offsets[start]), int(data.offsets[start + len(scores)]))
    users = torch.from_numpy(np.array(data.split.users[pairs])) - start
    scores[users, torch.from_numpy(np.array(data.split.items[pairs]))] = absent
    return start, scores
