"""Curves with reference lines, marked points, a logarithmic y axis, zoom, and values to read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import events, on
from textual.binding import BindingType
from textual_plot import HiResMode, NumericAxisFormatter, PlotWidget

from neumf_tui.runs.curve import extremes
from neumf_tui.tui.keys import bindings, hidden
from neumf_tui.tui.widgets.line_labels import Area, place_names

Floats = NDArray[np.float64]
COLOURS = 6
"""Number of colours of curves; further curves use them again."""
LABEL_WIDTH = 5
"""Cells of a label beside the y axis; more of it would be cut off."""
DASH, GAP = 3, 1
"""Cells from one dash to the next, and how many of them are empty."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart. x ascends; points where y is NaN are left out."""

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


@dataclass(frozen=True, eq=False)
class Plot:
    """The contents of a chart."""

    curves: Sequence[Curve] = ()
    lines: Sequence[tuple[str, float]] = ()
    """Names and heights of horizontal lines."""
    x_max: float = 1.0
    y_range: tuple[float, float] | None = None
    """Limits of a linear y axis; None fits them to the curves."""
    x_name: str = "x"
    x_text: Callable[[float], str] = "{:.10g}".format
    """Writes a value of x."""
    y_digits: int = 4
    levels: Sequence[tuple[str, float]] = ()
    """Names and heights of dotted lines. If there are any, all lines carry their names."""


def series_style(colour: int) -> str:
    """Return the component class of the curves with this colour."""
    return f"chart--series-{colour % COLOURS}"


class StyledPlot(PlotWidget, inherit_bindings=False):
    """A plot with narrow margins whose colours follow the theme."""

    def on_mount(self) -> None:
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 6
        self.draw()

    def draw(self) -> None:
        """Draw everything; cells that do not change are not sent to the terminal."""
        raise NotImplementedError

    def style_text(self, name: str) -> str:
        """Return the style of a component class, as plots take it."""
        return str(self.get_component_rich_style(name, partial=True))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self.draw()


