"""One epoch of NeuMF training: batches, steps, and the state that a checkpoint keeps."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, RunError
from neumf_tui.model.loss import bpr_loss
from neumf_tui.model.neumf import NeuMF, NeuMFConfig
from neumf_tui.model.sampler import NegativeSampler
from neumf_tui.runs.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from neumf_tui.settings import Settings


def stream(seed: int, epoch: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The random stream of one epoch (0: the initial weights), so that an epoch can be done again."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


class Trainer:
    """Model, optimiser and training pairs, all on one device."""

    def __init__(self, dataset: Dataset, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.fingerprint = dataset.fingerprint
        config = NeuMFConfig(dataset.num_users, dataset.num_items, settings.embedding_size, settings.mlp_layers)
        # Drawn on the CPU, so that every device starts from the same weights.
        self.model = NeuMF(config, stream(settings.seed, 0)).to(device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        # Adam makes its state at its first step; make it now, so that it can be loaded into and saved at any time.
        for parameter in self.model.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        users = torch.as_tensor(np.array(dataset.split.users), device=device)
        items = torch.as_tensor(np.array(dataset.split.items), device=device)
        excluded_users, excluded_items = users, items
        if settings.exclude_heldout:
            heldout = torch.as_tensor(np.array(dataset.split.heldout), device=device)
            held = (heldout >= 0).nonzero()[:, 0]
            excluded_users, excluded_items = torch.cat([users, held]), torch.cat([items, heldout[held]])
        self.sampler = NegativeSampler(excluded_users, excluded_items, dataset.num_users, dataset.num_items)
        usable = self.sampler.free[users] > 0
        self.users, self.items = users[usable], items[usable]
        self.skipped = len(users) - len(self.users)
        """Training pairs of users for whom no negative exists."""
        if not len(self.users):
            raise DatasetError(f"{dataset.label}: every user has every item, so there are no negatives to learn from")

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.users) // self.settings.batch_size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Users (b,) and items (1 + negatives, b), the positives in row 0, of each step of an epoch from step `first` on."""
        generator = stream(self.settings.seed, epoch, self.device)
        order = torch.randperm(len(self.users), generator=generator, device=self.device)
        users, positives = self.users[order], self.items[order]
        negatives = self.sampler.draw(users.expand(self.settings.negatives, -1), generator)
        items = torch.cat([positives[None], negatives])
        size = self.settings.batch_size
        for start in range(first * size, len(users), size):
            rows = slice(start, start + size)
            yield users[rows], items[:, rows]

    def step(self, users: Tensor, items: Tensor) -> Tensor:
        """One optimiser step on one of `batches`; the batch's summed loss, detached and still on the device."""
        scores = self.model(users, items)
        loss = bpr_loss(scores[:1], scores[1:])
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    def save(self, folder: Path, progress: Progress) -> Path:
        """Write a checkpoint of the state after `progress`."""
        shape = dataclasses.asdict(self.model.config)
        about = Checkpoint(fingerprint=self.fingerprint, progress=progress, shape=shape)
        return save_checkpoint(folder, {name: tensor.cpu().numpy() for name, tensor in self._tensors().items()}, about)

    def load(self, path: Path) -> Progress:
        """Take the state of a checkpoint of the same model and dataset; raises RunError."""
        tensors, about = load_checkpoint(path, self.fingerprint)
        own = self._tensors()
        for name in own.keys() | tensors.keys():
            here = tuple(own[name].shape) if name in own else "nothing"
            there = tuple(tensors[name].shape) if name in tensors else "nothing"
            if here != there:
                raise RunError(f"{path}: of another model: {name} is {there}, expected {here}; resume its own run")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(torch.from_numpy(tensors[name]))
        return about.progress

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = dict(self.model.named_parameters())
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"adam.{key}.{name}"] = value
        return {name: tensor.detach() for name, tensor in tensors.items()}
