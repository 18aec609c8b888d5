"""The rank of one user's held-out item over all epochs, beside the loss; needs no model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.users import Users


@dataclass(frozen=True, eq=False)
class Journey:
    """Arrays have one entry for each evaluated epoch."""

    epochs: NDArray[np.int64]
    ranks: NDArray[np.float32]
    losses: NDArray[np.float64]
    """Mean training loss of the epoch, NaN where the events do not have it."""


def journey(users: Users, user: int, losses: Mapping[int, float]) -> Journey:
    """Return ranks and losses over the epochs; `user` is an index, `losses` of the same run."""
    return Journey(
        np.array(users.epochs, dtype=np.int64),
        users.tape[: len(users.epochs), user],
        np.array([losses.get(epoch, np.nan) for epoch in users.epochs]),
    )
