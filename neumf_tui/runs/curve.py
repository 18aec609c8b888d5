"""The loss curve: appended to many times a second, and still immutable for its readers."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_MIN_CAPACITY = 4_096


@dataclass(eq=False)
class _Buffers:
    """Three arrays with free space at their end."""

    steps: NDArray[np.int64]
    seconds: NDArray[np.float64]
    losses: NDArray[np.float64]
    used: int = field(default=0, init=False)


class Points:
    """The loss by step. Appending returns new Points that share the arrays where possible."""

    def __init__(self, buffers: _Buffers | None = None, count: int = 0) -> None:
        self._buffers = buffers or _Buffers(np.empty(0, np.int64), np.empty(0), np.empty(0))
        self._count = count

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
    def losses(self) -> NDArray[np.float64]:
        """Mean loss per training pair; NaN if it was not finite."""
        return self._buffers.losses[: self._count]

    def appended(
        self, steps: list[int], seconds: NDArray[np.float64], losses: list[float | None]
    ) -> Self:
        """Return the points with more at the end; all arguments have equal length."""
        buffers, start, end = self._buffers, self._count, self._count + len(steps)
        if buffers.used != start or end > len(buffers.steps):
            # Other Points use the space after these, or it is full: copy into larger arrays.
            arrays = (buffers.steps, buffers.seconds, buffers.losses)
            buffers = _Buffers(*(_enlarged(array, start, end) for array in arrays))
        buffers.steps[start:end] = steps
        buffers.seconds[start:end] = seconds
        buffers.losses[start:end] = np.array(losses, dtype=np.float64)  # None becomes NaN
        buffers.used = end
        return type(self)(buffers, end)

    def until(self, step: int) -> Self:
        """Return the points without those after `step`."""
        return type(self)(self._buffers, int(np.searchsorted(self.steps, step, side="right")))


def _enlarged(array: NDArray[Any], count: int, end: int) -> NDArray[Any]:
    larger = np.empty(max(_MIN_CAPACITY, 2 * end), array.dtype)
    larger[:count] = array[:count]
    return larger
