"""Copy a run's events into a sink as they are written, each once."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation.rank_bins import bin_ranks
from neumf_tui.mirrors.sink import Batch, Position, RankHistogram, Sink
from neumf_tui.runs import events
from neumf_tui.runs.events import FINAL_STATES, AnyEvent, Evaluated, Status
from neumf_tui.runs.reader import EVENTS, EventTail, read_info, read_ranks, read_status

POLL_SECONDS = 1.0


def mirror(
    folder: Path,
    sink: Sink,
    tell: Callable[[str], None],
    *,
    once: bool = False,
    stop: Callable[[float], object] = time.sleep,
) -> Status:
    """Copy a run until it ends, or with `once` what is there now; returns its status.

    `stop` waits for so many seconds, and returns whether to end before the run does.

    Raises RunError if the run cannot be read any more; what was copied stays.
    """
    state = ""
    try:
        copier = Copier(folder, sink, tell)
        while True:
            status = read_status(folder)  # before the events: a final state then has them all
            copier.copy()
            if status.state in FINAL_STATES:
                state = status.state
            if state or once or stop(POLL_SECONDS):
                return status
    finally:
        sink.close(state)


class Copier:
    """Reads one run; a second one continues where the first has stopped."""

    def __init__(self, folder: Path, sink: Sink, tell: Callable[[str], None]) -> None:
        """Raises UsageError if the sink holds another run of that name."""
        self._folder, self._sink, self._tell = folder, sink, tell
        self._tail = EventTail(folder)
        info = read_info(folder)
        self._done = Position(run=info.name, created=info.created)
        self._before = sink.position() or self._done
        """What an earlier copier has done."""
        if self._before.created != info.created:
            raise self._another_run()
        self._steps = 0  # of an epoch; 0 if nobody knows
        self._newest = 0  # step of a point
        self._newest_value = 0  # the same of the loss and of what was logged
        self._items = max(1, info.dataset.num_items)

    def copy(self) -> None:
        """Copy the events since the last call; raises RunError where they cannot be read."""
        for piece in self._tail.pieces():
            self._check_whole()
            batch = Batch()
            for event in piece:
                self._count(event)
                if self._done.events == self._before.events + 1 > 1:
                    # What was copied without being remembered comes again.
                    self._sink.go_back(self._newest, event.t)
                if isinstance(event, events.Started):
                    batch = self._started(event, batch)
                elif self._is_new:
                    self._add(event, batch)
                self._remember(event)
            self._write(batch)
        self._check_whole()

    def _check_whole(self) -> None:
        if self._tail.restarted:
            raise RunError(
                f"{self._folder / EVENTS}: replaced or shortened while it was copied; "
                "copy the run again, to another target"
            )

    @property
    def _is_new(self) -> bool:
        """Whether no earlier copier has copied the latest event."""
        return self._done.events > self._before.events

    def _count(self, event: AnyEvent) -> None:
        count = self._done.events + 1
        self._done = msgspec.structs.replace(self._done, events=count, t=event.t)
        if count == self._before.events and event.t != self._before.t:
            raise self._another_run()

    def _another_run(self) -> UsageError:
        return UsageError(
            f"--to: the copy there is of another run named {self._before.run}; name another target"
        )

    def _write(self, batch: Batch) -> None:
        if self._is_new:
            self._sink.write(batch, self._done)

    def _started(self, event: events.Started, batch: Batch) -> Batch:
        """Take back what a resumed trainer repeats; returns an empty batch."""
        done = event.epoch * event.steps + event.step
        if self._is_new and self._newest > done:
            self._write(batch)
            batch = Batch()
            self._sink.go_back(done, event.t)
            if self._sink.keeps_void_points:
                self._tell(
                    f"the run was resumed at step {done:,}: points after it that were copied "
                    "before stay beside the new ones"
                )
        self._steps = event.steps
        self._newest, self._newest_value = (
            min(step, done) for step in (self._newest, self._newest_value)
        )
        return batch

    def _remember(self, event: AnyEvent) -> None:
        match event:
            case events.Steps():
                self._newest_value = max([self._newest_value, *event.steps[-1:]])
            case events.Scalars():
                steps = [of_curve[-1] for of_curve, _ in event.curves.values() if of_curve]
                self._newest_value = max([self._newest_value, *steps])
            case events.Epoch() | events.Evaluated():
                self._newest = max(self._newest, self._step_after(event.epoch))
        self._newest = max(self._newest, self._newest_value)

    def _add(self, event: AnyEvent, batch: Batch) -> None:
        match event:
            case events.Steps():
                batch.add("loss", event.steps, event.losses, event.t)
            case events.Scalars():
                for name, (steps, values) in event.curves.items():
                    batch.add(f"logged/{name}", steps, values, event.t)
            case events.Epoch():
                step = self._step_after(event.epoch)
                batch.add("epoch", [step], [event.epoch], event.t)
                batch.add("epoch_loss", [step], [event.loss], event.t)
            case events.Evaluated():
                self._add_evaluation(event, batch)
            case events.Warned() | events.Alarm() | events.Damaged():
                self._tell(f"warning: {event.text}")

    def _add_evaluation(self, event: Evaluated, batch: Batch) -> None:
        step = self._step_after(event.epoch)
        for prefix, metrics in (("heldout", event.metrics), ("validation", event.validation)):
            for name, value in (metrics or {}).items():
                batch.add(f"{prefix}/{name}", [step], [value], event.t)
        if event.coverage is not None:
            batch.add("coverage", [step], [event.coverage], event.t)
        try:
            ranks = read_ranks(self._folder, event.epoch)
        except RunError as error:
            self._tell(f"warning: no histogram of the ranks after epoch {event.epoch}: {error}")
            return
        bins = bin_ranks(ranks, self._items)
        edges = np.array([0.5, *(one.last + 0.5 for one in bins)])
        counts = np.array([one.count for one in bins])
        known = ranks[~np.isnan(ranks)].astype(np.float64)
        batch.histograms.append(RankHistogram(step, event.t, edges, counts, known))

    def _step_after(self, epoch: int) -> int:
        """Return the last step of an epoch; of a loop that is not ours, the newest one."""
        return epoch * self._steps if self._steps else self._newest_value or epoch
