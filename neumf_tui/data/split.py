"""The leave-one-out split: each user's latest interaction is held out for evaluation."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

RULE = (
    "leave-one-out: each user's latest interaction is held out; "
    "equal timestamps: first in file order"
)
"""Part of a dataset's fingerprint: do not reword."""
LATEST_TIME = 253_402_300_799
"""The last second of the year 9999; later times have no date."""
CHUNK_ROWS = 1 << 20
"""Rows per piece of work: needs little memory, and the pieces keep all cores busy."""


@dataclass(frozen=True)
class Interactions:
    """User, item and time of every interaction, in file order: integers, shape (interactions,)."""

    users: NDArray[Any]
    items: NDArray[Any]
    times: NDArray[Any]
    """Unix seconds."""


@dataclass(frozen=True)
class Split:
    """Training pairs sorted by user and time, and one held-out item per user.

    Indices are int64, because user × items + item, the number of a pair, exceeds 32 bits at the
    size of ML-20M.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    heldout: NDArray[np.int64]
    """Shape (num_users,): item index held out, or -1 for a user with a single interaction."""
    offsets: NDArray[np.int64]
    """Shape (num_users + 1,): user u's training pairs are rows offsets[u]:offsets[u + 1]."""


def drop_duplicates(rows: Interactions, chunk_rows: int = CHUNK_ROWS) -> tuple[Interactions, int]:
    """Return the latest of each (user, item) pair, and the number of rows dropped.

    Of equal times the first in file order is kept.
    """
    # MovieLens 20M and later are sorted by user and item: this needs no further memory.
    width = int(rows.items.max(initial=0)) + 1
    if all(
        _is_increasing(_pair_numbers(rows, width, start, start + chunk_rows + 1))
        for start in range(0, len(rows.users), chunk_rows)
    ):
        return rows, 0
    keys = _pair_numbers(rows, width)
    keys.sort()
    repeated = np.unique(keys[1:][keys[1:] == keys[:-1]])
    del keys
    if not len(repeated):
        return rows, 0
    keep = np.ones(len(rows.users), dtype=bool)
    # Only the rows of repeated pairs are sorted; stable, so equal times stay in file order.
    places, pairs = _rows_of(rows, width, repeated, chunk_rows)
    order = np.lexsort((-rows.times[places].astype(np.int64), pairs))
    keep[places[order[1:][pairs[order][1:] == pairs[order][:-1]]]] = False
    return Interactions(rows.users[keep], rows.items[keep], rows.times[keep]), int((~keep).sum())


def leave_one_out(rows: Interactions, num_users: int, chunk_rows: int = CHUNK_ROWS) -> Split:
    """Hold out each user's latest interaction; a user with only one keeps it for training.

    `rows` must not contain a (user, item) pair twice.
    """
    rows = _by_user(rows)
    counts = np.bincount(rows.users, minlength=num_users)
    starts = np.concatenate(([0], np.cumsum(counts)))
    held = counts > 1
    kept = counts - held
    offsets = np.concatenate(([0], np.cumsum(kept)))
    users, items, times = (np.empty(offsets[-1], dtype=np.int64) for _ in range(3))
    heldout = np.full(num_users, -1, dtype=np.int64)

    def split(bounds: tuple[int, int]) -> None:
        first, end = bounds
        part = slice(starts[first], starts[end])
        # Within a user: ascending time and, at equal times, descending file order, so that the
        # row to hold out (latest, first in the file) comes last.
        order = starts[end] - 1 - _order(rows.users[part][::-1], rows.times[part][::-1])
        last = (starts[first + 1 : end + 1] - starts[first] - 1)[held[first:end]]
        heldout[first:end][held[first:end]] = rows.items[order[last]]
        order = np.delete(order, last)
        target = slice(offsets[first], offsets[end])
        users[target] = np.repeat(np.arange(first, end), kept[first:end])
        items[target] = rows.items[order]
        times[target] = rows.times[order]

    cuts = np.unique(
        np.append(np.searchsorted(starts, np.arange(0, len(rows.users), chunk_rows)), num_users)
    ).clip(max=num_users)
    from concurrent.futures import ThreadPoolExecutor  # viewers split nothing

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(split, pairwise([0, *cuts.tolist()])):
            pass
    return Split(users, items, times, heldout, offsets)


def _by_user(rows: Interactions) -> Interactions:
    """Return the rows sorted by user, those of a user in file order."""
    users = rows.users
    if (users[1:] >= users[:-1]).all():
        return rows
    # By the lower 16 bits, then by the upper: numpy uses a radix sort for 16-bit numbers.
    order = np.argsort(users.astype(np.uint16), kind="stable")
    for shift in range(16, int(users.max()).bit_length(), 16):
        order = order[np.argsort((users >> shift).astype(np.uint16)[order], kind="stable")]
    return Interactions(users[order], rows.items[order], rows.times[order])


def _order(users: NDArray[Any], times: NDArray[Any]) -> NDArray[np.int64]:
    """Return `np.lexsort((times, users))`: the rows by user, then time, then place.

    If user and time fit into one number, one stable sort does it, which is fast for files that are
    already sorted by user.
    """
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
    """Return user × width + item for each row; items are below `width`."""
    numbers = rows.users[start:stop].astype(np.int64)
    numbers *= width
    numbers += rows.items[start:stop]
    return numbers


def _is_increasing(numbers: NDArray[np.int64]) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _rows_of(
    rows: Interactions, width: int, wanted: NDArray[np.int64], chunk_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows, ascending, whose pair number is in `wanted` (sorted), and these numbers."""
    numbers = _pair_numbers(rows, width)
    found = np.empty(len(numbers), dtype=bool)
    for start in range(0, len(numbers), chunk_rows):
        part = numbers[start : start + chunk_rows]
        nearest = wanted[np.searchsorted(wanted, part).clip(max=len(wanted) - 1)]
        found[start : start + chunk_rows] = nearest == part
    places = np.flatnonzero(found)
    return places, numbers[places]
