"""Places for the names of a chart's horizontal lines, beside its curves where there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.tui.widgets.axes import Floats
from neumf_tui.tui.widgets.plane import column_of, row_of

_SAMPLES = 4
"""Number of points of a curve that are looked at in each cell's width."""


@dataclass(frozen=True)
class Area:
    """The size of a plane in cells, both at least 1. Places on it are from 0 to 1."""

    width: int
    height: int


@dataclass(frozen=True)
class LineName:
    """The name of a line and its place on the y axis."""

    name: str
    place: float
    needed: bool = True
    """Whether it is shown even where it hides a part of a curve."""
    value: str = ""
    """What stands after the name where there is room."""


def place_names(
    lines: Sequence[LineName],
    curves: Sequence[tuple[Floats, Floats]],
    area: Area,
    marks: Sequence[tuple[float, float]] = (),
) -> list[tuple[int, int, str]]:
    """Return (column, row, text) for the names of the lines that are seen.

    Names in the same row become one text. It stands at the left end, where curves no longer grow,
    else at the right end, else in the middle. Where a curve is in all three, needed names stand
    where they hide least of it, and the others are left out.
    curves: places of each curve's points, x ascending.
    marks: places of the marked points, which are hidden last.
    """
    taken = _cells(curves, area)
    for x, y in marks:
        if 0 <= x <= 1 and 0 <= y <= 1:
            taken[row_of(y, area.height), column_of(x, area.width)] = area.width
    by_row: dict[int, list[LineName]] = {}
    for line in sorted(lines, key=lambda line: -line.place):
        by_row.setdefault(row_of(line.place, area.height), []).append(line)
    placed = []
    for row, here in by_row.items():
        if 0 <= row < area.height:
            here.sort(key=lambda line: not line.needed)
            needed = [line for line in here if line.needed]
            if found := _free_place(here, taken[row]) or _least_hiding(needed, taken[row]):
                placed.append((found[0], row, found[1]))
    return placed


def _free_place(lines: Sequence[LineName], taken: NDArray[np.int64]) -> tuple[int, str] | None:
    """Return column and text of as many names as have a place in a row that no curve takes."""
    for text in _forms(lines, len(taken) - 2):
        room = len(taken) - len(text)
        for column in (1, room - 1, room // 2, *range(2, room - 1)):
            if not taken[column - 1 : column + len(text) + 1].any():
                return column, text
    return None


def _least_hiding(lines: Sequence[LineName], taken: NDArray[np.int64]) -> tuple[int, str] | None:
    """Return column and text of the names where they hide least of the curves in a row."""
    for text in _forms(lines, len(taken) - 2):
        room = len(taken) - len(text)
        columns = 1, room - 1, room // 2
        return min(columns, key=lambda column: taken[column : column + len(text)].sum()), text
    return None


def _forms(lines: Sequence[LineName], width: int) -> list[str]:
    """Return texts of at most `width` cells, first with all names; … stands for the others."""
    names = [line.name for line in lines]
    whole = ", ".join(f"{line.name} {line.value}".rstrip() for line in lines)
    counts = range(len(names), 0, -1)
    texts = [", ".join(names[:count]) + (" …" if count < len(names) else "") for count in counts]
    fitting = [text for text in (whole, *texts) if 0 < len(text) <= width]
    return fitting or ([f"{names[0][: width - 1]}…"] if names and width > 1 else [])


def _cells(curves: Sequence[tuple[Floats, Floats]], area: Area) -> NDArray[np.int64]:
    """Return 1 for each cell that a curve crosses, else 0, shape (height, width)."""
    taken = np.zeros((area.height, area.width), dtype=np.int64)
    for x, y in curves:
        good = np.isfinite(x) & np.isfinite(y)
        if not good.any():
            continue
        x, y = x[good], y[good]
        seen = np.linspace(0, 1, _SAMPLES * area.width + 1)
        inside = (seen >= x[0]) & (seen <= x[-1])
        # And its points, because a short curve may lie between the samples.
        seen = np.concatenate([seen[inside], x[(x >= 0) & (x <= 1)]])
        seen.sort()
        columns = np.floor(seen * (area.width - 0.5)).astype(int).clip(0, area.width - 1)
        down = np.floor((1 - np.interp(seen, x, y)) * (area.height - 0.25))
        rows = down.clip(-1, area.height).astype(int)
        for column in np.unique(columns).tolist():
            here = np.flatnonzero(columns == column)
            span = rows[here[0] : here[-1] + 2]  # with the next point: a steep piece has no gap
            taken[max(0, span.min()) : span.max() + 1, column] = 1
    return taken
