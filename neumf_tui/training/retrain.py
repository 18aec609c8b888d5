"""Train settings in this process, without a run, and rank held-out items by the chosen epoch."""

from dataclasses import dataclass

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.runs.events import Quality, quality_of
from neumf_tui.settings import Settings
from neumf_tui.training.device import deterministic
from neumf_tui.training.evaluations import evaluations_since
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer

_WORST = Quality(-1.0, -1.0)
"""Less than that of any epoch."""


@dataclass(frozen=True, eq=False)
class Retrained:
    """The ranks of the held-out items; arrays have shape (num_users,)."""

    epoch: int
    """The best by validation; without validation the last."""
    ranks: NDArray[np.float32]
    """NaN where nothing is held out, as in `popularity`."""
    popularity: NDArray[np.float32]
    candidates: NDArray[np.int64]


def retrain(
    dataset: Dataset, settings: Settings, device: torch.device, report: Report, what: str
) -> Retrained:
    """Train and choose the epoch as a run with these settings does, in one process.

    `what` names the training in the progress. Raises DatasetError where nothing is held out,
    NeumfTuiError where a score is not a number.
    """
    settings = replace(settings, processes=1)
    last = settings.epochs
    with deterministic(device):
        evaluator = ModelRanks(dataset, device)
        choosing = ModelRanks(dataset, device, validation=True) if settings.validation else None
        trainer = Trainer(dataset, settings, device)
        quality: dict[int, Quality] = {}
        best, ranks = 0, np.empty(0, np.float32)
        for epoch in range(1, last + 1):
            report(Progress(what, epoch - 1, last))
            for batch in trainer.batches(epoch):
                trainer.step(batch)
            if epoch % settings.eval_every and epoch < last:
                continue
            model = trainer.scored(epoch)
            if choosing:
                chosen_by = metrics_from_ranks(choosing.by_model(model), choosing.candidates)
                quality[epoch] = quality_of(chosen_by)
            if epoch == last if choosing is None else quality[epoch] > quality.get(best, _WORST):
                best, ranks = epoch, evaluator.by_model(model)
            if settings.early_stop and settings.early_stop <= evaluations_since(
                quality, best, settings
            ):
                break
    report(Progress(what, last, last))
    return Retrained(best, ranks, evaluator.popularity_ranks(), evaluator.candidates)
