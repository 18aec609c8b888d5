"""Evaluation of a run's checkpoint: held-out and validation items ranked again."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import Interval, hit_interval
from neumf_tui.evaluation.metrics import Metrics, metrics_from_ranks
from neumf_tui.explore.ranker import Ranker


@dataclass(frozen=True, eq=False, kw_only=True)
class RunEvaluation:
    """Ranks and metrics of one checkpoint, beside popularity alone."""

    ranks: NDArray[np.float32]
    """Shape (num_users,): ranks of held-out items, NaN where none."""
    candidates: NDArray[np.int64]
    """Shape (num_users,): items outside the history."""
    metrics: Metrics
    hit_interval: Interval
    popularity: Metrics
    validation: Metrics | None = None
    """None for a run without validation."""
    popularity_validation: Metrics | None = None


def evaluate_run(ranker: Ranker) -> RunEvaluation:
    """Rank all held-out items, and the validation items of a run with validation.

    Raises DatasetError where nothing is held out, NeumfTuiError where a score is not a number.
    """
    cpu = torch.device("cpu")
    validation = popularity_validation = None
    if ranker.info.settings.get("validation"):
        validator = Evaluator(ranker.dataset, cpu, validation=True)
        # `ranker.model` has the validation items in the users' histories; the trained model has
        # not.
        validation = metrics_from_ranks(validator.ranks(ranker.trained), validator.candidates)
        popularity_validation = metrics_from_ranks(
            validator.popularity_ranks(), validator.candidates
        )
    evaluator = Evaluator(ranker.dataset, cpu)
    ranks, candidates = evaluator.ranks(ranker.model), evaluator.candidates
    return RunEvaluation(
        ranks=ranks,
        candidates=candidates,
        metrics=metrics_from_ranks(ranks, candidates),
        hit_interval=hit_interval(ranks),
        popularity=metrics_from_ranks(evaluator.popularity_ranks(), candidates),
        validation=validation,
        popularity_validation=popularity_validation,
    )
