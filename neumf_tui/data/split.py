"""Interactions and the leave-one-out split."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RULE = "leave-one-out: each user's latest interaction is held out; equal timestamps: first in file order"
_CHUNK = 1 << 22
"""Rows that are looked at together where more would only take memory."""


@dataclass(frozen=True)
class Interactions:
    """Who saw what when, in file order; all arrays have shape (interactions,) and hold whole numbers of any size."""

    users: NDArray[Any]
    """User index of each interaction."""
    items: NDArray[Any]
    """Item index of each interaction."""
    times: NDArray[Any]
    """Unix seconds."""


@dataclass(frozen=True)
class Split:
    """Training pairs sorted by user and time, and one held-out item a user.

    Indices are int64, although 32 bits would hold them: they are multiplied (user × items + item numbers a pair), and at the
    size of ML-20M such a product does not fit into 32 bits any more.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    heldout: NDArray[np.int64]
    """Shape (num_users,): item index held out, or -1 for a user with a single interaction."""
    offsets: NDArray[np.int64] | None = None
    """Shape (num_users + 1,): user u's training pairs are rows offsets[u]:offsets[u + 1]; None: not counted yet."""


def drop_duplicates(rows: Interactions) -> tuple[Interactions, int]:
    """Keep the latest of each (user, item) pair, the first in file order if equal; also the number dropped."""
    keys = _pair_numbers(rows)
    if len(keys) < 2 or (keys[1:] > keys[:-1]).all():  # sorted by user and item, as MovieLens 20M and later are
        return rows, 0
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    if not len(repeated):
        return rows, 0
    keep = np.ones(len(rows.users), dtype=bool)
    # Only the rows of pairs that come more than once are put in order.
    places, pairs = _rows_of(rows, repeated)
    order = np.lexsort((-rows.times[places].astype(np.int64), pairs))  # stable: of equal ones the first in the file comes first
    keep[places[order[1:][pairs[order][1:] == pairs[order][:-1]]]] = False
    return Interactions(rows.users[keep], rows.items[keep], rows.times[keep]), int((~keep).sum())


def leave_one_out(rows: Interactions, num_users: int) -> Split:
    """Hold out each user's latest interaction; a user with only one keeps it for training.

    `rows` holds every (user, item) pair at most once.
    """
    # Within a user: ascending time and, at equal times, descending file order, so that the row to hold out (latest, first in
    # the file) comes last.
    order = _order(rows.users[::-1], rows.times[::-1])
    np.subtract(len(order) - 1, order, out=order)
    counts = np.bincount(rows.users, minlength=num_users)
    held = np.flatnonzero(counts > 1)
    last = (np.cumsum(counts) - 1)[held]
    heldout = np.full(num_users, -1, dtype=np.int64)
    heldout[held] = rows.items[order[last]]
    train = np.delete(order, last)
    counts[held] -= 1
    return Split(
        np.repeat(np.arange(num_users), counts),
        rows.items[train].astype(np.int64, copy=False),
        rows.times[train].astype(np.int64, copy=False),
        heldout,
        np.concatenate(([0], np.cumsum(counts))),
    )


def _order(users: NDArray[Any], times: NDArray[Any]) -> NDArray[np.int64]:
    """Rows by user, then time, then place: what `np.lexsort((times, users))` gives, by one sort of one number a row where user
    and time fit into it together. Files that have a user's rows together are sorted already but for short stretches, of which
    the stable sort makes use."""
    if not len(users):
        return np.zeros(0, dtype=np.int64)
    first = int(times.min())
    bits = (int(times.max()) - first).bit_length()
    if bits + int(users.max()).bit_length() > 63:
        return np.lexsort((times, users))
    keys = users.astype(np.int64)
    keys <<= bits
    keys += times
    keys -= first
    return np.argsort(keys, kind="stable")


def _pair_numbers(rows: Interactions) -> NDArray[np.int64]:
    """One number for each pair of user and item, the same for equal pairs."""
    numbers = rows.users.astype(np.int64)
    numbers *= int(rows.items.max(initial=0)) + 1
    numbers += rows.items
    return numbers


def _rows_of(rows: Interactions, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows, ascending, whose pair has a number in `wanted`, which is sorted; and these numbers."""
    numbers = _pair_numbers(rows)
    found = [
        start + np.flatnonzero(wanted[np.searchsorted(wanted, part).clip(max=len(wanted) - 1)] == part)
        for start in range(0, len(numbers), _CHUNK)
        for part in (numbers[start : start + _CHUNK],)
    ]
    places = np.concatenate(found)
    return places, numbers[places]
