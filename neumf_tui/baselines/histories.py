"""The histories that a baseline learns from."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neumf_tui.scorers.scorer import Histories


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
    def of_users(self) -> Histories:
        """The same, as scorers take it."""
        return Histories(self.items, self.offsets[:-1], np.diff(self.offsets))

    @property
    def matrix(self) -> sp.csr_matrix:
        """Shape (num_users, num_items), float64: 1 where the item is in the user's history."""
        shape = (self.num_users, self.num_items)
        return sp.csr_matrix((np.ones(len(self.items)), self.items, self.offsets), shape=shape)