class CurveChart(StyledPlot, can_focus=True, inherit_bindings=False):
    """Draws a Plot. The screen sets the border's title; values that are read are the subtitle."""

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
        & > .plot--axis { color: $foreground-darken-3; }
        & > .plot--tick { color: $text-muted; text-style: none; }
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
        hidden("enter", "maximize", "Full screen", "Show this chart alone; Esc goes back"),
    )

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._plot = Plot()
        self.log_y = False
        self._moved = False
        """Whether the person zoomed or panned."""
        self._read_x: float | None = None
        self._subtitle = ""

    def show(self, plot: Plot, subtitle: str = "") -> None:
        """Draw `plot`; the border shows `subtitle` while no value is read."""
        self._plot, self._subtitle = plot, subtitle
        self.draw()

    def set_log_y(self, log_y: bool) -> None:
        self.log_y = log_y
        self._moved = False
        self.draw()

    # Drawing.

    def draw(self) -> None:
        plot = self._plot
        self.clear()
        # A little past the end, because the frame hides the points on it.
        right = 1.03 * plot.x_max
        if not self._moved:
            self.set_xlimits(0, right)
            self.set_ylimits(*self._y_limits(0, right))
        self.set_x_formatter(XTicks(plot.x_text, lambda: self.query_one("#plot").size.width))
        self.set_y_formatter(_LogTicks() if self.log_y else FewTicks())
        left, right = self._x_min, self._x_max
        for _, height in plot.lines:
            if height > 0 or not self.log_y:
                self._line(np.array([left, right]), np.array([height, height]), "chart--line")
        self._draw_levels()
        for curve in sorted(plot.curves, key=lambda curve: not curve.dashed):
            style = "chart--faint" if curve.faint else series_style(curve.colour)
            inside = (curve.x >= left) & (curve.x <= right) & np.isfinite(curve.y)
            x, y = curve.x[inside], curve.y[inside]
            # Two dots a cell: more points than that cannot be seen.
            x, y = thinned(x, y, 2 * max(10, self.size.width - 8))
            if curve.dashed:
                self._dashes(x, y)
            else:
                self._line(x, y, style)
        for curve in plot.curves:
            if 0 <= curve.best < len(curve.x) and left <= curve.x[curve.best] <= right:
                x, y = curve.x[[curve.best]], self._heights(curve.y[[curve.best]])
                style = self.style_text(series_style(curve.colour))
                self.scatter(x, y, marker="●", marker_style=style)
        self._draw_reading()

    def _draw_levels(self) -> None:
        """Draw dotted lines, and the names of all lines where no curve is."""
        plot, canvas = self._plot, self.query_one("#plot").size
        # Without the frame around it.
        limits = self._x_min, self._x_max, self._y_min, self._y_max
        area = Area(*limits, canvas.width - 2, canvas.height - 2)
        if not plot.levels or area.width < 1 or area.height < 1:
            return
        style = self.style_text("chart--line")
        dots = np.array([area.x(column) for column in range(0, area.width, 2)])
        names, values = zip(*plot.levels, *plot.lines, strict=True)
        heights = self._heights(np.array(values)).tolist()
        for height in heights[: len(plot.levels)]:
            y = np.full(len(dots), height)
            self.scatter(dots, y, hires_mode=HiResMode.BRAILLE, marker_style=style)
        curves = [(curve.x, self._heights(curve.y)) for curve in plot.curves]
        named = [(name, y) for name, y in zip(names, heights, strict=True) if math.isfinite(y)]
        for column, height, name in place_names(named, curves, area):
            for place, letter in enumerate(name, column):
                self.scatter([area.x(place)], [height], marker=letter, marker_style=style)

    def _y_limits(self, left: float, right: float) -> tuple[float, float]:
        """Return limits with a little room around what is drawn between `left` and `right`."""
        plot = self._plot
        if plot.y_range and not self.log_y:
            return plot.y_range
        parts = [np.array([height for _, height in (*plot.lines, *plot.levels)])]
        parts += [c.y[(c.x >= left) & (c.x <= right)] for c in plot.curves]
        values = self._heights(np.concatenate([np.empty(0), *parts]))
        values = values[np.isfinite(values)]
        if not len(values):
            return 0.0, 1.0
        low, high = float(values.min()), float(values.max())
        # In steps of up to half the range: a curve that grows slowly then moves no other one.
        if high > low:
            step = 10.0 ** math.floor(math.log10(high - low)) / 2
        else:
            step = max(abs(high), 0.1) / 20
        low = math.floor((low - 0.04 * (high - low)) / step) * step
        high = math.ceil((high + 0.04 * (high - low)) / step) * step
        if values.min() >= 0 and not self.log_y:
            low = max(0.0, low)
        return low, high if high > low else low + step

    def _heights(self, y: Floats) -> Floats:
        if not self.log_y:
            return y
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(y > 0, np.log10(y), np.nan)

    def _line(self, x: Floats, y: Floats, name: str) -> None:
        """Draw a line, or a dot where it has a single point; the plot drops what is not finite."""
        y, style = self._heights(y), self.style_text(name)
        if np.isfinite(y).sum() > 1:
            self.plot(x, y, line_style=style, hires_mode=HiResMode.BRAILLE)
        else:
            self.scatter(x, y, marker="·", marker_style=style)

    def _dashes(self, x: Floats, y: Floats) -> None:
        """Draw dashes that keep their places when the curve grows; a single point becomes a dot."""
        cell = (self._x_max - self._x_min) / max(1, self.query_one("#plot").size.width - 2)
        if len(x) < 2:
            self._line(x, y, "chart--dashed")
            return
        first, last = (math.floor((end - self._x_min) / (DASH * cell)) for end in (x[0], x[-1]))
        for number in range(first, last + 1):
            start = self._x_min + number * DASH * cell
            ends = np.clip([start, start + (DASH - GAP) * cell], x[0], x[-1])
            if ends[0] < ends[1]:
                at = np.concatenate([ends[:1], x[(x > ends[0]) & (x < ends[1])], ends[1:]])
                self._line(at, np.interp(at, x, y), "chart--dashed")

    # Reading values.

    @property
    def _readable(self) -> list[Curve]:
        return [curve for curve in self._plot.curves if not curve.faint and len(curve.x)]

    def _draw_reading(self) -> None:
        curves = self._readable
        if self._read_x is None or not curves:
            alone = self.is_mounted and self.screen.maximized is self
            self.border_subtitle = f"Esc back  {self._subtitle}" if alone else self._subtitle
            return
        self.add_v_line(self._read_x, self.style_text("chart--cursor"))
        texts = []
        for curve in curves:
            point = _nearest(curve.x, self._read_x)
            name = f"{curve.name} " if len(curves) > 1 else ""
            texts.append(f"{name}{curve.y[point]:.{self._plot.y_digits}f}")
        place = f"{self._plot.x_name} {self._plot.x_text(self._read_x)}"
        self.border_subtitle = f"{place}: {'  '.join(texts)}"

    def read_at(self, x: float) -> None:
        """Read the values at the point nearest to `x`."""
        if curves := self._readable:
            near = (curve.x[_nearest(curve.x, x)] for curve in curves)
            self._read_x = float(min(near, key=lambda found: abs(found - x)))
            self.draw()

    def action_read(self, by: int) -> None:
        curves = self._readable
        if not curves:
            return
        all_x = np.unique(np.concatenate([curve.x for curve in curves]))
        seen = all_x[(all_x >= self._x_min) & (all_x <= self._x_max)]
        # No finer than cells, so that each key moves the line.
        seen, _ = thinned(seen, seen, max(10, self.size.width - 8))
        if not len(seen):
            return
        last = len(seen) - 1
        at = last if self._read_x is None else _nearest(seen, self._read_x) + by
        self.read_at(float(seen[max(0, min(at, last))]))

    def stop_reading(self) -> bool:
        """Return whether a value was being read."""
        reading, self._read_x = self._read_x is not None, None
        if reading:
            self.draw()
        return reading

    def on_click(self, event: events.Click) -> None:
        canvas = self.query_one("#plot")
        offset = event.screen_offset - canvas.region.offset
        if canvas.region.contains_point(event.screen_offset):
            self.read_at(self.get_coordinate_from_pixel(offset.x, offset.y)[0])

    # Zoom and pan.

    @on(PlotWidget.ScaleChanged)
    def keep_limits(self) -> None:
        self._moved = True
        self.draw()

    def action_zoom(self, way: int) -> None:
        """Zoom x around the value being read, or the middle; y fits what is visible."""
        centre = self._read_x if self._read_x is not None else (self._x_min + self._x_max) / 2
        factor = 0.7 if way > 0 else 1 / 0.7
        left, right = centre - self._x_min, self._x_max - centre
        self._look(centre - factor * left, centre + factor * right)

    def action_pan(self, way: int) -> None:
        shift = way * 0.2 * (self._x_max - self._x_min)
        self._look(self._x_min + shift, self._x_max + shift)

    def _look(self, left: float, right: float) -> None:
        whole = 1.03 * self._plot.x_max
        width = min(right - left, whole)
        left = max(0.0, min(left, whole - width))
        self._moved = width < whole
        self.set_xlimits(left, left + width)
        self.set_ylimits(*self._y_limits(left, left + width))
        self.draw()

    def action_reset(self) -> None:
        self._moved = False
        self._read_x = None
        self.draw()

    def action_maximize(self) -> None:
        if self.screen.maximized is self:
            self.screen.minimize()
        else:
            self.screen.maximize(self, container=False)
        self.call_after_refresh(self.draw)


