"""The state of a run: all its events folded into one immutable value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from neumf_tui.runs import events
from neumf_tui.runs.curve import Points, spread

EPOCHS_LIMIT = 500
"""Number of epochs, and of evaluations, from which on they are thinned to about half of them."""
_NEWEST = 100
"""Number of epochs at the end that are never thinned."""
LOG_LIMIT = 500
"""Number of lines of the log that are kept: the newest."""
SCALARS_LIMIT = 64
"""Number of curves beside the loss that are kept: the first."""
SCALAR_POINTS = 1_024
"""Number of points from which on such a curve is thinned to about half of them."""
LONGEST_GAP = 86_400.0
"""Seconds between two events of one trainer; more than that is a clock that was set."""
ALARMS_LIMIT = 20
"""Number of alarms that are kept, of whatever names."""


class Clock(NamedTuple):
    """The seconds of training so far, without pauses and without the time between trainers."""

    last: float = 0.0
    """Unix seconds of the newest event."""
    trained: float = 0.0
    """Seconds of training until then."""
    started: float = 0.0
    """Seconds of training before the newest trainer started."""
    runs: bool = False
    """Whether the trainer trains: it has started, and neither pauses nor has ended."""

    def at(self, time: float) -> "Clock":
        """Return the clock at a later time; a time that cannot be later adds nothing."""
        gap = time - self.last
        return self._replace(
            last=time, trained=self.trained + gap * (self.runs and 0 < gap < LONGEST_GAP)
        )


class Moment(NamedTuple):
    """How far training had come."""

    seconds: float
    """Seconds of training."""
    step: int
    """Newest step with a value, counted from the start of the run; 0 before the first."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the events of a run say. Tuples are ordered by step or epoch, without repetitions.

    They are of limited length. Of more than EPOCHS_LIMIT epochs or evaluations every 2nd, 4th, ...
    stays, and the first, the newest, and the highest and lowest.
    """

    started: events.Started | None = None
    points: Points = field(default_factory=Points)
    """The loss."""
    scalars: Mapping[str, Points] = field(default_factory=dict)
    """What else somebody's own loop has logged, by name, in the order of the first values."""
    epochs: tuple[events.Epoch, ...] = ()
    evaluations: tuple[events.Evaluated, ...] = ()
    evaluated_at: tuple[Moment, ...] = ()
    """When each of `evaluations` was."""
    checkpoint: events.Checkpointed | None = None
    finished: events.Finished | None = None
    planned: int | None = None
    """Epochs, if the run was extended."""
    pinned: tuple[str, ...] | None = None
    """User ids, if any were pinned or unpinned during training."""
    log: tuple[tuple[float, str], ...] = ()
    """(unix seconds, text) of what happened, for people: the newest lines."""
    logged: int = 0
    """Number of lines that the log has had so far."""
    clock: Clock = field(default_factory=Clock)
    problem: str = ""
    """Which line of `events.jsonl` is damaged, if one is."""
    alarms: Mapping[str, events.Alarm] = field(default_factory=dict)
    """The alarms that hold, by name, the earliest first."""

    @property
    def best(self) -> events.Evaluated | None:
        """The evaluation of the highest quality, the earliest if equal."""
        return max(self.evaluations, key=lambda e: (e.quality, -e.epoch), default=None)

    @property
    def reported(self) -> events.Evaluated | None:
        """The evaluation reported for the run: the best by validation, or without it the last."""
        last = self.evaluations[-1] if self.evaluations else None
        return self.best if last and last.validation else last

    @property
    def step(self) -> int:
        """The newest step with a value, counted from the start of the run; 0 before the first."""
        return newest_step(self.points, self.scalars)

    def log_after(self, count: int) -> tuple[tuple[float, str], ...]:
        """Return the lines of the log after its first `count`, as far as they are kept."""
        return self.log[max(0, len(self.log) - (self.logged - count)) :]

    def seconds(self, status: events.Status) -> float:
        """Return the seconds of training so far, without pauses."""
        if self.finished and self.finished.total_seconds:
            return self.finished.total_seconds
        if status.state == "running":
            return self.clock.at(max(status.t, self.clock.last)).trained
        return self.clock.trained


def newest_step(points: Points, scalars: Mapping[str, Points]) -> int:
    curves = (points, *scalars.values())
    return max((int(curve.steps[-1]) for curve in curves if len(curve)), default=0)


def fold(before: Snapshot, news: list[events.AnyEvent]) -> Snapshot:
    """Return the snapshot after the events `news`; `before` does not change."""
    draft = _Draft(before)
    for event in news:
        if text := draft.add(event):
            draft.log.append((event.t, text))
    logged = before.logged + len(draft.log) - len(before.log)
    return replace(
        before,
        points=draft.points,
        scalars=draft.scalars,
        epochs=tuple(draft.epochs),
        evaluations=tuple(draft.evaluations),
        evaluated_at=tuple(draft.evaluated_at),
        clock=draft.clock,
        alarms=draft.alarms,
        log=tuple(draft.log[-LOG_LIMIT:]),
        logged=logged,
        **draft.changes,
    )


