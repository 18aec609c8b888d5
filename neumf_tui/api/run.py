"""A run of somebody's own training loop: what it logs, evaluates and keeps, and what it is asked.

`start_run` makes one. The screens and commands show it as they show a run of our trainer.
"""

import atexit
import math
import numbers
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import msgspec
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.api.arrays import make_vectors
from neumf_tui.api.evaluations import Evaluations, Ranker
from neumf_tui.api.logged_values import LoggedValues
from neumf_tui.api.scores import FunctionScorer, ScoreFunction, all_scores, best_scores
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation.metrics import Metrics
from neumf_tui.runs import events, requests
from neumf_tui.runs.events import ModelKind, RunInfo
from neumf_tui.runs.pending_requests import PendingRequests
from neumf_tui.runs.writer import RunWriter, write_info

FLUSH_SECONDS = 0.25
"""Time between two lines of events."""
HEARTBEAT_SECONDS = 1.0
PATIENCE = 10.0
"""Seconds after which a request is reported that the loop has not looked at."""
WAIT_SECONDS = 0.05
REASON_LENGTH = 2_000
LOOK = {"pause": "run.wait_while_paused() or run.paused", "stop": "run.should_stop"}
"""What a loop has to call to do a request."""
REFUSED = {
    requests.CHECKPOINT: "this loop decides itself when it keeps a model (run.keep)",
    requests.EXTEND: "this loop decides itself how many epochs it has",
}
_open: "WeakSet[Run]" = WeakSet()


