"""Typed functions over numpy arrays that call the kernels in C.

This package alone uses ctypes and pointers. Arrays must be C-contiguous and have the dtype that
their annotation names: TypeError or ValueError otherwise. Shapes are checked here, what the indices
of a batch name is checked in C: ValueError or IndexError. The first call that needs the library
raises NoKernels if there is none.
"""

import ctypes
import math
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


def _check_shape(array: NDArray[Any], *shape: int) -> None:
    if array.shape != shape:
        raise ValueError(f"the kernels need an array of shape {shape}, not {array.shape}")


def _check_range(what: str, numbers: NDArray[Any], limit: int) -> None:
    """Raise IndexError if one of the numbers is negative or above `limit`."""
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= limit):
        raise IndexError(f"{what} outside 0 to {limit:,}")


class Model(ctypes.Structure):
    """`model` of blocks.h: widths of a NeuMF's layers, and where each lies in the weights.

    It keeps the arrays that it points to.
    """

    _fields_ = [
        ("d", _Int), ("num_users", _Int), ("num_items", _Int), ("layers", _Int),
        ("width", _Pointer), ("weight", _Pointer), ("bias", _Pointer), ("head", _Int),
        ("history", _Int * 2), ("values", _Pointer), ("gradient", _Pointer),
    ]  # fmt: skip

    def __init__(
        self,
        factors: int,
        num_users: int,
        num_items: int,
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
        begin in `values`, GMF's and the MLP's. Raises ValueError if a part of the model is not
        within `values`.
        """
        arrays = [np.array(numbers, np.int64) for numbers in (widths, weights, biases)]
        self._kept = arrays, values, gradient
        self.factors, self.first_width = factors, widths[0] if widths else 0
        if not factors > 0 <= min(num_users, num_items) or not widths or min(widths) < 1:
            raise ValueError("the kernels need factors, and units in each layer")
        table = 2 * factors * (num_users + num_items)
        inputs = [2 * factors, *widths]
        layers = list(zip(widths, weights, biases, inputs, strict=False))[0 if table else 1 :]
        hidden = [(weight, width * before) for width, weight, _, before in layers]
        hidden += [(bias, width) for width, _, bias, _ in layers]
        parts = [(0, table), *hidden, (head + factors, widths[-1])]
        parts += [(begin, factors * num_items) for begin in history if begin]
        if any(begin < 0 or begin + size > values.size for begin, size in parts):
            raise ValueError(f"a part of the model is outside its {values.size:,} values")
        if gradient is not None:
            _check_shape(gradient, *values.shape)
            begin, end = min(hidden)[0], max(map(sum, hidden))
            if not table or not table <= begin == weights[0] <= end <= head:
                raise ValueError("the kernels need tables, layers and head in this order")
        self.library = load()
        super().__init__(
            factors, num_users, num_items, len(widths),
            *(_address(array, np.int64) for array in arrays), head, history,
            _address(values, np.float32),
            None if gradient is None else _address(gradient, np.float32),
        )  # fmt: skip


class HistoryItems:
    """The items of all histories, which are checked once for all batches."""

    def __init__(self, items: NDArray[np.int32], weights: Floats) -> None:
        """Keep the arrays.

        items: (n,), items of all users, of each user from oldest to latest. weights: (length,),
        those of the latest item, of the one before it, and so on.
        """
        self.items, self.weights = items, weights
        _check_shape(items, items.size)
        _check_shape(weights, weights.size)
        self.end = 1 + int(items.max(initial=-1))
        """The number of items that a model must have."""
        _check_range("items of a history", items, self.end)


class PairHistories(NamedTuple):
    """The histories of the users of a batch's pairs, each up to its pair."""

    of: HistoryItems
    starts: Integers
    """(pairs,): where each history begins in `of.items`."""
    sizes: Integers
    """(pairs,): items of each history."""


class Batch(ctypes.Structure):
    """`batch` of gradient.c: the training data of one step. It keeps the arrays."""

    _fields_ = [
        ("users", _Pointer), ("positives", _Pointer), ("negatives", _Int), ("negative", _Pointer),
        ("step", _Int), ("score_offset", _Pointer), ("offset_step", _Int),
        ("dropout", _Pointer * 2), ("history", _Pointer), ("history_size", _Int),
        ("start", _Pointer), ("count", _Pointer), ("weight", _Pointer), ("length", _Int),
        ("loss", ctypes.c_int), ("separate_paths", ctypes.c_int),
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
        _check_shape(users, users.size)
        self.pairs, shape = len(users), (len(negatives), len(users))
        _check_shape(positives, self.pairs)
        for rows in (negatives if negatives.ndim != 1 else None, score_offset):
            if rows is not None:
                _check_shape(rows, *shape)
                if shape[0] > 1 and rows.strides[0] < shape[1] * rows.itemsize:
                    raise ValueError("the kernels need rows one after another in memory")
        if histories:
            _check_shape(histories.starts, self.pairs)
            _check_shape(histories.sizes, self.pairs)
        self.num_items = histories.of.end if histories else 0
        self.factors = dropout[0].shape[-1] if dropout else 0
        for factors in dropout:
            _check_shape(factors, self.pairs, self.factors)
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
            self.history = _address(histories.of.items, np.int32)
            self.history_size = len(histories.of.items)
            self.weight = _address(histories.of.weights, np.float32)
            self.start = _address(histories.starts, np.int64)
            self.count = _address(histories.sizes, np.int64)
            self.length = len(histories.of.weights)
        self.loss, self.separate_paths = _LOSSES[loss], separate_paths


def gradient(model: Model, batch: Batch, begin: int, end: int) -> float:
    """Add the gradient of the pairs `begin` to before `end` to that of `model`.

    Returns the summed loss of these pairs. Raises MemoryError, or IndexError if an index of the
    batch is outside the model's tables.
    """
    if not 0 <= begin <= end <= batch.pairs or batch.factors not in (0, model.factors):
        raise ValueError("the batch has no such pairs, or other factors than the model")
    if batch.num_items > model.num_items:
        raise IndexError("an item of a history is not in the model's tables")
    if not model.gradient:
        raise ValueError("the model has no gradient")
    addresses = ctypes.addressof(model), ctypes.addressof(batch)
    found: float = model.library.neumf_gradient(*addresses, begin, end)
    if found == -2:
        raise IndexError("a user or an item of the batch is not in the model's tables")
    if found == -1:
        raise MemoryError
    return found


class Adam:
    """Adam on one array of weights, with decay as L2 (a part of the gradient)."""

    def __init__(self, values: Floats, gradient: Floats, mean: Floats, square: Floats) -> None:
        """Keep the weights, their gradient and both moving means, each (n,)."""
        self._kept = values, gradient, mean, square
        for array in self._kept:
            _check_shape(array, len(values))
        self._addresses = [_address(array, np.float32) for array in self._kept]
        self._run = load().neumf_adam

    def update(
        self, part: range, first: float, second: float, rate: float, epsilon: float, decay: float
    ) -> None:
        """Take one step with the weights of `part`, consecutive indices.

        first, second: 1 − β of both means. rate, epsilon: corrected for means that started at 0.
        """
        if part and (part.step != 1 or part.start < 0 or part.stop > len(self._kept[0])):
            raise IndexError(f"{part} of {len(self._kept[0]):,} weights")
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
        _check_shape(free, free.size)
        _check_shape(keys, keys.size)
        _check_shape(starts, len(free) + 1)
        _check_range("the users' keys begin", starts, len(keys))
        have = np.diff(starts)
        if (have < 0).any() or len(np.unique(free + have)) > 1:
            raise ValueError("the users' keys do not follow one another, or items are missing")
        tables = _address(starts, np.int64), _address(free, np.int64), _address(keys, np.int32)
        self._tables = len(free), *tables
        self._run = load().neumf_draw

    def draw(self, users: Integers, uniform: NDArray[np.float64], ascending: int = 0) -> Integers:
        """Return an item for each of `users`, by `uniform` numbers of the same shape.

        Where users ascend in every `ascending` entries, the kernel reads a user's keys once for
        all of these stretches; 0: they are one stretch.
        """
        _check_shape(uniform, *users.shape)
        if ascending < 0:
            raise ValueError(f"no stretches of {ascending} users")
        items = np.empty(users.shape, np.int64)
        stretch = ascending or max(1, users.size)
        next_places = np.empty(-(-users.size // stretch), np.int64)
        drawn = self._run(
            *self._tables, users.size, stretch,
            _address(users, np.int64), _address(uniform, np.float64),
            _address(next_places, np.int64), _address(items, np.int64),
        )  # fmt: skip
        if not drawn:
            raise IndexError("no such user, no item that the user does not have, or no such number")
        return items


def order(permutation: NDArray[np.int32], batch_size: int) -> Integers:
    """Return the indices of batches of `batch_size`, one batch after another, ascending in each.

    Index i is in the batch that contains place permutation[i].
    """
    _check_shape(permutation, permutation.size)
    if batch_size < 1:
        raise ValueError(f"no batches of {batch_size} indices")
    found = np.empty(len(permutation), np.int64)
    next_places = np.empty(-(-len(permutation) // batch_size), np.int64)
    ordered = load().neumf_order(
        len(permutation), min(batch_size, len(permutation)), _address(permutation, np.int32),
        _address(next_places, np.int64), _address(found, np.int64),
    )  # fmt: skip
    if not ordered:
        raise IndexError("the kernels need a permutation")
    return found


class Catalogue:
    """What scores need of every item, in blocks of LANES items."""

    def __init__(self, items_gmf: Floats, items_first: Floats) -> None:
        """Copy GMF's vectors (d, items) and the items' part of the first layer (width, items)."""
        self._factors, self.num_items = items_gmf.shape
        whole, rest = divmod(self.num_items, LANES)
        shape = (whole + (rest > 0), self._factors + len(items_first), LANES)
        # The processor loads whole vectors only from addresses that their size divides.
        room = np.empty(math.prod(shape) + LANES, np.float32)
        begin = -_address(room, np.float32) // room.itemsize % LANES
        self.blocks = room[begin : begin + math.prod(shape)].reshape(shape)
        self.blocks[whole:] = 0
        for part, rows in (items_gmf, self._gmf), (items_first, self._first):
            full = part[:, : whole * LANES].reshape(len(part), whole, LANES)
            rows[:whole] = full.transpose(1, 0, 2)
            rows[whole:, :, :rest] = part[:, whole * LANES :]

    @property
    def _gmf(self) -> Floats:
        return self.blocks[:, : self._factors]

    @property
    def _first(self) -> Floats:
        return self.blocks[:, self._factors :]

    def first(self, items: Integers) -> Floats:
        """Return the items' part of the first layer for some items, (items, width)."""
        return self._first[items // LANES, :, items % LANES]


def scores(
    model: Model, catalogue: Catalogue, users_gmf: Floats, users_first: Floats
) -> tuple[Floats, Floats]:
    """Return GMF and MLP part of each user's score of every item, both (users, items).

    users_gmf: (users, d), vectors of GMF times the head. users_first: (users, width), the users'
    part of the first layer with its bias. A user's scores do not depend on the other users.
    Raises MemoryError.
    """
    shape = len(users_gmf), catalogue.num_items
    _check_shape(users_gmf, shape[0], model.factors)
    _check_shape(users_first, shape[0], model.first_width)
    if catalogue.blocks.shape[1] != model.factors + model.first_width:
        raise ValueError("the catalogue is that of another model")
    gmf, mlp = np.empty(shape, np.float32), np.empty(shape, np.float32)
    arrays = users_gmf, users_first, catalogue.blocks, gmf, mlp
    addresses = [_address(array, np.float32) for array in arrays]
    if not model.library.neumf_scores(ctypes.addressof(model), *shape, *addresses):
        raise MemoryError
    return gmf, mlp


def history_sums(
    vectors: Floats,
    items: Integers,
    starts: Integers,
    sizes: Integers,
    weights: Floats,
    roots: Floats,
) -> Floats:
    """Return weighted sums of the vectors of n users' latest items, (n, d).

    vectors: (rows, d). items: (m,), of each user from oldest to latest. starts, sizes: (n,), each
    user's stretch of `items`. weights: (length,), those of the latest item, of the one before it,
    and so on. roots: (n,), what the weights of each user are divided by.
    """
    for array in (starts, sizes, roots):
        _check_shape(array, len(starts))
    sums = np.zeros((len(starts), vectors.shape[1]), np.float32)
    inside = load().neumf_history_sums(
        *sums.shape, len(vectors), _address(vectors, np.float32), len(items),
        *(_address(array, np.int64) for array in (items, starts, sizes)), len(weights),
        *(_address(array, np.float32) for array in (weights, roots, sums)),
    )  # fmt: skip
    if not inside:
        raise IndexError("a history is not within its items, or an item not within the vectors")
    return sums


class RankCounts:
    """Counts candidates above and below each user's target item."""

    def __init__(self, targets: Integers, starts: Integers, seen: Integers, lead: Floats) -> None:
        """Keep the arrays.

        targets: (users,), an item each. starts: (users + 1,), where each user's items begin in
        `seen`: they are no candidates. lead: (users,), for the results.
        """
        self._kept = targets, starts, seen, lead
        _check_shape(targets, targets.size)
        _check_shape(seen, seen.size)
        _check_shape(starts, len(targets) + 1)
        _check_shape(lead, len(targets))
        _check_range("the users' items begin", starts, len(seen))
        if (np.diff(starts) < 0).any():
            raise ValueError("the users' items do not follow one another")
        self._items = 1 + max(int(array.max(initial=-1)) for array in (targets, seen))
        if min(int(array.min(initial=0)) for array in (targets, seen)) < 0:
            raise IndexError("an item below 0")
        self._addresses = [_address(array, np.int64) for array in self._kept[:3]]
        self._lead = _address(lead, np.float32)
        self._run = load().neumf_rank_counts

    def count(self, first: int, scores: Floats) -> None:
        """Set `lead` for the users from `first` on: candidates above less candidates below.

        scores: (users, items). NaN for a user with a score that is not a number.
        """
        targets, starts, seen = self._addresses
        _check_shape(scores, len(scores), scores.shape[-1])
        if first < 0 or first + len(scores) > len(self._kept[0]) or scores.shape[1] < self._items:
            raise IndexError(f"scores of shape {scores.shape} for users from {first} on")
        self._run(
            *scores.shape, _address(scores, np.float32),
            targets + 8 * first, starts + 8 * first, seen, self._lead + 4 * first,
        )  # fmt: skip
