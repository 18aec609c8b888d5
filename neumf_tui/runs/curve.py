"""A curve by step, such as the loss: often appended to, of limited size, immutable for readers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import LARGEST

Floats = NDArray[np.float64]
LIMIT = 4_096
"""Number of points from which on a curve is thinned to about half of them."""
EVENT_POINTS = 16
"""Points of a curve in one event; more steps than that are averaged."""


def averaged(
    steps: NDArray[np.int64], sums: Floats, sizes: NDArray[Any]
) -> tuple[list[int], list[float | None]]:
    """Return at most EVENT_POINTS points: a last step, and the mean value, of a few steps each.

    sums, sizes: the values of each step, and of how many they are the sum. None stands for a mean
    that is not finite, or too large for an event.
    """
    groups = np.array_split(np.arange(len(sums)), min(EVENT_POINTS, len(sums)))
    means = [float(sums[g].sum() / sizes[g].sum()) for g in groups]
    last = [int(steps[g[-1]]) for g in groups]
    return last, [mean if abs(mean) <= LARGEST else None for mean in means]


def spread(numbers: Sequence[int], room: int) -> list[int]:
    """Return at most `room` of the ascending `numbers`: every 2nd, 4th, 8th, ... of them.

    These are the multiples of the smallest power of two that leaves few enough, and the first.
    What stays of a longer sequence therefore stays of each of its beginnings, too: numbers can be
    removed while more of them come.
    """
    step, kept = 1, list(numbers)
    while len(kept) > max(room, 1):
        step *= 2
        kept = [n for n in numbers if n % step == 0 or n == numbers[0]]
    return kept[:room]


def extremes(x: Floats, y: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of about `count` points that look the same as all; x ascends.

    These are the lowest and the highest of each stretch of x.
    """
    # Stretches of x, not of points: new points at the end then leave the old stretches alone.
    width = 2.0 ** math.ceil(math.log2(max(float(np.ptp(x)), 1e-9) / (count / 2)))
    starts = np.flatnonzero(np.diff(np.floor(x / width), prepend=-np.inf))
    ends = np.append(starts[1:], len(x))
    lowest = [a + y[a:b].argmin() for a, b in zip(starts, ends, strict=True)]
    highest = [a + y[a:b].argmax() for a, b in zip(starts, ends, strict=True)]
    return np.unique(lowest + highest)


@dataclass(eq=False)
class _Buffers:
    """Three arrays with free space at their end."""

    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]
    used: int = field(default=0, init=False)


class Points:
    """Values by step. Appending returns new Points that share the arrays where possible.

    From `limit` points on they are thinned to about half of them.
    """

    def __init__(
        self,
        limit: int = LIMIT,
        buffers: _Buffers | None = None,
        count: int = 0,
        times_thinned: int = 0,
    ) -> None:
        self._limit = limit
        self._buffers = buffers or _Buffers(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self._count = count
        self.times_thinned = times_thinned
        """How often points were left out; those before are others then."""

    def __len__(self) -> int:
        return self._count

    @property
    def steps(self) -> NDArray[np.int64]:
        """Last step of each point, counted from the start of the run; ascending."""
        return self._buffers.steps[: self._count]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Seconds of training until each point, without pauses."""
        return self._buffers.seconds[: self._count]

    @property
    def values(self) -> NDArray[np.float64]:
        """Values, such as the mean loss per training pair; NaN if one was not finite."""
        return self._buffers.values[: self._count]

    def appended(
        self, steps: list[int], seconds: NDArray[np.float64], values: list[float | None]
    ) -> Self:
        """Return the points with more at the end; all arguments have equal length."""
        if self._count + len(steps) > self._limit and self._count > self._limit // 8:
            return self._thinned().appended(steps, seconds, values)
        buffers, start, end = self._buffers, self._count, self._count + len(steps)
        if buffers.used != start or end > len(buffers.steps):
            # Other Points use the space after these, or it is full: copy into larger arrays.
            arrays = (buffers.steps, buffers.seconds, buffers.values)
            size = max(min(self._limit, 2 * end), end)
            buffers = _Buffers(*(_enlarged(array, start, size) for array in arrays))
        buffers.steps[start:end] = steps
        buffers.seconds[start:end] = seconds
        buffers.values[start:end] = np.array(values, dtype=np.float64)  # None becomes NaN
        buffers.used = end
        return type(self)(self._limit, buffers, end, self.times_thinned)

    def _thinned(self) -> Self:
        """Return about half of the points; the first, the newest and the extremes stay."""
        old = self._count - self._limit // 16
        stay = extremes(self.steps[:old].astype(np.float64), self.values[:old], self._limit // 2)
        kept = np.unique(np.concatenate([[0], stay, np.arange(old, self._count)]))
        buffers = _Buffers(self.steps[kept], self.seconds[kept], self.values[kept])
        buffers.used = len(kept)
        return type(self)(self._limit, buffers, len(kept), self.times_thinned + 1)

    def until(self, step: int) -> Self:
        """Return the points without those after `step`."""
        count = int(np.searchsorted(self.steps, step, side="right"))
        return type(self)(self._limit, self._buffers, count, self.times_thinned)


def _enlarged(array: NDArray[Any], count: int, size: int) -> NDArray[Any]:
    larger = np.empty(size, array.dtype)
    larger[:count] = array[:count]
    return larger
