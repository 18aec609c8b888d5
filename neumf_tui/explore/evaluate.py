"""Evaluation of a run's checkpoint: held-out and validation items ranked again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import Metrics, metrics_from_ranks
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.reader import read_ranks


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Ranks of each user's item by one checkpoint, and their metrics beside popularity's."""

    ranks: NDArray[np.float32]  # (num_users,), NaN for users without an item
    candidates: NDArray[np.int64]  # (num_users,): items outside the history
    metrics: Metrics
    popularity: Metrics


def evaluate(ranker: Ranker, *, validation: bool = False) -> Evaluation:
    """Rank all held-out items, or all validation items.

    A baseline that is kept has learned from the validation items: their ranks are those that its
    settings gave before, from the tape. Raises DatasetError where there are none, NeumfTuiError
    where a score is not a number.
    """
    evaluator = Evaluator(ranker.dataset, validation=validation)
    if validation and ranker.info.kind == "baseline":
        ranks = read_ranks(ranker.folder, ranker.epoch, "validation")
    else:
        ranks = evaluator.ranks(ranker.scorer.with_histories(evaluator.histories))
    metrics, popularity = (
        metrics_from_ranks(each, evaluator.candidates)
        for each in (ranks, evaluator.popularity_ranks())
    )
    return Evaluation(ranks, evaluator.candidates, metrics, popularity)
