"""Ranks in one model against ranks in another, one dot a user, both axes logarithmic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.timer import Timer

from neumf_tui.runs.events import CUTOFF
from neumf_tui.tui.widgets.axes import CELLS_PER_MARK, ROWS_PER_MARK, Axis, Marks
from neumf_tui.tui.widgets.fitted_text import fitting
from neumf_tui.tui.widgets.plane import MARGIN, Plane

Ranks = NDArray[np.float64]
DOTS = (2, 4)
"""Number of dots in a braille cell, horizontally and vertically."""
SIDES = ((0, "scatter--same"), (1, "scatter--won"), (-1, "scatter--lost"))
"""Change of the hit and its style, in the order of drawing."""
REST_SECONDS = 0.1


class RankScatter(Plane, can_focus=False):
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
    }
    """

    @dataclass
    class Chosen(Message):
        """Somebody clicked near this dot."""

        row: int

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._x: Ranks = np.empty(0)
        self._y: Ranks = np.empty(0)
        self._sides: NDArray[np.int8] = np.empty(0, dtype=np.int8)
        self._last = 2
        self._marked = -1
        self._titles: Sequence[str] = ()
        self._rest: Timer | None = None
        self._thinned: tuple[Size | None, list[tuple[Ranks, Ranks]]] = (None, [])
        """Dots of SIDES, for one size of the widget."""

    def show(self, rank_a: Ranks, rank_b: Ranks, sides: NDArray[np.int8], last: int) -> None:
        """Draw users' ranks, shape (n,) each.

        sides: 1 where B won the hit, −1 where it lost it, else 0.
        last: the last rank there is.
        """
        self._x, self._y = rank_a, rank_b
        self._sides, self._last = sides, max(last, 2)
        self._marked, self._thinned = -1, (None, [])
        self.redraw()

    def mark(self, row: int, titles: Sequence[str]) -> None:
        """Mark a dot when the cursor rests: drawing 330,000 users takes 65 ms.

        `titles` are forms of the title, of which the first that fits is shown.
        """
        self._titles = titles
        self._show_title()
        if row != self._marked:
            self._marked = row
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(REST_SECONDS, self.redraw)

    def _show_title(self) -> None:
        self.border_title = Text(fitting(self._titles, self.border_room))

    def draw(self) -> None:
        self._show_title()
        self.across = self.up = axis = Axis(1, self._last, log=True)
        line, ends = self.style_text("scatter--line"), np.array([1.0, self._last])
        self.draw_curve(ends, ends, line)
        if self._last > CUTOFF:
            # Between rank 50, the last hit, and 51.
            edge = np.full(2, CUTOFF + 0.5)
            self.draw_curve(edge, ends, line)
            self.draw_curve(ends, edge, line)
        if self._thinned[0] != self.size:
            self._thinned = self.size, [self._one_a_dot(self._sides == side) for side, _ in SIDES]
        for (_, style), (x, y) in zip(SIDES, self._thinned[1], strict=True):
            self.draw_dots(x, y, self.style_text(style))
        if 0 <= self._marked < len(self._x):
            at = float(self._x[self._marked]), float(self._y[self._marked])
            self.draw_mark(*at, "●", self.style_text("scatter--cursor"))
        across = rank_marks(axis, self.columns, CELLS_PER_MARK - 2)
        self.draw_axes(across, rank_marks(axis, self.rows, ROWS_PER_MARK - 1), "↑B A→")

    def _one_a_dot(self, kept: NDArray[np.bool_]) -> tuple[Ranks, Ranks]:
        """Return one point for each dot, so that many users cost no more than a full screen."""
        x, y = self._x[kept], self._y[kept]
        across, down = DOTS[0] * self.columns - 1, DOTS[1] * self.rows - 1
        columns = np.floor(self.across.places(x) * across)
        rows = np.floor(self.up.places(y) * down)
        _, first = np.unique(columns * (down + 1) + rows, return_index=True)
        return x[first], y[first]

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None or at.x < MARGIN or not len(self._x):
            return
        # A cell is about twice as high as wide.
        across = (self.across.places(self._x) * self.columns - (at.x - MARGIN + 0.5)) ** 2
        down = (2 * ((1 - self.up.places(self._y)) * self.rows - (at.y + 0.5))) ** 2
        self.post_message(self.Chosen(int((across + down).argmin())))


def rank_marks(axis: Axis, cells: int, apart: int) -> Marks:
    """Return marks at ranks 50, 1, 10, 100 and so on, as many as fit on a log axis of `cells`.

    They are at least `apart` cells from one another.
    """
    least = apart / max(1, cells)
    places: dict[int, float] = {}
    for rank in (CUTOFF, *(10**power for power in range(10))):
        place = axis.place(rank)
        if 0 <= place <= 1 and all(abs(place - other) >= least for other in places.values()):
            places[rank] = place
    return [(rank, _short(rank)) for rank in sorted(places)]


def _short(rank: int) -> str:
    return f"{rank // 1000}k" if rank >= 10_000 else f"{rank:,}"
