"""Loss, Hit@50, AUC and logged values of one run or several, over the epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.kept import KeptBaseline, read_kept, strongest
from neumf_tui.errors import RunError
from neumf_tui.figures.captions import named_runs, protocol_text
from neumf_tui.figures.picture import (
    INK,
    LEVELS,
    SOFT,
    Picture,
    add_legend,
    look,
    shortened,
    spaced_markers,
    whole_numbers,
)
from neumf_tui.runs.curve import Points
from neumf_tui.runs.events import METRIC_NAMES, RunInfo
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINES = 3
MOST_SCALARS = 6
"""Panels of values that a loop of somebody's own has logged: the first."""
PANEL_HEIGHT = 1.35
LEGEND_HEIGHT = 0.16
METRICS = ("hit@50", "auc")
REPORTED = "reported epoch"
Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]


@dataclass(frozen=True, eq=False)
class RunCurves:
    """What a run has written of its training."""

    info: RunInfo
    snapshot: Snapshot

    @property
    def steps(self) -> int:
        """Number of steps in an epoch; 0 if nobody knows."""
        return self.snapshot.started.steps if self.snapshot.started else 0


@dataclass(frozen=True, eq=False)
class Line:
    """A curve; `number` is that of its look, `marked` the position of the reported epoch."""

    x: Floats
    y: Floats
    label: str
    number: int
    marked: int = -1
    interval: Interval | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """A pair of axes; `levels` are values to compare with, by name."""

    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    levels: tuple[tuple[str, float], ...] = ()


