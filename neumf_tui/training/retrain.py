"""Train settings in this process, without a run, and rank held-out items by the chosen epoch."""

from dataclasses import dataclass

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.evaluation.records import hit_rate
from neumf_tui.settings import Settings
from neumf_tui.training.device import deterministic
from neumf_tui.training.evaluations import evaluations_since
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer


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
        hits: dict[int, float] = {}
        best, ranks = 0, np.empty(0, np.float32)
        for epoch in range(1, last + 1):
            report(Progress(what, epoch - 1, last))
            for batch in trainer.batches(epoch):
                trainer.step(batch)
            if epoch % settings.eval_every and epoch < last:
                continue
            model = trainer.scored(epoch)
            if choosing:
                hits[epoch] = hit_rate(choosing.by_model(model))
            if epoch == last if choosing is None else hits[epoch] > hits.get(best, -1.0):
                best, ranks = epoch, evaluator.by_model(model)
            if settings.early_stop and settings.early_stop <= evaluations_since(
                hits, best, settings
            ):
                break
    report(Progress(what, last, last))
    return Retrained(best, ranks, evaluator.popularity_ranks(), evaluator.candidates)
