"""The histories that a baseline learns from."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class UserHistories:
    """All users' histories in one fold of the dataset."""

    items: NDArray[np.int64]  # (pairs,): item indices, user by user, oldest first
    offsets: NDArray[np.int64]  # (num_users + 1,): user u has items[offsets[u]:offsets[u + 1]]
    num_items: int

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    @property
    def matrix(self) -> sp.csr_matrix:
        """Shape (num_users, num_items), float64: 1 where the item is in the user's history."""
        return self._filled(np.ones(len(self.items)))

    def recent(self, decay: float, floor: float) -> sp.csr_matrix:
        """Return the matrix with exp(−place / decay) + floor; the latest item is at place 1."""
        users = np.repeat(np.arange(self.num_users), np.diff(self.offsets))
        place = self.offsets[users + 1] - np.arange(len(self.items))
        return self._filled(np.exp(-place / decay) + floor)

    def _filled(self, values: NDArray[np.float64]) -> sp.csr_matrix:
        shape = (self.num_users, self.num_items)
        return sp.csr_matrix((values, self.items, self.offsets), shape=shape)
