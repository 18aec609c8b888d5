"""A long curve that is appended to many times a second, and read as if it never changed."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FIRST_ROOM = 4_096


@dataclass(eq=False)
class _Store:
    """Three arrays with room at their end."""

    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    losses: NDArray[np.float64]
    used: int = 0


class Points:
    """Loss by step. Immutable: appending gives another Points, which shares the arrays where it can, so it costs what is new."""

    def __init__(self, store: _Store | None = None, count: int = 0) -> None:
        self._store = store or _Store(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def steps(self) -> NDArray[np.int64]:
        """Number of the last step behind each point, from the start of the run; ascending."""
        return self._store.steps[: self._count]

    @property
    def times(self) -> NDArray[np.float64]:
        """Unix seconds."""
        return self._store.times[: self._count]

    @property
    def losses(self) -> NDArray[np.float64]:
        """Mean loss per training pair; NaN where it was not finite."""
        return self._store.losses[: self._count]

    def appended(
        self, steps: list[int], times: NDArray[np.float64], losses: list[float | None]
    ) -> Self:
        """With more points at the end; all of equal length."""
        store, start, end = self._store, self._count, self._count + len(steps)
        if store.used != start or end > len(store.steps):
            # Another Points has gone on from here, or the room is used up: a store of its own, twice the size.
            store = _Store(
                _with_room(store.steps, start, end),
                _with_room(store.times, start, end),
                _with_room(store.losses, start, end),
            )
        store.steps[start:end] = steps
        store.times[start:end] = times
        store.losses[start:end] = np.array(losses, dtype=np.float64)  # None becomes NaN
        store.used = end
        return type(self)(store, end)

    def until(self, step: int) -> Self:
        """Without the points after `step`."""
        return type(self)(self._store, int(np.searchsorted(self.steps, step, side="right")))


def _with_room(array: NDArray[Any], count: int, end: int) -> NDArray[Any]:
    larger = np.empty(max(FIRST_ROOM, 2 * end), array.dtype)
    larger[:count] = array[:count]
    return larger
