"""Ranks by popularity alone."""

import numpy as np
from numpy.typing import NDArray

_PAIRS = 1 << 22
"""Training pairs looked at at once: 100 MiB."""


def popularity_ranks(
    seen_by: NDArray[np.int64],
    targets: NDArray[np.int64],
    candidates: NDArray[np.int64],
    items: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Rank of each user's item among their candidates by how many have seen each, shape (users,), NaN for a target of -1.

    seen_by: (num_items,). targets, candidates: (users,). items: (pairs,), of which user u has offsets[u]:offsets[u + 1] and which
    are no candidates, but for the target. The lead of an item is the number of items above it less those below:
    it is counted over the whole catalogue, equal for all, and then each user's own items are taken off.
    O(pairs + num_items log num_items).
    """
    seen = seen_by.astype(np.int32)
    target = seen[targets.clip(min=0)]
    ascending = np.sort(seen)
    below, upto = (np.searchsorted(ascending, target, side) for side in ("left", "right"))
    lead = (len(seen) - upto - below).astype(np.float64)
    # Whole users at a time, about as many pairs as may be looked at at once.
    cuts = np.unique(
        np.searchsorted(offsets, np.arange(0, len(items) + _PAIRS, _PAIRS)).clip(max=len(targets))
    )
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        sizes = np.diff(offsets[start : stop + 1])
        users = np.repeat(np.arange(stop - start), sizes)
        ahead = np.sign(seen[items[offsets[start] : offsets[stop]]] - target[start:stop][users])
        lead[start:stop] -= np.bincount(users, ahead, minlength=stop - start)
    return np.where(targets >= 0, (candidates + 1 + lead) / 2, np.nan).astype(np.float32)
