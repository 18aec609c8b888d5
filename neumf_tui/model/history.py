"""Windows on the latest items of users' histories, and how much each item counts."""

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
        """Return weighted sums of the items' rows in `vectors` (num_items, d).

        float32 (n, d), 0 for an empty history.
        """
        return F.embedding_bag(self.items, vectors, per_sample_weights=self.weights, mode="sum")


class WeightedHistories:
    """The items of all users in order of time, and the weight of each place, on one device."""

    def __init__(self, items: Tensor, length: int, decay: float, floor: float) -> None:
        """Keep `items`, int32 or int64 (pairs,), user after user, each from oldest to latest.

        The item `place` places back weighs exp(−place/decay) + floor; the latest has place 0. At
        most `length` items count.
        """
        self.items = items
        self.places = torch.arange(length, device=items.device)
        self.weights = torch.exp(-self.places / decay) + floor

    def window(self, starts: Tensor, sizes: Tensor) -> Window:
        """Return the window on `sizes` items from row `starts` on, both int64 (n,)."""
        back = sizes[:, None] - 1 - self.places
        inside = back >= 0
        rows = (starts[:, None] + back.clamp(min=0)).clamp(max=len(self.items) - 1)
        weights = self.weights * inside
        # An empty history is the zero vector, not 0/0.
        total = weights.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        return Window(self.items[rows] * inside, weights / total.sqrt())
