"""The state of a run: all its events folded into one immutable value."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs import events
from neumf_tui.runs.curve import Points


class Span(NamedTuple):
    """A time in which the trainer trained, or did not (paused, or between two trainers)."""

    start: float
    """Unix seconds; it ends where the next one starts."""
    trained_before: float
    """Seconds of training before it."""
    training: bool


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the events of a run say. Tuples are ordered by step or epoch, without repetitions."""

    started: events.Started | None = None
    points: Points = field(default_factory=Points)
    epochs: tuple[events.Epoch, ...] = ()
    evaluations: tuple[events.Evaluated, ...] = ()
    checkpoint: events.Checkpointed | None = None
    finished: events.Finished | None = None
    planned: int | None = None
    """Epochs, if the run was extended."""
    pinned: tuple[str, ...] | None = None
    """User ids, if any were pinned or unpinned during training."""
    log: tuple[tuple[float, str], ...] = ()
    """(unix seconds, text) of what happened, for people."""
    spans: tuple[Span, ...] = ()
    last: float = 0.0
    """Unix seconds of the newest event."""

    @property
    def best(self) -> events.Evaluated | None:
        """The evaluation with the highest Hit@50, the earliest if equal.

        Hit@50 is that of the validation items, or without validation of the held-out items.
        """
        return max(
            self.evaluations,
            key=lambda e: ((e.validation or e.metrics)["hit@50"], -e.epoch),
            default=None,
        )

    @property
    def reported(self) -> events.Evaluated | None:
        """The evaluation reported for the run: the best by validation, or without it the last."""
        last = self.evaluations[-1] if self.evaluations else None
        return self.best if last and last.validation else last

    def elapsed(self, times: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the seconds of training until the unix `times`, without pauses."""
        return _elapsed(self.spans, times)

    def seconds(self, status: events.Status) -> float:
        """Return the seconds of training so far; of an ended run, until its newest event."""
        until = max(self.last, time.time()) if status.state == "running" else self.last
        return float(self.elapsed(until))


def _elapsed(spans: Sequence[Span], times: NDArray[np.float64] | float) -> NDArray[np.float64]:
    columns = zip(*(spans or [Span(0.0, 0.0, False)]), strict=True)
    start, before, training = (np.array(column) for column in columns)
    row = np.maximum(np.searchsorted(start, times, side="right") - 1, 0)
    seconds: NDArray[np.float64] = before[row] + np.maximum(times - start[row], 0) * training[row]
    return seconds


def fold(before: Snapshot, news: list[events.AnyEvent]) -> Snapshot:
    """Return the snapshot after the events `news`; `before` does not change."""
    draft = _Draft(before)
    for event in news:
        if text := draft.add(event):
            draft.log.append((event.t, text))
    return replace(
        before,
        points=draft.points,
        epochs=tuple(draft.epochs),
        evaluations=tuple(draft.evaluations),
        spans=tuple(draft.spans),
        log=tuple(draft.log),
        last=news[-1].t if news else before.last,
        **draft.changes,
    )


class _Draft:
    """A snapshot to which events are added: with lists in place of its tuples."""

    def __init__(self, before: Snapshot) -> None:
        self.points = before.points
        self.epochs, self.evaluations = list(before.epochs), list(before.evaluations)
        self.spans, self.log = list(before.spans), list(before.log)
        self.changes: dict[str, Any] = {}
        """New values of the other fields."""

    def add(self, event: events.AnyEvent) -> str:
        """Add an event and return its text for the log, empty if it is not logged."""
        match event:
            case events.Started():
                # A resumed trainer repeats what came after its checkpoint.
                done = event.epoch * event.steps + event.step
                self.points = self.points.until(done)
                self.epochs = [e for e in self.epochs if e.epoch <= event.epoch]
                self.evaluations = [e for e in self.evaluations if e.epoch <= event.epoch]
                trained = self._trained(self.points.times[-1]) if len(self.points) else 0.0
                self.spans.append(Span(event.t, trained, True))
                self.changes |= {"started": event, "finished": None}
                where = f" at epoch {event.epoch + 1}, step {event.step + 1}" if done else ""
                return f"{'resumed' if done else 'training'} on {event.device}{where}"
            case events.Steps():
                self._add_points(event)
            case events.Epoch():
                self.epochs.append(event)
            case events.Evaluated():
                self.evaluations.append(event)
                loss = f"loss {self.epochs[-1].loss:.4f}  " if self.epochs else ""
                hit, auc = event.metrics["hit@50"], event.metrics["auc"]
                valid = f"  valid. {event.validation['hit@50']:.4f}" if event.validation else ""
                return f"epoch {event.epoch:<4} {loss}Hit@50 {hit:.4f}  AUC {auc:.4f}{valid}"
            case events.Checkpointed():
                self.changes["checkpoint"] = event
                return f"checkpoint {event.file}" if event.step else ""
            case events.Requested():
                return f"request: {event.what} {event.argument}".rstrip()
            case events.Paused():
                self.spans.append(Span(event.t, self._trained(event.t), False))
                return "paused"
            case events.Resumed():
                trained = self.spans[-1].trained_before if self.spans else 0.0
                self.spans.append(Span(event.t, trained, True))
                return "resumed"
            case events.Extended():
                self.changes["planned"] = event.epochs
                return f"epochs: {event.epochs}"
            case events.Pinned():
                self.changes["pinned"] = tuple(event.users)
            case events.Warned():
                return event.text
            case events.Finished():
                self.spans.append(Span(event.t, self._trained(event.t), False))
                self.changes["finished"] = event
                return f"{event.state}: {event.reason}" if event.reason else event.state
        return ""

    def _trained(self, time: float) -> float:
        """Return the seconds of training until unix `time`."""
        return float(_elapsed(self.spans, time))

    def _add_points(self, event: events.Steps) -> None:
        """Add the points of the event, at equal intervals since the latest ones."""
        since = self.spans[-1].start if self.spans else event.t
        if len(self.points):
            since = max(since, self.points.times[-1])
        times = np.linspace(min(since, event.t), event.t, len(event.steps) + 1)[1:]
        self.points = self.points.appended(event.steps, times, event.losses)
