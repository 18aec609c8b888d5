"""Curves with reference lines, marked points, log axes, zoom, and values to read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import BindingType

from neumf_tui.runs.curve import extremes
from neumf_tui.tui.keys import bindings, hidden
from neumf_tui.tui.widgets.axes import Axis, Floats, Kind, fitting_limits, x_marks, y_marks
from neumf_tui.tui.widgets.chart_text import Caption
from neumf_tui.tui.widgets.fitted_text import fitting
from neumf_tui.tui.widgets.line_labels import Area, LineName, place_names
from neumf_tui.tui.widgets.plane import MARGIN, Plane

COLOURS = 6
"""Number of colours of curves; further curves use them again."""
DASH, GAP = 3, 1
"""Cells from one dash to the next, and how many of them are empty."""
BACK = "Enter or Esc: back"
ZOOM = 0.7
"""Share of the x axis that is still seen after zooming in once."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of a chart. x ascends; points where y is NaN are left out."""

    x: Floats
    y: Floats
    name: str = ""
    colour: int = 0
    faint: bool = False
    """Whether it is drawn in the background and has no values to read, as the raw loss."""
    dashed: bool = False
    """Whether it is drawn in dashes below the others."""
    best: int = -1
    """Index of the point marked ●, or -1."""


@dataclass(frozen=True)
class Line:
    """A horizontal line with its name."""

    name: str
    height: float
    dotted: bool = False
    colour: int | None = None
    """Colour of a run that is a line here; None for what runs are compared with."""
    needed: bool = True
    """Whether it is named even where the name hides a part of a curve."""
    value: str = ""
    """What stands after the name where there is room."""


@dataclass(frozen=True, eq=False)
class Plot:
    """The contents of a chart."""

    curves: Sequence[Curve] = ()
    lines: Sequence[Line] = ()
    x_max: float = 1.0
    y_range: tuple[float, float] | None = None
    """Limits of a linear y axis; None fits them to the curves."""
    x_kind: Kind = "epoch"
    x_text: Callable[[float], str] = "{:.10g}".format
    """Writes a value of x that is read."""
    y_digits: int = 4


def series_style(colour: int) -> str:
    """Return the component class of the curves with this colour."""
    return f"chart--series-{colour % COLOURS}"


@dataclass
class View:
    """What a person has chosen to see of a chart."""

    log_x: bool = False
    log_y: bool = False
    trimmed: bool = False
    """Whether outliers may lie outside."""
    limits: tuple[float, float] | None = None
    """Limits of the y axis that were typed."""
    start: float = 0.0
    end: float = 1.0
    """Places of the whole x axis between which it is seen."""

    def axes(self, plot: Plot) -> tuple[Axis, Axis]:
        """Return the part of both axes of `plot` that is seen."""
        across = self._whole(plot).part(self.start, self.end)
        log = self.log_y
        if self.limits and (self.limits[0] > 0 or not log):
            return across, Axis(*self.limits, log)
        if plot.y_range and not log and not self.trimmed:
            return across, Axis(*plot.y_range)
        parts = [c.y[(c.x >= across.low) & (c.x <= across.high)] for c in plot.curves]
        values = np.concatenate([np.empty(0), *parts])
        heights = [line.height for line in plot.lines]
        return across, fitting_limits(values, heights, log, self.trimmed)

    def _whole(self, plot: Plot) -> Axis:
        if not self.log_x:
            return Axis(0.0, plot.x_max)
        firsts = [float(curve.x[curve.x > 0][0]) for curve in plot.curves if (curve.x > 0).any()]
        low = min(firsts, default=plot.x_max / 10)
        return Axis(low if low < plot.x_max else plot.x_max / 10, plot.x_max, True)


