"""All weights that learn as views of one tensor, and Adam on that tensor: one kernel a step."""

import contextlib
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam

from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels

BETAS = 0.9, 0.999
EPSILON = 1e-8
CACHE_VALUES = 1 << 18
"""Number of values that fit in the L2 cache of a core: 1 MiB."""
SHARED_VALUES = 1 << 20
"""From this many weights on, threads share a step of Adam: it then takes a millisecond, and waking
the threads a twentieth of that."""


class _Place(NamedTuple):
    """Where a parameter lies in the tensor of all weights."""

    begin: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Group(NamedTuple):
    """Weights that share one weight decay, with their gradient and Adam's state."""

    values: Tensor
    gradient: Tensor
    mean: Tensor
    square: Tensor
    decay: float


class Weights:
    """A model's parameters with their gradients and Adam's state, each kind in one tensor.

    Users and items are in one table, GMF and MLP vectors side by side, users first: one gather
    reads the vectors of a batch. Histories, layers and head follow. The parameters of a path that
    the model leaves out stay outside, and nothing changes them.
    """

    def __init__(
        self,
        model: NeuMF,
        weight_decay: float,
        embedding_weight_decay: float,
        *,
        threads: int = 1,
        shared_values: int = SHARED_VALUES,
        cache_values: int = CACHE_VALUES,
    ) -> None:
        """Make the parameters of `model` views of `values`, and their `grad` of `gradient`.

        On the CPU `threads` share an update of `shared_values` weights or more, `cache_values` at
        a time.
        """
        self.model, self.threads = model, threads
        self._shared_values, self._cache_values = shared_values, cache_values
        self._places, decayed, size = _lay_out(model)
        items = [self.begin(name) for name in self._places if name.startswith("item")]
        self.user_cells = min(items)
        """Values of users, which come first; the others are the same in all processes."""
        device = model.head.weight.device
        self.values = torch.zeros(size, device=device)
        self.gradient, self.mean, self.square = (torch.zeros_like(self.values) for _ in range(3))
        self.steps = torch.zeros((), device=device)
        """Adam's state: means of gradients and of their squares, and the number of steps."""
        self._learned = [model.get_parameter(name) for name in self._places]
        self._gradients = list(self._views(self.gradient))
        views = zip(self._learned, self._views(self.values), self._gradients, strict=True)
        for parameter, value, gradient in views:
            value.copy_(parameter.detach())
            parameter.data, parameter.grad = value, gradient
        # On a GPU in its memory, where a recorded step reads it.
        on_device = torch.zeros((), device=device)
        self.learning_rate: float | Tensor = on_device if device.type == "cuda" else 0.0
        cuts = [(slice(0, decayed), embedding_weight_decay), (slice(decayed, size), weight_decay)]
        if weight_decay == embedding_weight_decay:
            cuts = [(slice(0, size), weight_decay)]
        self._groups = [
            _Group(self.values[cut], self.gradient[cut], self.mean[cut], self.square[cut], decay)
            for cut, decay in cuts
        ]
        self._kernels: list[kernels.Adam] = []
        if device.type == "cpu":  # half the time of PyTorch's for a table that fits the cache
            with contextlib.suppress(NoKernels):
                for *state, _ in self._groups:
                    self._kernels.append(kernels.Adam(*(flat.numpy() for flat in state)))

    def _views(self, flat: Tensor) -> Iterator[Tensor]:
        for place in self._places.values():
            yield flat.as_strided(place.shape, place.strides, place.begin)

    def begin(self, name: str) -> int:
        """Return where the parameter `name` begins in `values`."""
        return self._places[name].begin

    def differentiate(self, loss: Tensor) -> None:
        """Set the gradient to that of `loss`, by autograd."""
        # Not `loss.backward()`: it warns of gradients that are views like these.
        found = torch.autograd.grad(loss, self._learned)
        for gradient, view in zip(found, self._gradients, strict=True):
            view.copy_(gradient)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next updates."""
        if isinstance(self.learning_rate, Tensor):
            self.learning_rate.fill_(rate)
        else:
            self.learning_rate = rate

    def update(self) -> None:
        """Take one step of Adam (Kingma and Ba 2015); weight decay is L2, part of the gradient."""
        if self._kernels:
            self.steps += 1
            for group, kernel in zip(self._groups, self._kernels, strict=True):
                self._update_by_kernel(kernel, len(group.values), group.decay)
            return
        last = len(self._groups) - 1
        for number, (values, gradient, mean, square, decay) in enumerate(self._groups):
            # Each call counts the step, so all but the last count on a copy.
            steps = self.steps if number == last else self.steps.clone()
            adam(
                [values], [gradient], [mean], [square], [], [steps],
                fused=True, amsgrad=False, beta1=BETAS[0], beta2=BETAS[1],
                lr=self.learning_rate, weight_decay=decay, eps=EPSILON, maximize=False,
            )  # fmt: skip

    def _update_by_kernel(self, kernel: kernels.Adam, size: int, decay: float) -> None:
        step, (first, second) = int(self.steps), BETAS
        # Both means started at 0: rate and epsilon correct for that.
        mean_share, square_share = 1 - first**step, math.sqrt(1 - second**step)
        rate = float(self.learning_rate) * square_share / mean_share
        epsilon = EPSILON * square_share

        def work(part: range) -> None:
            kernel.update(part, 1 - first, 1 - second, rate, epsilon, decay)

        if self.threads == 1 or size < self._shared_values:
            work(range(size))
        else:  # each value's step is independent: the bits are the same
            each_stretch(work, size, self._cache_values, self.threads)

    def forget(self) -> None:
        """Set Adam's state to that before the first step."""
        for tensor in (self.steps, self.mean, self.square):
            tensor.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """Return every parameter by its name, and Adam's state of each, as in a checkpoint."""
        views = zip(self._views(self.mean), self._views(self.square), strict=True)
        means = dict(zip(self._places, views, strict=True))
        found = {name: parameter.detach() for name, parameter in self.model.named_parameters()}
        for name, parameter in list(found.items()):
            state = [self.steps, *means.get(name, (parameter, parameter))]
            if name not in means:  # a parameter of the path that the model leaves out
                state = [torch.zeros_like(tensor) for tensor in state]
            for kind, tensor in zip(("step", "exp_avg", "exp_avg_sq"), state, strict=True):
                found[f"adam.{kind}.{name}"] = tensor
        return found


def _lay_out(model: NeuMF) -> tuple[dict[str, _Place], int, int]:
    """Return the place of each parameter that learns, where the decay of tables ends, and the end.

    The order is: the table of users and items, histories (with the tables' decay), layers, head.
    """
    paths = ("gmf", "mlp") if model.config.paths == "neumf" else (model.config.paths,)
    parameters = dict(model.named_parameters())
    d, width = model.config.embedding_size, model.config.embedding_size * len(paths)
    places: dict[str, _Place] = {}
    end = 0
    for side in ("user", "item"):
        for number, path in enumerate(paths):
            name = f"{side}_{path}.weight"
            places[name] = _Place(end + number * d, tuple(parameters[name].shape), (width, 1))
        end += len(parameters[name]) * width
    decayed = end
    others = [
        name
        for name in parameters
        if name not in places and (name.startswith("head") or any(path in name for path in paths))
    ]
    for name in sorted(others, key=lambda name: not name.startswith("history")):
        parameter = parameters[name]
        places[name] = _Place(end, tuple(parameter.shape), parameter.stride())
        end += parameter.numel()
        decayed = end if name.startswith("history") else decayed
    return places, decayed, end