class _Draft:
    """A snapshot to which events are added: with lists in place of its tuples."""

    def __init__(self, before: Snapshot) -> None:
        self.points, self.clock = before.points, before.clock
        self.epochs, self.evaluations = list(before.epochs), list(before.evaluations)
        self.evaluated_at, self.log = list(before.evaluated_at), list(before.log)
        self.scalars = dict(before.scalars)
        self.alarms = before.alarms
        self.changes: dict[str, Any] = {}
        """New values of the other fields."""

    def add(self, event: events.AnyEvent) -> str:
        """Add an event and return its text for the log, empty if it is not logged."""
        self.clock = self.clock.at(event.t)
        match event:
            case events.Started():
                return self._start(event)
            case events.Steps():
                self.points = self._with_points(self.points, event.steps, event.losses)
            case events.Scalars():
                self._add_scalars(event)
            case events.Epoch():
                self._go_back(event.epoch - 1)
                self.epochs.append(event)
                if len(self.epochs) > EPOCHS_LIMIT:
                    stay = _kept_epochs(self.epochs)
                    self.epochs = [e for e in self.epochs if e.epoch in stay]
            case events.Evaluated():
                return self._add_evaluation(event)
            case events.Checkpointed():
                self.changes["checkpoint"] = event
                return f"checkpoint {event.file}" if event.step else ""
            case events.Requested():
                return f"request: {event.what} {event.argument}".rstrip()
            case events.Paused():
                self.clock = self.clock._replace(runs=False)
                return "paused"
            case events.Resumed():
                self.clock = self.clock._replace(runs=True)
                return "resumed"
            case events.Extended():
                self.changes["planned"] = event.epochs
                return f"epochs: {event.epochs}"
            case events.Pinned():
                self.changes["pinned"] = tuple(event.users)
            case events.Warned():
                return event.text
            case events.Alarm():
                self._change_alarms({event.alarm: event})
                return f"! {event.text}"
            case events.AlarmOver():
                self._change_alarms({}, over=event.alarm)
                return f"alarm over: {event.alarm}"
            case events.Damaged():
                self.changes["problem"] = event.text
                return event.text
            case events.Finished():
                self.clock = self.clock._replace(runs=False)
                self.changes["finished"] = event
                return f"{event.state}: {event.reason}" if event.reason else event.state
        return ""

    def _start(self, event: events.Started) -> str:
        # A resumed trainer repeats what came after its checkpoint.
        done = event.epoch * event.steps + event.step
        self.points = self.points.until(done)
        self.scalars = {name: points.until(done) for name, points in self.scalars.items()}
        self._go_back(event.epoch)
        evaluated = [at.seconds for at in self.evaluated_at[-1:]]
        trained = max([0.0, *self.points.seconds[-1:].tolist(), *evaluated])
        self.clock = Clock(event.t, trained, trained, runs=True)
        self.changes |= {"started": event, "finished": None}
        if not event.device:  # nothing is trained here
            return ""
        where = f" at epoch {event.epoch + 1}, step {event.step + 1}" if done else ""
        return f"{'resumed' if done else 'training'} on {event.device}{where}"

    def _go_back(self, epoch: int) -> None:
        """Remove what was reported after `epoch`."""
        while self.epochs and self.epochs[-1].epoch > epoch:
            self.epochs.pop()
        while self.evaluations and self.evaluations[-1].epoch > epoch:
            self.evaluations.pop()
            self.evaluated_at.pop()

    def _add_evaluation(self, event: events.Evaluated) -> str:
        while self.evaluations and self.evaluations[-1].epoch >= event.epoch:
            self.evaluations.pop()
            self.evaluated_at.pop()
        self.evaluations.append(event)
        self.evaluated_at.append(Moment(self.clock.trained, newest_step(self.points, self.scalars)))
        if len(self.evaluations) > EPOCHS_LIMIT:
            self._thin_evaluations()
        loss = f"loss {self.epochs[-1].loss:.4f}  " if self.epochs else ""
        hit, auc = event.metrics["hit@50"], event.metrics["auc"]
        valid = f"  valid. {event.validation['hit@50']:.4f}" if event.validation else ""
        return f"epoch {event.epoch:<4} {loss}Hit@50 {hit:.4f}  AUC {auc:.4f}{valid}"

    def _thin_evaluations(self) -> None:
        stay = _kept_epochs(self.evaluations)
        heldout = {event.epoch: event.metrics for event in self.evaluations}
        validation = {e.epoch: e.validation for e in self.evaluations if e.validation}
        for found in (heldout, validation):
            for key in ("hit@50", "auc"):
                values = {epoch: metrics[key] for epoch, metrics in found.items()}
                if values:
                    stay |= {choose(values, key=values.__getitem__) for choose in (max, min)}
        pairs = zip(self.evaluations, self.evaluated_at, strict=True)
        kept = [(e, at) for e, at in pairs if e.epoch in stay]
        self.evaluations = [e for e, _ in kept]
        self.evaluated_at = [at for _, at in kept]

    def _change_alarms(self, new: Mapping[str, events.Alarm], over: str = "") -> None:
        alarms = {**self.alarms, **new}
        alarms.pop(over, None)
        self.alarms = dict(list(alarms.items())[:ALARMS_LIMIT])

    def _with_points(self, points: Points, steps: list[int], values: events.Values) -> Points:
        """Return a curve with more points, at equal intervals since its latest one."""
        if not steps:
            return points
        points = points.until(steps[0] - 1)
        since = max([self.clock.started, *points.seconds[-1:].tolist()])
        until = self.clock.trained
        count = len(steps)
        # As by linspace, which takes three times as long.
        seconds = until - max(0.0, until - since) / count * np.arange(count - 1, -1, -1)
        return points.appended(steps, seconds, values)

    def _add_scalars(self, event: events.Scalars) -> None:
        for name, (steps, values) in event.curves.items():
            before = self.scalars.get(name)
            if before is None and len(self.scalars) >= SCALARS_LIMIT:
                continue
            before = before or Points(SCALAR_POINTS)
            self.scalars[name] = self._with_points(before, steps, values)


def _kept_epochs(found: Sequence[events.Epoch | events.Evaluated]) -> set[int]:
    numbers = [event.epoch for event in found]
    return {*spread(numbers, EPOCHS_LIMIT // 2), *numbers[-_NEWEST:]}
