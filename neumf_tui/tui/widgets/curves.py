"""Plots of the loss and the metrics of one run or several, over epochs, steps or time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from neumf_tui.baselines.kept import POPULARITY, KeptBaseline
from neumf_tui.runs.curve import Points
from neumf_tui.runs.events import MEASURED, RunInfo
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean, clock, si
from neumf_tui.tui.widgets.axes import Floats, Kind
from neumf_tui.tui.widgets.chart import Curve, Line, Plot
from neumf_tui.tui.widgets.chart_text import marked

AXES: Sequence[Kind] = ("epoch", "step", "time")
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
    def name(self) -> str:
        return clean(self.info.name)

    @property
    def is_flat(self) -> bool:
        """Whether the run is a model without epochs: a baseline, or weights made elsewhere."""
        made_elsewhere = self.info.kind in ("baseline", "adopted")
        return made_elsewhere and len(self.snapshot.evaluations) == 1

    @property
    def steps(self) -> int:
        """Number of steps in an epoch; 0 if nobody knows."""
        return self.snapshot.started.steps if self.snapshot.started else 0

    @property
    def planned(self) -> int:
        """Number of epochs; 0 if nobody knows."""
        return self.snapshot.planned or self.info.epochs

    def axis(self, axis: Kind) -> Kind:
        """Return the axis, or the one in its place where nobody knows where epochs end."""
        if axis == "time" or self.steps:
            return axis
        if not any(at.step for at in self.snapshot.evaluated_at):
            return "step" if self.snapshot.step else "epoch"
        return axis

    def x_of_points(self, axis: Kind, points: Points | None = None) -> Floats:
        points = self.snapshot.points if points is None else points
        if axis == "time":
            return points.seconds
        steps = points.steps.astype(np.float64)
        return steps if self.axis(axis) == "step" else self._epochs_at(steps)

    def x_of_evaluations(self, axis: Kind) -> Floats:
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

    def x_max(self, axis: Kind) -> float:
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


class ChartKey(NamedTuple):
    """What a chart shows of runs."""

    kind: Literal["loss", "metric", "logged"]
    name: str = ""
    """Of the metric, or under which it was logged."""


LOSS, HIT, AUC = ChartKey("loss"), ChartKey("metric", "hit@50"), ChartKey("metric", "auc")


def chart_keys(runs: Sequence[RunSeries]) -> tuple[list[ChartKey], list[ChartKey]]:
    """Return the charts of runs, and those of their other metrics."""
    has_loss = any(run.info.is_trained or len(run.snapshot.points) for run in runs)
    logged = {name: None for run in runs for name in run.snapshot.scalars}
    known = {
        name: None for run in runs for e in run.snapshot.evaluations[-1:] for name in e.metrics
    }
    others = [name for name in MEASURED if name in known]
    others += [name for name in known if name not in MEASURED]
    more = [key for name in others if (key := ChartKey("metric", name)) not in (HIT, AUC)]
    main = [LOSS, HIT, AUC] if has_loss else [HIT, AUC]
    return main + [ChartKey("logged", name) for name in logged], more


def plot_of(
    key: ChartKey,
    runs: Sequence[RunSeries],
    axis: Kind,
    smooth: bool,
    baselines: Sequence[KeptBaseline] = (),
) -> Plot:
    """Return the contents of a chart."""
    match key.kind:
        case "loss":
            return loss_plot(runs, axis, smooth)
        case "metric":
            return metric_plot(runs, axis, key.name, baselines)
        case "logged":
            return logged_plot(runs, axis, key.name)


def loss_plot(runs: Sequence[RunSeries], axis: Kind, smooth: bool) -> Plot:
    """Return the losses; a single smoothed run also shows its raw loss in the background."""
    curves = []
    for run in runs:
        x, losses = run.x_of_points(axis), run.snapshot.points.values
        if smooth and len(runs) == 1:
            curves.append(Curve(x, losses, faint=True))
        curves.append(Curve(x, run.smoothed if smooth else losses, run.name, run.colour))
    return _plot(runs, axis, curves)


def metric_plot(
    runs: Sequence[RunSeries], axis: Kind, key: str, baselines: Sequence[KeptBaseline] = ()
) -> Plot:
    """Return a metric of the held-out items at each evaluation, with the reported one marked.

    A single run also shows its validation items. Popularity is drawn if all runs have the same
    data, `baselines` as dotted lines of which the first is always named. A model without epochs is
    a line itself.
    """
    curves, lines = [], []
    for run in runs:
        if run.is_flat:
            lines += _lines_of_model(run, key, alone=len(runs) == 1)
        else:
            curves += _curves_of_metric(run, axis, key, alone=len(runs) == 1)
    lines += _compared_lines(runs, key, baselines)
    if not curves:
        lines = [replace(line, value=f"{line.height:.3f}") for line in lines]
    values = [value for curve in curves for value in curve.y.tolist() if math.isfinite(value)]
    low = min([*values, *(line.height for line in lines)], default=1.0)
    bounds = (min(AUC_RANGE[0], low - 0.02), AUC_RANGE[1]) if key == "auc" else None
    return replace(_plot(runs, axis, curves), lines=lines, y_range=bounds)


def _curves_of_metric(run: RunSeries, axis: Kind, key: str, alone: bool) -> list[Curve]:
    evaluations, x = run.snapshot.evaluations, run.x_of_evaluations(axis)
    found = marked(run.snapshot, key)
    best = evaluations.index(found) if found else -1
    values = np.array([e.metrics.get(key, np.nan) for e in evaluations])
    if not (alone and any(e.validation for e in evaluations)):
        return [Curve(x, values, run.name, run.colour, best=best)]
    valid = np.array([(e.validation or {}).get(key, np.nan) for e in evaluations])
    held_out = Curve(x, values, "held out", run.colour, best=best)
    return [held_out, Curve(x, valid, "validation", dashed=True)]


def _lines_of_model(run: RunSeries, key: str, alone: bool) -> list[Line]:
    (found,) = run.snapshot.evaluations
    lines = [Line(run.name, found.metrics[key], colour=run.colour)] if key in found.metrics else []
    if alone and found.validation and key in found.validation:
        lines.append(Line("validation", found.validation[key], dotted=True))
    return lines


def _compared_lines(
    runs: Sequence[RunSeries], key: str, baselines: Sequence[KeptBaseline]
) -> list[Line]:
    """Return what runs are compared with: popularity, chance, and baselines but themselves."""
    own = {run.info.preset for run in runs if run.info.kind == "baseline"}
    started = [run.snapshot.started for run in runs if run.snapshot.started]
    popularity = next((one.popularity for one in started if one.popularity), {})
    same_data = len({run.info.dataset.fingerprint for run in runs}) == 1
    lines = []
    if key in popularity and same_data and POPULARITY not in own:
        lines.append(Line(POPULARITY, popularity[key]))
    if key == "auc":
        lines.append(Line("chance", 0.5))
    others = [one for one in baselines if one.name not in own and key in one.heldout.metrics]
    for one in others:
        height = one.heldout.metrics[key]
        lines.append(Line(clean(one.name), height, dotted=True, needed=one is others[0]))
    return lines


def logged_plot(runs: Sequence[RunSeries], axis: Kind, name: str) -> Plot:
    """Return what somebody's own loops have logged under a name."""
    curves = []
    for run in runs:
        if (points := run.snapshot.scalars.get(name)) is not None:
            title = clean(name) if len(runs) == 1 else run.name
            curves.append(Curve(run.x_of_points(axis, points), points.values, title, run.colour))
    return _plot(runs, axis, curves)


def _plot(runs: Sequence[RunSeries], axis: Kind, curves: list[Curve]) -> Plot:
    if not curves and any(run.is_flat for run in runs):
        return Plot(x_kind="")
    x_max = max((run.x_max(axis) for run in runs if not run.is_flat), default=1.0)
    axis = runs[0].axis(axis) if runs else axis
    return Plot(curves, x_max=x_max, x_kind=axis, x_text=partial(x_text, axis))


def x_text(axis: Kind, value: float) -> str:
    """Return a value on the axis as a short text."""
    if axis == "time":
        return clock(value)
    if axis == "step":
        return si(value) if value >= 10_000 else f"{value:.0f}"
    return f"{value:.0f}" if abs(value - round(value)) < 0.005 else f"{value:.2f}"
