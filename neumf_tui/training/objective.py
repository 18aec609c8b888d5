"""The loss of a batch, and what it needs beside the model: histories, dropout, corrections."""

import math

import torch
from torch import Tensor

from neumf_tui.model.loss import LOSSES
from neumf_tui.model.neumf import NeuMF, UserVectors
from neumf_tui.settings import Settings
from neumf_tui.training.pairs import Batch, Pairs, stream


class Objective:
    """The summed loss of a model on batches of training pairs, which autograd can differentiate."""

    def __init__(self, settings: Settings, model: NeuMF, pairs: Pairs) -> None:
        self.settings, self.model, self.pairs = settings, model, pairs
        self.loss_of_scores = LOSSES[settings.loss]
        has_history = bool(model.config.history)
        self.histories = model.histories(pairs.history_items) if has_history else None

    def separate_paths(self, batch: Batch) -> bool:
        """Return whether GMF and MLP learn as two models in this batch's epoch."""
        return batch.epoch <= self.settings.pretrain

    def loss(self, batch: Batch) -> Tensor:
        """Return the summed loss of the batch's pairs, shape ()."""
        window = self.histories.window(*self.history_rows(batch)) if self.histories else None
        vectors = self.model.user_vectors(batch.users, window)
        on_users, on_hidden = self.dropout_masks(batch)
        if on_users:
            vectors = UserVectors(vectors.gmf * on_users[0], vectors.mlp * on_users[1])
        positives = batch.items[None]
        if self.settings.shared_negatives:
            of_positives = self.model.parts(vectors, positives, on_hidden)
            of_negatives = self.model.parts(vectors, batch.negatives, on_hidden)
        else:
            items = torch.cat([positives, batch.negatives])
            gmf, mlp = self.model.parts(vectors, items, on_hidden)
            of_positives, of_negatives = (gmf[:1], mlp[:1]), (gmf[1:], mlp[1:])
        if self.separate_paths(batch):
            # Two models that share no weight: the sum gives each weight the gradient of its model.
            parts = zip(of_positives, of_negatives, strict=True)
            zero = torch.zeros((), device=vectors.gmf.device)
            return sum((self._loss(*scores, batch) for scores in parts), start=zero)
        positive, negative = (gmf + mlp for gmf, mlp in (of_positives, of_negatives))
        return self._loss(positive, negative, batch)

    def _loss(self, positive: Tensor, negative: Tensor, batch: Batch) -> Tensor:
        """Return the loss of scores (1, b) and (n, b), by the negatives that count."""
        if self.pairs.seen is not None:
            negative = negative.masked_fill(self.seen(batch), -torch.inf)
        scores, correction = negative, self.sampling_correction(batch)
        if correction is not None:
            negative = scores - correction
        if self.settings.hard_negatives > 1:
            groups = -1, self.settings.hard_negatives, len(batch.users)
            # The hardest by the model's own score, without the correction.
            best = scores.view(groups).argmax(1, keepdim=True)
            negative = negative.view(groups).gather(1, best)[:, 0]
        return self.loss_of_scores(positive, negative)

    def seen(self, batch: Batch) -> Tensor:
        """Return which shared negatives do not count, as the pair's user has them: bool (n, b)."""
        assert self.pairs.seen is not None
        return self.pairs.seen.of(batch.users, batch.negatives)

    def history_rows(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return where each pair's history begins, and its size up to the pair; int64 (b,)."""
        starts = self.pairs.history_starts[batch.users]
        return starts, self.pairs.places_in_history(batch.rows)

    def dropout_masks(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Return masks of both user vectors, (b, embedding_size), and of each layer, (width, b).

        The lists are empty without dropout. The masks come from the step's own random stream, so
        that it can be repeated, and are drawn for the pairs of all processes, so that they do not
        depend on the number of processes. A pair's positive and negatives share the same masks:
        their difference then never comes from the draw.
        """
        settings = self.settings
        if not settings.dropout and not settings.mlp_dropout:
            return [], []
        device = batch.rows.device
        # From 1 on: SeedSequence pads with zeros, so step 0 would have the stream of its epoch.
        generator = stream(settings.seed, batch.epoch, batch.step + 1, device=device)

        def mask(shape: tuple[int, int], pair_dimension: int, share: float) -> Tensor:
            # Not `bernoulli_`: it takes three times as long on the CPU.
            uniform = torch.rand(shape, device=device, generator=generator)
            if batch.places is not None:
                uniform = uniform.index_select(pair_dimension, batch.places)
            return (uniform >= share) / (1 - share)

        on_users = []
        if settings.dropout:
            shape = batch.size, settings.embedding_size
            on_users = [mask(shape, 0, settings.dropout) for _ in range(2)]
        widths = settings.mlp_layers if settings.mlp_dropout else ()
        return on_users, [mask((width, batch.size), 1, settings.mlp_dropout) for width in widths]

    def sampling_correction(self, batch: Batch) -> Tensor | None:
        """Return log(m · probability of a draw), to subtract from the negatives' scores.

        float32 (n, b), or (n, 1) where negatives are shared; None where the loss needs none: only
        a softmax over items that are not drawn uniformly does (logQ correction).
        """
        settings, sampler = self.settings, self.pairs.sampler
        if settings.loss != "softmax" or settings.sampler == "uniform":
            return None
        if settings.shared_negatives:
            log_probability = sampler.log_probability(batch.negatives)[:, None]
        else:
            users = batch.users.expand_as(batch.negatives)
            log_probability = sampler.log_probability(batch.negatives, users)
        return log_probability + math.log(len(batch.negatives) // settings.hard_negatives)
