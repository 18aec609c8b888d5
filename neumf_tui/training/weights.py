"""All weights that learn as views of one tensor, and Adam on it: one kernel a step, whatever the model's shape."""

import contextlib
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.optim.adam import adam

from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native.library import NoKernels, load

BETAS = 0.9, 0.999
EPSILON = 1e-8


CACHE_VALUES = 1 << 18
"""Values of a table that a core's second-level cache holds: 1 MiB."""
SHARED_VALUES = 1 << 20
"""Weights from which on several threads share a step of Adam: it takes them a millisecond, and to be woken a twentieth of it."""


class Weights:
    """A model's parameters with their gradients and Adam's state, each kind in one tensor; no other tensor learns.

    Users and items lie in one table, GMF and MLP vectors side by side, users first: the vectors of a batch are one gather and
    their gradient is one scatter. Then come histories, layers and head. What a path that is left out would need stays
    outside and is never touched.
    """

    def __init__(
        self,
        model: NeuMF,
        weight_decay: float,
        embedding_weight_decay: float,
        *,
        turned: bool = False,
        threads: int = 1,
    ) -> None:
        """`turned`: vectors are the columns of the table and not its rows (see `turns`). `threads`: of an update on the CPU."""
        self.model, self.turned, self.threads = model, turned, threads
        paths = _paths(model)
        learned = {
            name
            for name, _ in model.named_parameters()
            if name.startswith("head") or any(p in name for p in paths)
        }
        wide = [[f"{side}_{path}.weight" for path in paths] for side in ("user", "item")]
        apart = [
            name
            for name, _ in model.named_parameters()
            if name in learned and name not in wide[0] + wide[1]
        ]
        apart.sort(
            key=lambda name: not name.startswith("history")
        )  # with the tables: they share their decay
        parameters = dict(model.named_parameters())
        d = model.config.embedding_size
        rows, width = model.config.num_users + model.config.num_items, d * len(paths)
        self.table_shape = (width, rows) if turned else (rows, width)
        self.user_cells = model.config.num_users * width
        """Values at the beginning that belong to users, unless the table is turned; the rest is the same for all processes."""

        self._places: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {}
        """Of each parameter that learns: where it begins, its shape, its strides."""
        strides = (1, rows) if turned else (width, 1)
        for side, above in zip(wide, (0, model.config.num_users), strict=True):
            for number, name in enumerate(side):
                place = above * strides[0] + number * d * strides[1]
                self._places[name] = place, tuple(parameters[name].shape), strides
        size = decayed = rows * width
        for name in apart:
            self._places[name] = size, tuple(parameters[name].shape), parameters[name].stride()
            size += parameters[name].numel()
            decayed = size if name.startswith("history") else decayed
        device = model.head.weight.device

        self.values, self.gradient = (
            torch.zeros(size, device=device),
            torch.zeros(size, device=device),
        )
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = torch.zeros((), device=device)
        """Adam's state: means of gradients and of their squares, and how many there were."""
        self._learned, self._gradients = (
            [parameters[name] for name in self._places],
            list(self._views(self.gradient)),
        )
        for parameter, value, gradient in zip(
            self._learned, self._views(self.values), self._gradients, strict=True
        ):
            value.copy_(parameter.detach())
            parameter.data, parameter.grad = value, gradient
        # On a GPU in its memory, where a recorded step reads it.
        self.learning_rate: float | Tensor = (
            torch.zeros((), device=device) if device.type == "cuda" else 0.0
        )
        groups = [(slice(0, decayed), embedding_weight_decay), (slice(decayed, size), weight_decay)]
        if weight_decay == embedding_weight_decay:
            groups = [(slice(0, size), weight_decay)]
        self._groups = [
            (self.values[cut], self.gradient[cut], self.mean[cut], self.square[cut], decay)
            for cut, decay in groups
        ]
        self._run: Callable[..., None] | None = None
        """The kernel in C: for a table that fits the cache it takes half the time of PyTorch's."""
        if device.type == "cpu":
            with contextlib.suppress(NoKernels):
                self._run = load().neumf_adam

    def _views(self, flat: Tensor) -> Iterator[Tensor]:
        for begin, shape, strides in self._places.values():
            yield flat.as_strided(shape, strides, begin)

    @property
    def table(self) -> Tensor:
        """Vectors of users, then of items, GMF's first: (users + items, width), or (width, users + items) where turned."""
        return self.values[: self.table_shape[0] * self.table_shape[1]].view(self.table_shape)

    @property
    def table_gradient(self) -> Tensor:
        return self.gradient[: self.table_shape[0] * self.table_shape[1]].view(self.table_shape)

    def differentiate(self, loss: Tensor) -> None:
        """Make the gradient that of `loss`, by autograd."""
        # Not `loss.backward()`: it warns of gradients that are views like these.
        found = torch.autograd.grad(loss, self._learned)
        for gradient, view in zip(found, self._gradients, strict=True):
            view.copy_(gradient)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the updates to come."""
        if isinstance(self.learning_rate, Tensor):
            self.learning_rate.fill_(rate)
        else:
            self.learning_rate = rate

    def update(self) -> None:
        """One step of Adam (Kingma and Ba 2015) by the gradient; weight decay is L2, a part of the gradient."""
        if self._run:
            self.steps += 1
            for group in self._groups:
                self._update_compiled(self._run, *group)
            return
        # Each group counts the step for itself, so all but the last count on a copy.
        for number, (values, gradient, mean, square, decay) in enumerate(self._groups):
            steps = self.steps if number == len(self._groups) - 1 else self.steps.clone()
            adam(
                [values],
                [gradient],
                [mean],
                [square],
                [],
                [steps],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=self.learning_rate,
                weight_decay=decay,
                eps=EPSILON,
                maximize=False,
            )

    def _update_compiled(
        self,
        run: Callable[..., None],
        values: Tensor,
        gradient: Tensor,
        mean: Tensor,
        square: Tensor,
        decay: float,
    ) -> None:
        """The step of one group."""
        step, (first, second) = int(self.steps), BETAS
        # Both means began at 0: what they lack is made up for by the rate and by epsilon.
        mean_has, square_has = 1 - first**step, math.sqrt(1 - second**step)
        numbers = (
            1 - first,
            1 - second,
            float(self.learning_rate) * square_has / mean_has,
            EPSILON * square_has,
            decay,
        )

        def work(part: range) -> None:
            run(
                len(part),
                *(
                    tensor.data_ptr() + 4 * part.start
                    for tensor in (values, gradient, mean, square)
                ),
                *numbers,
            )

        if self.threads == 1 or len(values) < SHARED_VALUES:
            work(range(len(values)))
        else:  # a value's step is its own: the bits are the same
            each_stretch(work, len(values), CACHE_VALUES, self.threads)

    def forget(self) -> None:
        """Set Adam's state to that before the first step."""
        for tensor in (self.steps, self.mean, self.square):
            tensor.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """Every parameter by its name, and Adam's state of each: what a checkpoint keeps."""
        found = {name: parameter.detach() for name, parameter in self.model.named_parameters()}
        means, squares = (
            dict(zip(self._places, self._views(flat), strict=True))
            for flat in (self.mean, self.square)
        )
        for name, parameter in list(found.items()):
            idle = torch.zeros_like(parameter) if name not in means else None
            found[f"adam.step.{name}"] = (
                self.steps if idle is None else torch.zeros_like(self.steps)
            )
            found[f"adam.exp_avg.{name}"] = means[name] if idle is None else idle
            found[f"adam.exp_avg_sq.{name}"] = squares[name] if idle is None else idle
        return found


def turns(model: NeuMF) -> bool:
    """Whether a turned table is faster: on a CPU, where it fits the cache.

    Gathers then give what `PlainGradient` needs, hidden units first, without turning it: an eighth of a step of preset d2l. In
    main memory, or on a GPU, a vector in one piece counts for more.
    """
    cells = (
        (model.config.num_users + model.config.num_items)
        * model.config.embedding_size
        * len(_paths(model))
    )
    return model.head.weight.device.type == "cpu" and cells <= CACHE_VALUES


def _paths(model: NeuMF) -> tuple[str, ...]:
    return ("gmf", "mlp") if model.config.paths == "neumf" else (model.config.paths,)