def curves_picture(folders: Sequence[Path], home: Path) -> Picture:
    """Return the curves of runs over one another; raises RunError where none has any."""
    runs = [RunCurves(read_info(folder), read_snapshot(folder)) for folder in folders]
    infos = [run.info for run in runs]
    panels = [*_loss_panel(runs), *_metric_panels(runs, home), *_scalar_panels(runs)]
    if not panels:
        raise RunError(f"{named_runs(infos)}: no epoch and no evaluation yet; wait for the first")
    labels = {line.label for panel in panels for line in panel.lines}
    levels = {name for panel in panels for name, _ in panel.levels}
    rows = -(-(len(labels | levels) + 1) // 2)
    return Picture(
        partial(draw_panels, panels=panels),
        _caption(runs, panels),
        PANEL_HEIGHT * len(panels) + LEGEND_HEIGHT * rows + 0.3,
    )


def _caption(runs: Sequence[RunCurves], panels: Sequence[Panel]) -> str:
    infos = [run.info for run in runs]
    what = ", ".join(panel.y_title for panel in panels).replace("per pair", "per training pair")
    text = f"{what[:1].upper()}{what[1:]} by epoch, of {named_runs(infos)}."
    if any(panel.levels for panel in panels):
        text += " Horizontal lines: simpler models on the same data."
    if any(line.interval for panel in panels for line in panel.lines):
        text += " Band: 95 % interval over users."
    if any(line.marked >= 0 for panel in panels for line in panel.lines):
        chosen = {run.info.has_validation for run in runs}
        why = {
            frozenset((True,)): "the best by validation",
            frozenset((False,)): "the last",
        }.get(frozenset(chosen), "the best by validation, or the last of a run without validation")
        text += f" Circle: the reported epoch, {why}."
    names = {name for run in runs for name in run.snapshot.scalars}
    if (left_out := len(names) - MOST_SCALARS) > 0:
        text += f" {left_out} more logged values are left out."
    return f"{text} {protocol_text(infos)}"


def _loss_panel(runs: Sequence[RunCurves]) -> list[Panel]:
    """Return the mean loss of each epoch, or the loss by step where epochs are not known."""
    with_epochs = [run for run in runs if run.snapshot.epochs]
    by_epoch = len(with_epochs) == len([run for run in runs if len(run.snapshot.points)])
    lines = []
    for number, run in enumerate(runs):
        snapshot = run.snapshot
        x = np.array([epoch.epoch for epoch in snapshot.epochs], dtype=np.float64)
        y = np.array([epoch.loss for epoch in snapshot.epochs], dtype=np.float64)
        if not by_epoch:
            x, y = snapshot.points.steps.astype(np.float64), snapshot.points.values
        if len(x):
            lines.append(Line(x, y, _label(runs, run), number))
    x_title = "epoch" if by_epoch else "step"
    return [Panel(x_title, "loss per pair", tuple(lines))] if lines else []


def _label(runs: Sequence[RunCurves], run: RunCurves) -> str:
    return run.info.name if len(runs) > 1 else "held-out items"


def _metric_panels(runs: Sequence[RunCurves], home: Path) -> list[Panel]:
    fingerprints = {run.info.dataset.fingerprint for run in runs}
    baselines: list[KeptBaseline] = []
    popularity = None
    if len(fingerprints) == 1:
        own = {run.info.preset for run in runs if run.info.kind == "baseline"}
        kept = [one for one in read_kept(home, *fingerprints)[0] if one.name not in own]
        baselines = strongest(kept, BASELINES)
        started = [run.snapshot.started for run in runs if run.snapshot.started]
        popularity = next((one.popularity for one in started if one.popularity), None)
    panels = []
    for key in METRICS:
        title = METRIC_NAMES[key]
        lines = [line for n, run in enumerate(runs) for line in _metric_lines(runs, run, n, key)]
        levels = [("popularity alone", popularity[key])] if popularity else []
        levels += [(shortened(one.title), one.heldout.metrics[key]) for one in baselines]
        if lines:
            panels.append(Panel("epoch", title, tuple(lines), tuple(levels)))
    return panels


def _metric_lines(runs: Sequence[RunCurves], run: RunCurves, number: int, key: str) -> list[Line]:
    """Return the curve of held-out items; that of validation items, too, if the run is alone."""
    found = run.snapshot.evaluations
    if not found:
        return []
    x = np.array([one.epoch for one in found], dtype=np.float64)
    y = np.array([one.metrics[key] for one in found])
    reported = run.snapshot.reported
    marked = found.index(reported) if reported else -1
    interval = None
    if len(runs) == 1 and key == "hit@50":
        low, high = np.array([one.interval for one in found]).T
        interval = low, high
    lines = [Line(x, y, _label(runs, run), number, marked, interval)]
    if len(runs) == 1 and any(one.validation for one in found):
        valid = np.array([one.validation[key] if one.validation else np.nan for one in found])
        lines.append(Line(x, valid, "validation items", number + 1))
    return lines


def _scalar_panels(runs: Sequence[RunCurves]) -> list[Panel]:
    by_epoch = all(run.steps for run in runs)
    names = list(dict.fromkeys(name for run in runs for name in run.snapshot.scalars))
    panels = []
    for name in names[:MOST_SCALARS]:
        lines = [
            Line(_x_of(run, points, by_epoch), points.values, run.info.name, number)
            for number, run in enumerate(runs)
            if (points := run.snapshot.scalars.get(name)) is not None
        ]
        panels.append(Panel("epoch" if by_epoch else "step", shortened(name), tuple(lines)))
    return panels


def _x_of(run: RunCurves, points: Points, by_epoch: bool) -> Floats:
    steps = points.steps.astype(np.float64)
    return steps / run.steps if by_epoch else steps


def draw_panels(figure: "Figure", panels: Sequence[Panel]) -> None:
    """Draw panels below one another, with one legend for all."""
    titles = {panel.x_title for panel in panels}
    is_shared = len(titles) == 1
    every = list(figure.subplots(len(panels), sharex=is_shared, squeeze=False)[:, 0])
    names = dict.fromkeys(name for panel in panels for name, _ in panel.levels)
    dashes = {name: LEVELS[n % len(LEVELS)] for n, name in enumerate(names)}
    named: dict[str, Artist] = {}
    for axes, panel in zip(every, panels, strict=True):
        for line in panel.lines:
            draw_line(axes, line, named)
        for name, value in panel.levels:
            named[name] = axes.axhline(value, color=SOFT, linestyle=dashes[name], linewidth=0.9)
        axes.set_ylabel(panel.y_title)
        if axes is every[-1] or len(titles) > 1:
            axes.set_xlabel(panel.x_title)
        whole_numbers(axes)
    add_legend(figure, named, 2)


def draw_line(axes: "Axes", line: Line, named: "dict[str, Artist]") -> None:
    """Draw a curve with its markers, its interval and the circle of the reported epoch."""
    style, every = look(line.number), spaced_markers(len(line.x))
    (named[shortened(line.label)],) = axes.plot(line.x, line.y, markevery=every, **style)
    if line.interval:
        axes.fill_between(line.x, *line.interval, color=style["color"], alpha=0.18, linewidth=0)
    if line.marked >= 0:
        at = line.x[line.marked], line.y[line.marked]
        (named[REPORTED],) = axes.plot(
            *at, "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, clip_on=False
        )
