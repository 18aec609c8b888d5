"""NeuMF by the kernels of native/*.c, on the CPU: gradients of batches, and scores of all items.

Where there are no kernels torch does the same; tests hold both against each other.
"""

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from neumf_tui.errors import NeumfTuiError
from neumf_tui.model.history import Histories
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native.library import load
from neumf_tui.settings import Settings

LANES = 64
"""Pairs that a kernel works on at once."""
WIDEST = 128
"""Factors, and units of a layer, up to which the kernels are at least as fast as torch's matrix products: a score of 64 factors
and layers of 64, 32 and 16 takes 0.7 of the time, one of 256 factors and layers of 256, 128 and 64 twice."""
FEWEST_SCORES = 1 << 16
"""Of a batch, for each thread: with fewer, what it takes to wake it and to add up its gradient counts."""
_LOSSES = {"bpr": 0, "bce": 1, "softmax": 2}
_Whole, _At = ctypes.c_int64, ctypes.c_void_p


class _Model(ctypes.Structure):
    """`model` of native/blocks.h."""

    _fields_ = [
        ("d", _Whole), ("num_users", _Whole), ("layers", _Whole), ("width", _At), ("weight", _At), ("bias", _At),
        ("head", _Whole), ("history", _Whole * 2), ("values", _At), ("gradient", _At),
    ]  # fmt: skip


class _Batch(ctypes.Structure):
    """`batch` of native/gradient.c."""

    _fields_ = [
        ("pairs", _Whole), ("users", _At), ("positives", _At), ("negatives", _Whole), ("negative", _At), ("step", _Whole),
        ("taken", _At), ("taken_step", _Whole), ("dropout", _At * 2), ("history", _At), ("start", _At), ("count", _At),
        ("weight", _At), ("length", _Whole), ("loss", ctypes.c_int), ("apart", ctypes.c_int),
    ]  # fmt: skip


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


class _Layers:
    """What the kernels are told of a model's layers; it stays where it is, and so does what it points to."""

    def __init__(
        self,
        d: int,
        num_users: int,
        widths: Sequence[int],
        places: Sequence[int],
        values: Tensor,
        gradient: Tensor | None = None,
    ) -> None:
        """`places`: where weight and bias of each layer, then the head, begin in `values`."""
        arrays = [
            (_Whole * len(widths))(*numbers) for numbers in (widths, places[:-1:2], places[1:-1:2])
        ]
        pointers = [ctypes.cast(array, _At) for array in arrays]
        self.model = _Model(
            d, num_users, len(widths), *pointers, places[-1], (0, 0), _at(values), _at(gradient)
        )
        self.at = ctypes.addressof(self.model)
        self._kept = arrays, values, gradient


class Past(NamedTuple):
    """Of the users of a batch, their histories."""

    histories: Histories
    starts: Tensor
    """Where each begins in `histories.items`, int64 (b,)."""
    sizes: Tensor
    """How many items of it there are, int64 (b,)."""


def serves(settings: Settings) -> bool:
    """Whether `CompiledGradient` is made for steps with these settings."""
    plain = settings.model == "neumf" and not settings.mlp_dropout and settings.hard_negatives == 1
    return plain and max(settings.embedding_size, *settings.mlp_layers) <= WIDEST


