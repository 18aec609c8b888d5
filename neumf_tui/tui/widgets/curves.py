"""Plots of one run or several, over epochs, steps or time, from what has been read of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean, clock, si
from neumf_tui.tui.widgets.chart import Curve, Floats, Plot, Smoother
from neumf_tui.tui.widgets.chart_text import marked

AXES = ("epoch", "step", "time")
AUC_RANGE = (0.45, 1.0)
SHORT_PLAN = 20
"""Epochs that the axis shows from the beginning."""


@dataclass(eq=False)
class RunSeries:
    """A run as the charts need it; `smoothed` is kept up with the snapshot as it grows."""

    info: RunInfo
    snapshot: Snapshot = field(default_factory=Snapshot)
    colour: int = 0
    smoothed: Floats = field(default_factory=lambda: np.empty(0))
    _smoother: Smoother = field(default_factory=Smoother)

    def take(self, snapshot: Snapshot) -> None:
        restarted = snapshot.started is not self.snapshot.started
        self.snapshot = snapshot
        self.smoothed = self._smoother.smooth(snapshot.points.losses, restarted)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.snapshot.started.steps if self.snapshot.started else 1

    @property
    def planned(self) -> int:
        """Epochs."""
        return self.snapshot.planned or self.info.epochs

    def x_of_points(self, axis: str) -> Floats:
        points = self.snapshot.points
        if axis == "time":
            return self.snapshot.elapsed(points.times)
        return points.steps / (self.steps if axis == "epoch" else 1.0)

    def x_of_evaluations(self, axis: str) -> Floats:
        evaluations = self.snapshot.evaluations
        if axis == "time":
            return self.snapshot.elapsed(np.array([e.t for e in evaluations]))
        return np.array([e.epoch for e in evaluations], dtype=np.float64) * (
            self.steps if axis == "step" else 1.0
        )

    def x_max(self, axis: str) -> float:
        points = self.snapshot.points
        if axis != "time":
            # Room for the plan, unless the plan is so long that what is there would be a stroke at its left end.
            done = float(points.steps[-1]) / self.steps if len(points) else 0.0
            far = self.planned > max(4 * done, SHORT_PLAN)
            epochs = (
                max(2.0 ** np.ceil(np.log2(max(1.25 * done, 1.0))), SHORT_PLAN)
                if far
                else float(self.planned)
            )
            return float(epochs * (self.steps if axis == "step" else 1))
        seconds = float(self.snapshot.elapsed(points.times[-1])) if len(points) else 1.0
        # In steps of a quarter, so that a growing axis redraws the chart seldom.
        size = 2.0 ** np.floor(np.log2(max(seconds, 1.0)))
        return float(np.ceil(seconds / size * 4) / 4 * size)


def x_text(axis: str, value: float) -> str:
    """A value on the axis, in few characters."""
    if axis == "time":
        return clock(value)
    if axis == "step":
        return si(value) if value >= 10_000 else f"{value:.0f}"
    return f"{value:.0f}" if abs(value - round(value)) < 0.005 else f"{value:.2f}"


def loss_plot(runs: Sequence[RunSeries], axis: str, smooth: bool) -> Plot:
    """One run: its raw loss, behind it smoothed. Several: one line each."""
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
    """Hit@50 or AUC of the held-out items at each evaluation, with the one that counts marked, and of a single run's validation
    items; popularity's where all runs have the same data, and what the held-out items get from `baselines`."""
    curves = []
    for run in runs:
        evaluations, x = run.snapshot.evaluations, run.x_of_evaluations(axis)
        alone = len(runs) == 1 and any(e.validation for e in evaluations)
        found = marked(run.snapshot, key)
        best = evaluations.index(found) if found else -1
        values = np.array([e.metrics[key] for e in evaluations])
        curves.append(
            Curve(x, values, "held out" if alone else run.info.name, run.colour, best=best)
        )
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
    return replace(_plot(runs, axis, curves, lines, bounds), levels=levels)


def _plot(
    runs: Sequence[RunSeries],
    axis: str,
    curves: list[Curve],
    lines: Sequence[tuple[str, float]] = (),
    y_range: tuple[float, float] | None = None,
) -> Plot:
    return Plot(
        curves,
        lines,
        x_max=max((run.x_max(axis) for run in runs), default=1.0),
        y_range=y_range,
        x_name=axis,
        x_text=lambda value: x_text(axis, value),
    )
