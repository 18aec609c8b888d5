"""Negatives drawn exactly uniformly from the items that a user does not have, without rejection."""

import torch
from torch import Tensor


class NegativeSampler:
    """Draws, for each user given, an item outside that user's excluded set, each with equal chance.

    With the user's excluded items sorted as e_0 < e_1 < …, the r-th item outside them is r + k, where k counts the j with
    e_j − j ≤ r. Those e_j − j are kept for all users in one ascending array, shifted by user, so that one
    binary search answers a whole batch, on whatever device the pairs lie.
    """

    def __init__(self, users: Tensor, items: Tensor, num_users: int, num_items: int) -> None:
        """`users`, `items`: int64 (pairs,), the excluded pairs, each at most once, in any order."""
        self.num_items = num_items
        order = torch.argsort(users * num_items + items)
        users, items = users[order], items[order]
        counts = torch.bincount(users, minlength=num_users)
        self.starts = torch.cumsum(counts, 0) - counts
        self.free = num_items - counts
        """Items that can be drawn, shape (num_users,)."""
        place = torch.arange(len(users), device=users.device) - self.starts[users]
        self.keys = users * (num_items + 1) + items - place

    def draw(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One item for each entry of `users` (int64, any shape); every such user must have a free item."""
        # float64 keeps every item of a catalogue below 2**53 reachable; float32 would skip some past 2**24.
        uniform = torch.rand(users.shape, generator=generator, device=users.device, dtype=self._float())
        free = self.free[users]
        drawn = torch.minimum((uniform * free).long(), free - 1)
        found = torch.searchsorted(self.keys, users * (self.num_items + 1) + drawn, right=True)
        return drawn + found - self.starts[users]

    def _float(self) -> torch.dtype:
        return torch.float32 if self.keys.device.type == "mps" else torch.float64  # MPS has no float64
