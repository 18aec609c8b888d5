"""Ranks in one model against ranks in another, one dot a user, both axes logarithmic."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.timer import Timer
from textual_plot import HiResMode, NumericAxisFormatter

from neumf_tui.runs.events import CUTOFF
from neumf_tui.tui.widgets.chart import StyledPlot

Ranks = NDArray[np.float64]
DOTS = (2, 4)
"""Number of dots in a braille cell, horizontally and vertically."""
SIDES = ((0, "scatter--same"), (1, "scatter--won"), (-1, "scatter--lost"))
"""Change of the hit and its style, in the order of drawing."""
REST_SECONDS = 0.1
ROOM = 0.04
"""Share of an axis left free at each end, because the frame hides the points on it."""


class RankScatter(StyledPlot, can_focus=False, inherit_bindings=False):
    """A dot is a user. Below the diagonal model B is better; lines at rank 50 separate hits."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "scatter--same", "scatter--won", "scatter--lost", "scatter--line", "scatter--cursor",
    }  # fmt: skip
    DEFAULT_CSS = """
    RankScatter {
        & > .scatter--same { color: $text-primary; }
        & > .scatter--won { color: $text-success; }
        & > .scatter--lost { color: $text-error; }
        & > .scatter--line { color: $primary-muted; }
        & > .scatter--cursor { color: $text-accent; text-style: bold; }
        & > .plot--axis { color: $foreground-darken-3; }
        & > .plot--tick { color: $text-muted; text-style: none; }
    }
    """

    @dataclass
    class Chosen(Message):
        """Somebody clicked near this dot."""

        row: int

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, allow_pan_and_zoom=False)
        self._x: Ranks = np.empty(0)
        self._y: Ranks = np.empty(0)
        self._sides: NDArray[np.int8] = np.empty(0, dtype=np.int8)
        self._last = 2
        self._marked = -1
        self._rest: Timer | None = None
        self._thinned: tuple[Size | None, list[tuple[Ranks, Ranks]]] = (None, [])
        """Dots of SIDES, for one size of the widget."""

    def on_mount(self) -> None:
        self.set_x_formatter(RankTicks(lambda: self.size.width - 8, 6))
        self.set_y_formatter(RankTicks(lambda: self.size.height - 3, 1))

    def show(self, rank_a: Ranks, rank_b: Ranks, sides: NDArray[np.int8], last: int) -> None:
        """Draw users' ranks, shape (n,) each.

        sides: 1 where B won the hit, −1 where it lost it, else 0.
        last: the last rank there is.
        """
        self._x, self._y = np.log10(rank_a), np.log10(rank_b)
        self._sides, self._last = sides, max(last, 2)
        self._marked, self._thinned = -1, (None, [])
        self.draw()

    def mark(self, row: int) -> None:
        """Mark a dot, none if −1, when the cursor rests: drawing 330,000 users takes 65 ms."""
        if row != self._marked:
            self._marked = row
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_SECONDS, self.draw)

    def draw(self) -> None:
        self.clear()
        end = float(np.log10(self._last))
        limits = (-ROOM * end, (1 + ROOM) * end)
        self.set_xlimits(*limits)
        self.set_ylimits(*limits)
        line, braille = self.style_text("scatter--line"), HiResMode.BRAILLE
        self.plot(limits, limits, line_style=line, hires_mode=braille)
        if self._last > CUTOFF:
            # Between rank 50, the last hit, and 51.
            edge = float(np.log10(CUTOFF + 0.5))
            self.plot((edge, edge), limits, line_style=line, hires_mode=braille)
            self.plot(limits, (edge, edge), line_style=line, hires_mode=braille)
        if self._thinned[0] != self.size:
            dots = [self._dots(self._sides == side, limits) for side, _ in SIDES]
            self._thinned = (self.size, dots)
        for (_, style), (x, y) in zip(SIDES, self._thinned[1], strict=True):
            if len(x):
                self.scatter(x, y, marker_style=self.style_text(style), hires_mode=braille)
        if 0 <= self._marked < len(self._x):
            x, y = self._x[[self._marked]], self._y[[self._marked]]
            self.scatter(x, y, marker="●", marker_style=self.style_text("scatter--cursor"))

    def _dots(self, kept: NDArray[np.bool_], limits: tuple[float, float]) -> tuple[Ranks, Ranks]:
        """Return one point for each dot, so that many users cost no more than a full screen."""
        x, y = self._x[kept], self._y[kept]
        low, span = limits[0], limits[1] - limits[0]
        across, down = DOTS[0] * max(10, self.size.width), DOTS[1] * max(5, self.size.height)
        columns, rows = np.floor((x - low) / span * across), np.floor((y - low) / span * down)
        _, first = np.unique(columns * down + rows, return_index=True)
        return x[first], y[first]

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def on_click(self, event: events.Click) -> None:
        canvas = self.query_one("#plot")
        offset = event.screen_offset - canvas.region.offset
        if len(self._x) and canvas.region.contains_point(event.screen_offset):
            x, y = self.get_coordinate_from_pixel(offset.x, offset.y)
            # A cell is about twice as high as wide.
            across, down = (self._x - x) * canvas.size.width, 2 * (self._y - y) * canvas.size.height
            self.post_message(self.Chosen(int((across**2 + down**2).argmin())))


class RankTicks(NumericAxisFormatter):
    """Ticks at ranks 50, 1, 10, 100 and so on, as many as fit, on an axis of log10 ranks."""

    def __init__(self, cells: Callable[[], int], apart: int) -> None:
        """`cells` returns the axis's length; labels are at least `apart` cells from each other."""
        self._cells, self._apart = cells, apart

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        least = self._apart * (max_ - min_) / max(1, self._cells())
        ticks: list[float] = []
        for rank in (CUTOFF, *(10**power for power in range(10))):
            tick = math.log10(rank)
            if min_ <= tick <= max_ and all(abs(tick - other) >= least for other in ticks):
                ticks.append(tick)
        return sorted(ticks)

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [_short(round(10**tick)) for tick in ticks]


def _short(rank: int) -> str:
    return f"{rank // 1000}k" if rank >= 10_000 else f"{rank:,}"
