"""Draw negatives exactly by given weights from the items that a user does not have.

`pairs.py` decides which items are excluded and how the rest is weighted.
"""

import contextlib

import torch
from torch import Tensor

from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels

TOTAL_WEIGHT = 1 << 32
"""Approximate sum of a catalogue's weights as whole numbers: precise for a billion items."""
POOL_CELLS = 1 << 24
"""Users × items up to which every item that a user does not have is listed: 64 MiB at most."""
TABLE_CELLS = 1 << 33
"""Users × items up to which `Seen` is one table of bits, of 1 GiB at most."""


class NegativeSampler:
    """Draws, for each given user, an item that is not excluded, in proportion to its weight.

    There is no rejection. Weights are whole numbers, so that nothing is rounded: all 1 where items
    are drawn uniformly. Put end to end, item i covers the interval from C(i) = Σ_{k<i} w_k to
    C(i + 1). With the user's excluded items sorted as e_0 < e_1 < …, the r-th unit that is not
    excluded is at r + Σ w(e_j) over the j with C(e_j) − Σ_{k<j} w(e_k) ≤ r. These thresholds are
    in one ascending array for all users, shifted by user, so that one binary search answers a
    whole batch, on any device.
    """

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        num_users: int,
        num_items: int,
        weights: Tensor | None = None,
        *,
        total_weight: int = TOTAL_WEIGHT,
        pool_cells: int = POOL_CELLS,
    ) -> None:
        """Prepare draws that exclude the pairs `users`, `items`.

        Both are int32 or int64 (pairs,), each pair at most once, in any order. weights: float
        (num_items,), all above 0; None: uniform.
        """
        self.num_items = num_items
        sorted_pairs = torch.sort(users.long() * num_items + items).values
        users, items = sorted_pairs // num_items, sorted_pairs % num_items
        counts = torch.bincount(users, minlength=num_users)
        self.starts = torch.cumsum(counts, 0) - counts
        self.free = num_items - counts
        """Items that can be drawn, shape (num_users,)."""
        self.weights: Tensor | None = None
        self.ends: Tensor | None = None
        self._pool: Tensor | None = None
        self._kernel: kernels.FreeItems | None = None
        if weights is not None:
            self._set_weights(weights, users, items, counts, total_weight)
            return
        self.total, self.free_weight = num_items, self.free
        place = torch.arange(len(users), device=users.device) - self.starts[users]
        if num_users * num_items <= pool_cells:
            free = torch.ones(num_users * num_items, dtype=torch.bool, device=users.device)
            free[sorted_pairs] = False
            self._pool = (free.nonzero()[:, 0] % num_items).int()
            self._pool_starts = torch.cumsum(self.free, 0) - self.free
        elif users.device.type == "cpu":
            starts = torch.cat([self.starts, self.starts.new_tensor([len(items)])])
            with contextlib.suppress(NoKernels):
                self._kernel = kernels.FreeItems(
                    starts.numpy(), self.free.numpy(), (items - place).int().numpy()
                )
                return
        self.keys = users * (num_items + 1) + items - place

    def _set_weights(
        self, weights: Tensor, users: Tensor, items: Tensor, counts: Tensor, total_weight: int
    ) -> None:
        """Make weights whole numbers, and thresholds of the excluded pairs, sorted by user."""
        precise = weights.cpu().double()
        whole = (precise / precise.sum() * total_weight).round().long().clamp(min=1)
        self.weights = whole.to(users.device)
        self.ends = torch.cumsum(self.weights, 0)
        self.total = int(self.ends[-1])
        sums = torch.cumsum(torch.cat([self.weights.new_zeros(1), self.weights[items]]), 0)
        self.excluded_before = sums
        """Weight of the excluded pairs before each pair, and of all of them."""
        self.free_weight = self.total - (sums[self.starts + counts] - sums[self.starts])
        """Weight that can be drawn, shape (num_users,)."""
        threshold = self.ends[items] - self.weights[items] - (sums[:-1] - sums[self.starts[users]])
        self.keys = users * (self.total + 1) + threshold

    def draw(self, users: Tensor, uniform: Tensor, ascending: int = 0) -> Tensor:
        """Return one item for each entry of `users`, int64 of the same shape.

        users: int64 or int32 of any shape, each with a free item. uniform: random numbers of the
        same shape from [0, 1); as float64 they reach every item of a catalogue below 2**53, while
        float32 would skip some past 2**24 (see `precision`). ascending: users ascend in every so
        many entries, which saves time for large data; 0: unknown.
        """
        users = users.long()  # keys exceed 32 bits
        if self._kernel:
            arrays = users.contiguous().numpy(), uniform.double().contiguous().numpy()
            return torch.from_numpy(self._kernel.draw(*arrays, ascending))
        drawn = _below(self.free_weight[users], uniform)
        if self._pool is not None:  # the same item in a fifth of the time of the search
            places = (self._pool_starts[users] + drawn).view(-1)
            return self._pool.index_select(0, places).view(drawn.shape).long()
        found = _search(self.keys, users * (self.total + 1) + drawn)
        if self.ends is None:
            return drawn.add_(found).sub_(self.starts[users])
        drawn += self.excluded_before[found] - self.excluded_before[self.starts[users]]
        return torch.searchsorted(self.ends, drawn, right=True)

    def draw_any(self, uniform: Tensor) -> Tensor:
        """Return items drawn by their weights, excluded or not.

        int64 of the shape of `uniform`, random numbers from [0, 1).
        """
        drawn = _below(torch.full(uniform.shape, self.total, device=uniform.device), uniform)
        return drawn if self.ends is None else torch.searchsorted(self.ends, drawn, right=True)

    def log_probability(self, items: Tensor, users: Tensor | None = None) -> Tensor:
        """Return the logarithm of the probability that one draw gives each of `items`.

        By `draw` for `users`, of the same shape, who can draw them; None: by `draw_any`. float32.
        """
        weight = torch.ones_like(items) if self.weights is None else self.weights[items]
        among = self.free_weight[users] if users is not None else torch.full_like(items, self.total)
        return (weight.float() / among).log()


