"""Negatives drawn exactly by given weights from the items that a user does not have, without rejection."""

import contextlib
import ctypes
from collections.abc import Callable

import torch
from torch import Tensor

from neumf_tui.native.library import NoKernels, load

_TOTAL_WEIGHT = 1 << 32
"""About what the weights of a catalogue sum to once they are whole numbers: fine enough for a billion items."""
_POOL_CELLS = 1 << 24
"""Users × items up to which every item that a user does not have is listed: 64 MiB at most."""
_TABLE_CELLS = 1 << 33
"""Users × items up to which what everybody has is one table of bits, of 1 GiB at most."""


class _Others(ctypes.Structure):
    """`others` of native/draw.c."""

    _fields_ = [
        ("users", ctypes.c_int64),
        ("starts", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
        ("keys", ctypes.c_void_p),
    ]


class NegativeSampler:
    """Draws, for each user given, an item outside that user's excluded set, in proportion to the items' weights.

    Weights are whole numbers, so that nothing is rounded: all 1 where items are drawn alike. Laid end to end, item i covers
    the stretch from C(i) = Σ_{k<i} w_k to C(i + 1). With the user's excluded items sorted as e_0 < e_1 < …, the r-th unit that
    is not theirs lies at r + Σ w(e_j) over the j with C(e_j) − Σ_{k<j} w(e_k) ≤ r. Those thresholds are kept for all users in one
    ascending array, shifted by user, so that one binary search answers a whole batch, on whatever device the pairs lie.
    """

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        num_users: int,
        num_items: int,
        weights: Tensor | None = None,
    ) -> None:
        """`users`, `items`: int32 or int64 (pairs,), the excluded pairs, each at most once, in any order. `weights`: float
        (num_items,), all above 0, of the draw; None: every item alike.
        """
        self.num_items = num_items
        sorted_pairs = torch.sort(users.long() * num_items + items).values
        users, items = sorted_pairs // num_items, sorted_pairs % num_items
        counts = torch.bincount(users, minlength=num_users)
        self.starts = torch.cumsum(counts, 0) - counts
        self.free = num_items - counts
        """Items that can be drawn, shape (num_users,)."""
        self.weights = self.ends = None
        place = torch.arange(len(users), device=users.device) - self.starts[users]
        self._run: Callable[..., None] | None = None
        """The kernel in C: for large catalogues drawn alike."""
        self.pool: Tensor | None = None
        """Of a small catalogue drawn alike: the items that each user does not have, one user after another."""
        if weights is None:
            self.total = num_items
            self.free_weight = self.free
            if num_users * num_items <= _POOL_CELLS:
                free = torch.ones(num_users * num_items, dtype=torch.bool, device=users.device)
                free[sorted_pairs] = False
                self.pool = (free.nonzero()[:, 0] % num_items).int()
                self.pool_starts = torch.cumsum(self.free, 0) - self.free
            elif users.device.type == "cpu":
                with contextlib.suppress(NoKernels):
                    self._run = load().neumf_draw
                    starts = torch.cat([self.starts, self.starts.new_tensor([len(items)])])
                    self._kept = starts, self.free, (items - place).int()
                    self._others = _Others(num_users, *(tensor.data_ptr() for tensor in self._kept))
                    return
            self.keys = users * (num_items + 1) + items - place
            return
        precise = weights.cpu().double()
        self.weights = (
            (precise / precise.sum() * _TOTAL_WEIGHT).round().long().clamp(min=1).to(users.device)
        )
        self.ends = torch.cumsum(self.weights, 0)
        self.total = int(self.ends[-1])
        sums = torch.cumsum(torch.cat([self.weights.new_zeros(1), self.weights[items]]), 0)
        """Weights of the excluded pairs before each, users one after another; one more at the end."""
        self.excluded_before = sums
        self.free_weight = self.total - (sums[self.starts + counts] - sums[self.starts])
        """Weight that can be drawn, shape (num_users,)."""
        threshold = self.ends[items] - self.weights[items] - (sums[:-1] - sums[self.starts[users]])
        self.keys = users * (self.total + 1) + threshold

    def draw(self, users: Tensor, uniform: Tensor, ascending: int = 0) -> Tensor:
        """One item for each entry of `users`, by random numbers of the same shape, each from [0, 1).

        `users`: int64 or int32 of any shape, each with a free item; the result is int64. Of float64, `uniform` reaches every item
        of a catalogue below 2**53; float32 would skip some past 2**24 (see `precision`). Where users ascend in each `ascending`
        of them, the kernel reads of each user once what it needs for all.
        """
        users = users.long()  # keys are beyond 32 bits
        if self._run:
            users, uniform, found = (
                users.contiguous(),
                uniform.double().contiguous(),
                torch.empty(users.shape, dtype=torch.int64),
            )
            count, run = found.numel(), ascending or found.numel()
            room = torch.empty(-(-count // max(run, 1)), dtype=torch.int64)
            arrays = (tensor.data_ptr() for tensor in (users, uniform, room, found))
            self._run(ctypes.addressof(self._others), count, run, *arrays)
            return found
        drawn = _below(self.free_weight[users], uniform)
        if self.pool is not None:  # the same item, looked up: a fifth of the time of the search
            return (
                self.pool.index_select(0, (self.pool_starts[users] + drawn).view(-1))
                .view(drawn.shape)
                .long()
            )
        found = _search(self.keys, users * (self.total + 1) + drawn)
        if self.ends is None:
            return drawn.add_(found).sub_(self.starts[users])
        drawn += self.excluded_before[found] - self.excluded_before[self.starts[users]]
        return torch.searchsorted(self.ends, drawn, right=True)

    def draw_any(self, uniform: Tensor) -> Tensor:
        """Items by their weights alone, whoever has them; int64 of the shape of `uniform`, random numbers from [0, 1)."""
        drawn = _below(torch.full(uniform.shape, self.total, device=uniform.device), uniform)
        return drawn if self.ends is None else torch.searchsorted(self.ends, drawn, right=True)

    def log_share(self, items: Tensor, users: Tensor | None = None) -> Tensor:
        """log of the chance that one draw is this item, float32: one of `draw` for `users`, or of `draw_any`."""
        weight = torch.ones_like(items) if self.weights is None else self.weights[items]
        among = self.free_weight[users] if users is not None else torch.full_like(items, self.total)
        return (weight.float() / among).log()


def _search(keys: Tensor, wanted: Tensor) -> Tensor:
    """How many of the ascending `keys` are not above each of `wanted`."""
    if wanted.device.type != "cpu":
        return torch.searchsorted(keys, wanted, right=True)
    # In ascending order one search finds in the cache what the one before it read: among 17 million keys that takes 0.19 s
    # for two million, sort included, against 0.90 s as they come.
    ascending, order = torch.sort(wanted.reshape(-1))
    found = torch.searchsorted(keys, ascending, right=True)
    return torch.empty_like(found).scatter_(0, order, found).view(wanted.shape)


def _below(bound: Tensor, uniform: Tensor) -> Tensor:
    """Whole numbers from 0 to `bound` − 1, each alike."""
    # Rounding can bring the product up to the bound.
    return torch.minimum((uniform * bound).long(), bound - 1)


def precision(device: torch.device) -> torch.dtype:
    """The finest floating point type there is on a device."""
    return torch.float32 if device.type == "mps" else torch.float64


class Seen:
    """Answers which items users have, from one bit for each user and item."""

    def __init__(self, users: Tensor, items: Tensor, num_users: int, num_items: int) -> None:
        """`users`, `items`: int32 or int64 (pairs,), the pairs there are, each once, in any order."""
        self.num_items = num_items
        self.bits: Tensor | None = None
        cells = users.long() * num_items + items
        if num_users * num_items <= _TABLE_CELLS:
            self.bits = torch.zeros(
                num_users * num_items // 8 + 1, dtype=torch.uint8, device=users.device
            )
            # No pair comes twice, so that adding its bit is setting it.
            self.bits.index_add_(0, cells >> 3, _bit(cells))
        else:
            self.keys = torch.sort(cells).values

    def of(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether user n has item m: bool (m, n), of int64 (n,) and (m,)."""
        wanted = users * self.num_items + items[:, None]
        if self.bits is not None:
            # index_select on one row takes a third of what indexing takes.
            return (
                self.bits.index_select(0, (wanted >> 3).view(-1)).view_as(wanted) & _bit(wanted)
            ).bool()
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return self.keys[place] == wanted


def _bit(cells: Tensor) -> Tensor:
    """The bit of each cell in its byte: uint8."""
    return torch.bitwise_left_shift(
        torch.ones_like(cells, dtype=torch.uint8), (cells & 7).to(torch.uint8)
    )
