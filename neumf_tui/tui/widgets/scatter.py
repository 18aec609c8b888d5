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
from textual_plot import HiResMode, NumericAxisFormatter, PlotWidget

from neumf_tui.runs.events import CUTOFF

Ranks = NDArray[np.float64]
DOTS = (2, 4)
"""Dots of a braille cell, across and down."""
SIDES = ((0, "scatter--same"), (1, "scatter--won"), (-1, "scatter--lost"))
"""Which users are drawn in which style, the later over the earlier."""
REST_SECONDS = 0.1
ROOM = 0.04
"""Share of an axis left free at either end: the frame is drawn over whatever stands on it."""


class RankScatter(PlotWidget, can_focus=False, inherit_bindings=False):
    """Dots below the diagonal are users whom B serves better; the lines at rank 50 part hits from misses."""

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
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 6
        self.set_x_formatter(RankTicks(lambda: self.size.width - 8, 6))
        self.set_y_formatter(RankTicks(lambda: self.size.height - 3, 1))
        self.draw()

    def show(self, rank_a: Ranks, rank_b: Ranks, sides: NDArray[np.int8], last: int) -> None:
        """Draw users' ranks, shape (n,) each; `sides` 1 where B won the hit, −1 where it lost it; `last`: the last rank."""
        self._x, self._y, self._sides, self._last = (
            np.log10(rank_a),
            np.log10(rank_b),
            sides,
            max(last, 2),
        )
        self._marked, self._thinned = -1, (None, [])
        self.draw()

    def mark(self, row: int) -> None:
        """Mark one of the dots; −1 for none. Drawn when the cursor rests: a redraw takes 65 ms for 330,000 users."""
        if row != self._marked:
            self._marked = row
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_SECONDS, self.draw)

    def draw(self) -> None:
        """Draw all of it anew; what the terminal shows already is not sent again."""
        self.clear()
        end = float(np.log10(self._last))
        limits = (-ROOM * end, (1 + ROOM) * end)
        self.set_xlimits(*limits)
        self.set_ylimits(*limits)
        line = self._style("scatter--line")
        self.plot(limits, limits, line_style=line, hires_mode=HiResMode.BRAILLE)
        if self._last > CUTOFF:
            # Between 50, still a hit, and what comes after it.
            edge = float(np.log10(CUTOFF + 0.5))
            self.plot((edge, edge), limits, line_style=line, hires_mode=HiResMode.BRAILLE)
            self.plot(limits, (edge, edge), line_style=line, hires_mode=HiResMode.BRAILLE)
        if self._thinned[0] != self.size:
            self._thinned = (
                self.size,
                [self._dots(self._sides == side, limits) for side, _ in SIDES],
            )
        for (_, style), (x, y) in zip(SIDES, self._thinned[1], strict=True):
            if len(x):
                self.scatter(x, y, marker_style=self._style(style), hires_mode=HiResMode.BRAILLE)
        if 0 <= self._marked < len(self._x):
            x, y = self._x[[self._marked]], self._y[[self._marked]]
            self.scatter(x, y, marker="●", marker_style=self._style("scatter--cursor"))

    def _dots(self, kept: NDArray[np.bool_], limits: tuple[float, float]) -> tuple[Ranks, Ranks]:
        """One point of those that fall on the same dot: a third of a million users cost what fills the screen."""
        x, y = self._x[kept], self._y[kept]
        size, span = self.size, limits[1] - limits[0]
        across, down = DOTS[0] * max(10, size.width), DOTS[1] * max(5, size.height)
        place = np.floor((x - limits[0]) / span * across) * down + np.floor(
            (y - limits[0]) / span * down
        )
        _, first = np.unique(place, return_index=True)
        return x[first], y[first]

    def _style(self, name: str) -> str:
        return str(self.get_component_rich_style(name, partial=True))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self.draw()

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def on_click(self, event: events.Click) -> None:
        canvas = self.query_one("#plot")
        offset = event.screen_offset - canvas.region.offset
        if len(self._x) and canvas.region.contains_point(event.screen_offset):
            x, y = self.get_coordinate_from_pixel(offset.x, offset.y)
            # A cell is about twice as high as it is wide.
            across, down = (self._x - x) * canvas.size.width, 2 * (self._y - y) * canvas.size.height
            self.post_message(self.Chosen(int((across**2 + down**2).argmin())))


class RankTicks(NumericAxisFormatter):
    """Ranks 50, 1, 10, 100 and so on, those first, as far as they fit on an axis of their logarithms."""

    def __init__(self, cells: Callable[[], int], apart: int) -> None:
        """`cells`: length of the axis now; labels stand at least `apart` of them from one another."""
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
