"""A copy of a dataset without structure, on which no model can be better than chance."""

import hashlib
from dataclasses import replace

import numpy as np

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.split import Split


def without_structure(
    dataset: Dataset, seed: int, number: int = 0, *, other_heldout: bool = False
) -> Dataset:
    """The same users, with histories of the same lengths and times, of items drawn uniformly, none twice for a user.

    So a user's held-out item is any of their candidates alike, whatever the other interactions are; and the validation item is
    any of those outside the history before it. Each `number` gives another copy. With `other_heldout` all training pairs
    are those of the copy without it, and each user's held-out item is another, where there is another candidate.
    """
    sizes = np.diff(dataset.offsets)
    held = np.asarray(dataset.split.heldout) >= 0
    items = np.empty(dataset.num_train, dtype=np.int64)
    heldout = np.full(dataset.num_users, -1, dtype=np.int64)
    random = np.random.default_rng([seed, number])
    for user, (start, size) in enumerate(
        zip(dataset.offsets[:-1].tolist(), sizes.tolist(), strict=True)
    ):
        drawn = random.choice(dataset.num_items, min(size + 2, dataset.num_items), replace=False)
        items[start : start + size] = drawn[:size]
        if held[user]:
            heldout[user] = drawn[size:][-1 if other_heldout else 0]
    form = f"without structure {seed} {number} {other_heldout} {dataset.fingerprint}"
    return replace(
        dataset,
        name=f"{dataset.name}-without-structure",
        simulated=True,
        source=f"drawn by chance in the form of {dataset.label}",
        notices=(),
        fingerprint=hashlib.sha256(form.encode()).hexdigest(),
        split=Split(dataset.split.users, items, dataset.split.times, heldout),
    )
