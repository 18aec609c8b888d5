"""Negatives drawn exactly by given weights from the items that a user does not have, without rejection."""

import torch
from torch import Tensor

_TOTAL_WEIGHT = 1 << 32
"""About what the weights of a catalogue sum to once they are whole numbers: fine enough for a billion items."""
_TABLE_CELLS = 1 << 28
"""Users × items up to which what everybody has is one table of booleans."""


class NegativeSampler:
    """Draws, for each user given, an item outside that user's excluded set, in proportion to the items' weights.

    Weights are whole numbers, so that nothing is rounded: all 1 where items are drawn alike. Laid end to end, item i covers
    the stretch from C(i) = Σ_{k<i} w_k to C(i + 1). With the user's excluded items sorted as e_0 < e_1 < …, the r-th unit that
    is not theirs lies at r + Σ w(e_j) over the j with C(e_j) − Σ_{k<j} w(e_k) ≤ r. Those thresholds are kept for all users in one
    ascending array, shifted by user, so that one binary search answers a whole batch, on whatever device the pairs lie.
    """

    def __init__(self, users: Tensor, items: Tensor, num_users: int, num_items: int, weights: Tensor | None = None) -> None:
        """`users`, `items`: int64 (pairs,), the excluded pairs, each at most once, in any order. `weights`: float (num_items,),
        all above 0, of the draw; None: every item alike.
        """
        self.num_items = num_items
        order = torch.argsort(users * num_items + items)
        users, items = users[order], items[order]
        counts = torch.bincount(users, minlength=num_users)
        self.starts = torch.cumsum(counts, 0) - counts
        self.free = num_items - counts
        """Items that can be drawn, shape (num_users,)."""
        self.weights = self.ends = None
        place = torch.arange(len(users), device=users.device) - self.starts[users]
        if weights is None:
            self.total = num_items
            self.free_weight = self.free
            self.keys = users * (num_items + 1) + items - place
            return
        precise = weights.cpu().double()
        self.weights = (precise / precise.sum() * _TOTAL_WEIGHT).round().long().clamp(min=1).to(users.device)
        self.ends = torch.cumsum(self.weights, 0)
        self.total = int(self.ends[-1])
        sums = torch.cumsum(torch.cat([self.weights.new_zeros(1), self.weights[items]]), 0)
        """Weights of the excluded pairs before each, users one after another; one more at the end."""
        self.excluded_before = sums
        self.free_weight = self.total - (sums[self.starts + counts] - sums[self.starts])
        """Weight that can be drawn, shape (num_users,)."""
        threshold = self.ends[items] - self.weights[items] - (sums[:-1] - sums[self.starts[users]])
        self.keys = users * (self.total + 1) + threshold

    def draw(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One item for each entry of `users` (int64, any shape); every such user must have a free item."""
        free = self.free_weight[users]
        drawn = self._below(free, generator)
        found = torch.searchsorted(self.keys, users * (self.total + 1) + drawn, right=True)
        if self.ends is None:
            return drawn + found - self.starts[users]
        drawn += self.excluded_before[found] - self.excluded_before[self.starts[users]]
        return torch.searchsorted(self.ends, drawn, right=True)

    def draw_any(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Items by their weights alone, whoever has them; int64 of `shape`."""
        total = torch.full(shape, self.total, device=self.keys.device)
        drawn = self._below(total, generator)
        return drawn if self.ends is None else torch.searchsorted(self.ends, drawn, right=True)

    def log_share(self, items: Tensor, users: Tensor | None = None) -> Tensor:
        """log of the chance that one draw is this item, float32: one of `draw(users)`, or of `draw_any`."""
        weight = torch.ones_like(items) if self.weights is None else self.weights[items]
        among = self.free_weight[users] if users is not None else torch.full_like(items, self.total)
        return (weight.float() / among).log()

    def _below(self, bound: Tensor, generator: torch.Generator) -> Tensor:
        """Whole numbers from 0 to `bound` − 1, each alike."""
        # float64 keeps every item of a catalogue below 2**53 reachable; float32 would skip some past 2**24.
        uniform = torch.rand(bound.shape, generator=generator, device=bound.device, dtype=precision(bound.device))
        return torch.minimum((uniform * bound).long(), bound - 1)


def precision(device: torch.device) -> torch.dtype:
    """The finest floating point type there is on a device."""
    return torch.float32 if device.type == "mps" else torch.float64


class Seen:
    """Answers which items users have."""

    def __init__(self, users: Tensor, items: Tensor, num_users: int, num_items: int) -> None:
        """`users`, `items`: int64 (pairs,), the pairs there are, in any order."""
        self.num_items = num_items
        self.table: Tensor | None = None
        if num_users * num_items <= _TABLE_CELLS:
            self.table = torch.zeros(num_users * num_items, dtype=torch.bool, device=users.device)
            self.table[users * num_items + items] = True
        else:
            self.keys = torch.sort(users * num_items + items).values

    def of(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether user n has item m: bool (m, n), of int64 (n,) and (m,)."""
        wanted = users * self.num_items + items[:, None]
        if self.table is not None:
            return self.table[wanted]
        place = torch.searchsorted(self.keys, wanted).clamp(max=len(self.keys) - 1)
        return self.keys[place] == wanted
