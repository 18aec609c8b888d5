"""Charts with logarithmic axes of what `python -m benchmarks` measured. Needs matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from benchmarks.quality_chart import BASELINE, NEUMF, STYLE, TEXT
from benchmarks.report import Chart, Series

MARKS = ((NEUMF, "o"), (BASELINE, "s"), ("#5d8a52", "^"), ("#9464ae", "D"))
"""Of the series, in turn; their contrast to white and to a dark background is about the same, and their shapes differ, too."""


def draw(charts: Sequence[Chart], path: Path) -> None:
    """Write all charts side by side, two in a row; the format is that of the name's ending."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": path.stem, "font.size": 10}):
        across = min(2, len(charts))
        down = -(-len(charts) // across)
        figure = Figure(figsize=(4.8 * across, 3.6 * down), layout="constrained")
        places = figure.subplots(down, across, squeeze=False).flat
        for axes, chart in zip(places, charts, strict=False):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(
                FixedLocator(sorted({x for series in chart.series for x in series.xs}))
            )
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5), numticks=12))
            axes.yaxis.set_minor_formatter(NullFormatter())
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
            axes.set_xlabel(chart.x)
            axes.set_title(chart.y, color=TEXT, fontsize=10, loc="left")
            axes.grid(color=TEXT, alpha=0.2, linewidth=0.6)
            for series, (colour, mark) in zip(chart.series, MARKS, strict=False):
                line = "none" if series.fit else "-"
                axes.plot(
                    series.xs,
                    series.ys,
                    mark,
                    linestyle=line,
                    color=colour,
                    markersize=5,
                    label=_label(series),
                )
                if series.fit:
                    ends = [min(series.xs), max(series.xs)]
                    axes.plot(
                        ends,
                        [series.fit.at(x) for x in ends],
                        color=colour,
                        linewidth=1.2,
                        alpha=0.8,
                    )
            axes.legend(frameon=False, fontsize=9)
        for axes in list(places):  # no chart is left for these
            axes.set_axis_off()
        figure.savefig(
            path, transparent=True, metadata={"Date": None} if path.suffix == ".svg" else None
        )


def _label(series: Series) -> str:
    return f"{series.label}: slope {series.fit.text()}" if series.fit else series.label


def short(value: float) -> str:
    """Such as 20M, 500k or 0.2."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
