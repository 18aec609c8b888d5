"""Copies of a dataset whose interactions are in another order: for the check of the order."""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset


def reordered(dataset: Dataset, seed: int, *, whole: bool = False) -> Dataset:
    """Return a copy in which interactions of a user at the same time are in a random order.

    With `whole` all of a user's interactions are, whatever their times. Then the latest of each is
    held out again. The dataset must be split by `latest`, and its `heldout_times` known. Times
    count in whole seconds.
    """
    users, items, times = interactions(dataset)
    drawn = np.random.default_rng([seed, int(whole)]).random(len(users))
    order = np.lexsort((drawn, users) if whole else (drawn, times, users))
    # Times stay in order, also where items do not: nothing is learned from them.
    users, items, times = users[order], items[order], times[np.lexsort((times, users))]
    split, num_users = dataset.split, dataset.num_users
    held = np.flatnonzero(np.asarray(split.heldout) >= 0)
    last = np.cumsum(np.bincount(users, minlength=num_users))[held] - 1
    heldout, heldout_times = (np.full(num_users, -1, dtype=np.int64) for _ in range(2))
    heldout[held], heldout_times[held] = items[last], times[last]
    items, times = np.delete(items, last), np.delete(times, last)
    form = f"reordered {seed} {whole} {dataset.fingerprint}"
    return replace(
        dataset,
        notices=(),
        fingerprint=hashlib.sha256(form.encode()).hexdigest(),
        split=replace(
            split, items=items, times=times, heldout=heldout, heldout_times=heldout_times
        ),
    )


def interactions(dataset: Dataset) -> tuple[NDArray[np.int64], ...]:
    """Return users, items and times of all pairs, with the held-out ones after the others."""
    split = dataset.split
    held = np.flatnonzero(np.asarray(split.heldout) >= 0)
    return (
        np.concatenate([split.users, held]),
        np.concatenate([split.items, split.heldout[held]]),
        np.concatenate([split.times, split.heldout_times[held]]),
    )


def num_tied(dataset: Dataset) -> int:
    """Return how many users have a held-out item at the time of the one before it."""
    split, held = dataset.split, np.asarray(dataset.split.heldout) >= 0
    latest = np.asarray(split.times)[dataset.offsets[1:][held] - 1]
    return int((latest == split.heldout_times[held]).sum())


def has_ties(dataset: Dataset) -> bool:
    """Return whether any user has two interactions at the same time."""
    users, _, times = interactions(dataset)
    order = np.lexsort((times, users))
    users, times = users[order], times[order]
    return bool(((users[1:] == users[:-1]) & (times[1:] == times[:-1])).any())


def lacks_times(dataset: Dataset) -> bool:
    """Return whether version 0.1.0 prepared a dataset, without the times of the held-out items."""
    split = dataset.split
    return bool(((np.asarray(split.heldout) >= 0) & (split.heldout_times < 0)).any())


def has_same_interactions(a: Dataset, b: Dataset) -> bool:
    """Return whether both have the same users, items and pairs, whichever are held out."""
    if a.fingerprint == b.fingerprint:
        return True
    if a.catalogue.item_ids != b.catalogue.item_ids or list(a.user_ids) != list(b.user_ids):
        return False
    return np.array_equal(np.sort(_pair_numbers(a)), np.sort(_pair_numbers(b)))


def with_times_of(dataset: Dataset, other: Dataset) -> Dataset:
    """Return `dataset` with the times of its held-out items, from one of the same interactions."""
    times = interactions(other)[2]
    numbers = _pair_numbers(other)
    order = np.argsort(numbers)
    held = np.flatnonzero(np.asarray(dataset.split.heldout) >= 0)
    wanted = held * dataset.num_items + dataset.split.heldout[held]
    found = np.full(dataset.num_users, -1, dtype=np.int64)
    found[held] = times[order[np.searchsorted(numbers[order], wanted)]]
    return replace(dataset, split=replace(dataset.split, heldout_times=found))


def _pair_numbers(dataset: Dataset) -> NDArray[np.int64]:
    users, items, _ = interactions(dataset)
    return users * dataset.num_items + items
