"""Plots of the loss and the metrics of one run or several, over epochs, steps or time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.runs.curve import Points
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
        self.smoothed = self._smoother.smooth(snapshot.points.values, restarted)

    @property
    def steps(self) -> int:
        """Number of steps in an epoch; 0 if nobody knows."""
        return self.snapshot.started.steps if self.snapshot.started else 0

    @property
    def planned(self) -> int:
        """Number of epochs; 0 if nobody knows."""
        return self.snapshot.planned or self.info.epochs

    def axis(self, axis: str) -> str:
        """Return the axis, or the one in its place where nobody knows where epochs end."""
        if axis == "time" or self.steps:
            return axis
        if not any(at.step for at in self.snapshot.evaluated_at):
            return "step" if self.snapshot.step else "epoch"
        return axis

    def x_of_points(self, axis: str, points: Points | None = None) -> Floats:
        points = self.snapshot.points if points is None else points
        if axis == "time":
            return points.seconds
        steps = points.steps.astype(np.float64)
        return steps if self.axis(axis) == "step" else self._epochs_at(steps)

    def x_of_evaluations(self, axis: str) -> Floats:
        evaluated = self.snapshot.evaluated_at
        if axis == "time":
            return np.array([at.seconds for at in evaluated])
        epochs = np.array([e.epoch for e in self.snapshot.evaluations], dtype=np.float64)
        if self.axis(axis) == "epoch":
            return epochs
        return epochs * self.steps if self.steps else np.array([at.step for at in evaluated], float)

    def _epochs_at(self, steps: Floats) -> Floats:
        """Return steps as epochs; where an epoch has no known number of steps, by evaluations."""
        if self.steps:
            return steps / self.steps
        pairs = zip(self.snapshot.evaluated_at, self.snapshot.evaluations, strict=True)
        known = {0: 0.0} | {at.step: float(e.epoch) for at, e in pairs}
        last = max(known)
        per_step = known[last] / max(1, last)
        epochs = np.interp(steps, list(known), list(known.values()))
        return epochs + per_step * np.maximum(steps - last, 0)

    def x_max(self, axis: str) -> float:
        snapshot, axis = self.snapshot, self.axis(axis)
        if axis != "time" and self.planned and (self.steps or axis == "epoch"):
            # All planned epochs, unless the curve would fill only the left end of the chart.
            done = float(self._epochs_at(np.array([snapshot.step], np.float64))[0])
            epochs = float(self.planned)
            if epochs > max(4 * done, SHORT_PLAN):
                epochs = max(2.0 ** np.ceil(np.log2(max(1.25 * done, 1.0))), SHORT_PLAN)
            return float(epochs * (self.steps if axis == "step" else 1))
        curves = (snapshot.points, *snapshot.scalars.values())
        ends = [self.x_of_points(axis, curve)[-1:] for curve in curves]
        newest = float(max([*np.concatenate(ends), *self.x_of_evaluations(axis)[-1:], 1.0]))
        # In steps of a quarter: a growing axis redraws the whole chart.
        size = 2.0 ** np.floor(np.log2(newest))
        return float(np.ceil(newest / size * 4) / 4 * size)


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
        x, losses = run.x_of_points(axis), run.snapshot.points.values
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
    popularity = next((one.popularity for one in started if one.popularity), None)
    if popularity and len({run.info.dataset.fingerprint for run in runs}) == 1:
        lines.append(("popularity", popularity[key]))
    if key == "auc":
        lines.append(("chance", 0.5))
    low = min((value for c in curves for value in c.y.tolist()), default=1.0)
    bounds = (min(AUC_RANGE[0], low - 0.02), AUC_RANGE[1]) if key == "auc" else None
    levels = [(clean(one.name), one.heldout.metrics[key]) for one in baselines]
    return replace(_plot(runs, axis, curves), lines=lines, levels=levels, y_range=bounds)


def scalar_plot(run: RunSeries, axis: str, name: str) -> Plot:
    """Return what somebody's own loop has logged under a name."""
    points = run.snapshot.scalars[name]
    return _plot([run], axis, [Curve(run.x_of_points(axis, points), points.values, clean(name))])


def _plot(runs: Sequence[RunSeries], axis: str, curves: list[Curve]) -> Plot:
    x_max = max((run.x_max(axis) for run in runs), default=1.0)
    axis = runs[0].axis(axis) if runs else axis
    return Plot(curves, x_max=x_max, x_name=axis, x_text=partial(x_text, axis))