class FewTicks(NumericAxisFormatter):
    """At most five ticks, because a small chart has no room for more."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        return super().get_ticks(min_, max_, min(max_ticks, 5))

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Return decimals; where these are too long `5e-6`, `10e-6`, or else `-.005`, `-.010`."""
        labels = super().get_labels_for_ticks(ticks)
        if len(ticks) < 2:
            return labels
        power = math.floor(math.log10(ticks[1] - ticks[0]))
        wholes = [round(tick / 10.0**power) for tick in ticks]
        powers = [f"{whole}e{power}" if whole else "0" for whole in wholes]
        without_zero = [label.replace("0.", ".", 1) for label in labels]
        forms = (labels, powers, without_zero)
        return next((form for form in forms if max(map(len, form)) <= LABEL_WIDTH), labels)


class XTicks(FewTicks):
    """Ticks whose labels fit, neither cut nor touching one another."""

    def __init__(self, text: Callable[[float], str], width: Callable[[], int]) -> None:
        self._text, self._width = text, width

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [self._text(tick) for tick in ticks]

    def get_ticks_and_labels(
        self, min_: float, max_: float, max_ticks: int = 8
    ) -> tuple[list[float], list[str]]:
        ticks, labels = super().get_ticks_and_labels(min_, max_, max_ticks)
        kept: list[tuple[float, str]] = []
        width, free = self._width(), -9.0
        for tick, label in zip(ticks, labels, strict=True):
            middle = (tick - min_) / (max_ - min_) * (width - 2)
            first, last = middle - len(label) / 2, middle + len(label) / 2
            if first >= free and last <= width - 1 and tick <= max_:
                kept.append((tick, label))
                free = last + 1
        return [tick for tick, _ in kept], [label for _, label in kept]


class _LogTicks(NumericAxisFormatter):
    """Ticks of an axis of log10 values."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        for digits in ((1,), (1, 2, 5), tuple(range(1, 10))):
            powers = range(math.floor(min_), math.ceil(max_) + 1)
            ticks = [math.log10(d * 10.0**p) for p in powers for d in digits]
            inside = [tick for tick in ticks if min_ <= tick <= max_]
            if len(inside) >= 3:
                return inside[:: -(-len(inside) // 6)]
        return super().get_ticks(min_, max_, 5)

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [f"{10**tick:,.0f}" if tick >= 3 else f"{10**tick:.3g}" for tick in ticks]


def _nearest(x: Floats, value: float) -> int:
    """Return the index of the element of `x` that is nearest to `value`."""
    return int(np.abs(x - value).argmin())


def thinned(x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
    """Return about `count` points that look the same: the extremes of each stretch of x."""
    if len(x) <= count:
        return x, y
    keep = extremes(x, y, count)
    return x[keep], y[keep]
