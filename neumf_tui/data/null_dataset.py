"""A null dataset: random items, on which no model can be better than chance."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np

from neumf_tui.data.dataset import Dataset


def without_structure(
    dataset: Dataset, seed: int, number: int = 0, *, other_heldout: bool = False
) -> Dataset:
    """Return a copy of `dataset` whose items are drawn uniformly, none twice for a user.

    Users, lengths of histories and times stay. So every candidate is equally likely to be a user's
    held-out item, and every item outside the earlier history to be the validation item. Each
    `number` gives another copy. `other_heldout` changes only the held-out items of that copy, of
    users who have another candidate.
    """
    held = np.asarray(dataset.split.heldout) >= 0
    items = np.empty(dataset.num_train, dtype=np.int64)
    heldout = np.full(dataset.num_users, -1, dtype=np.int64)
    random = np.random.default_rng([seed, number])
    for user, (start, end) in enumerate(pairwise(dataset.offsets.tolist())):
        size = end - start
        drawn = random.choice(dataset.num_items, min(size + 2, dataset.num_items), replace=False)
        items[start:end] = drawn[:size]
        if held[user]:
            heldout[user] = drawn[size:][-1 if other_heldout else 0]
    form = f"without structure {seed} {number} {other_heldout} {dataset.fingerprint}"
    return replace(
        dataset,
        name=f"{dataset.name}-without-structure",
        simulated=True,
        source=f"random items in place of those of {dataset.label}",
        notices=(),
        fingerprint=hashlib.sha256(form.encode()).hexdigest(),
        split=replace(dataset.split, items=items, heldout=heldout),
    )
