"""Weights of a run's checkpoint: in a torch model, or changed under a ranker."""

import torch

from neumf_tui.explore.ranker import Ranker
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.checkpoint import OpenedCheckpoint, open_checkpoint
from neumf_tui.scorers.open import open_scorer
from neumf_tui.scorers.scorer import FloatArray
from neumf_tui.settings import check


def _opened(ranker: Ranker) -> OpenedCheckpoint:
    return open_checkpoint(ranker.folder, str(ranker.epoch), ranker.dataset.fingerprint)


def weights_of(ranker: Ranker) -> dict[str, FloatArray]:
    """Return copies of the tensors in the ranker's checkpoint."""
    return {name: tensor.copy() for name, tensor in _opened(ranker).tensors.items()}


def set_weights(ranker: Ranker, weights: dict[str, FloatArray]) -> None:
    """Let the ranker score by other weights than those of its checkpoint."""
    about, settings = _opened(ranker).about, ranker.info.settings
    decay = float(settings["weight_decay"])
    ranker.scorer = open_scorer(ranker.info.model, weights, about.shape, ranker.dataset, decay)


def torch_model(ranker: Ranker) -> NeuMF:
    """Return the model of the checkpoint in torch."""
    dataset = ranker.dataset
    config = NeuMFConfig.of(check(ranker.info.settings), dataset.num_users, dataset.num_items)
    model = NeuMF(config)
    weights = weights_of(ranker).items()
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights})
    return model
