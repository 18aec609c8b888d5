"""The chart of the benchmark `quality`: Hit@50, AUC and time of every model."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chart_style import BASELINE, NEUMF, STYLE, TEXT
from benchmarks.quality.rows import Row, figures, seconds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Values = Callable[[Row, str], list[float]]
"""Returns the figures of a row's runs on a fold: heldout or validation."""


@dataclass(frozen=True)
class QualityChart:
    """Three panels, with a line for each row, the first at the top."""

    rows: Sequence[Row]

    def save(self, path: Path) -> None:
        """Write the chart; the format is that of the file's suffix. Needs matplotlib."""
        import matplotlib as mpl
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        rows = self.rows[::-1]
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(9.6, 1.1 + 0.34 * len(rows)), layout="constrained")
            hit, auc, time = figure.subplots(1, 3, sharey=True, width_ratios=(5, 5, 4))
            _panel(hit, rows, "Hit@50", "{:.3f}".format, _metric("hit@50"))
            _panel(auc, rows, "AUC", "{:.3f}".format, _metric("auc"))
            time.set_xscale("log")
            time.xaxis.set_major_locator(LogLocator(10, numticks=6))
            time.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            time.xaxis.set_minor_locator(NullLocator())
            _panel(time, rows, "train + evaluate, s", seconds_text, _work)
            hit.set_yticks(range(len(rows)), [_name(row) for row in rows])
            for label, row in zip(hit.get_yticklabels(), rows, strict=True):
                label.set_color(_colour(row))
                label.set_fontweight(_weight(row))
            figure.legend(
                handles=_legend(rows), loc="outside upper left", ncols=5, frameon=False,
                handletextpad=0.3, columnspacing=1.4,
            )  # fmt: skip
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, transparent=True, metadata=metadata)


def _panel(
    axes: "Axes", rows: Sequence[Row], title: str, text: Callable[[float], str], values: Values
) -> None:
    """Draw the rows from the bottom up, each with its mean over held-out items as a number."""
    axes.set_title(title, color=TEXT, fontsize=11)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=TEXT, alpha=0.25, linewidth=0.6)
    axes.grid(axis="y", color=TEXT, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.08)
    for y, row in enumerate(rows):
        colour, seeds = _colour(row), values(row, "heldout")
        mean = statistics.fmean(seeds)
        if len(seeds) > 1:
            axes.plot(seeds, [y] * len(seeds), "|", color=colour, markersize=12, markeredgewidth=1)
        if chosen := values(row, "validation"):
            middle = [statistics.fmean(chosen)]
            axes.plot(middle, [y], "D", color=colour, markersize=5, markerfacecolor="none")
        face = "none" if row.optimistic else colour
        axes.plot([mean], [y], "o", color=colour, markersize=6.5, markerfacecolor=face)
        axes.annotate(
            text(mean), (1, y), (40, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", ha="right", fontsize=10, color=colour,
            fontweight=_weight(row),
        )  # fmt: skip


def _metric(key: str) -> Values:
    return lambda row, fold: [one[key] for one in figures(row, fold)]


def _work(row: Row, fold: str) -> list[float]:
    return [run.seconds.work for run in row.runs] if fold == "heldout" else []


def _name(row: Row) -> str:
    name = f"NeuMF {row.name}" if row.kind == "preset" else row.title
    return f"{name} †" if row.optimistic else name


def _colour(row: Row) -> str:
    return NEUMF if row.kind == "preset" else BASELINE


def _weight(row: Row) -> str:
    return "bold" if row.kind == "preset" else "normal"


def _legend(rows: Sequence[Row]) -> "list[Line2D]":
    from matplotlib.lines import Line2D

    def mark(marker: str, label: str, size: int, full: bool = True) -> Line2D:
        face = TEXT if full else "none"
        return Line2D(
            [], [], color=TEXT, marker=marker, markersize=size, markerfacecolor=face,
            linestyle="none", label=label,
        )  # fmt: skip

    marks = [
        mark("o", "held out, mean", 7),
        mark("|", "each seed", 9),
        mark("D", "validation, mean", 5, full=False),
    ]
    if any(row.optimistic for row in rows):
        marks.append(mark("o", "† optimistic: see the notes", 7, full=False))
    return marks