def _search(keys: Tensor, wanted: Tensor) -> Tensor:
    """Return how many of the ascending `keys` are not above each of `wanted`."""
    if wanted.device.type != "cpu":
        return torch.searchsorted(keys, wanted, right=True)
    # In ascending order, a search finds in the cache what the one before it read: among 17 million
    # keys two million searches take 0.19 s, sort included, against 0.90 s in random order.
    ascending, order = torch.sort(wanted.reshape(-1))
    found = torch.searchsorted(keys, ascending, right=True)
    return torch.empty_like(found).scatter_(0, order, found).view(wanted.shape)


def _below(bound: Tensor, uniform: Tensor) -> Tensor:
    """Return whole numbers from 0 to `bound` − 1, all with the same probability."""
    # Rounding can raise the product to the bound.
    return torch.minimum((uniform * bound).long(), bound - 1)


def precision(device: torch.device) -> torch.dtype:
    """Return the most precise floating-point type that `device` has."""
    return torch.float32 if device.type == "mps" else torch.float64


class Seen:
    """Answers which items users have, from one bit for each user and item."""

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        num_users: int,
        num_items: int,
        *,
        table_cells: int = TABLE_CELLS,
    ) -> None:
        """Keep the pairs `users`, `items`: int32 or int64 (pairs,), each once, in any order."""
        self.num_items = num_items
        self.bits: Tensor | None = None
        cells = users.long() * num_items + items
        if num_users * num_items <= table_cells:
            size = num_users * num_items // 8 + 1
            self.bits = torch.zeros(size, dtype=torch.uint8, device=users.device)
            # No pair comes twice, so adding its bit sets it.
            self.bits.index_add_(0, cells >> 3, _bit(cells))
        else:
            self.keys = torch.sort(cells).values

    def of(self, users: Tensor, items: Tensor) -> Tensor:
        """Return whether user n has item m: bool (m, n), for int64 (n,) and (m,)."""
        wanted = users * self.num_items + items[:, None]
        if self.bits is not None:
            # index_select on one row takes a third of the time of indexing.
            found = self.bits.index_select(0, (wanted >> 3).view(-1)).view_as(wanted)
            return (found & _bit(wanted)).bool()
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return self.keys[place] == wanted


def _bit(cells: Tensor) -> Tensor:
    """Return each cell's bit in its byte: uint8."""
    ones = torch.ones_like(cells, dtype=torch.uint8)
    return torch.bitwise_left_shift(ones, (cells & 7).to(torch.uint8))
