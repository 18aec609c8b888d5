"""NeuMF training: the step, and the state that a checkpoint keeps."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.model.compiled import CompiledGradient, Past, serves
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.gradient import PlainGradient
from neumf_tui.model.loss import GRADIENTS, LOSSES
from neumf_tui.model.neumf import NeuMF, UserVectors
from neumf_tui.native.library import why_not
from neumf_tui.runs.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.graph import StepGraph, Unlike
from neumf_tui.training.pairs import Batch, Pairs, stream
from neumf_tui.training.weights import Weights, turns

ALONE = Group()


class Trainer:
    """Model, optimiser and training pairs, all on one device; of one process's users, where several train together."""

    def __init__(
        self, dataset: Dataset, settings: Settings, device: torch.device, group: Group = ALONE
    ) -> None:
        self.settings, self.device, self.group = settings, device, group
        self.fingerprint = dataset.fingerprint
        self.planned = settings.epochs
        """Epochs over which the learning rate falls; more where a run was extended."""
        self.loss, self.gradient = LOSSES[settings.loss], GRADIENTS[settings.loss]
        self.pairs = Pairs(dataset, settings, device, group)
        self.own_users = [len(users) for users in group.all_users(dataset.offsets)]
        """Of each process."""
        self.config = NeuMFConfig.of(settings, dataset.num_users, dataset.num_items)
        """Of the whole model; that of `model` has this process's users alone."""
        # Drawn on the CPU, so that every device starts from the same weights.
        self.model = (
            NeuMF(self.config, stream(settings.seed, 0)).of_users(self.pairs.own).to(device)
        )
        self.notes: list[str] = []
        """What a person should know of how it trains."""
        compiled = serves(settings) and device.type == "cpu"
        if compiled and (reason := why_not()):
            compiled = False
            self.notes.append(f"{reason}: steps are PyTorch's, and take several times as long")
        more = (
            settings.dropout,
            settings.mlp_dropout,
            settings.shared_negatives,
            settings.hard_negatives > 1,
        )
        plain = (
            self.config.paths == "neumf"
            and not self.config.history
            and not any(more)
            and not compiled
        )
        decay = (
            settings.weight_decay
            if settings.embedding_weight_decay is None
            else settings.embedding_weight_decay
        )
        turned = plain and group.size == 1 and turns(self.model)
        threads = threads_of(settings, group.local_size)
        self.weights = Weights(
            self.model, settings.weight_decay, decay, turned=turned, threads=threads
        )
        # Gradients written out, in C or for torch; autograd's for what neither is made for.
        self.compiled: CompiledGradient | None = None
        if compiled:
            flat = self.weights.values, self.weights.gradient
            self.compiled = CompiledGradient(
                self.model, *flat, settings.loss, torch.get_num_threads()
            )
        self.plain = (
            PlainGradient(self.model, self.weights.table, self.weights.table_gradient)
            if plain
            else None
        )
        self.histories = (
            self.model.histories(self.pairs.history_items) if self.config.history else None
        )
        corrected = settings.loss == "softmax" and settings.sampler != "uniform"
        self.records = (
            device.type == "cuda"
            and group.size == 1
            and not (corrected or settings.clip or settings.pretrain)
        )
        """Whether full batches are learned of by a CUDA graph, of which all that is not the same in each is the rows."""
        self._graph: StepGraph | None = None

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
        """Each step of an epoch (from 1), from step `first` on."""
        return self.pairs.batches(epoch, first)

    def step(self, batch: Batch) -> Tensor:
        """One optimiser step on one of `batches`; its summed loss over this process's pairs, detached and still on the device."""
        self.weights.set_rate(self.settings.learning_rate * self._share_of_rate(batch))
        if self.compiled:
            with torch.inference_mode():
                loss = self._step_compiled(self.compiled, batch)
        elif self.plain:
            with torch.inference_mode():
                loss = self._step_plainly(self.plain, batch)
        else:
            loss = self._loss_of(batch)
            self.weights.differentiate(loss)
            self._update(batch)
        if self.settings.pretrain == batch.epoch and batch.step == self.steps - 1:
            self.model.fuse(self.settings.alpha)
            self.weights.forget()  # what it knew of two models is of no use for the one
        return loss.detach()

    def _step_compiled(self, compiled: CompiledGradient, batch: Batch) -> Tensor:
        """A step by the kernels in C."""
        self.weights.gradient.zero_()
        taken = self._log_chance(batch)
        if self.pairs.seen is not None:
            seen = self.pairs.seen.of(batch.users, batch.negatives)
            taken = (
                torch.zeros(seen.shape).masked_fill_(seen, torch.inf)
                if taken is None
                else taken.masked_fill(seen, torch.inf)
            )
        loss = compiled.add(
            batch.users,
            batch.items,
            batch.negatives,
            taken=taken,
            past=self._past(batch),
            dropout=self._dropout_masks(batch)[0],
            apart=batch.epoch <= self.settings.pretrain,
        )
        self._update(batch)
        return loss

    def _past(self, batch: Batch) -> Past | None:
        """The histories of the users of a batch, each up to its pair."""
        if not self.histories:
            return None
        return Past(
            self.histories,
            self.pairs.history_starts[batch.users],
            self.pairs.places_in_history(batch.rows),
        )

    def _step_plainly(self, plain: PlainGradient, batch: Batch) -> Tensor:
        """A step by the gradient written out, recorded where that can be."""
        rows = torch.cat([batch.users[None], batch.items[None], batch.negatives])
        rows[1:] += self.model.config.num_users

        def work(rows: Tensor) -> Tensor:
            self.weights.gradient.zero_()
            loss = plain.add(rows, of_scores, apart=batch.epoch <= self.settings.pretrain)
            self._update(batch)
            return loss

        def of_scores(scores: Tensor, part: slice) -> tuple[Tensor, Tensor]:
            chance = self._log_chance(batch, part)
            loss, *delta = self.gradient(
                scores[:1], scores[1:] if chance is None else scores[1:] - chance
            )
            return loss, torch.cat(delta)

        if not self.records or batch.size < self.settings.batch_size:
            return work(rows)
        if self._graph is None:
            try:
                self._graph = StepGraph(work, self.weights, rows)
            except (Unlike, RuntimeError) as error:
                self.records = False
                self.notes.append(
                    f"no CUDA graph of a step ({error}): training goes on step by step, and is slower"
                )
                return work(rows)
        return self._graph.step(rows)

    @torch.inference_mode()
    def _update(self, batch: Batch) -> None:
        """Learn from the gradient, all processes together."""
        self.group.sum_(self.weights.gradient[self.weights.user_cells :])
        if self.settings.clip:
            self._clip(apart=batch.epoch <= self.settings.pretrain)
        self.weights.update()

    def _clip(self, *, apart: bool) -> None:
        """Bound the gradient's norm; where GMF and MLP learn `apart`, that of each, as if the other were not there."""
        shared = self.weights.gradient[self.weights.user_cells :]
        paths = [([self.weights.gradient[: self.weights.user_cells]], [shared])]
        if apart:
            d, named = self.model.config.embedding_size, dict(self.model.named_parameters())
            head = named.pop("head.weight").grad
            assert head is not None
            paths = []
            for path, half in (("gmf", head[:, :d]), ("mlp", head[:, d:])):
                own = {
                    name: p.grad
                    for name, p in named.items()
                    if p.grad is not None and ("gmf" in name) == (path == "gmf")
                }
                user = own.pop(f"user_{path}.weight")
                paths.append(([user], [half, *own.values()]))
        for users, others in paths:
            squares = torch.stack([gradient.square().sum() for gradient in users]).sum()
            self.group.sum_(
                squares
            )  # each process has the gradients of its own users, and all have those of the rest
            norm = (
                squares + torch.stack([gradient.square().sum() for gradient in others]).sum()
            ).sqrt()
            for gradient in (*users, *others):
                gradient.mul_((self.settings.clip / (norm + 1e-6)).clamp(max=1))

    def _share_of_rate(self, batch: Batch) -> float:
        done = ((batch.epoch - 1) * self.steps + batch.step) / (self.planned * self.steps)
        return {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[
            self.settings.schedule
        ]

    def _loss_of(self, batch: Batch) -> Tensor:
        past = self._past(batch)
        window = past.histories.window(past.starts, past.sizes) if past else None
        vectors = self.model.user_vectors(batch.users, window)
        on_users, on_hidden = self._dropout_masks(batch)
        if on_users:
            vectors = UserVectors(vectors.gmf * on_users[0], vectors.mlp * on_users[1])
        positives = batch.items[None]
        if self.settings.shared_negatives:
            of_positives = self.model.parts(vectors, positives, on_hidden)
            of_negatives = self.model.parts(vectors, batch.negatives, on_hidden)
        else:
            both = self.model.parts(vectors, torch.cat([positives, batch.negatives]), on_hidden)
            of_positives, of_negatives = (both[0][:1], both[1][:1]), (both[0][1:], both[1][1:])
        if batch.epoch <= self.settings.pretrain:
            # Two models that share no weight: one loss of both is each one's own.
            return sum(
                (
                    self._loss(*scores, batch)
                    for scores in zip(of_positives, of_negatives, strict=True)
                ),
                start=torch.zeros((), device=self.device),
            )
        return self._loss(
            of_positives[0] + of_positives[1], of_negatives[0] + of_negatives[1], batch
        )

    def _dropout_masks(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Masks of both user vectors, (b, embedding_size), and of each hidden layer, (width, b); none without dropout.

        By a stream of the step's own, so that it can be done again, and for the pairs of all processes, so that it does not
        depend on how many there are. A pair's positive and negatives meet the same masks: what differs between them is then
        never the draw.
        """
        settings = self.settings
        if not settings.dropout and not settings.mlp_dropout:
            return [], []
        # From 1 on: a SeedSequence pads with zeros, so that a step 0 would have the stream of its epoch.
        generator = stream(settings.seed, batch.epoch, batch.step + 1, device=self.device)

        def mask(shape: tuple[int, int], pairs_in: int, share: float) -> Tensor:
            # Not `bernoulli_`: it takes three times as long on the CPU.
            uniform = torch.rand(shape, device=self.device, generator=generator)
            uniform = (
                uniform if batch.places is None else uniform.index_select(pairs_in, batch.places)
            )
            return (uniform >= share) / (1 - share)

        on_users = []
        if settings.dropout:
            on_users = [
                mask((batch.size, settings.embedding_size), 0, settings.dropout) for _ in range(2)
            ]
        widths = settings.mlp_layers if settings.mlp_dropout else ()
        return on_users, [mask((width, batch.size), 1, settings.mlp_dropout) for width in widths]

    def _loss(self, positive: Tensor, negative: Tensor, batch: Batch) -> Tensor:
        """Of scores (1, b) and (n, b), with the negatives that count."""
        settings, seen = self.settings, self.pairs.seen
        if seen is not None:
            negative = negative.masked_fill(seen.of(batch.users, batch.negatives), -torch.inf)
        scores, chance = negative, self._log_chance(batch)
        negative = scores if chance is None else scores - chance
        if settings.hard_negatives > 1:
            groups = -1, settings.hard_negatives, len(batch.users)
            best = scores.view(groups).argmax(1, keepdim=True)  # to the model, not to logQ
            negative = negative.view(groups).gather(1, best)[:, 0]
        return self.loss(positive, negative)

    def _log_chance(self, batch: Batch, part: slice = slice(None)) -> Tensor | None:
        """logQ of negatives, of a part of the pairs, in a softmax of items that are not drawn alike: taken off their scores, so
        that what is drawn more often counts for less. float32 (n, b), or (n, 1) where they are shared."""
        settings, sampler = self.settings, self.pairs.sampler
        if settings.loss != "softmax" or settings.sampler == "uniform":
            return None
        if settings.shared_negatives:
            chance = sampler.log_share(batch.negatives)[:, None]
        else:
            negatives = batch.negatives[:, part]
            chance = sampler.log_share(negatives, batch.users[part].expand_as(negatives))
        return chance + math.log(len(batch.negatives) // settings.hard_negatives)

    def scored(self, epoch: int) -> NeuMF:
        """The model as it ranks after `epoch`: while GMF and MLP learn apart, as their fusion would."""
        return (
            self.model.fused(self.settings.alpha) if epoch < self.settings.pretrain else self.model
        )

    def save(self, folder: Path, progress: Progress) -> Path | None:
        """Write a checkpoint of the state after `progress`, of all processes' users: at rank 0, and None elsewhere."""
        tensors = {
            name: self._whole(name, tensor) for name, tensor in self.weights.tensors().items()
        }
        if self.group.rank:
            return None
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if tensor is not None}
        about = Checkpoint(
            fingerprint=self.fingerprint, progress=progress, shape=dataclasses.asdict(self.config)
        )
        return save_checkpoint(folder, arrays, about)

    def _whole(self, name: str, tensor: Tensor) -> Tensor | None:
        """With the rows of everybody's users, at rank 0."""
        whole = (
            self.group.gather_rows(tensor, self.own_users)
            if self._of_users(name, tensor)
            else tensor
        )
        return None if self.group.rank or whole is None else whole.cpu().contiguous()

    @staticmethod
    def _of_users(name: str, tensor: Tensor) -> bool:
        """Whether it has a row for each user."""
        return "user_" in name and tensor.dim() > 0

    def load(self, path: Path) -> Progress:
        """Take the state of a checkpoint of the same model and dataset; raises RunError."""
        tensors, about = load_checkpoint(path, self.fingerprint)
        own, users = self.weights.tensors(), slice(self.pairs.own.start, self.pairs.own.stop)
        for name in own.keys() | tensors.keys():
            here: object = tuple(own[name].shape) if name in own else "nothing"
            if name in own and self._of_users(name, own[name]):
                here = (self.config.num_users, *own[name].shape[1:])
            there = tuple(tensors[name].shape) if name in tensors else "nothing"
            if here != there:
                raise RunError(
                    f"{path}: of another model: {name} is {there}, expected {here}; resume its own run"
                )
        with torch.no_grad():
            for name, tensor in own.items():
                rows = users if self._of_users(name, tensor) else ...
                tensor.copy_(torch.from_numpy(tensors[name][rows]))
        return about.progress
