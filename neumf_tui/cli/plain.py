"""Train without a screen: the same trainer, one line an epoch on stderr."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from neumf_tui.runs.events import AnyEvent, Epoch, Evaluated, Extended, Requested, Started, Warned
from neumf_tui.runs.launch import launch_trainer
from neumf_tui.runs.reader import EventTail, read_info, read_snapshot, read_status
from neumf_tui.runs.requests import STOP, send_request

POLL_SECONDS = 0.05


def train_plainly(folder: Path, on_finish: str = "") -> int:
    """Start the trainer of `folder` and tell of it until it ends. SIGINT and SIGTERM stop it, with a checkpoint.

    Returns the exit code: the trainer's own, or 128 + the number of the signal that stopped it.
    """
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if caught:
            raise SystemExit(128 + number)  # asked twice: leave now, the trainer stops by itself
        caught.append(number)
        send_request(folder, STOP)
        _say(f"{signal.Signals(number).name}: stopping after this step, with a checkpoint")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        lines = Lines(folder)
        process = launch_trainer(folder, on_finish)
        ended = False
        while not ended:
            ended = process.poll() is not None
            lines.tell()
            if not ended:
                time.sleep(POLL_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    status = read_status(folder)
    if status.state == "finished":
        return 0
    if status.state == "stopped":
        return 128 + caught[0] if caught else 0
    _say(f"neumf-tui: {status.state}: {status.reason}")
    return status.exit_code or 1


class Lines:
    """Tells of what happens in a run from now on, a line an epoch on stderr."""

    def __init__(self, folder: Path) -> None:
        info = read_info(folder)
        self._eval_every = int(info.settings["eval_every"])
        self._epochs = read_snapshot(folder).planned or info.epochs
        self._loss = 0.0
        self._tail = EventTail(folder / "events.jsonl")
        self._tail.read()  # what an earlier trainer of a resumed run wrote

    def tell(self) -> None:
        """Tell of what has happened since the last call."""
        for event in self._tail.read():
            if isinstance(event, Epoch):
                self._loss = event.loss
            if isinstance(event, Extended):
                self._epochs = event.epochs
            if line := _line(event, self._epochs, self._eval_every, self._loss):
                _say(line)


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Tell of the run while this very process trains it."""
    lines, ended = Lines(folder), threading.Event()

    def tell() -> None:
        while not ended.wait(POLL_SECONDS):
            lines.tell()

    teller = threading.Thread(target=tell, name="telling")
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        lines.tell()


def _line(event: AnyEvent, epochs: int, eval_every: int, loss: float) -> str:
    match event:
        case Started():
            begun = (
                f", from epoch {event.epoch + 1}, step {event.step + 1}"
                if event.epoch or event.step
                else ""
            )
            popular = f"popularity alone gives Hit@50 {event.popularity['hit@50']:.4f}"
            valid = (
                f", validation {event.popularity_validation['hit@50']:.4f}"
                if event.popularity_validation
                else ""
            )
            return f"training on {event.device}{begun}; {popular}{valid}"
        case Epoch() if event.epoch % eval_every and event.epoch < epochs:
            return f"epoch {event.epoch}/{epochs}  loss {loss:.4f}"
        case Evaluated():
            m = event.metrics
            valid = f"  validation {event.validation['hit@50']:.4f}" if event.validation else ""
            return (
                f"epoch {event.epoch}/{epochs}  loss {loss:.4f}  Hit@50 {m['hit@50']:.4f}{valid}  Hit@10 {m['hit@10']:.4f}"
                f"  NDCG@10 {m['ndcg@10']:.4f}  MRR {m['mrr']:.4f}  AUC {m['auc']:.4f}"
            )
        case Requested():
            return f"request: {event.what} {event.argument}".rstrip()
        case Warned():
            return f"warning: {event.text}"
    return ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
