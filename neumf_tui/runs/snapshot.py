"""All that a run's events say, folded into one immutable value."""

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import (
    AnyEvent,
    Checkpointed,
    Epoch,
    Evaluated,
    Extended,
    Finished,
    Paused,
    Pinned,
    Requested,
    Resumed,
    Started,
    Status,
    Steps,
    Warned,
)
from neumf_tui.runs.points import Points


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Lists are in order of step or epoch and never hold a figure twice."""

    started: Started | None = None
    points: Points = field(default_factory=Points)
    epochs: tuple[Epoch, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    checkpoint: Checkpointed | None = None
    finished: Finished | None = None
    planned: int | None = None
    """Epochs, where the run was extended."""
    pinned: tuple[str, ...] | None = None
    """Ids of users, where any were pinned or unpinned while it trained."""
    log: tuple[tuple[float, str], ...] = ()
    """(unix seconds, text) of what happened, for people."""
    stretches: tuple[tuple[float, float, bool], ...] = ()
    """(unix seconds from which it held, seconds of training until then, whether it trained)."""
    last: float = 0.0
    """Unix seconds of the newest event."""

    @property
    def best(self) -> Evaluated | None:
        """The evaluation with the highest Hit@50, the earliest if equal: of the validation items, or, in a run without any, of
        the held-out items themselves."""
        return max(
            self.evaluations,
            key=lambda e: ((e.validation or e.metrics)["hit@50"], -e.epoch),
            default=None,
        )

    @property
    def reported(self) -> Evaluated | None:
        """The evaluation whose figures stand for the run: the best by validation, or, without any, the last."""
        last = self.evaluations[-1] if self.evaluations else None
        return self.best if last and last.validation else last

    def elapsed(self, times: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Seconds of training at unix `times`: pauses and the time between two trainers do not count."""
        begun, until, trained = (
            np.array(column)
            for column in zip(*(self.stretches or ((0.0, 0.0, False),)), strict=True)
        )
        row = np.maximum(np.searchsorted(begun, times, side="right") - 1, 0)
        passed: NDArray[np.float64] = (
            until[row] + np.maximum(times - begun[row], 0.0) * trained[row]
        )
        return passed

    def seconds(self, status: Status) -> float:
        """Seconds of training so far, by `status`."""
        # Of a trainer that is gone, its newest event is the last that is known.
        return float(
            self.elapsed(max(self.last, time.time()) if status.state == "running" else self.last)
        )


def fold(before: Snapshot, events: list[AnyEvent]) -> Snapshot:
    """`before` with `events` taken in; pure."""
    after, points = before, before.points
    epochs, evaluations = list(before.epochs), list(before.evaluations)
    stretches, log = list(before.stretches), list(before.log)
    for event in events:
        match event:
            case Started():
                # A resumed trainer does again what came after its checkpoint.
                done = event.epoch * event.steps + event.step
                points = points.until(done)
                epochs = [e for e in epochs if e.epoch <= event.epoch]
                evaluations = [e for e in evaluations if e.epoch <= event.epoch]
                so_far = (
                    float(replace(after, stretches=tuple(stretches)).elapsed(points.times[-1]))
                    if len(points)
                    else 0.0
                )
                stretches.append((event.t, so_far, True))
                after = replace(after, started=event, finished=None)
                where = f" at epoch {event.epoch + 1}, step {event.step + 1}" if done else ""
                log.append(
                    (event.t, f"{'resumed' if done else 'training'} on {event.device}{where}")
                )
            case Steps():
                since = max(
                    stretches[-1][0] if stretches else event.t,
                    points.times[-1] if len(points) else 0.0,
                )
                times = np.linspace(min(since, event.t), event.t, len(event.steps) + 1)[1:]
                points = points.appended(event.steps, times, event.losses)
            case Epoch():
                epochs.append(event)
            case Evaluated():
                evaluations.append(event)
                m = event.metrics
                loss = f"loss {epochs[-1].loss:.4f}  " if epochs else ""
                valid = f"  valid. {event.validation['hit@50']:.4f}" if event.validation else ""
                log.append(
                    (
                        event.t,
                        f"epoch {event.epoch:<4} {loss}Hit@50 {m['hit@50']:.4f}  AUC {m['auc']:.4f}{valid}",
                    )
                )
            case Checkpointed():
                after = replace(after, checkpoint=event)
                if event.step:
                    log.append((event.t, f"checkpoint {event.file}"))
            case Requested():
                log.append((event.t, f"request: {event.what} {event.argument}".rstrip()))
            case Paused():
                stretches.append(_halt(after, stretches, event.t))
                log.append((event.t, "paused"))
            case Resumed():
                stretches.append((event.t, stretches[-1][1] if stretches else 0.0, True))
                log.append((event.t, "going on"))
            case Extended():
                after = replace(after, planned=event.epochs)
                log.append((event.t, f"epochs: {event.epochs}"))
            case Pinned():
                after = replace(after, pinned=tuple(event.users))
            case Warned():
                log.append((event.t, event.text))
            case Finished():
                stretches.append(_halt(after, stretches, event.t))
                after = replace(after, finished=event)
                log.append(
                    (event.t, f"{event.state}: {event.reason}" if event.reason else event.state)
                )
    return replace(
        after,
        points=points,
        last=events[-1].t if events else before.last,
        epochs=tuple(epochs),
        evaluations=tuple(evaluations),
        stretches=tuple(stretches),
        log=tuple(log),
    )


def _halt(
    snapshot: Snapshot, stretches: list[tuple[float, float, bool]], t: float
) -> tuple[float, float, bool]:
    """The stretch that begins where training halts at unix time `t`."""
    return t, float(replace(snapshot, stretches=tuple(stretches)).elapsed(t)), False
