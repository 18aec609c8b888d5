"""Ranks by a model in training: on the CPU by the viewers' scorer, on an accelerator by torch."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.accelerator import AcceleratorEvaluator
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import Histories


class ModelRanks(Evaluator):
    """An Evaluator of models in torch, which are on `device`."""

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        validation: bool = False,
        users: range | None = None,
        threads: int = 0,
    ) -> None:
        """Prepare as an Evaluator; raises DatasetError."""
        super().__init__(dataset, validation=validation, users=users, threads=threads)
        self._on_device: AcceleratorEvaluator | None = None
        if device.type != "cpu":
            self._on_device = AcceleratorEvaluator(self, device)

    def by_model(
        self, model: NeuMF, report: Callable[[float], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the ranks of `Evaluator.ranks` by a model whose users are this evaluator's.

        Raises NeumfTuiError when a score is not a number, or a device has too little memory.
        """
        if self._on_device:
            return self._on_device.ranks(model, report)
        return self.ranks(scorer_of(model, self.histories), report)


def scorer_of(model: NeuMF, histories: Histories, weight_decay: float = 0.0) -> NeuMFScorer:
    """Return a scorer that shares the weights of a model on the CPU.

    histories: those of the model's users. `weight_decay` is that of the training, for fold-in.
    """
    config, places = model.config, None
    if config.history:
        places = PlaceWeights(config.history, config.history_decay, config.history_floor)
    return NeuMFScorer(model.arrays(), places, histories, weight_decay)
