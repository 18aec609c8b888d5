"""The plane of a chart: two axes with round numbers, and braille lines between them."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from textual_hires_canvas import Canvas

from neumf_tui.tui.widgets.axes import LABEL_WIDTH, Axis, Floats, Marks

MARGIN = LABEL_WIDTH + 1
"""Cells at the left, with the axis itself."""
_HALF_DOT = 0.5, 0.25
"""Size of a braille dot in cells, horizontally and vertically."""


class Plane(Canvas, can_focus=False):
    """Draws itself from its state whenever it is shown anew: with another size or theme, too.

    It has no frame of its own but its border: the axes stand at the left and at the bottom, and
    the x axis carries its labels.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"plane--axis", "plane--tick"}
    DEFAULT_CSS = """
    Plane {
        width: 1fr;
        height: 1fr;
        & > .plane--axis { color: $foreground-darken-3; }
        & > .plane--tick { color: $text-muted; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(1, 1, id=id)
        self.across, self.up = Axis(0, 1), Axis(0, 1)
        """What is seen of the two axes."""

    def draw(self) -> None:
        """Draw everything onto the empty plane; cells that do not change are not sent."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw everything again, if there is a place for it."""
        if self.is_mounted and self.columns > 0 and self.rows > 0:
            with self.batch_refresh():
                self.reset(size=self.size)
                self.draw()

    def on_mount(self) -> None:
        # Component styles follow a theme only after `notify_style_update`.
        self.app.theme_changed_signal.subscribe(self, lambda _: self.redraw())

    def on_resize(self) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    @property
    def columns(self) -> int:
        """Width between the axes in cells."""
        return self.size.width - MARGIN

    @property
    def rows(self) -> int:
        """Height between the axes in cells."""
        return self.size.height - 1

    @property
    def has_foot(self) -> bool:
        """Whether there is a lower border, which can have a text as the upper one."""
        return bool(self.styles.border_bottom[0])

    @property
    def border_room(self) -> int:
        """Cells of a text in the border; a whole one has corners with a space beside each."""
        return self.outer_size.width - (5 if self.has_foot else 2)

    def style_text(self, name: str) -> str:
        """Return the style of a component class, as the canvas takes it."""
        return str(self.get_component_rich_style(name, partial=True))

    # Places.

    def column(self, x: float) -> int:
        """Return the column of a value, counted from the y axis."""
        return column_of(self.across.place(x), self.columns)

    def row(self, y: float) -> int:
        """Return the row of a value, 0 at the top."""
        return row_of(self.up.place(y), self.rows)

    def x_at(self, column: int) -> float:
        """Return the value at the middle of a cell of the widget, with its margin."""
        return self.across.value((column - MARGIN + 0.5) / max(1, self.columns))

    def _dots(self, x: Floats, y: Floats) -> list[tuple[float, float]]:
        """Return points in cells of the canvas, without those that have no place."""
        across = MARGIN + self.across.places(x) * (self.columns - _HALF_DOT[0])
        down = (1 - self.up.places(y)) * (self.rows - _HALF_DOT[1])
        known = np.isfinite(across) & np.isfinite(down)
        return list(zip(across[known].tolist(), down[known].tolist(), strict=True))

    # Drawing: curves first, then the axes, which also cover what is left of them.

    def draw_curve(self, x: Floats, y: Floats, style: str) -> None:
        """Draw a line through points, or a dot where there is one alone."""
        points = self._dots(x, y)
        if len(points) > 1:
            pieces = [(*start, *end) for start, end in pairwise(points)]
            self.draw_hires_lines(pieces, style=style)
        for across, down in points if len(points) == 1 else ():
            self.set_pixel(int(across), int(down), "·", style)

    def draw_dots(self, x: Floats, y: Floats, style: str) -> None:
        """Draw braille dots."""
        self.set_hires_pixels(self._dots(x, y), style=style)

    def draw_mark(self, x: float, y: float, mark: str, style: str) -> None:
        """Draw a character at a point, if it is seen."""
        places = self.across.place(x), self.up.place(y)
        if all(0 <= place <= 1 for place in places):
            self.put(self.column(x), self.row(y), mark, style)

    def put(self, column: int, row: int, text: str, style: str) -> None:
        """Write a text into cells between the axes."""
        for place, letter in enumerate(text, MARGIN + column):
            self.set_pixel(place, row, letter, style)

    def draw_axes(self, across: Marks, up: Marks, unit: str) -> None:
        """Draw both axes with their marks; `unit` of the x axis stands at its left end."""
        axis, tick = self.style_text("plane--axis"), self.style_text("plane--tick")
        labels: dict[int, str] = {}
        for value, label in up:
            labels.setdefault(self.row(value), label)
        for row in range(self.rows):
            label = labels.get(row, "")
            self._write_margin(row, label, tick, "┤" if label else "│", axis)
        self._write_margin(self.rows, unit, tick, "└", axis)
        self.put(0, self.rows, "─" * self.columns, axis)
        for column, label in placed_labels(across, self.across, self.columns):
            self.put(column, self.rows, label, tick)

    def _write_margin(self, row: int, label: str, style: str, line: str, line_style: str) -> None:
        for place, letter in enumerate(label[:LABEL_WIDTH].rjust(LABEL_WIDTH)):
            self.set_pixel(place, row, letter, style)
        self.set_pixel(LABEL_WIDTH, row, line, line_style)


def column_of(place: float, columns: int) -> int:
    """Return the column of a place on an x axis that is `columns` cells long."""
    return int(np.floor(place * (columns - _HALF_DOT[0])))


def row_of(place: float, rows: int) -> int:
    """Return the row of a place on a y axis that is `rows` cells long; outside it is no row."""
    return int(np.floor((1 - place) * (rows - _HALF_DOT[1])))


def placed_labels(marks: Marks, axis: Axis, columns: int) -> list[tuple[int, str]]:
    """Return (column, label) for each mark of an x axis that fits, none cut or touching another."""
    placed: list[tuple[int, str]] = []
    free = 0
    for value, label in marks:
        middle = column_of(axis.place(value), columns)
        start = max(0, min(middle - (len(label) - 1) // 2, columns - len(label)))
        if 0 <= middle < columns and start >= free:
            placed.append((start, label))
            free = start + len(label) + 1
    return placed
