"""Interactions and the leave-one-out split."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

RULE = "leave-one-out: each user's latest interaction is held out; equal timestamps: first in file order"
_CHUNK = 1 << 20
"""Rows that are worked on together: what they need is small, and more of them keep all cores busy."""


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
    # Sorted by user and item, as MovieLens 20M and later are, there is no pair twice: seen without more memory.
    width = int(rows.items.max(initial=0)) + 1
    if all(
        _rises(_pair_numbers(rows, width, start, start + _CHUNK + 1))
        for start in range(0, len(rows.users), _CHUNK)
    ):
        return rows, 0
    keys = _pair_numbers(rows, width)
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    if not len(repeated):
        return rows, 0
    keep = np.ones(len(rows.users), dtype=bool)
    # Only the rows of pairs that come more than once are put in order.
    places, pairs = _rows_of(rows, width, repeated)
    order = np.lexsort(
        (-rows.times[places].astype(np.int64), pairs)
    )  # stable: of equal ones the first in the file comes first
    keep[places[order[1:][pairs[order][1:] == pairs[order][:-1]]]] = False
    return Interactions(rows.users[keep], rows.items[keep], rows.times[keep]), int((~keep).sum())


def leave_one_out(rows: Interactions, num_users: int) -> Split:
    """Hold out each user's latest interaction; a user with only one keeps it for training.

    `rows` holds every (user, item) pair at most once.
    """
    rows = _by_user(rows)
    counts = np.bincount(rows.users, minlength=num_users)
    starts = np.concatenate(([0], np.cumsum(counts)))
    held = counts > 1
    kept = counts - held
    offsets = np.concatenate(([0], np.cumsum(kept)))
    users, items, times = (np.empty(offsets[-1], dtype=np.int64) for _ in range(3))
    heldout = np.full(num_users, -1, dtype=np.int64)

    def split(some: tuple[int, int]) -> None:
        """For the users from the one to before the other."""
        first, end = some
        part = slice(starts[first], starts[end])
        # Within a user: ascending time and, at equal times, descending file order, so that the row to hold out (latest, first
        # in the file) comes last.
        order = starts[end] - 1 - _order(rows.users[part][::-1], rows.times[part][::-1])
        last = (starts[first + 1 : end + 1] - starts[first] - 1)[held[first:end]]
        heldout[first:end][held[first:end]] = rows.items[order[last]]
        order = np.delete(order, last)
        there = slice(offsets[first], offsets[end])
        users[there] = np.repeat(np.arange(first, end), kept[first:end])
        items[there] = rows.items[order]
        times[there] = rows.times[order]

    cuts = np.unique(
        np.append(np.searchsorted(starts, np.arange(0, len(rows.users), _CHUNK)), num_users)
    ).clip(max=num_users)
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(split, pairwise([0, *cuts.tolist()])):
            pass
    return Split(users, items, times, heldout, offsets)


def _by_user(rows: Interactions) -> Interactions:
    """The same with each user's rows together, in file order."""
    users = rows.users
    if (users[1:] >= users[:-1]).all():
        return rows
    # By the lower 16 bits, then by the upper ones: numpy sorts numbers of 16 bits without comparing.
    order = np.argsort(users.astype(np.uint16), kind="stable")
    for shift in range(16, int(users.max()).bit_length(), 16):
        order = order[np.argsort((users >> shift).astype(np.uint16)[order], kind="stable")]
    return Interactions(users[order], rows.items[order], rows.times[order])


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


def _pair_numbers(
    rows: Interactions, width: int, start: int = 0, stop: int | None = None
) -> NDArray[np.int64]:
    """One number for each pair of user and item, the same for equal pairs; items are below `width`."""
    numbers = rows.users[start:stop].astype(np.int64)
    numbers *= width
    numbers += rows.items[start:stop]
    return numbers


def _rises(numbers: NDArray[np.int64]) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _rows_of(
    rows: Interactions, width: int, wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows, ascending, whose pair has a number in `wanted`, which is sorted; and these numbers."""
    numbers = _pair_numbers(rows, width)
    found = [
        start
        + np.flatnonzero(wanted[np.searchsorted(wanted, part).clip(max=len(wanted) - 1)] == part)
        for start in range(0, len(numbers), _CHUNK)
        for part in (numbers[start : start + _CHUNK],)
    ]
    places = np.concatenate(found)
    return places, numbers[places]
