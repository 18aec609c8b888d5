"""Typed functions over numpy arrays that call the kernels in C.

This package alone uses ctypes and pointers. Arrays must be C-contiguous and have the dtype that
their annotation names: TypeError or ValueError otherwise. The first call that needs the library
raises NoKernels if there is none.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.native.library import load

LANES = 64
"""Pairs that a kernel computes at once."""
WIDEST = 128
"""Factors, and units of a layer, up to which the kernels are at least as fast as torch's matrix
products: a score of 64 factors and layers of 64, 32 and 16 takes 0.7 of the time, one of 256
factors and layers of 256, 128 and 64 takes twice the time."""
_LOSSES = {"bpr": 0, "bce": 1, "softmax": 2}
_Int, _Pointer = ctypes.c_int64, ctypes.c_void_p
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def _address(array: NDArray[Any], dtype: type[np.generic]) -> int:
    """Return where `array` begins; raises TypeError for another dtype, ValueError for gaps."""
    if array.dtype != dtype:
        raise TypeError(f"the kernels need {dtype.__name__}, not {array.dtype}")
    if array.flags.writeable and array.size:
        # This checks contiguity as well, and takes a third of the time of `array.ctypes.data`.
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    if not array.flags.c_contiguous:
        raise ValueError("the kernels need a contiguous array")
    return array.ctypes.data


class Model(ctypes.Structure):
    """`model` of blocks.h: widths of a NeuMF's layers, and where each lies in the weights.

    It keeps the arrays that it points to.
    """

    _fields_ = [
        ("d", _Int), ("num_users", _Int), ("layers", _Int), ("width", _Pointer),
        ("weight", _Pointer), ("bias", _Pointer), ("head", _Int), ("history", _Int * 2),
        ("values", _Pointer), ("gradient", _Pointer),
    ]  # fmt: skip

    def __init__(
        self,
        factors: int,
        num_users: int,
        widths: Sequence[int],
        weights: Sequence[int],
        biases: Sequence[int],
        head: int,
        values: Floats,
        gradient: Floats | None = None,
        history: tuple[int, int] = (0, 0),
    ) -> None:
        """Describe layers of `widths`; `weights`, `biases` and `head` are indices into `values`.

        values: (n,), beginning with the table (users + items, 2 · factors) if there is one.
        gradient: (n,), what `gradient` adds to. history: where the vectors of items in a history
        begin in `values`, GMF's and the MLP's.
        """
        arrays = [np.array(numbers, np.int64) for numbers in (widths, weights, biases)]
        self._kept = arrays, values, gradient
        self.library = load()
        super().__init__(
            factors, num_users, len(widths), *(_address(array, np.int64) for array in arrays),
            head, history, _address(values, np.float32),
            None if gradient is None else _address(gradient, np.float32),
        )  # fmt: skip


class PairHistories(NamedTuple):
    """The histories of the users of a batch's pairs, each up to its pair."""

    items: NDArray[np.int32]
    """(n,): items of all users, of each user from oldest to latest."""
    weights: Floats
    """(length,): weights of the latest item, of the one before it, and so on."""
    starts: Integers
    """(pairs,): where each history begins in `items`."""
    sizes: Integers
    """(pairs,): items of each history."""