class Run:
    """A run that this process writes; a context manager.

    At the end of a `with` block it is finished, stopped if that was asked for, or failed if an
    exception leaves the block. Without one it ends with the program. If the process disappears, the
    run shows as crashed.
    """

    def __init__(self, folder: Path, info: RunInfo, dataset: Dataset, device: str, steps: int):
        """Take the run in `folder`, which was just made; `steps` in an epoch, 0 if unknown."""
        self.folder = folder
        self._info, self._dataset, self._device, self._steps = info, dataset, device, steps
        self._writer = RunWriter(folder).__enter__()
        before = self._writer.watch()
        self._values = LoggedValues()
        self._requests = PendingRequests(self._writer, dataset.user_ids, before, REFUSED)
        self._evaluations = Evaluations(self._writer, dataset, info.has_validation, info.alarms)
        self._state, self._epoch, self._pid = "running", 0, os.getpid()
        self._is_open = True
        self._is_left = False
        """Whether this is a fork, in which nothing is logged."""
        self._has_problem = False
        self._arrived: dict[str, float] = {}
        """When each request arrived; infinity once the loop has looked, or that was reported."""
        self._due = self._beat = 0.0
        self._epoch_began = time.perf_counter()
        self._failure_before = getattr(sys, "last_value", None)
        popularity = self._evaluations.popularity()
        self._write_status()
        self._writer.event(
            events.Started(
                device=device,
                epoch=0,
                step=0,
                steps=steps,
                popularity=popularity.get("ranks"),
                popularity_validation=popularity.get("validation"),
            )
        )
        _open.add(self)
        atexit.register(self._end_with_program)

    @property
    def name(self) -> str:
        return self.folder.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_open:
            return
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        else:
            self.fail(error)

    def __repr__(self) -> str:
        return f"<run {self.name}: {self._state}, epoch {self._epoch}>"

    # What the loop tells.

    def log(self, step: int | None = None, **values: Any) -> None:
        """Log numbers of one step, such as `loss`; every other name gets a chart of its own.

        Steps count over the whole run; without one it is the last one plus 1. Values that are NaN
        or infinite are shown as missing. Raises UsageError for what is not a number.
        """
        self._values.add(step, values)
        if time.perf_counter() >= self._due:
            self._work()

    def evaluate(
        self,
        epoch: int,
        *,
        scores: ScoreFunction | None = None,
        vectors: Any = None,
        ranks: Any = None,
        validation_ranks: Any = None,
    ) -> Metrics:
        """Rank all held-out items after `epoch`, from 1, and return the metrics.

        Give one of these: `scores`, a function that takes an array of user rows (n,) and returns
        the scores of all items (n, num_items); `vectors`, (users, items), whose product is the
        score, or a dict with `users`, `items`, `user_bias` and `item_bias`; `ranks` (num_users,),
        if they were computed elsewhere. In a run with validation its items are ranked as well, and
        the metrics of these begin with `validation_`. Raises UsageError.
        """
        self._check_open()
        given = {"scores": scores, "vectors": vectors, "ranks": ranks}
        ranker = self._evaluations.ranker(given, validation_ranks)
        return self._evaluate(self._checked_epoch(epoch), ranker)

    def keep(
        self,
        *,
        vectors: Any = None,
        scores: ScoreFunction | None = None,
        epoch: int | None = None,
        top: int | None = None,
    ) -> Path:
        """Keep a model, so that its lists can be explored, and return its file.

        `vectors` and `scores` are as for `evaluate`. Of scores, with `top` only the best of each
        user are kept. `epoch` is the last one that was evaluated, if it is not given; another one
        is evaluated first. All models of a run are of the same kind. Raises UsageError.
        """
        self._check_open()
        given = {"scores": scores, "vectors": vectors}
        ranker = self._evaluations.ranker(given)
        if top is not None and (scores is None or top < 1):
            raise UsageError(
                f"keep: top is {top!r}: expected a number from 1, together with scores"
            )
        if epoch is None and not self._epoch:
            raise UsageError("keep: nothing was evaluated yet; name the epoch: keep(epoch=1, …)")
        epoch = self._epoch if epoch is None else self._checked_epoch(epoch)
        model: ModelKind = "vectors" if scores is None else "scores" if top is None else "top_k"
        if self._info.model not in ("none", model):
            raise UsageError(f"keep: this run keeps {self._info.model}, so it cannot keep {model}")
        tensors = self._tensors(vectors, scores, top)
        if epoch != self._epoch:
            self._evaluate(epoch, ranker)
        return self._keep(epoch, model, tensors)

    # What the loop is asked.

    @property
    def should_stop(self) -> bool:
        """Whether somebody has asked to stop: leave the loop."""
        self._look("stop")
        return bool(self._requests.stop_reason)

    @property
    def paused(self) -> bool:
        """Whether somebody has asked to pause. The run shows as paused once this was asked."""
        self._look("pause")
        wanted = self._requests.pause and not self._requests.stop_reason
        if wanted != (self._state == "paused"):
            self._set_paused(wanted)
        return wanted

    def wait_while_paused(self) -> None:
        """Wait until nobody wants a pause, or somebody wants to stop."""
        while self.paused:
            time.sleep(WAIT_SECONDS)

    # The end.

    def finish(self) -> None:
        """End the run: as stopped if that was asked for before its last epoch, else finished."""
        reason = self._requests.stop_reason
        planned = self._info.planned
        stopped = bool(reason) and not (planned and self._epoch >= planned)
        self._end("stopped" if stopped else "finished", reason if stopped else "")

    def fail(self, reason: BaseException | str) -> None:
        """End the run as failed, or as stopped by KeyboardInterrupt; `reason` is shown."""
        if isinstance(reason, KeyboardInterrupt):
            self._end("stopped", "stopped by KeyboardInterrupt")
            return
        text = reason
        if isinstance(reason, BaseException):
            text = f"{type(reason).__name__}: {reason}".removesuffix(": ")
            lines = "".join(traceback.format_exception(reason))
            with suppress(OSError), files.open_to_append(self.folder, "trainer.log") as log:
                log.write(lines.encode("utf-8", "backslashreplace"))
        self._end("failed", str(text)[:REASON_LENGTH])

    def _end(self, state: str, reason: str) -> None:
        if not self._is_open or self._is_left:
            return
        self._flush()
        self._is_open, self._due = False, 0.0
        atexit.unregister(self._end_with_program)
        seconds = self._evaluations.seconds
        with self._tolerant():
            self._writer.event(
                events.Finished(state=state, reason=reason, evaluate_seconds=seconds)
            )
        self._state = state
        with self._tolerant():
            self._write_status(reason=reason, exit_code=int(state == "failed"))
        self._writer.__exit__()

    def _end_with_program(self) -> None:
        failure = getattr(sys, "last_value", None)
        # In an interactive session an error ends nothing, and the last one may be of other code.
        if failure is self._failure_before or hasattr(sys, "ps1"):
            self.finish()
        else:
            self.fail(failure or "the program failed")

    def leave_to_parent(self) -> None:
        """Let go of the files in a fork, whose lock would let a dead process look alive."""
        self._is_left = True
        self._writer.__exit__()

    # Work between two steps.

    def _work(self) -> None:
        """Write what is due, and read requests; a full disk must not end the training."""
        if self._is_left:
            self._values.rows.clear()
            return
        self._check_open()
        with self._tolerant():
            lines = self._flush()
            self._requests.read(self._epoch + 1)
            self._remind()
            now = time.perf_counter()
            if now - self._beat >= HEARTBEAT_SECONDS:
                self._write_status()
        self._due = time.perf_counter() + FLUSH_SECONDS * max(1, lines)

    def _flush(self) -> int:
        """Write what was logged, and return the number of lines that were written."""
        found, problems = self._values.take()
        with self._tolerant():
            for event in found:
                self._writer.event(event)
            for problem in problems:
                self._writer.event(events.Warned(text=problem))
        for problem in problems:
            warnings.warn(problem, stacklevel=2)
        return len(found)

    def _look(self, what: str) -> None:
        """Read requests if it is time; the loop then knows of `what`."""
        if self._is_open and time.perf_counter() >= self._due:
            self._work()
        if what in self._arrived:
            self._arrived[what] = math.inf

    def _remind(self) -> None:
        """Report once a request that the loop has not looked at."""
        wanted = {"stop": bool(self._requests.stop_reason), "pause": self._requests.pause}
        now = time.perf_counter()
        for what, call in LOOK.items():
            if not wanted[what]:
                self._arrived.pop(what, None)
            elif now - self._arrived.setdefault(what, now) > PATIENCE:
                self._arrived[what] = math.inf
                text = f"the loop has not called {call} since then, so it does not {what}"
                self._writer.event(events.Warned(text=f"request {what}: {text}"))

    def _set_paused(self, paused: bool) -> None:
        self._flush()
        self._state = "paused" if paused else "running"
        with self._tolerant():
            self._write_status()  # before the event: who waits for the event reads the status then
            self._writer.event(events.Paused() if paused else events.Resumed())

    def _evaluate(self, epoch: int, ranker: Ranker) -> Metrics:
        self._flush()

        def report(share: float) -> None:
            if time.perf_counter() - self._beat >= HEARTBEAT_SECONDS:
                self._write_status(evaluated=share)

        ranks, seconds = self._evaluations.rank(ranker, report)
        now = time.perf_counter()
        if (loss := self._values.mean_loss()) is not None:
            took = max(0.0, now - self._epoch_began - seconds)
            self._writer.event(events.Epoch(epoch=epoch, loss=loss, seconds=took))
        self._epoch, self._epoch_began = epoch, now
        metrics = self._evaluations.write(epoch, ranks, seconds, ranker.scorer)
        self._write_status()
        return metrics

    def _tensors(
        self, vectors: Any, scores: ScoreFunction | None, top: int | None
    ) -> dict[str, NDArray[Any]]:
        if scores is None:
            return make_vectors(vectors, self._dataset)
        scorer = FunctionScorer(scores, self._dataset)
        if top is None:
            return {"scores": all_scores(scorer)}
        items, values = best_scores(scorer, self._dataset, top)
        return {"items": items, "scores": values}

    def _keep(self, epoch: int, model: ModelKind, tensors: dict[str, NDArray[Any]]) -> Path:
        shape: dict[str, Any] = {"similarity": "dot"} if model == "vectors" else {}
        path = self._evaluations.keep(epoch, tensors, shape)
        with self._tolerant():
            self._writer.watch_disk(path.stat().st_size)
        if self._info.model != model:
            self._info = msgspec.structs.replace(self._info, model=model)
            write_info(self.folder, self._info)
        return path

    def _write_status(self, evaluated: float = 0.0, reason: str = "", exit_code: int = 0) -> None:
        self._beat = time.perf_counter()
        step = self._values.newest
        self._writer.status(
            events.Status(
                state=self._state,
                pid=self._pid,
                epoch=self._epoch,
                step=max(0, step - self._epoch * self._steps),
                steps=self._steps,
                evaluated=evaluated,
                epochs=self._info.planned,
                device=self._device,
                reason=reason,
                exit_code=exit_code,
            )
        )

    def _checked_epoch(self, epoch: int) -> int:
        if not isinstance(epoch, numbers.Integral) or epoch < 1:
            raise UsageError(f"epoch is {epoch!r}: expected a whole number from 1")
        if epoch < self._epoch:
            raise UsageError(f"epoch {epoch} comes after epoch {self._epoch}: epochs must ascend")
        return int(epoch)

    def _check_open(self) -> None:
        if self._is_left:
            raise RunError(f"{self.name}: this is a fork of the process that writes the run")
        if not self._is_open:
            raise RunError(f"{self.name} has ended ({self._state}); start another run")

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Let the training go on where its run cannot be written, and say so once."""
        try:
            yield
        except OSError as error:
            if not self._has_problem:
                self._has_problem = True
                what = f"{error.filename or self.folder}: {error.strerror}"
                warnings.warn(f"{what}; the loop goes on, but is not logged", stacklevel=3)


def _leave_all() -> None:
    for run in list(_open):
        run.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all)
