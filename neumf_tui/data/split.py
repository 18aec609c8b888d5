"""Interactions and the leave-one-out split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RULE = "leave-one-out: each user's latest interaction is held out; equal timestamps: first in file order"


@dataclass(frozen=True)
class Interactions:
    """Who saw what when, in file order; all arrays have shape (interactions,)."""

    users: NDArray[np.int64]
    """User index of each interaction."""
    items: NDArray[np.int64]
    """Item index of each interaction."""
    times: NDArray[np.int64]
    """Unix seconds."""


@dataclass(frozen=True)
class Split:
    """Training pairs sorted by user and time, and one held-out item a user."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    heldout: NDArray[np.int64]
    """Shape (num_users,): item index held out, or -1 for a user with a single interaction."""


def drop_duplicates(rows: Interactions) -> tuple[Interactions, int]:
    """Keep the latest of each (user, item) pair, the first in file order if equal; also the number dropped."""
    order = np.lexsort((np.arange(len(rows.users)), -rows.times, rows.items, rows.users))
    users, items = rows.users[order], rows.items[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    keep = np.sort(order[first])
    return Interactions(rows.users[keep], rows.items[keep], rows.times[keep]), len(order) - len(keep)


def leave_one_out(rows: Interactions, num_users: int) -> Split:
    """Hold out each user's latest interaction; a user with only one keeps it for training.

    `rows` holds every (user, item) pair at most once.
    """
    position = np.arange(len(rows.users))
    # Within a user: ascending time and, at equal times, descending file order, so that the row
    # to hold out (latest, first in the file) comes last.
    order = np.lexsort((-position, rows.times, rows.users))
    users = rows.users[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = users[1:] != users[:-1]
    counts = np.bincount(users, minlength=num_users)
    held = last & (counts[users] > 1)
    heldout = np.full(num_users, -1, dtype=np.int64)
    heldout[users[held]] = rows.items[order][held]
    train = order[~held]
    return Split(rows.users[train], rows.items[train], rows.times[train], heldout)