class Batch(ctypes.Structure):
    """`batch` of gradient.c: the training data of one step. It keeps the arrays."""

    _fields_ = [
        ("users", _Pointer), ("positives", _Pointer), ("negatives", _Int), ("negative", _Pointer),
        ("step", _Int), ("score_offset", _Pointer), ("offset_step", _Int),
        ("dropout", _Pointer * 2), ("history", _Pointer), ("start", _Pointer),
        ("count", _Pointer), ("weight", _Pointer), ("length", _Int), ("loss", ctypes.c_int),
        ("separate_paths", ctypes.c_int),
    ]  # fmt: skip

    def __init__(
        self,
        loss: str,
        users: Integers,
        positives: Integers,
        negatives: Integers,
        *,
        score_offset: Floats | None = None,
        dropout: Sequence[Floats] = (),
        histories: PairHistories | None = None,
        separate_paths: bool = False,
    ) -> None:
        """Describe pairs of `users` and `positives`, both (b,), and their negatives.

        negatives: (n, b), or (n,) where all pairs share them; its rows must be contiguous.
        score_offset: (n, b), subtracted from the scores of the negatives. dropout: factors of the
        users' vectors of GMF and of the MLP, two of (b, factors), or none. With `separate_paths`
        GMF and MLP are two models, and the loss is the sum of their losses.
        """
        self._kept = users, positives, negatives, score_offset, dropout, histories
        super().__init__(_address(users, np.int64), _address(positives, np.int64), len(negatives))
        if negatives.ndim == 1:
            self.negative, self.step = _address(negatives, np.int64), 0
        else:
            self.negative = _address(negatives[0], np.int64)
            self.step = max(1, negatives.strides[0] // negatives.itemsize)  # 0 would mean shared
        if score_offset is not None:
            self.score_offset = _address(score_offset[0], np.float32)
            self.offset_step = score_offset.strides[0] // score_offset.itemsize
        if dropout:
            self.dropout = tuple(_address(factors, np.float32) for factors in dropout)
        if histories:
            self.history = _address(histories.items, np.int32)
            self.weight = _address(histories.weights, np.float32)
            self.start = _address(histories.starts, np.int64)
            self.count = _address(histories.sizes, np.int64)
            self.length = len(histories.weights)
        self.loss, self.separate_paths = _LOSSES[loss], separate_paths


def gradient(model: Model, batch: Batch, begin: int, end: int) -> float:
    """Add the gradient of the pairs `begin` to before `end` to that of `model`.

    Returns the summed loss of these pairs. Raises MemoryError.
    """
    addresses = ctypes.addressof(model), ctypes.addressof(batch)
    found: float = model.library.neumf_gradient(*addresses, begin, end)
    if found < 0:
        raise MemoryError
    return found


class Adam:
    """Adam on one array of weights, with decay as L2 (a part of the gradient)."""

    def __init__(self, values: Floats, gradient: Floats, mean: Floats, square: Floats) -> None:
        """Keep the weights, their gradient and both moving means, each (n,)."""
        self._kept = values, gradient, mean, square
        self._addresses = [_address(array, np.float32) for array in self._kept]
        self._run = load().neumf_adam

    def update(
        self, part: range, first: float, second: float, rate: float, epsilon: float, decay: float
    ) -> None:
        """Take one step with the weights of `part`, consecutive indices.

        first, second: 1 − β of both means. rate, epsilon: corrected for means that started at 0.
        """
        places = (address + 4 * part.start for address in self._addresses)
        self._run(len(part), *places, first, second, rate, epsilon, decay)


class FreeItems:
    """The items that each user does not have, all with the same chance of being drawn."""

    def __init__(self, starts: Integers, free: Integers, keys: NDArray[np.int32]) -> None:
        """Keep the tables that `neumf_draw` reads.

        starts: (users + 1,), where each user's keys begin. free: (users,), how many items each
        user does not have. keys: (n,), e_j − j of the items e_0 < e_1 < … that a user has.
        """
        self._kept = starts, free, keys
        tables = _address(starts, np.int64), _address(free, np.int64), _address(keys, np.int32)
        self._tables = len(free), *tables
        self._run = load().neumf_draw

    def draw(self, users: Integers, uniform: NDArray[np.float64], ascending: int = 0) -> Integers:
        """Return an item for each of `users`, by `uniform` numbers of the same shape.

        Where users ascend in every `ascending` entries, the kernel reads a user's keys once for
        all of these stretches; 0: they are one stretch.
        """
        items = np.empty(users.shape, np.int64)
        stretch = ascending or max(1, users.size)
        next_places = np.empty(-(-users.size // stretch), np.int64)
        self._run(
            *self._tables, users.size, stretch,
            _address(users, np.int64), _address(uniform, np.float64),
            _address(next_places, np.int64), _address(items, np.int64),
        )  # fmt: skip
        return items


def order(permutation: NDArray[np.int32], batch_size: int) -> Integers:
    """Return the indices of batches of `batch_size`, one batch after another, ascending in each.

    Index i is in the batch that contains place permutation[i].
    """
    found = np.empty(len(permutation), np.int64)
    next_places = np.empty(-(-len(permutation) // batch_size), np.int64)
    load().neumf_order(
        len(permutation), min(batch_size, len(permutation)), _address(permutation, np.int32),
        _address(next_places, np.int64), _address(found, np.int64),
    )  # fmt: skip
    return found


class Catalogue:
    """What scores need of every item, in blocks of LANES items."""

    def __init__(self, items_gmf: Floats, items_first: Floats) -> None:
        """Copy GMF's vectors (d, items) and the items' part of the first layer (width, items)."""
        self.num_items = items_gmf.shape[1]
        rows = np.concatenate([items_gmf, items_first])
        rows = np.pad(rows, ((0, 0), (0, -self.num_items % LANES)))
        blocks = rows.reshape(len(rows), -1, LANES).transpose(1, 0, 2)
        # The processor loads whole vectors only from addresses that their size divides.
        room = np.empty(blocks.size + LANES, np.float32)
        begin = -_address(room, np.float32) // room.itemsize % LANES
        self.blocks = room[begin : begin + blocks.size].reshape(blocks.shape)
        self.blocks[:] = blocks


def scores(
    model: Model, catalogue: Catalogue, users_gmf: Floats, users_first: Floats
) -> tuple[Floats, Floats]:
    """Return GMF and MLP part of each user's score of every item, both (users, items).

    users_gmf: (users, d), vectors of GMF times the head. users_first: (users, width), the users'
    part of the first layer with its bias. A user's scores do not depend on the other users.
    Raises MemoryError.
    """
    shape = len(users_gmf), catalogue.num_items
    gmf, mlp = np.empty(shape, np.float32), np.empty(shape, np.float32)
    arrays = users_gmf, users_first, catalogue.blocks, gmf, mlp
    addresses = [_address(array, np.float32) for array in arrays]
    if not model.library.neumf_scores(ctypes.addressof(model), *shape, *addresses):
        raise MemoryError
    return gmf, mlp


class RankCounts:
    """Counts candidates above and below each user's target item."""

    def __init__(self, targets: Integers, starts: Integers, seen: Integers, lead: Floats) -> None:
        """Keep the arrays.

        targets: (users,), an item each. starts: (users + 1,), where each user's items begin in
        `seen`: they are no candidates. lead: (users,), for the results.
        """
        self._kept = targets, starts, seen, lead
        self._addresses = [_address(array, np.int64) for array in self._kept[:3]]
        self._lead = _address(lead, np.float32)
        self._run = load().neumf_rank_counts

    def count(self, first: int, scores: Floats) -> None:
        """Set `lead` for the users from `first` on: candidates above less candidates below.

        scores: (users, items). NaN for a user with a score that is not a number.
        """
        targets, starts, seen = self._addresses
        self._run(
            *scores.shape, _address(scores, np.float32),
            targets + 8 * first, starts + 8 * first, seen, self._lead + 4 * first,
        )  # fmt: skip
