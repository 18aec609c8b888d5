"""One step of training: the gradient of a batch, by autograd or by the kernels, and Adam."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.native import kernels
from neumf_tui.native.library import why_not
from neumf_tui.settings import Settings
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.graph import RecordedStep
from neumf_tui.training.objective import Objective
from neumf_tui.training.pairs import Batch
from neumf_tui.training.weights import Weights

FEWEST_SCORES = 1 << 16
"""Scores of a batch for each thread: with fewer, waking a thread and adding its gradient takes
longer than it saves."""


def make_step(
    device: torch.device,
    objective: Objective,
    weights: Weights,
    group: Group,
    warn: Callable[[str], None],
) -> "GradientStep | RecordedStep":
    """Return the fastest step for the objective's settings on this device.

    `warn` gets a message for people if a faster step is not available.
    """
    settings = objective.settings
    if device.type == "cpu" and kernels_serve(settings):
        if not (reason := why_not()):
            return KernelStep(objective, weights, group, torch.get_num_threads())
        warn(f"{reason}: PyTorch trains instead, and a step takes several times as long")
    step = AutogradStep(objective, weights, group)
    # Dropout draws a new random stream in each step, pre-training changes the loss.
    changes = settings.dropout or settings.mlp_dropout or settings.pretrain
    if device.type == "cuda" and group.size == 1 and not changes:
        return RecordedStep(step, weights, settings.batch_size, warn)
    return step


def kernels_serve(settings: Settings) -> bool:
    """Return whether the kernels in C can make steps with these settings."""
    if settings.model != "neumf" or settings.mlp_dropout or settings.hard_negatives > 1:
        return False
    return max(settings.embedding_size, *settings.mlp_layers) <= kernels.WIDEST


class GradientStep(ABC):
    """Computes a gradient, and gives it to Adam; all processes of the group together."""

    library = "torch's"
    """Whose kernels compute the gradient: `C` or `torch's`."""

    def __init__(self, objective: Objective, weights: Weights, group: Group) -> None:
        self.objective, self.weights, self.group = objective, weights, group

    @abstractmethod
    def differentiate(self, batch: Batch) -> Tensor:
        """Set the gradient of the weights to that of the batch's loss, and return the loss."""

    def __call__(self, batch: Batch) -> Tensor:
        """Learn from a batch; return its summed loss over this process's pairs, shape ()."""
        loss = self.differentiate(batch)
        if self.group.size > 1:
            self.group.all_reduce(self.weights.gradient[self.weights.user_cells :])
        if self.objective.settings.clip:
            self._clip(batch)
        self.weights.update()
        return loss

    def _clip(self, batch: Batch) -> None:
        """Bound the norm of the gradient of each model that learns from this batch."""
        for users, others in self._gradients(batch):
            squares = _sum_of_squares(users)
            # Each process has the gradient of its own users, and all have that of the rest.
            self.group.all_reduce(squares)
            norm = (squares + _sum_of_squares(others)).sqrt()
            for gradient in (*users, *others):
                gradient.mul_((self.objective.settings.clip / (norm + 1e-6)).clamp(max=1))

    def _gradients(self, batch: Batch) -> list[tuple[list[Tensor], list[Tensor]]]:
        """Return the gradient of users, and the rest, of each model that learns from this batch."""
        if not self.objective.separate_paths(batch):
            gradient, cells = self.weights.gradient, self.weights.user_cells
            return [([gradient[:cells]], [gradient[cells:]])]
        found = {
            name: parameter.grad
            for name, parameter in self.weights.model.named_parameters()
            if parameter.grad is not None
        }
        head = found.pop("head.weight")
        d = self.weights.model.config.embedding_size
        paths = []
        for path, half in (("gmf", head[:, :d]), ("mlp", head[:, d:])):
            own = {name: grad for name, grad in found.items() if path in name}
            paths.append(([own.pop(f"user_{path}.weight")], [half, *own.values()]))
        return paths


