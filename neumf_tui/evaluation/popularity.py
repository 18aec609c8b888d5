"""Ranks by popularity alone."""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.evaluation.ranks import ranks_from_lead

_PAIRS = 1 << 22  # training pairs processed at once: 100 MiB


def popularity_ranks(
    seen_by: NDArray[np.int64],
    targets: NDArray[np.int64],
    candidates: NDArray[np.int64],
    items: NDArray[np.int64],
    offsets: NDArray[np.int64],
    most_pairs: int = _PAIRS,
) -> NDArray[np.float32]:
    """Return the rank of each user's item if candidates are ordered by how many users saw them.

    Shape (users,), NaN for a target of -1. seen_by: (num_items,). targets, candidates: (users,).
    items: (pairs,); user u has offsets[u]:offsets[u + 1] of them, which are not candidates, except
    the target. Items above the target less items below it are counted over the whole catalogue
    first, then the user's own items are taken off. O(pairs + num_items log num_items).
    """
    seen = seen_by.astype(np.int32)
    target = seen[targets.clip(min=0)]
    ascending = np.sort(seen)
    below, upto = (np.searchsorted(ascending, target, side) for side in ("left", "right"))
    lead = (len(seen) - upto - below).astype(np.float64)
    # Whole users at a time, with about `most_pairs` pairs.
    cuts = np.searchsorted(offsets, np.arange(0, len(items) + most_pairs, most_pairs))
    cuts = np.unique(cuts.clip(max=len(targets)))
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        sizes = np.diff(offsets[start : stop + 1])
        users = np.repeat(np.arange(stop - start), sizes)
        ahead = np.sign(seen[items[offsets[start] : offsets[stop]]] - target[start:stop][users])
        lead[start:stop] -= np.bincount(users, ahead, minlength=stop - start)
    return np.where(targets >= 0, ranks_from_lead(lead, candidates), np.float32(np.nan))