class CompiledGradient:
    """Adds the gradients of batches to that of one tensor of all weights: the same bits for the same batch and threads.

    For settings that `serves` names: with or without a history, dropout on users' vectors, negatives of each pair or shared.
    """

    def __init__(
        self, model: NeuMF, values: Tensor, gradient: Tensor, loss: str, threads: int = 1
    ) -> None:
        """`values`: float32, the table (users + items, 2d) as for `PlainGradient`, then histories, layers and head, of which the
        parameters of `model` are views; `gradient`: the same of gradients. Raises NoKernels.

        Large batches are cut among `threads`; each but the first then has a gradient of its own.
        """
        self._run = load().neumf_gradient
        layers, config = model.hidden_layers(), model.config
        places = {
            name: (parameter.data_ptr() - values.data_ptr()) // 4
            for name, parameter in model.named_parameters()
        }
        in_order = [
            places[f"mlp.{number}.{kind}"]
            for number in range(len(layers))
            for kind in ("weight", "bias")
        ]
        widths = [layer.out_features for layer in layers]

        def part(gradient: Tensor) -> tuple[_Layers, _Batch]:
            shape = (
                config.embedding_size,
                config.num_users,
                widths,
                [*in_order, places["head.weight"]],
            )
            found = _Layers(*shape, values, gradient)
            if config.history:
                found.model.history = places["history_gmf.weight"], places["history_mlp.weight"]
            return found, _Batch(loss=_LOSSES[loss])

        self._gradient, self._part, self._threads = gradient, part, threads
        self._parts = [part(gradient)]
        self._others: list[Tensor] = []
        self._pool: ThreadPoolExecutor | None = None

    def add(
        self,
        users: Tensor,
        positives: Tensor,
        negatives: Tensor,
        *,
        taken: Tensor | None = None,
        past: Past | None = None,
        dropout: Sequence[Tensor] = (),
        apart: bool = False,
    ) -> Tensor:
        """The summed loss of a batch, float64 ().

        `users`, `positives`: int64 (b,). `negatives`: int64 (n, b), or (n,) where all pairs share them. `taken`: float32 (n, b),
        taken off the negatives' scores. `past`: the users' histories, if the model has some. `dropout`: what the users'
        vectors of GMF and of the MLP are multiplied with, two of float32 (b, embedding_size), or none. Where GMF and MLP learn
        `apart`, as two models, the loss is the sum of both models' losses.
        """
        pairs, count = len(users), len(negatives)
        threads = max(1, min(self._threads, pairs * (1 + count) // FEWEST_SCORES))
        taken = None if taken is None else taken.contiguous()
        while len(self._parts) < threads:
            self._others.append(torch.zeros_like(self._gradient))
            self._parts.append(self._part(self._others[-1]))

        def run(number: int) -> float:
            layers, b = self._parts[number]
            begin, end = (pairs * edge // threads for edge in (number, number + 1))
            b.pairs, b.negatives, b.apart = end - begin, count, apart
            b.users, b.positives = _at(users[begin:]), _at(positives[begin:])
            shared = negatives.dim() == 1
            b.negative, b.step = (
                _at(negatives if shared else negatives[:, begin:]),
                0 if shared else negatives.stride(0),
            )
            b.taken, b.taken_step = _at(None if taken is None else taken[:, begin:]), pairs
            b.dropout = tuple(_at(mask[begin:]) for mask in dropout) or (None, None)
            if past:
                b.history, b.weight, b.length = (
                    _at(past.histories.items),
                    _at(past.histories.weight),
                    len(past.histories.weight),
                )
                b.start, b.count = _at(past.starts[begin:]), _at(past.sizes[begin:])
            loss: float = self._run(layers.at, ctypes.addressof(b))
            if loss < 0:
                raise NeumfTuiError(
                    "no memory for a step of training; use a smaller --batch-size or fewer --negatives"
                )
            return loss

        if threads == 1:
            return torch.tensor(run(0), dtype=torch.float64)
        self._pool = self._pool or ThreadPoolExecutor(self._threads - 1, "gradient")
        others = self._pool.map(run, range(1, threads))
        total = sum(others, run(0))
        for other in self._others[: threads - 1]:
            self._gradient.add_(other)
            other.zero_()
        return torch.tensor(total, dtype=torch.float64)


class CompiledScores:
    """Scores of all items; those of a user do not depend on who is scored beside them."""

    def __init__(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        head_mlp: Tensor,
        items_gmf: Tensor,
        items_first: Tensor,
    ) -> None:
        """`layers`: weight and bias of each but the first; `items_gmf` (d, items): vectors; `items_first` (width, items): the
        items' part of the first layer. Raises NoKernels.
        """
        self._run = load().neumf_scores
        (d, self.num_items), first = items_gmf.shape, len(items_first)
        tensors = [tensor.reshape(-1) for layer in layers for tensor in layer]
        ends = torch.tensor([0, *(len(tensor) for tensor in tensors)]).cumsum(0).tolist()
        places = [
            0,
            0,
            *ends[:-1],
            ends[-1] - d,
        ]  # the first layer is done with; of the head the MLP's part follows
        widths = [first, *(len(weight) for weight, _ in layers)]
        self._layers = _Layers(d, 0, widths, places, torch.cat([*tensors, head_mlp]))
        rows = F.pad(torch.cat([items_gmf, items_first]), (0, -self.num_items % LANES))
        self._catalogue = _aligned(rows.view(d + first, -1, LANES).transpose(0, 1))

    def parts(self, rows: Tensor, ours: Tensor) -> tuple[Tensor, Tensor]:
        """GMF and MLP parts, (users, items) each, from the users' GMF vectors times the head, `rows` (users, d), and their
        part of the first layer with its bias, `ours` (users, width)."""
        gmf, mlp = (torch.empty(len(rows), self.num_items) for _ in range(2))
        rows, ours = rows.contiguous(), ours.contiguous()
        done = self._run(
            self._layers.at,
            len(rows),
            self.num_items,
            _at(rows),
            _at(ours),
            _at(self._catalogue),
            _at(gmf),
            _at(mlp),
        )
        if not done:
            raise NeumfTuiError("no memory to score with; end what else uses it")
        return gmf, mlp


def _aligned(values: Tensor) -> Tensor:
    """A copy that begins where a vector of the processor may."""
    room = torch.empty(values.numel() + LANES)
    begin = -room.data_ptr() // 4 % LANES
    return room[begin : begin + values.numel()].view(values.shape).copy_(values)