def _sum_of_squares(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([tensor.square().sum() for tensor in tensors]).sum()


class AutogradStep(GradientStep):
    """The reference, for all settings and devices."""

    def differentiate(self, batch: Batch) -> Tensor:
        loss = self.objective.loss(batch)
        self.weights.differentiate(loss)
        return loss.detach()


class KernelStep(GradientStep):
    """Computes gradients by the kernels in C, on the CPU, for settings that `kernels_serve`.

    The same batch gives the same bits with the same number of threads.
    """

    library = "C"

    def __init__(
        self,
        objective: Objective,
        weights: Weights,
        group: Group,
        threads: int = 1,
        *,
        fewest_scores: int = FEWEST_SCORES,
    ) -> None:
        """Divide batches of at least `fewest_scores` for each thread among `threads`.

        Each thread but the first then has a gradient of its own. Raises NoKernels.
        """
        super().__init__(objective, weights, group)
        self._threads, self._fewest_scores = threads, fewest_scores
        self._history_items = None
        if histories := objective.histories:
            arrays = histories.items.numpy(), histories.weights.numpy()
            self._history_items = kernels.HistoryItems(*arrays)
        self._models = [_kernel_model(weights, weights.gradient)]
        self.other_gradients: list[Tensor] = []
        """Gradients of the threads beside the first; 0 between steps."""
        self._pool: ThreadPoolExecutor | None = None

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Tensor:
        return super().__call__(batch)

    def differentiate(self, batch: Batch) -> Tensor:
        self.weights.gradient.zero_()
        try:
            total = self._run(self._for_kernels(batch), len(batch), len(batch.negatives))
        except MemoryError:
            raise NeumfTuiError(
                "not enough memory for a step of training; use a smaller --batch-size or fewer "
                "--negatives"
            ) from None
        return torch.scalar_tensor(total, dtype=torch.float64)

    def _run(self, batch: kernels.Batch, pairs: int, negatives: int) -> float:
        """Return the summed loss of all pairs, and leave the gradient in that of the weights."""
        threads = max(1, min(self._threads, pairs * (1 + negatives) // self._fewest_scores))
        if threads == 1:
            return kernels.gradient(self._models[0], batch, 0, pairs)
        while len(self._models) < threads:
            self.other_gradients.append(torch.zeros_like(self.weights.gradient))
            self._models.append(_kernel_model(self.weights, self.other_gradients[-1]))
        cuts = [pairs * number // threads for number in range(threads + 1)]
        self._pool = self._pool or ThreadPoolExecutor(self._threads - 1, "gradient")
        others = self._models[1:threads], repeat(batch), cuts[1:-1], cuts[2:]
        losses = self._pool.map(kernels.gradient, *others)
        total = sum(losses, kernels.gradient(self._models[0], batch, 0, cuts[1]))
        for other in self.other_gradients[: threads - 1]:
            self.weights.gradient.add_(other)
            other.zero_()
        return total

    def _for_kernels(self, batch: Batch) -> kernels.Batch:
        objective = self.objective
        histories: kernels.PairHistories | None = None
        if self._history_items:
            starts, sizes = (rows.numpy() for rows in objective.history_rows(batch))
            histories = kernels.PairHistories(self._history_items, starts, sizes)
        return kernels.Batch(
            objective.settings.loss,
            batch.users.numpy(),
            batch.items.numpy(),
            batch.negatives.numpy(),
            score_offset=self._score_offset(batch),
            dropout=[mask.numpy() for mask in objective.dropout_masks(batch)[0]],
            histories=histories,
            separate_paths=objective.separate_paths(batch),
        )

    def _score_offset(self, batch: Batch) -> NDArray[np.float32] | None:
        """Return what is subtracted from the negatives' scores, (n, b); inf: does not count."""
        offset = self.objective.sampling_correction(batch)
        if self.objective.pairs.seen is not None:
            seen = self.objective.seen(batch)
            offset = torch.zeros(seen.shape) if offset is None else offset
            offset = offset.masked_fill(seen, torch.inf)
        return None if offset is None else offset.contiguous().numpy()


def _kernel_model(weights: Weights, gradient: Tensor) -> kernels.Model:
    model, hidden, history = weights.model, weights.model.hidden_layers(), (0, 0)
    if model.config.history:
        history = weights.begin("history_gmf.weight"), weights.begin("history_mlp.weight")
    return kernels.Model(
        factors=model.config.embedding_size,
        num_users=model.config.num_users,
        num_items=model.config.num_items,
        widths=[layer.out_features for layer in hidden],
        weights=[weights.begin(f"mlp.{layer}.weight") for layer in range(len(hidden))],
        biases=[weights.begin(f"mlp.{layer}.bias") for layer in range(len(hidden))],
        head=weights.begin("head.weight"),
        values=weights.values.numpy(),
        gradient=gradient.numpy(),
        history=history,
    )
