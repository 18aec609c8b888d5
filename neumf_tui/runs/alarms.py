"""What is wrong with a training: rules over its snapshot, and the events that tell of them.

Each alarm is told once. It is over when what it tells of has gone by a margin, not as soon as a
value is back at its limit, so that it does not come again and again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neumf_tui import files
from neumf_tui.runs.curve import Points
from neumf_tui.runs.events import (
    FINAL_STATES,
    Alarm,
    AlarmOver,
    AnyEvent,
    Evaluated,
    Scalars,
    Started,
    Status,
    Steps,
)
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.runs.thresholds import Thresholds
from neumf_tui.text import si

NOT_A_NUMBER, STALL, LOSS, VALIDATION, COHORT, COVERAGE, DISK = (
    "not-a-number", "stall", "loss-rising", "validation-falling", "cohort", "coverage", "disk",
)  # fmt: skip
"""The names of the alarms."""
FINITE_STEPS, FINITE_SECONDS = 100, 60.0
"""Steps, and seconds of training, without such a value after which that alarm is over."""
STANDARD_ERRORS = 2.0
"""Standard errors by which a cohort has to differ from its best, or it may be chance."""
RECOVERED = 0.5
"""Share of a drop that is left when that alarm is over."""
FEW_FILES = 20
"""Number of files, such as checkpoints, that have to fit on the disk."""
LEAST_SPACE = 64 * 2**20
"""Bytes that have to be free however small the files are."""
_PENDING = 500
"""Number of events that are folded together where none of them can raise an alarm."""


class Value(NamedTuple):
    """A value after one evaluation."""

    epoch: int
    time: float
    """Unix seconds."""
    value: float


Rule = Callable[[Snapshot, Thresholds, Alarm | None], str]
"""Returns the text of an alarm that holds, else nothing; gets the alarm if it was told before."""


def changes(snapshot: Snapshot, thresholds: Thresholds) -> list[Alarm | AlarmOver]:
    """Return the events that make the alarms of a snapshot those that hold by its values.

    Only of alarms that depend on these values: not of a stall, nor of the disk.
    """
    found: list[Alarm | AlarmOver] = []
    time = snapshot.clock.last  # of the event by which it begins or ends
    for name, rule in RULES.items():
        told = snapshot.alarms.get(name)
        text = rule(snapshot, thresholds, told)
        if text and told is None:
            found.append(Alarm(t=time, alarm=name, text=text))
        elif told is not None and not text:
            found.append(AlarmOver(t=time, alarm=name))
    return found


def _not_a_number(snapshot: Snapshot, _: Thresholds, __: Alarm | None) -> str:
    for name, points in {"the loss": snapshot.points, **snapshot.scalars}.items():
        if step := _last_bad_step(points):
            return f"{name} is not a number at step {step:,}"
    return ""


def _last_bad_step(points: Points) -> int:
    """Return the newest step without a finite value, 0 if that is long ago."""
    bad = np.flatnonzero(np.isnan(points.values))
    if not len(bad):
        return 0
    at = int(bad[-1])
    steps = points.steps[-1] - points.steps[at]
    seconds = points.seconds[-1] - points.seconds[at]
    return 0 if steps >= FINITE_STEPS and seconds >= FINITE_SECONDS else int(points.steps[at])


def _loss(snapshot: Snapshot, thresholds: Thresholds, told: Alarm | None) -> str:
    losses = {epoch.epoch: epoch.loss for epoch in snapshot.epochs}
    values = [
        Value(found.epoch, found.t, losses[found.epoch])
        for found in snapshot.evaluations
        if found.epoch in losses
    ]
    count = thresholds.loss_rising
    if not (first := _rise(values, count, told)):
        return ""
    return f"the loss has risen over {count} evaluations, {_from_to(first, values[-1], '.4f')}"


def _validation(snapshot: Snapshot, thresholds: Thresholds, told: Alarm | None) -> str:
    values = [
        Value(found.epoch, found.t, -found.validation["hit@50"])
        for found in snapshot.evaluations
        if found.validation
    ]
    count = thresholds.validation_falling
    if not (first := _rise(values, count, told)):
        return ""
    first, last = (found._replace(value=-found.value) for found in (first, values[-1]))
    change = _from_to(first, last, ".4f")
    return f"validation Hit@50 has fallen over {count} evaluations, {change}"


def _rise(values: Sequence[Value], count: int, told: Alarm | None) -> Value | None:
    """Return the value before the last `count`, if each of these is higher than the one before.

    A rise that was told is over when a value is no higher than the one before that rise.
    """
    if not count or len(values) <= count:
        return None
    if told is not None:
        known = [found for found in values if found.time <= told.t]
        before = known[-count - 1] if len(known) > count else values[0]
        return before if values[-1].value > before.value else None
    newest = [found.value for found in values[-count - 1 :]]
    rises = all(after > before for before, after in pairwise(newest))
    return values[-count - 1] if rises else None


def _cohort(snapshot: Snapshot, thresholds: Thresholds, told: Alarm | None) -> str:
    evaluations = [found for found in snapshot.evaluations if found.cohorts]
    drop, texts = thresholds.cohort_drop, []
    for name in evaluations[-1].cohorts if drop and evaluations else ():
        values = [
            Value(found.epoch, found.t, found.cohorts[name][0])
            for found in evaluations
            if name in found.cohorts
        ]
        best, last = _drop(values, drop, told)
        # The standard error of the difference of two counts.
        if best and best.value - last.value > STANDARD_ERRORS * math.sqrt(best.value + last.value):
            users = evaluations[-1].cohorts[name][1]
            best, last = (one._replace(value=one.value / users) for one in (best, last))
            texts.append((last.value / best.value, name, _from_to(best, last, ".3f")))
    if not texts:
        return ""
    _, name, change = min(texts)
    others = f"; so did that of {len(texts) - 1} more" if len(texts) > 1 else ""
    return f"Hit@50 of the cohort {name} fell {change}{others}"


def _coverage(snapshot: Snapshot, thresholds: Thresholds, told: Alarm | None) -> str:
    values = [
        Value(found.epoch, found.t, found.coverage)
        for found in snapshot.evaluations
        if found.coverage is not None
    ]
    best, last = _drop(values, thresholds.coverage_drop, told)
    return f"the catalogue coverage fell {_from_to(best, last, '.1%')}" if best else ""


def _drop(values: Sequence[Value], drop: float, told: Alarm | None) -> tuple[Value | None, Value]:
    """Return the best value, None unless the newest one is less by the share `drop`; and that."""
    if not values or not drop:
        return None, Value(0, 0.0, 0.0)
    best, last = max(values, key=lambda found: found.value), values[-1]
    share = drop if told is None else drop * RECOVERED
    return (best if last.value < best.value * (1 - share) else None), last


def _from_to(first: Value, last: Value, form: str) -> str:
    before, after = format(first.value, form), format(last.value, form)
    return f"from {before} at epoch {first.epoch} to {after} at epoch {last.epoch}"


RULES: Mapping[str, Rule] = {
    NOT_A_NUMBER: _not_a_number,
    LOSS: _loss,
    VALIDATION: _validation,
    COHORT: _cohort,
    COVERAGE: _coverage,
}
"""The rules over a snapshot, by the name of the alarm."""


class AlarmWatch:
    """Follows the events of a run as they are written, and returns those of its alarms."""

    def __init__(self, thresholds: Thresholds, snapshot: Snapshot) -> None:
        """`snapshot` is that of the events so far."""
        self._thresholds, self._snapshot = thresholds, snapshot
        self._pending: list[AnyEvent] = []

    def after(self, event: AnyEvent) -> list[Alarm | AlarmOver]:
        """Return what is to be told after an event."""
        self._pending.append(event)
        if self._matters(event):
            self._fold()
            return self._told(changes(self._snapshot, self._thresholds))
        if len(self._pending) >= _PENDING:
            self._fold()
        return []

    def after_writing(self, folder: Path, size: int) -> list[Alarm | AlarmOver]:
        """Return what is to be told of the disk after a file of `size` bytes was written there."""
        self._fold()
        free, told = files.free_space(folder), DISK in self._snapshot.alarms
        needed = max(FEW_FILES * size, LEAST_SPACE)
        if not told and free < needed:
            text = (
                f"the disk of {folder} is nearly full ({si(free)}B): it has room for about "
                f"{free // max(1, size):,} more checkpoints; free some space, or remove "
                f"checkpoints: `neumf-tui prune {folder.name} --keep 10`"
            )
            return self._told([Alarm(alarm=DISK, text=text)])
        return self._told([AlarmOver(alarm=DISK)]) if told and free >= 2 * needed else []

    def _matters(self, event: AnyEvent) -> bool:
        """Return whether an alarm can begin or end by this event."""
        match event:
            case Evaluated() | Started():
                return True
            case Steps():
                return None in event.losses or NOT_A_NUMBER in self._snapshot.alarms
            case Scalars():
                missing = any(None in values for _, values in event.curves.values())
                return missing or NOT_A_NUMBER in self._snapshot.alarms
        return False

    def _fold(self) -> None:
        self._snapshot, self._pending = fold(self._snapshot, self._pending), []

    def _told(self, found: list[Alarm | AlarmOver]) -> list[Alarm | AlarmOver]:
        self._pending += found
        self._fold()
        return found


class StallWatch:
    """Tells by the status of a run, from outside its trainer, that it does not go on."""

    def __init__(self, seconds: float, told: bool) -> None:
        """`told`: whether an earlier watch has told of a stall that is not over."""
        self._seconds, self._told = seconds, told
        self._place: tuple[object, ...] = ()
        self._since = 0.0

    def look(self, status: Status, now: float) -> Alarm | AlarmOver | None:
        """Return what is to be told; `now` is of a clock that stands still in a suspended host."""
        place = status.state, status.epoch, status.step, status.evaluated
        waits = status.state == "paused" or status.state in FINAL_STATES
        if place != self._place or waits:
            self._place, self._since = place, now
            if self._told:
                self._told = False
                return AlarmOver(alarm=STALL)
        elif not self._told and now - self._since >= self._seconds:
            self._told = True
            where = f"{status.state} at epoch {status.epoch}, step {status.step}"
            text = f"no progress for {self._seconds / 60:.3g} min: {where}"
            return Alarm(alarm=STALL, text=text)
        return None
