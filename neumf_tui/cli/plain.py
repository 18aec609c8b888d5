"""Train without a screen: the same trainer, one line per epoch on stderr."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from neumf_tui.runs.events import (
    Alarm,
    AlarmOver,
    AnyEvent,
    Epoch,
    Evaluated,
    Extended,
    Requested,
    Started,
    Warned,
)
from neumf_tui.runs.failed_start import FailedStart, remove_failed_start
from neumf_tui.runs.reader import EventTail, read_info, read_snapshot, read_status
from neumf_tui.runs.requests import STOP, send_request
from neumf_tui.views.output import say

if TYPE_CHECKING:
    from subprocess import Popen

POLL_SECONDS = 0.05


def train_plainly(folder: Path, start: "Callable[[], Popen[bytes]]", is_new: bool) -> int:
    """Let `start` start the trainer of a run, and report its progress until it ends.

    SIGINT and SIGTERM stop it with a checkpoint. A new run whose trainer cannot start is removed.
    Returns the trainer's exit code, or 128 + the number of the signal.
    """
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if caught:
            raise SystemExit(128 + number)  # the second signal: leave; the trainer stops by itself
        caught.append(number)
        send_request(folder, STOP)
        say(f"{signal.Signals(number).name}: stopping after this step, with a checkpoint")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        reporter = EpochReporter(folder)
        process = start()
        while process.poll() is None:
            reporter.report()
            time.sleep(POLL_SECONDS)
        reporter.report()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    status = read_status(folder)
    if status.state == "finished":
        return 0
    if status.state == "stopped":
        return 128 + caught[0] if caught else 0
    if is_new and (failed := remove_failed_start(folder)):
        return say_failed_start(failed)
    reason = status.reason or f"its trainer ended with {process.returncode}; see trainer.log"
    say(f"neumf-tui: {status.state}: {reason}")
    return status.exit_code or 1


def say_failed_start(failed: FailedStart) -> int:
    """Say why the trainer of a new run could not start, and return the exit code."""
    say(f"neumf-tui: {failed.text}")
    return failed.exit_code


class EpochReporter:
    """Reports the events of a run from now on, one line per epoch on stderr."""

    def __init__(self, folder: Path) -> None:
        info = read_info(folder)
        self._eval_every = info.eval_every
        self._epochs = read_snapshot(folder).planned or info.epochs
        self._loss = 0.0
        self._tail = EventTail(folder)
        self._tail.read()  # skips the events of an earlier trainer

    def report(self) -> None:
        """Print the events since the last call."""
        for event in self._tail.read():
            if isinstance(event, Epoch):
                self._loss = event.loss
            if isinstance(event, Extended):
                self._epochs = event.epochs
            if line := event_line(event, self._epochs, self._eval_every, self._loss):
                say(line)


@contextmanager
def reporting(folder: Path) -> Iterator[None]:
    """Report on a run in a thread while this process trains it."""
    reporter, ended = EpochReporter(folder), threading.Event()

    def report() -> None:
        while not ended.wait(POLL_SECONDS):
            reporter.report()

    thread = threading.Thread(target=report, name="reporting")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        reporter.report()


def event_line(event: AnyEvent, epochs: int, eval_every: int, loss: float) -> str:
    """Return the line for an event, or nothing; an evaluated epoch has a single line."""
    match event:
        case Started():
            start = ""
            if event.epoch or event.step:
                start = f", from epoch {event.epoch + 1}, step {event.step + 1}"
            line = f"training on {event.device}{start}"
            if event.popularity:
                line += f"; popularity alone gives Hit@50 {event.popularity['hit@50']:.4f}"
            if event.popularity_validation:
                line += f", validation {event.popularity_validation['hit@50']:.4f}"
            return line
        case Epoch() if event.epoch % eval_every and event.epoch < epochs:
            return f"epoch {event.epoch}/{epochs}  loss {loss:.4f}"
        case Evaluated():
            m = event.metrics
            valid = f"  validation {event.validation['hit@50']:.4f}" if event.validation else ""
            return (
                f"epoch {event.epoch}/{epochs}  loss {loss:.4f}  Hit@50 {m['hit@50']:.4f}{valid}"
                f"  Hit@10 {m['hit@10']:.4f}  NDCG@10 {m['ndcg@10']:.4f}  MRR {m['mrr']:.4f}"
                f"  AUC {m['auc']:.4f}"
            )
        case Requested():
            return f"request: {event.what} {event.argument}".rstrip()
        case Warned():
            return f"warning: {event.text}"
        case Alarm():
            return f"alarm: {event.text}"
        case AlarmOver():
            return f"alarm over: {event.alarm}"
    return ""
