"""One curve over steps or epochs, with a reference line and the best point."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from textual_plot import HiResMode, NumericAxisFormatter, PlotWidget


@dataclass(frozen=True)
class Curve:
    """What a chart shows. x and y of equal length, finite."""

    x: Sequence[float] = ()
    y: Sequence[float] = ()
    faint_x: Sequence[float] = ()
    """A second curve drawn behind, such as the raw loss behind the smoothed one."""
    faint_y: Sequence[float] = ()
    lines: dict[str, float] = field(default_factory=dict)
    """Horizontal lines, by name."""
    best: tuple[float, float] | None = None
    x_max: float = 1.0
    y_range: tuple[float, float] | None = None


class CurveChart(PlotWidget, can_focus=False, inherit_bindings=False):
    """Draws a Curve; the title stands in the border, set by the screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--curve", "chart--faint", "chart--line", "chart--best"}
    DEFAULT_CSS = """
    CurveChart {
        & > .chart--curve { color: $text-primary; }
        & > .chart--faint { color: $primary-muted; }
        & > .chart--line { color: $text-warning; }
        & > .chart--best { color: $text-success; text-style: bold; }
        & > .plot--axis { color: $foreground-darken-3; }
        & > .plot--tick { color: $text-muted; text-style: none; }
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, allow_pan_and_zoom=False)
        self._curve = Curve()

    def on_mount(self) -> None:
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 6
        self.set_x_formatter(_Few())
        self.set_y_formatter(_Few())
        self.draw()

    def show(self, curve: Curve) -> None:
        """Draw `curve`; nothing is done where it is the one already shown."""
        if curve != self._curve:
            self._curve = curve
            self.draw()

    def draw(self) -> None:
        curve = self._curve
        self.clear()
        # A little past the end: the frame is drawn over whatever stands on it.
        right = 1.04 * max(curve.x_max, 1)
        self.set_xlimits(0, right)
        low, high = curve.y_range or _range(curve)
        self.set_ylimits(low, high)
        for value in curve.lines.values():
            self._line([0, right], [value, value], "chart--line")
        self._line(curve.faint_x, curve.faint_y, "chart--faint")
        self._line(curve.x, curve.y, "chart--curve")
        if curve.best:
            style = str(self.get_component_rich_style("chart--best", partial=True))
            self.scatter([curve.best[0]], [curve.best[1]], marker="●", marker_style=style)

    def _line(self, x: Sequence[float], y: Sequence[float], style: str) -> None:
        if len(x):
            shown = str(self.get_component_rich_style(style, partial=True))
            self.plot(np.asarray(x), np.asarray(y), line_style=shown, hires_mode=HiResMode.BRAILLE)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self.draw()


class _Few(NumericAxisFormatter):
    """At most five ticks: a small chart has no room for more."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        return super().get_ticks(min_, max_, min(max_ticks, 5))


def _range(curve: Curve) -> tuple[float, float]:
    """Limits with a little room around all that is drawn."""
    values = [*curve.y, *curve.faint_y, *curve.lines.values()]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.05 * max(abs(high), 0.1)
    return max(0.0, low - room) if low >= 0 else low - room, high + room


def smooth(values: Sequence[float], weight: float = 0.75) -> list[float]:
    """Exponential moving average without the pull towards zero at the start (Kingma and Ba 2015, section 3)."""
    total, norm, result = 0.0, 0.0, []
    for value in values:
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        result.append(total / norm)
    return result