class CurveChart(Plane, can_focus=True, inherit_bindings=False):
    """Draws a Plot. Values that are read stand in the lower border, else in the upper one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *map(series_style, range(COLOURS)),
        "chart--faint", "chart--dashed", "chart--line", "chart--cursor",
    }  # fmt: skip
    DEFAULT_CSS = """
    CurveChart {
        & > .chart--series-0 { color: $text-primary; }
        & > .chart--series-1 { color: $text-warning; }
        & > .chart--series-2 { color: $text-success; }
        & > .chart--series-3 { color: $text-error; }
        & > .chart--series-4 { color: $text-accent; }
        & > .chart--series-5 { color: $text-secondary; }
        & > .chart--faint { color: $primary-muted; }
        & > .chart--dashed { color: $text-secondary; }
        & > .chart--line { color: $text-muted; }
        & > .chart--cursor { color: $foreground; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "chart",
        hidden("left", "read(-1)", "Read", "Value at the previous point", key_id="read-back"),
        hidden("right", "read(1)", "Read", "Value at the next point", key_id="read", display="←→"),
        hidden("shift+left,h", "pan(-1)", "Pan", "Move the chart back", key_id="pan-back"),
        hidden("shift+right,l", "pan(1)", "Pan", "Move the chart on", key_id="pan"),
        hidden("plus,equals_sign", "zoom(1)", "Zoom", "Zoom in", key_id="zoom-in", display="+-"),
        hidden("minus", "zoom(-1)", "Zoom out", "Zoom out", key_id="zoom-out"),
        hidden("0", "reset", "Whole", "Show the whole curve again"),
        hidden("enter", "maximize", "Full screen", "Show this chart alone; Enter or Esc goes back"),
    )

    def __init__(self, subject: str, *, id: str | None = None) -> None:  # noqa: A002
        """`subject` is what the chart shows, in a word."""
        super().__init__(id=id)
        self.subject = subject
        self.plot = Plot()
        self.view = View()
        self.notes: Sequence[str] = ()
        """What stands after the title, such as the page, in forms with the longest first."""
        self._caption = Caption()
        self._read_x: float | None = None

    def show(self, plot: Plot, caption: Caption) -> None:
        """Draw `plot` with a caption, which gives way to a value that is read."""
        self.plot, self._caption = plot, caption
        self.redraw()

    # Drawing.

    def draw(self) -> None:
        plot = self.plot
        self.across, self.up = self.view.axes(plot)
        shown = [line for line in plot.lines if 0 <= self.up.place(line.height) <= 1]
        for line in shown:
            self._draw_level(line)
        for curve in sorted(plot.curves, key=lambda curve: not curve.dashed):
            x, y = self._seen(curve)
            if curve.dashed:
                self._draw_dashes(x, y)
            else:
                style = "chart--faint" if curve.faint else series_style(curve.colour)
                self.draw_curve(x, y, self.style_text(style))
        self._draw_names(shown)
        for curve in plot.curves:
            if 0 <= curve.best < len(curve.x):
                at = float(curve.x[curve.best]), float(curve.y[curve.best])
                self.draw_mark(*at, "●", self.style_text(series_style(curve.colour)))
        if self._read_x is not None:
            column, style = self.column(self._read_x), self.style_text("chart--cursor")
            for row in range(self.rows if 0 <= column < self.columns else 0):
                self.put(column, row, "│", style)
        marks, unit = x_marks(self.across, plot.x_kind, self.columns)
        self.draw_axes(marks, y_marks(self.up, self.rows), unit)
        self._show_caption()

    def _seen(self, curve: Curve) -> tuple[Floats, Floats]:
        """Return the points of a curve that are seen, and those before and after them."""
        known = np.isfinite(curve.y)
        x, y = curve.x[known], curve.y[known]
        first = max(0, int(np.searchsorted(x, self.across.low)) - 1)
        last = int(np.searchsorted(x, self.across.high, "right")) + 1
        x, y = x[first:last], y[first:last]
        if self.across.log:
            x, y = x[x > 0], y[x > 0]
        # Two dots a cell: more points than that cannot be seen.
        kept = kept_points(np.log10(x) if self.across.log else x, y, 2 * max(10, self.columns))
        return x[kept], y[kept]

    def _draw_level(self, line: Line) -> None:
        if line.dotted:
            x = np.array([self.x_at(MARGIN + column) for column in range(0, self.columns, 2)])
            self.draw_dots(x, np.full(len(x), line.height), self.style_text("chart--line"))
            return
        known = "chart--line" if line.colour is None else series_style(line.colour)
        ends, heights = np.array([self.across.low, self.across.high]), np.full(2, line.height)
        self.draw_curve(ends, heights, self.style_text(known))

    def _draw_names(self, lines: Sequence[Line]) -> None:
        names = [
            LineName(line.name, self.up.place(line.height), line.needed, line.value)
            for line in lines
        ]
        curves = [(self.across.places(c.x), self.up.places(c.y)) for c in self.plot.curves]
        marked = [curve for curve in self.plot.curves if 0 <= curve.best < len(curve.x)]
        marks = [
            (self.across.place(float(c.x[c.best])), self.up.place(float(c.y[c.best])))
            for c in marked
        ]
        style = self.style_text("chart--line")
        for column, row, text in place_names(names, curves, Area(self.columns, self.rows), marks):
            self.put(column, row, text, style)

    def _draw_dashes(self, x: Floats, y: Floats) -> None:
        """Draw dashes that keep their places when the curve grows; a single point becomes a dot."""
        style = self.style_text("chart--dashed")
        for part_x, part_y in dashes(x, y, self.across, self.columns):
            self.draw_curve(part_x, part_y, style)

    def _show_caption(self) -> None:
        """Show what fits of the caption, or the value that is read."""
        has_foot, width = self.has_foot, self.border_room
        caption, read = self._caption, self._reading()
        title = caption.title if has_foot else caption.alone or caption.title
        foot = caption.foot
        if read:
            title, foot = (title, read) if has_foot else (read, foot)
        elif self.is_alone and has_foot:
            foot = [f"{BACK}  {form}".rstrip() for form in foot or ("",)]
        elif self.is_alone:
            title = [f"{form}  {BACK}" for form in title]
        notes = [] if self.is_alone else [f"  {note}" for note in self.notes]
        room = width - cell_len(title[0] if title else "")
        note = next((one for one in notes if len(one) <= room), "".join(notes[-1:]))
        self.border_title = Text(fitting(title, width - len(note)) + note)
        self.border_subtitle = Text(fitting(foot, width))

    @property
    def is_alone(self) -> bool:
        """Whether this chart is shown without the others."""
        return self.screen.maximized is self

    # Reading values.

    @property
    def _readable(self) -> list[Curve]:
        return [curve for curve in self.plot.curves if not curve.faint and len(curve.x)]

    def _reading(self) -> Sequence[str]:
        """Return forms of the text with the values that are read, none if nothing is."""
        curves = self._readable
        if self._read_x is None or not curves:
            return ()
        near = [float(curve.y[_nearest(curve.x, self._read_x)]) for curve in curves]
        values = [f"{value:.{self.plot.y_digits}f}" for value in near]
        place = f"{self.plot.x_kind} {self.plot.x_text(self._read_x)}: "
        named = [f"{curve.name} {value}" for curve, value in zip(curves, values, strict=True)]
        short = place + " · ".join(values)
        return (place + "  ".join(named), short) if len(curves) > 1 else (short,)

    def read_at(self, x: float) -> None:
        """Read the values at the point nearest to `x`."""
        if curves := self._readable:
            near = (curve.x[_nearest(curve.x, x)] for curve in curves)
            self._read_x = float(min(near, key=lambda found: abs(found - x)))
            self.redraw()

    def action_read(self, by: int) -> None:
        curves = self._readable
        if not curves:
            return
        all_x = np.unique(np.concatenate([curve.x for curve in curves]))
        seen = all_x[(all_x >= self.across.low) & (all_x <= self.across.high)]
        # No finer than cells, so that each key moves the line.
        seen = seen[kept_points(seen, seen, max(10, self.columns))]
        if not len(seen):
            return
        last = len(seen) - 1
        at = last if self._read_x is None else _nearest(seen, self._read_x) + by
        self.read_at(float(seen[max(0, min(at, last))]))

    def stop_reading(self) -> bool:
        """Return whether a value was being read."""
        reading, self._read_x = self._read_x is not None, None
        if reading:
            self.redraw()
        return reading

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is not None and at.x >= MARGIN:
            self.read_at(self.x_at(at.x))

    # Zoom and pan.

    def action_zoom(self, way: int) -> None:
        """Zoom x around the value being read, or the middle; y fits what is visible."""
        self._zoom(way, 0.5 if self._read_x is None else self.across.place(self._read_x))

    def action_pan(self, way: int) -> None:
        self._pan(0.2 * way)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._zoom_at(event, -1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._zoom_at(event, 1)

    def _zoom_at(self, event: events.MouseEvent, way: int) -> None:
        at = event.get_content_offset(self)
        if at is not None:
            event.stop()
            self._zoom(way, (at.x - MARGIN) / max(1, self.columns))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button and event.delta_x:
            self._pan(-event.delta_x / max(1, self.columns))

    def _zoom(self, way: int, around: float) -> None:
        """Zoom around a place on what is seen of the x axis."""
        view, around = self.view, max(0.0, min(around, 1.0))
        width = (view.end - view.start) * (ZOOM if way > 0 else 1 / ZOOM)
        self._look(view.start + around * (view.end - view.start - width), width)

    def _pan(self, by: float) -> None:
        """Move by a share of what is seen of the x axis."""
        width = self.view.end - self.view.start
        self._look(self.view.start + by * width, width)

    def _look(self, start: float, width: float) -> None:
        width = min(max(width, 1e-6), 1.0)
        self.view.start = max(0.0, min(start, 1.0 - width))
        self.view.end = self.view.start + width
        self.redraw()

    def action_reset(self) -> None:
        """Show the whole curve, with a y axis that fits it."""
        self.view.start, self.view.end, self.view.limits = 0.0, 1.0, None
        self._read_x = None
        self.redraw()

    def action_maximize(self) -> None:
        if self.is_alone:
            self.screen.minimize()
        else:
            self.screen.maximize(self, container=False)


def dashes(x: Floats, y: Floats, across: Axis, columns: int) -> list[tuple[Floats, Floats]]:
    """Return the dashes of a curve on an axis of so many cells, each as points of its own."""
    if len(x) < 2:
        return [(x, y)]
    at, dash = across.places(x), DASH / max(1, columns)
    known = np.isfinite(at)
    at, y = at[known], y[known]
    if len(at) < 2:
        return []
    found = []
    ends = max(0.0, at[0]), min(1.0, at[-1])
    for number in range(math.floor(ends[0] / dash), math.floor(ends[1] / dash) + 1):
        start = max(number * dash, ends[0])
        end = min((number + 1 - GAP / DASH) * dash, ends[1])
        if start < end:
            part = np.concatenate([[start], at[(at > start) & (at < end)], [end]])
            values = np.array([across.value(place) for place in part.tolist()])
            found.append((values, np.interp(part, at, y)))
    return found


def _nearest(x: Floats, value: float) -> int:
    """Return the index of the element of `x` that is nearest to `value`."""
    return int(np.abs(x - value).argmin())


def kept_points(x: Floats, y: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of about `count` points that look the same as all."""
    return np.arange(len(x)) if len(x) <= count else extremes(x, y, count)
