"""What a baseline learns from: who has what in their history, and in which order it came."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neumf_tui.evaluation.evaluator import Evaluator


@dataclass(frozen=True, eq=False)
class Histories:
    """Everybody's history as one fold of the dataset has it."""

    items: NDArray[np.int64]
    """Shape (pairs,): item indices, user by user, oldest first."""
    offsets: NDArray[np.int64]
    """Shape (num_users + 1,): user u's are items[offsets[u]:offsets[u + 1]]."""
    num_items: int

    @classmethod
    def of(cls, evaluator: Evaluator) -> "Histories":
        """The history that `evaluator` leaves out of the race, and nothing of what it ranks."""
        return cls(evaluator.items, evaluator.offsets, evaluator.dataset.num_items)

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 1

    @property
    def matrix(self) -> sp.csr_matrix:
        """Shape (num_users, num_items), float64: 1 where the item is in the user's history."""
        return self._filled(np.ones(len(self.items)))

    def recent(self, decay: float, floor: float) -> sp.csr_matrix:
        """The same with exp(−place / decay) + floor for the item in that place of the history; the latest is in place 1."""
        users = np.repeat(np.arange(self.num_users), np.diff(self.offsets))
        place = self.offsets[users + 1] - np.arange(len(self.items))
        return self._filled(np.exp(-place / decay) + floor)

    def _filled(self, values: NDArray[np.float64]) -> sp.csr_matrix:
        return sp.csr_matrix(
            (values, self.items, self.offsets), shape=(self.num_users, self.num_items)
        )
