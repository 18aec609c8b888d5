"""Line charts with logarithmic axes. Saving them needs matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chart_style import BASELINE, NEUMF, STYLE, TEXT
from benchmarks.power_law import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = ((NEUMF, "o"), (BASELINE, "s"), ("#5d8a52", "^"), ("#9464ae", "D"))
"""Colour and marker of each series in turn. All have about the same contrast to the background."""


@dataclass(frozen=True)
class Series:
    """A line; with a fit it is drawn as points and the fitted line."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    fit: Fit | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    x: str
    y: str
    series: Sequence[Series]


@dataclass(frozen=True)
class LineCharts:
    """Panels side by side, two in a row."""

    panels: Sequence[Panel]

    def save(self, path: Path) -> None:
        """Write the charts; the format is that of the file's suffix."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        across = min(2, len(self.panels))
        down = -(-len(self.panels) // across)
        with mpl.rc_context(STYLE | {"svg.hashsalt": path.stem, "font.size": 10}):
            figure = Figure(figsize=(4.8 * across, 3.6 * down), layout="constrained")
            places = list(figure.subplots(down, across, squeeze=False).flat)
            for axes, panel in zip(places, self.panels, strict=False):
                _draw(axes, panel)
            for axes in places[len(self.panels) :]:
                axes.set_axis_off()
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, transparent=True, metadata=metadata)


def _draw(axes: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        NullFormatter,
        NullLocator,
    )

    axes.set_xscale("log")
    axes.set_yscale("log")
    measured = sorted({x for series in panel.series for x in series.xs})
    axes.xaxis.set_major_locator(FixedLocator(measured))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.set_xlabel(panel.x)
    axes.set_title(panel.y, color=TEXT, fontsize=10, loc="left")
    axes.grid(color=TEXT, alpha=0.2, linewidth=0.6)
    for series, (colour, mark) in zip(panel.series, MARKS, strict=False):
        fit, label = series.fit, series.label
        if fit:
            label += f": slope {fit.text()}"
            ends = [min(series.xs), max(series.xs)]
            axes.plot(ends, [fit.at(x) for x in ends], color=colour, linewidth=1.2, alpha=0.8)
        line = "none" if fit else "-"
        axes.plot(
            series.xs, series.ys, mark, linestyle=line, color=colour, markersize=5, label=label
        )
    axes.legend(frameon=False, fontsize=9)


def short(value: float) -> str:
    """Return such as 20M, 500k or 0.2."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
