"""Plots of the loss and the metrics of one run or several, over epochs, steps or time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean, clock, si
from neumf_tui.tui.widgets.chart import Curve, Floats, Plot
from neumf_tui.tui.widgets.chart_text import marked

AXES = ("epoch", "step", "time")
AUC_RANGE = (0.45, 1.0)
SHORT_PLAN = 20
"""Number of epochs that the axis shows at least."""


class Smoother:
    """Exponential moving average, corrected for its start at zero (Kingma and Ba 2015, section 3).

    It smooths only the new points of a growing curve, and skips values that are not finite.
    """

    def __init__(self, weight: float = 0.75) -> None:
        self._weight = weight
        self._total = self._norm = 0.0
        self._done: list[float] = []

    def smooth(self, values: Floats, restarted: bool = False) -> Floats:
        """Return the smoothed curve, shape (n,); `restarted`: `values` are of another curve."""
        if restarted or len(values) < len(self._done):
            self._total = self._norm = 0.0
            self._done = []
        for value in values[len(self._done) :].tolist():
            if math.isfinite(value):
                self._total = self._weight * self._total + (1 - self._weight) * value
                self._norm = self._weight * self._norm + (1 - self._weight)
            self._done.append(self._total / self._norm if self._norm else math.nan)
        return np.array(self._done)


@dataclass(eq=False)
class RunSeries:
    """The data of a run for the charts; `smoothed` is its smoothed loss."""

    info: RunInfo
    snapshot: Snapshot = field(default_factory=Snapshot)
    colour: int = 0
    smoothed: Floats = field(default_factory=lambda: np.empty(0))
    _smoother: Smoother = field(default_factory=Smoother)

    def update(self, snapshot: Snapshot) -> None:
        restarted = (
            snapshot.started is not self.snapshot.started
            or snapshot.points.times_thinned != self.snapshot.points.times_thinned
        )
        self.snapshot = snapshot
        self.smoothed = self._smoother.smooth(snapshot.points.losses, restarted)

    @property
    def steps(self) -> int:
        """Number of steps in an epoch."""
        return self.snapshot.started.steps if self.snapshot.started else 1

    @property
    def planned(self) -> int:
        """Number of epochs."""
        return self.snapshot.planned or self.info.epochs

    def x_of_points(self, axis: str) -> Floats:
        points = self.snapshot.points
        if axis == "time":
            return points.seconds
        return points.steps / (self.steps if axis == "epoch" else 1.0)

    def x_of_evaluations(self, axis: str) -> Floats:
        evaluations = self.snapshot.evaluations
        if axis == "time":
            return np.array(self.snapshot.evaluated_at)
        epochs = np.array([e.epoch for e in evaluations], dtype=np.float64)
        return epochs * (self.steps if axis == "step" else 1.0)

    def x_max(self, axis: str) -> float:
        points = self.snapshot.points
        if axis != "time":
            # All planned epochs, unless the curve would fill only the left end of the chart.
            done = float(points.steps[-1]) / self.steps if len(points) else 0.0
            epochs = float(self.planned)
            if epochs > max(4 * done, SHORT_PLAN):
                epochs = max(2.0 ** np.ceil(np.log2(max(1.25 * done, 1.0))), SHORT_PLAN)
            return float(epochs * (self.steps if axis == "step" else 1))
        seconds = float(points.seconds[-1]) if len(points) else 1.0
        # In steps of a quarter: a growing axis redraws the whole chart.
        size = 2.0 ** np.floor(np.log2(max(seconds, 1.0)))
        return float(np.ceil(seconds / size * 4) / 4 * size)


def x_text(axis: str, value: float) -> str:
    """Return a value on the axis as a short text."""
    if axis == "time":
        return clock(value)
    if axis == "step":
        return si(value) if value >= 10_000 else f"{value:.0f}"
    return f"{value:.0f}" if abs(value - round(value)) < 0.005 else f"{value:.2f}"


def loss_plot(runs: Sequence[RunSeries], axis: str, smooth: bool) -> Plot:
    """Return the losses; a single smoothed run also shows its raw loss in the background."""
    curves = []
    for run in runs:
        x, losses = run.x_of_points(axis), run.snapshot.points.losses
        if smooth and len(runs) == 1:
            curves.append(Curve(x, losses, faint=True))
        curves.append(Curve(x, run.smoothed if smooth else losses, run.info.name, run.colour))
    return _plot(runs, axis, curves)


def metric_plot(
    runs: Sequence[RunSeries], axis: str, key: str, baselines: Sequence[KeptBaseline] = ()
) -> Plot:
    """Return Hit@50 or AUC of the held-out items at each evaluation, with the reported one marked.

    A single run also shows its validation items. Popularity is drawn if all runs have the same
    data, `baselines` as dotted lines.
    """
    curves = []
    for run in runs:
        evaluations, x = run.snapshot.evaluations, run.x_of_evaluations(axis)
        alone = len(runs) == 1 and any(e.validation for e in evaluations)
        found = marked(run.snapshot, key)
        best = evaluations.index(found) if found else -1
        values = np.array([e.metrics[key] for e in evaluations])
        name = "held out" if alone else run.info.name
        curves.append(Curve(x, values, name, run.colour, best=best))
        if alone:
            valid = np.array([e.validation[key] if e.validation else np.nan for e in evaluations])
            curves.append(Curve(x, valid, "validation", dashed=True))
    lines = []
    started = [run.snapshot.started for run in runs if run.snapshot.started]
    if started and len({run.info.dataset.fingerprint for run in runs}) == 1:
        lines.append(("popularity", started[0].popularity[key]))
    if key == "auc":
        lines.append(("chance", 0.5))
    low = min((value for c in curves for value in c.y.tolist()), default=1.0)
    bounds = (min(AUC_RANGE[0], low - 0.02), AUC_RANGE[1]) if key == "auc" else None
    levels = [(clean(one.name), one.heldout.metrics[key]) for one in baselines]
    return replace(_plot(runs, axis, curves), lines=lines, levels=levels, y_range=bounds)


def _plot(runs: Sequence[RunSeries], axis: str, curves: list[Curve]) -> Plot:
    x_max = max((run.x_max(axis) for run in runs), default=1.0)
    return Plot(curves, x_max=x_max, x_name=axis, x_text=partial(x_text, axis))
