"""Windows on what users had before: the items that stand behind a user's vectors, and how much each counts."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Window:
    """The latest items of n histories, latest first, padded with item 0 of weight 0."""

    items: Tensor
    """int64 (n, length)."""
    weights: Tensor
    """float32 (n, length): w_k / √Σ w."""

    def sums(self, vectors: Tensor) -> Tensor:
        """Weighted sums of the items' rows in `vectors` (num_items, d): float32 (n, d), 0 for an empty history."""
        return F.embedding_bag(self.items, vectors, per_sample_weights=self.weights, mode="sum")


class Histories:
    """Everybody's items in the order they came, on one device."""

    def __init__(self, items: Tensor, length: int, decay: float, floor: float) -> None:
        """`items`: int32 or int64 (pairs,), of one user after another, each from oldest to latest.

        The item `place` places back weighs exp(−place/decay) + floor, place 0 the latest; no more than `length` count.
        """
        self.items = items
        self.place = torch.arange(length, device=items.device)
        self.weight = torch.exp(-self.place / decay) + floor

    def window(self, starts: Tensor, count: Tensor) -> Window:
        """The window on the first `count` of the items from row `starts` on, both int64 (n,)."""
        back = count[:, None] - 1 - self.place
        there = back >= 0
        rows = (starts[:, None] + back.clamp(min=0)).clamp(max=len(self.items) - 1)
        weights = self.weight * there
        # An empty history is the zero vector, not 0/0.
        total = weights.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        return Window(self.items[rows] * there, weights / total.sqrt())
