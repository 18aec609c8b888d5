"""Trainers small enough to be checked by hand, and what they hold."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers.open import all_histories
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import scorer_of
from neumf_tui.training.pairs import Batch
from neumf_tui.training.trainer import Trainer

PLAIN = {
    "embedding_size": 4,
    "mlp_layers": [6, 3],
    "batch_size": 16,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "epochs": 4,
    "exclude_heldout": False,
    "scaled_init": True,
    "device": "cpu",
    "threads": 1,
}
"""Settings on top of `d2l` for tests of training: scores that differ from the start, no leak."""

EVERYTHING: dict[str, Any] = {
    "loss": "softmax",
    "sampler": "popularity",
    "negatives": 6,
    "hard_negatives": 2,
    "shared_negatives": True,
    "history": 3,
    "dropout": 0.3,
    "mlp_dropout": 0.2,
    "recency": 4.0,
    "schedule": "cosine",
    "clip": 0.5,
    "weight_decay": 1e-3,
    "embedding_weight_decay": 1e-2,
    "validation": True,
    "pretrain": 2,
    "alpha": 0.3,
}
"""All options that can be on at the same time."""


def make_trainer(dataset: Dataset, **changes: Any) -> Trainer:
    return Trainer(dataset, make_settings("d2l", PLAIN | changes), torch.device("cpu"))


def embeddings_of(model: NeuMF) -> list[torch.nn.Embedding]:
    return [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]


def scores_of(model: NeuMF, users: Tensor, items: Tensor) -> Tensor:
    """Return scores of items, (m, n) or (m,), for users (n,) of a model without a history."""
    gmf, mlp = model.parts(model.user_vectors(users), items)
    return gmf + mlp


def awake(trainer: Trainer) -> Trainer:
    """Make embeddings about ±1.

    Near 0 all pairs have the same hidden units on, and a user's part of a margin cancels out.
    """
    with torch.no_grad():
        for table in embeddings_of(trainer.model):
            table.weight.mul_(100)
    return trainer


def train(trainer: Trainer, first: int, last: int) -> Trainer:
    """Train whole epochs `first` to `last`."""
    for epoch in range(first, last + 1):
        for batch in trainer.batches(epoch):
            trainer.step(batch)
    return trainer


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Return random numbers to draw with, as an epoch uses them."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def batch_of(
    trainer: Trainer,
    rows: list[int],
    negatives: torch.Tensor | list[list[int]] | list[int],
    epoch: int = 1,
) -> Batch:
    """Return the batch of a first step on these training pairs."""
    users, items = trainer.pairs.users[rows].long(), trainer.pairs.items[rows].long()
    return Batch(epoch, 0, torch.tensor(rows), torch.as_tensor(negatives), users, items, len(rows))


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {
        name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()
    }


def parts_of(model: NeuMF, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return the GMF and the MLP part of all scores, each (num_users, num_items)."""
    scorer = scorer_of(model, all_histories(dataset))
    everybody = (scorer.profile(u, dataset.history(u)) for u in range(dataset.num_users))
    parts = [scorer.item_scores(person).parts for person in everybody]
    gmf, mlp = (torch.from_numpy(np.stack([one[path] for one in parts])) for path in ("gmf", "mlp"))
    return gmf, mlp


def gradient_rows(table: torch.nn.Embedding) -> set[int]:
    """Return the rows whose gradient was not zero in the last step."""
    assert table.weight.grad is not None
    return set(table.weight.grad.abs().sum(1).nonzero()[:, 0].tolist())
