"""One epoch of NeuMF training: batches, steps, and the state that a checkpoint keeps."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, RunError
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.loss import LOSSES
from neumf_tui.model.neumf import NeuMF, UserVectors
from neumf_tui.model.sampler import NegativeSampler, Seen, precision
from neumf_tui.runs.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from neumf_tui.settings import Settings

RECENCY_FLOOR = 0.1
"""Weight of the oldest pairs, beside 1 for the latest, where pairs are drawn by recency."""


def stream(seed: int, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The random stream of an epoch (0: the initial weights), or of a step in it, so that it can be done again."""
    state = np.random.SeedSequence([seed, *parts]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from."""

    epoch: int
    step: int
    """In the epoch, from 0."""
    rows: Tensor
    """Training pairs, int64 (b,), as rows of `Trainer.users` and `Trainer.items`."""
    negatives: Tensor
    """int64 (n, b), or (n,) where all pairs share them; n is `negatives` × `hard_negatives`."""

    def __len__(self) -> int:
        return len(self.rows)


class Trainer:
    """Model, optimiser and training pairs, all on one device."""

    def __init__(self, dataset: Dataset, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.device = device
        self.fingerprint = dataset.fingerprint
        self.planned = settings.epochs
        """Epochs over which the learning rate falls; more where a run was extended."""
        self.loss = LOSSES[settings.loss]
        # Drawn on the CPU, so that every device starts from the same weights.
        config = NeuMFConfig.of(settings, dataset.num_users, dataset.num_items)
        self.model = NeuMF(config, stream(settings.seed, 0)).to(device)
        self.optimizer = self._make_optimizer()
        self._forget()

        def put(array: NDArray[np.generic]) -> Tensor:
            return torch.as_tensor(np.array(array), device=device)

        users, items = put(dataset.split.users), put(dataset.split.items)
        self.starts, self.all_items = put(dataset.offsets[:-1]), items
        excluded_users, excluded_items = users, items
        if settings.validation:
            # Like the held-out item, the validation item can be drawn as a negative: nobody knows yet that it will come.
            learned = put(dataset.learned)
            users, items = users[learned], items[learned]
            excluded_users, excluded_items = users, items
        if settings.exclude_heldout:
            heldout = put(dataset.split.heldout)
            held = (heldout >= 0).nonzero()[:, 0]
            excluded_users, excluded_items = torch.cat([excluded_users, held]), torch.cat([excluded_items, heldout[held]])
        shape = dataset.num_users, dataset.num_items
        weights = None
        if settings.sampler == "popularity":
            weights = (torch.bincount(items, minlength=dataset.num_items).cpu() + 1).double() ** settings.sampler_power
        self.sampler = NegativeSampler(excluded_users, excluded_items, *shape, weights)
        self.seen = Seen(excluded_users, excluded_items, *shape) if settings.shared_negatives else None
        usable = self.sampler.free[users] > 0
        self.users, self.items = users[usable], items[usable]
        self.skipped = len(users) - len(self.users)
        """Training pairs of users for whom no negative exists."""
        if not len(self.users):
            raise DatasetError(f"{dataset.label}: every user has every item, so there are no negatives to learn from")
        counts = torch.bincount(self.users, minlength=dataset.num_users)
        self.places = torch.arange(len(self.users), device=device) - (torch.cumsum(counts, 0) - counts)[self.users]
        """Items of the same user before each training pair, shape (pairs,)."""
        self.draw = None
        if settings.recency:
            back = counts[self.users] - 1 - self.places
            weight = torch.exp(-back.to(precision(device)) / settings.recency) + RECENCY_FLOOR
            self.draw = torch.cumsum(weight, 0)
        self.histories = self.model.histories(self.all_items) if config.history else None

    def _make_optimizer(self) -> torch.optim.Adam:
        tables, settings = [table.weight for table in self.model.embeddings()], self.settings
        known = {id(table) for table in tables}
        others = [parameter for parameter in self.model.parameters() if id(parameter) not in known]
        decay = settings.embedding_weight_decay
        groups = [
            {"params": tables, "weight_decay": settings.weight_decay if decay is None else decay},
            {"params": others, "weight_decay": settings.weight_decay},
        ]
        return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)

    def _forget(self) -> None:
        """Set the optimiser's state to that before the first step, where Adam itself would only make it then: so it can be
        loaded into and saved at any time."""
        for parameter in self.model.parameters():
            self.optimizer.state[parameter] = {
                "step": torch.zeros((), device=self.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.users) // self.settings.batch_size)

    @property
    def terms(self) -> int:
        """Terms of the loss for each training pair."""
        negatives = self.settings.negatives
        return {"bpr": negatives, "bce": 1 + negatives, "softmax": 1}[self.settings.loss]

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Each step of an epoch (from 1), from step `first` on."""
        generator = stream(self.settings.seed, epoch, device=self.device)
        pairs, size = len(self.users), self.settings.batch_size
        if self.draw is None:
            order = torch.randperm(pairs, generator=generator, device=self.device)
        else:
            drawn = torch.rand(pairs, generator=generator, device=self.device, dtype=self.draw.dtype) * self.draw[-1]
            order = torch.searchsorted(self.draw, drawn, right=True).clamp(max=pairs - 1)
        count = self.settings.negatives * self.settings.hard_negatives
        if self.settings.shared_negatives:
            negatives = self.sampler.draw_any((self.steps, count), generator)
        else:
            negatives = self.sampler.draw(self.users[order].expand(count, -1), generator)
        for step in range(first, self.steps):
            rows = slice(step * size, (step + 1) * size)
            own = negatives[step] if self.settings.shared_negatives else negatives[:, rows]
            yield Batch(epoch, step, order[rows], own)

    def step(self, batch: Batch) -> Tensor:
        """One optimiser step on one of `batches`; the batch's summed loss, detached and still on the device."""
        rate = self.settings.learning_rate * self._share_of_rate(batch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss_of(batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.clip:
            self._clip(apart=batch.epoch <= self.settings.pretrain)
        self.optimizer.step()
        if self.settings.pretrain == batch.epoch and batch.step == self.steps - 1:
            self.model.fuse(self.settings.alpha)
            self._forget()  # what it knew of two models is of no use for the one
        return loss.detach()

    def _clip(self, *, apart: bool) -> None:
        """Bound the gradient's norm; where GMF and MLP learn `apart`, that of each, as if the other were not there."""
        if not apart:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
            return
        head, d = self.model.head.weight.grad, self.model.config.embedding_size
        assert head is not None
        paths = {"gmf": [head[:, :d]], "mlp": [head[:, d:]]}
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and parameter is not self.model.head.weight:
                paths["gmf" if "gmf" in name else "mlp"].append(parameter.grad)
        for gradients in paths.values():
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            for gradient in gradients:
                gradient.mul_((self.settings.clip / (norm + 1e-6)).clamp(max=1))

    def _share_of_rate(self, batch: Batch) -> float:
        done = ((batch.epoch - 1) * self.steps + batch.step) / (self.planned * self.steps)
        return {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[self.settings.schedule]

    def _loss_of(self, batch: Batch) -> Tensor:
        settings, users, positives = self.settings, self.users[batch.rows], self.items[batch.rows]
        window = self.histories.window(self.starts[users], self.places[batch.rows]) if self.histories else None
        vectors = self.model.user_vectors(users, window)
        on_users, on_hidden = self._dropout_masks(batch)
        if on_users:
            vectors = UserVectors(vectors.gmf * on_users[0], vectors.mlp * on_users[1])
        if self.seen is not None:
            of_positives = self.model.parts(vectors, positives[None], on_hidden)
            of_negatives = self.model.parts(vectors, batch.negatives, on_hidden)
        else:
            both = self.model.parts(vectors, torch.cat([positives[None], batch.negatives]), on_hidden)
            of_positives, of_negatives = (both[0][:1], both[1][:1]), (both[0][1:], both[1][1:])
        if batch.epoch <= settings.pretrain:
            # Two models that share no weight: one loss of both is each one's own.
            return sum(
                (self._loss(*scores, batch, users) for scores in zip(of_positives, of_negatives, strict=True)),
                start=torch.zeros((), device=self.device),
            )
        return self._loss(of_positives[0] + of_positives[1], of_negatives[0] + of_negatives[1], batch, users)

    def _dropout_masks(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Masks of both user vectors, (b, embedding_size), and of each hidden layer, (width, b); none without dropout.

        By a stream of the step's own, so that it can be done again. A pair's positive and negatives meet the same masks: what
        differs between them is then never the draw.
        """
        settings, count = self.settings, len(batch)
        if not settings.dropout and not settings.mlp_dropout:
            return [], []
        # From 1 on: a SeedSequence pads with zeros, so that a step 0 would have the stream of its epoch.
        generator = stream(settings.seed, batch.epoch, batch.step + 1, device=self.device)

        def mask(rows: int, columns: int, share: float) -> Tensor:
            kept = torch.empty(rows, columns, device=self.device).bernoulli_(1 - share, generator=generator)
            return kept.div_(1 - share)

        on_users = [mask(count, settings.embedding_size, settings.dropout) for _ in range(2)] if settings.dropout else []
        widths = settings.mlp_layers if settings.mlp_dropout else ()
        return on_users, [mask(width, count, settings.mlp_dropout) for width in widths]

    def _loss(self, positive: Tensor, negative: Tensor, batch: Batch, users: Tensor) -> Tensor:
        """Of scores (1, b) and (n, b), with the negatives that count."""
        settings = self.settings
        if self.seen is not None:
            negative = negative.masked_fill(self.seen.of(users, batch.negatives), -torch.inf)
        scores = negative
        if settings.loss == "softmax" and settings.sampler != "uniform":
            if self.seen is not None:
                chance = self.sampler.log_share(batch.negatives)[:, None]
            else:
                chance = self.sampler.log_share(batch.negatives, users.expand_as(batch.negatives))
            # logQ: what is drawn more often counts for less
            negative = negative - chance - math.log(len(negative) // settings.hard_negatives)
        if settings.hard_negatives > 1:
            groups = -1, settings.hard_negatives, len(users)
            best = scores.view(groups).argmax(1, keepdim=True)  # to the model, not to logQ
            negative = negative.view(groups).gather(1, best)[:, 0]
        return self.loss(positive, negative)

    def scored(self, epoch: int) -> NeuMF:
        """The model as it ranks after `epoch`: while GMF and MLP learn apart, as their fusion would."""
        return self.model.fused(self.settings.alpha) if epoch < self.settings.pretrain else self.model

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
