"""Training of a NeuMF: the state that a checkpoint keeps, and the steps that change it."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, load_checkpoint, save_checkpoint
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.objective import Objective
from neumf_tui.training.pairs import Batch, Pairs, stream
from neumf_tui.training.step import make_step
from neumf_tui.training.weights import Weights

ALONE = Group()


class Trainer:
    """Model, optimiser and training pairs of this process's users, all on one device."""

    def __init__(
        self, dataset: Dataset, settings: Settings, device: torch.device, group: Group = ALONE
    ) -> None:
        self.settings, self.device, self.group = settings, device, group
        self.fingerprint = dataset.fingerprint
        self.planned = settings.epochs
        """Epochs over which the learning rate falls; more where a run was extended."""
        self.pairs = Pairs(dataset, settings, device, group)
        self.users_of_ranks = [len(users) for users in group.all_users(dataset.offsets)]
        """Number of users of each process."""
        self.config = NeuMFConfig.of(settings, dataset.num_users, dataset.num_items)
        """Shape of the whole model; `model` has this process's users only."""
        # Drawn on the CPU, so that every device starts from the same weights.
        model = NeuMF(self.config, stream(settings.seed, 0))
        self.model = model.with_users(self.pairs.own).to(device)
        decay, table_decay = settings.weight_decay, settings.embedding_weight_decay
        self.weights = Weights(
            self.model,
            decay,
            decay if table_decay is None else table_decay,
            threads=threads_of(settings, group.local_size),
        )
        self.notes: list[str] = []
        """What a person should know about how this trainer works."""
        self.objective = Objective(settings, self.model, self.pairs)
        self.take_step = make_step(device, self.objective, self.weights, group, self.notes.append)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.pairs.steps

    @property
    def terms(self) -> int:
        """Terms of the loss for each training pair."""
        negatives = self.settings.negatives
        return {"bpr": negatives, "bce": 1 + negatives, "softmax": 1}[self.settings.loss]

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield each step of an epoch (from 1), from step `first` on."""
        return self.pairs.batches(epoch, first)

    def step(self, batch: Batch) -> Tensor:
        """Take one optimiser step on one of `batches`.

        Returns its summed loss over this process's pairs, detached and still on the device.
        """
        self.weights.set_rate(self.settings.learning_rate * self._rate_share(batch))
        loss = self.take_step(batch)
        if self.settings.pretrain == batch.epoch and batch.step == self.steps - 1:
            self.model.fuse(self.settings.alpha)
            self.weights.forget()  # Adam's means of two models do not fit the fused one
        return loss

    def _rate_share(self, batch: Batch) -> float:
        done = ((batch.epoch - 1) * self.steps + batch.step) / (self.planned * self.steps)
        match self.settings.schedule:
            case "linear":
                return 1 - done
            case "cosine":
                return (1 + math.cos(math.pi * done)) / 2
            case _:
                return 1.0

    def scored(self, epoch: int) -> NeuMF:
        """Return the model to rank by after `epoch`: before the end of pre-training, the fusion."""
        if epoch < self.settings.pretrain:
            return self.model.fused(self.settings.alpha)
        return self.model

    def save(self, folder: Path, progress: TrainingProgress) -> Path | None:
        """Write a checkpoint of the state after `progress`, with the users of all processes.

        Returns its path at rank 0, None elsewhere. Raises OSError.
        """
        arrays = {}
        for name, tensor in self.weights.tensors().items():
            whole: Tensor | None = tensor
            if _has_row_per_user(name, tensor):
                whole = self.group.gather_rows(tensor, self.users_of_ranks)
            if whole is not None and not self.group.rank:
                arrays[name] = whole.cpu().contiguous().numpy()
        if self.group.rank:
            return None
        shape = dataclasses.asdict(self.config)
        about = Checkpoint(fingerprint=self.fingerprint, progress=progress, shape=shape)
        return save_checkpoint(folder, arrays, about)

    def load(self, path: Path) -> TrainingProgress:
        """Read the state of a checkpoint of the same model and dataset; raises RunError."""
        tensors, about = load_checkpoint(path, self.fingerprint)
        own, users = self.weights.tensors(), slice(self.pairs.own.start, self.pairs.own.stop)
        found = {name: array.shape for name, array in tensors.items()}
        wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
        for name, tensor in own.items():
            if _has_row_per_user(name, tensor):
                wanted[name] = (self.config.num_users, *tensor.shape[1:])
        for name in wanted | found:
            if found.get(name) != wanted.get(name):
                raise RunError(
                    f"{path}: a checkpoint of another model: {name} is "
                    f"{found.get(name, 'nothing')}, expected {wanted.get(name, 'nothing')}; "
                    "resume the run that wrote it"
                )
        with torch.no_grad():
            for name, tensor in own.items():
                rows = users if _has_row_per_user(name, tensor) else ...
                tensor.copy_(torch.from_numpy(tensors[name][rows]))
        return about.progress


def _has_row_per_user(name: str, tensor: Tensor) -> bool:
    return "user_" in name and tensor.dim() > 0
