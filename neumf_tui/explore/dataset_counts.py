"""How the interactions of a dataset are spread over users, items, time and ratings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.split import CHUNK_ROWS, Split

MOST_BINS = 36
"""Bins in which times are counted: three years by months."""
_MOST_DAYS = 31
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Bin:
    """One line of a histogram."""

    label: str
    count: int


@dataclass(frozen=True)
class DatasetCounts:
    """What only the interactions themselves can tell; a list is empty where that is not known."""

    later_share: float | None
    """As `later_share` returns it."""
    user_sizes: list[Bin]
    """Users by the number of their interactions, held-out ones included."""
    item_sizes: list[Bin]
    """Items by the same."""
    times: list[Bin]
    """Interactions by day, month or years."""
    ties: list[Bin]
    """Interactions by the number of those that share user and time, themselves included."""
    ratings: list[Bin]
    """Interactions by rating."""


def count_dataset(data: Dataset, cancelled: Callable[[], bool] = lambda: False) -> DatasetCounts:
    """Count the interactions that are learned from or held out.

    What is computed after `cancelled` returns True is left out.
    """
    split, held = data.split, np.asarray(data.split.heldout) >= 0
    of_items = data.seen_by + np.bincount(split.heldout[held], minlength=data.num_items)
    of_users = np.diff(data.offsets) + held
    timed = data.facts.has_times and len(split.times) > 0 and not cancelled()
    return DatasetCounts(
        later_share=later_share(split) if timed else None,
        user_sizes=_size_bins(of_users),
        item_sizes=_size_bins(of_items),
        times=_time_bins([split.times, _heldout_times(split)]) if timed else [],
        ties=_tie_bins(split) if timed and not cancelled() else [],
        ratings=[Bin(f"{rating:g}", count) for rating, count in data.facts.rating_counts],
    )


def later_share(split: Split) -> float | None:
    """Return the share of training pairs that are later than a person's held-out one.

    The mean over all users whose held-out time is known; None if there is none.
    """
    heldout = np.sort(_heldout_times(split))
    if not len(heldout) or not len(split.times):
        return None
    # The mean over users of the pairs after a time is the mean over pairs of the times before it.
    before = 0
    for start in range(0, len(split.times), CHUNK_ROWS):
        part = split.times[start : start + CHUNK_ROWS]
        before += int(np.searchsorted(heldout, part).sum())
    return before / len(heldout) / len(split.times)


def _heldout_times(split: Split) -> NDArray[np.int64]:
    """Return the known times of held-out interactions; version 0.1.0 has not kept them."""
    times = np.asarray(split.heldout_times)
    return times[times >= 0]


def _size_bins(sizes: NDArray[Any]) -> list[Bin]:
    """Count the sizes in 1, 2–4, 5–9, 10–19 and so on; without the empty bins at both ends."""
    starts, scale, most = [1], 1, int(sizes.max(initial=1))
    while starts[-1] <= most:
        starts += [step * scale for step in _STEPS if step * scale > starts[-1]]
        scale *= 10
    counts, _ = np.histogram(sizes, [*starts, starts[-1] + 1])
    labels = [
        f"{first:,}" if first + 1 == after else f"{first:,}–{after - 1:,}"
        for first, after in pairwise(starts)
    ]
    return _within([Bin(*one) for one in zip(labels, counts.tolist(), strict=False)])


def _tie_bins(split: Split) -> list[Bin]:
    """Count interactions by how many of the same user have their time."""
    held = np.flatnonzero(np.asarray(split.heldout_times) >= 0)
    # Each held-out interaction goes behind its user's training pairs.
    ends = split.offsets[1:][held]
    users = np.insert(split.users, ends, held)
    times = np.insert(split.times, ends, split.heldout_times[held])
    falls = (users[1:] == users[:-1]) & (times[1:] < times[:-1])
    if falls.any():  # not in order of time, as after a split at random
        order = np.lexsort((times, users))
        users, times = users[order], times[order]
    starts = np.flatnonzero((users[1:] != users[:-1]) | (times[1:] != times[:-1])) + 1
    sizes = np.diff(np.concatenate(([0], starts, [len(users)])))
    most = int(sizes.max(initial=1))
    firsts = [1, *(2**power + 1 for power in range(most.bit_length()) if 2**power < most)]
    found = []
    for first, after in zip(firsts, [*firsts[1:], most + 1], strict=True):
        label = f"{first:,}" if first + 1 == after else f"{first:,}–{after - 1:,}"
        found.append(Bin(label, int(sizes[(sizes >= first) & (sizes < after)].sum())))
    return found


def _time_bins(parts: list[NDArray[np.int64]]) -> list[Bin]:
    """Count Unix seconds by day, month, or some years: the finest with few enough bins."""
    counts = _counts_of(parts, lambda times: times // 86_400)
    if len(counts[1]) <= _MOST_DAYS:
        return _labelled(counts, lambda day: str(date(1970, 1, 1) + timedelta(days=day)))
    months = _counts_of(parts, lambda times: _calendar(times, "M"))
    if len(months[1]) <= MOST_BINS:
        return _labelled(months, lambda month: f"{1970 + month // 12}-{month % 12 + 1:02}")
    years = len(months[1]) // 12 + 2
    step = -(-years // (MOST_BINS - 1))  # the first bin may begin before the first year
    spans = _counts_of(parts, lambda times: (_calendar(times, "Y") + 1970) // step)
    last = "–{}" if step > 1 else ""
    return _labelled(spans, lambda span: f"{span * step}{last.format(span * step + step - 1)}")


def _calendar(times: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    return times.astype("datetime64[s]").astype(f"datetime64[{unit}]").astype(np.int64)


def _counts_of(
    parts: list[NDArray[np.int64]], number: Callable[[NDArray[np.int64]], NDArray[np.int64]]
) -> tuple[int, NDArray[np.int64]]:
    """Return the least of the numbers of all times, and how often it and those after it occur."""
    low = min(int(number(part.min(keepdims=True))[0]) for part in parts if len(part))
    high = max(int(number(part.max(keepdims=True))[0]) for part in parts if len(part))
    counts = np.zeros(high - low + 1, dtype=np.int64)
    for part in parts:
        for start in range(0, len(part), CHUNK_ROWS):
            numbers = number(part[start : start + CHUNK_ROWS]) - low
            counts += np.bincount(numbers, minlength=len(counts))
    return low, counts


def _labelled(counts: tuple[int, NDArray[np.int64]], label: Callable[[int], str]) -> list[Bin]:
    first, found = counts
    return [Bin(label(first + place), count) for place, count in enumerate(found.tolist())]


def _within(bins: Iterable[Bin]) -> list[Bin]:
    """Return the bins from the first to the last that is not empty."""
    bins = list(bins)
    filled = [place for place, one in enumerate(bins) if one.count]
    return bins[filled[0] : filled[-1] + 1] if filled else []
