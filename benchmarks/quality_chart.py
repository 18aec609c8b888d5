"""The chart of benchmarks/quality.py: Hit@50, AUC and time of every model. Needs matplotlib."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.quality_table import Results, Row, ordered, seconds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Callable[[Row, str], list[float]]
"""Figures of a row's runs: of the held-out or of the validation items."""
# Each has a contrast of about 4.4 to white and to GitHub's dark background: nothing lies behind the chart.
TEXT, NEUMF, BASELINE = "#767c85", "#2f7fd8", "#a0703c"
STYLE = {
    "svg.fonttype": "none",  # words stay words: small, and searchable
    "svg.hashsalt": "quality",  # the same results give the same file
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


def draw(results: Results, path: Path) -> None:
    """Write the chart; the format is that of the name's ending."""
    rows = ordered(results)[::-1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 1.1 + 0.34 * len(rows)), layout="constrained")
        hit, auc, time = figure.subplots(1, 3, sharey=True, width_ratios=(5, 5, 4))
        _panel(hit, rows, "Hit@50", "{:.3f}".format, lambda row, fold: _values(row, fold, "hit@50"))
        _panel(auc, rows, "AUC", "{:.3f}".format, lambda row, fold: _values(row, fold, "auc"))
        time.set_xscale("log")
        time.xaxis.set_major_locator(LogLocator(10, numticks=6))
        time.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        time.xaxis.set_minor_locator(NullLocator())
        _panel(time, rows, "train + evaluate, s", seconds_text, _work)
        hit.set_yticks(range(len(rows)), [_name(row) for row in rows])
        for label, row in zip(hit.get_yticklabels(), rows, strict=True):
            label.set_color(_colour(row))
            label.set_fontweight("bold" if row.kind == "preset" else "normal")
        figure.legend(
            handles=_legend(rows),
            loc="outside upper left",
            ncols=5,
            frameon=False,
            handletextpad=0.3,
            columnspacing=1.4,
        )
        figure.savefig(
            path, transparent=True, metadata={"Date": None} if path.suffix == ".svg" else None
        )


def _panel(
    axes: "Axes", rows: list[Row], title: str, text: Callable[[float], str], values: Values
) -> None:
    """A line for each row, the last at the top, with the mean of its held-out figures written at the end."""
    axes.set_title(title, color=TEXT, fontsize=11)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=TEXT, alpha=0.25, linewidth=0.6)
    axes.grid(axis="y", color=TEXT, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.08)
    for place, row in enumerate(rows):
        colour, seeds = _colour(row), values(row, "heldout")
        mean = statistics.fmean(seeds)
        if len(seeds) > 1:
            axes.plot(
                seeds, [place] * len(seeds), "|", color=colour, markersize=12, markeredgewidth=1
            )
        if chosen := values(row, "validation"):
            axes.plot(
                [statistics.fmean(chosen)],
                [place],
                "D",
                color=colour,
                markersize=5,
                markerfacecolor="none",
            )
        axes.plot(
            [mean],
            [place],
            "o",
            color=colour,
            markersize=6.5,
            markerfacecolor="none" if row.flattered else colour,
        )
        axes.annotate(
            text(mean), (1, place), (40, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", ha="right", fontsize=10, color=colour, fontweight="bold" if row.kind == "preset" else "normal",
        )  # fmt: skip


def _values(row: Row, fold: str, key: str) -> list[float]:
    figures = [run.heldout if fold == "heldout" else run.validation for run in row.runs]
    return [one[key] for one in figures if one is not None]


def _work(row: Row, fold: str) -> list[float]:
    return [run.seconds.work for run in row.runs] if fold == "heldout" else []


def _name(row: Row) -> str:
    name = f"NeuMF {row.name}" if row.kind == "preset" else row.title
    return f"{name} †" if row.flattered else name


def _colour(row: Row) -> str:
    return NEUMF if row.kind == "preset" else BASELINE


def _legend(rows: list[Row]) -> list[Line2D]:
    def mark(marker: str, label: str, size: int, full: bool = True) -> Line2D:
        face = TEXT if full else "none"
        return Line2D(
            [],
            [],
            color=TEXT,
            marker=marker,
            markersize=size,
            markerfacecolor=face,
            linestyle="none",
            label=label,
        )

    marks = [
        mark("o", "held out, mean", 7),
        mark("|", "each seed", 9),
        mark("D", "validation, mean", 5, full=False),
    ]
    if any(row.flattered for row in rows):
        marks.append(mark("o", "† flattered by its negatives", 7, full=False))
    return marks
