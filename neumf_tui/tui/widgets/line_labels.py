"""Places for the names of a chart's horizontal lines, beside its curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SAMPLES = 4
"""Number of points of a curve that are looked at in each cell's width."""


@dataclass(frozen=True)
class Area:
    """Limits of what a chart shows, and its size in cells, both at least 1."""

    left: float
    right: float
    low: float
    high: float
    width: int
    height: int

    def row(self, y: float) -> int:
        """Return the row of a height, 0 at the top; below 0 or from `height` on it is outside."""
        return int(np.floor((self.high - y) / (self.high - self.low) * self.height))

    def x(self, column: int) -> float:
        """Return the x of the middle of a cell."""
        return self.left + (column + 0.5) / self.width * (self.right - self.left)


def place_names(
    levels: Sequence[tuple[str, float]], curves: Sequence[tuple[Floats, Floats]], area: Area
) -> list[tuple[int, float, str]]:
    """Return (column, height, name) for each name that hides no curve.

    Names of lines in the same row become one. A name stands at the left end, where curves no
    longer grow, else at the right end, else in the middle; without room it is left out.
    curves: x and y of each, x ascending.
    """
    taken = _cells(curves, area)
    rows: dict[int, list[tuple[str, float]]] = {}
    for name, height in sorted(levels, key=lambda level: -level[1]):
        rows.setdefault(area.row(height), []).append((name, height))
    placed = []
    for row, here in rows.items():
        text = ", ".join(name for name, _ in here)
        room = area.width - len(text)
        if not 0 <= row < area.height or room < 2:
            continue
        for column in (1, room - 1, room // 2):
            if not taken[row, max(0, column - 1) : column + len(text) + 1].any():
                placed.append((column, here[0][1], text))
                break
    return placed


def _cells(curves: Sequence[tuple[Floats, Floats]], area: Area) -> NDArray[np.bool_]:
    """Return the cells that a curve crosses, shape (height, width)."""
    taken = np.zeros((area.height, area.width), dtype=bool)
    for x, y in curves:
        good = np.isfinite(y)
        if not good.any():
            continue
        x, y = x[good], y[good]
        seen = np.linspace(area.left, area.right, _SAMPLES * area.width + 1)
        inside = (seen >= x[0]) & (seen <= x[-1])
        # And its points, because a short curve may lie between the samples.
        seen = np.concatenate([seen[inside], x[(x >= area.left) & (x <= area.right)]])
        seen.sort()
        across = (seen - area.left) / (area.right - area.left) * area.width
        down = (area.high - np.interp(seen, x, y)) / (area.high - area.low) * area.height
        columns = across.astype(int).clip(0, area.width - 1)
        rows = np.clip(down, 0, area.height - 1).astype(int)
        for column in np.unique(columns).tolist():
            here = np.flatnonzero(columns == column)
            span = rows[here[0] : here[-1] + 2]  # with the next point: a steep piece has no gap
            taken[span.min() : span.max() + 1, column] = True
    return taken
