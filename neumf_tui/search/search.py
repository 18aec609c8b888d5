"""The search: one trial after another, each a run of its own, followed by its events."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from types import FrameType

import optuna
from optuna.trial import TrialState

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, NeumfTuiError, RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.checkpoint import find_checkpoint, last_checkpoint
from neumf_tui.runs.events import FINAL_STATES, AnyEvent, Evaluated, Status
from neumf_tui.runs.launch import launch_trainer
from neumf_tui.runs.reader import EventTail, read_info, read_status
from neumf_tui.runs.requests import STOP, STOP_NOW, send_request
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.runs.start import make_run
from neumf_tui.search.plan import Plan
from neumf_tui.search.space import decoded, suggest
from neumf_tui.search.state import Running, State, counted
from neumf_tui.search.study import Record, TrialEnd, read_records, run_name, write_record

POLL_SECONDS = 0.1
PRUNE_AFTER = 5
"""Trials that are done before any is pruned."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REFUSED: dict[int, type[NeumfTuiError]] = {2: UsageError, 3: DatasetError, 4: RunError}
"""Exit codes of a trainer that would not begin: the next trial would fare no better."""
_TOLD = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL, "stopped": TrialState.FAIL}


class Search:
    """Goes on with a study. `watch` gets its state at the beginning, ten times a second, and after each trial."""

    def __init__(
        self,
        home: Path,
        study: optuna.Study,
        plan: Plan,
        data: Dataset,
        watch: Callable[[State], None],
        say: Callable[[str], None],
        *,
        keep: bool = False,
    ) -> None:
        """`keep`: leave all checkpoints of all trials, not the best and the last alone."""
        self._home, self._study, self._plan, self._data = home, study, plan, data
        self._watch, self._say, self._keep = watch, say, keep
        epochs = plan.settings.epochs
        # A third of the epochs at first: with a schedule, who learns slowly is behind early and not late.
        median = optuna.pruners.MedianPruner(
            n_startup_trials=PRUNE_AFTER, n_warmup_steps=max(1, epochs // 3)
        )
        study.pruner = median if plan.prune else optuna.pruners.NopPruner()
        self.records = read_records(study)
        self.caught: list[int] = []
        """Signals that have ended the search."""
        self._target: int | None = None
        self._until: float | None = None

    def run(self, target: int | None, minutes: float | None) -> None:
        """Begin trials until `target` of them are done, pruned or failed, or until `minutes` from now are over, after the first.

        SIGINT, SIGTERM and SIGHUP stop the trial under way, with a checkpoint, and end the search. Raises UsageError,
        DatasetError or RunError where a trainer would not begin.
        """
        self._target = target
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        with self._signals():
            self._show(None)
            self._take_up()
            while not self.caught and (target is None or counted(self.records) < target):
                self._next()
                if self._until is not None and time.monotonic() >= self._until:
                    break

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, _frame: FrameType | None) -> None:
            if self.caught:
                raise SystemExit(
                    128 + number
                )  # asked twice: leave now, the trainer stops by itself
            self.caught.append(number)

        # What is ignored stays so: `nohup` has it that way.
        heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take_up(self) -> None:
        """The trials that were running when the search before ended without a word: a trainer outlives who started it."""
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            folder = self._folder(trial)
            try:
                state = read_status(folder).state
            except RunError:
                state = "missing"
            if state == "finished" or state not in FINAL_STATES | {"missing"}:
                self._say(
                    f"trial {trial.number} was under way when the search ended; its run {folder.name} is {state}: taken up"
                )
                self._follow(trial, folder)
            else:
                self._end(
                    trial,
                    self._ended(
                        trial, "stopped", f"the search ended while it ran; its run is {state}"
                    ),
                )

    def _next(self) -> None:
        """One trial, from its settings to its end."""
        plan, trials = self._plan, len(self._study.get_trials(deepcopy=False))
        # Another seed for each trial: a search that goes on would draw what it drew at first.
        self._study.sampler = optuna.samplers.TPESampler(seed=(plan.settings.seed + trials) % 2**32)
        trial = self._study.ask()
        try:
            settings = suggest(trial, plan.space, plan.settings)
        except UsageError as error:
            self._end(trial, self._ended(trial, "failed", str(error)))
            return
        try:
            folder = make_run(
                self._home, self._data, self._folder(trial).name, plan.preset, settings
            )
        except NeumfTuiError as error:
            self._end(trial, self._ended(trial, "stopped", str(error)))
            raise
        self._follow(trial, folder, launch_trainer(folder))

    def _follow(
        self, trial: optuna.Trial, folder: Path, process: "Popen[bytes] | None" = None
    ) -> None:
        """Report what the run's validation says until its trainer has ended; stop it where it falls behind."""
        tail, snapshot = EventTail(folder / "events.jsonl"), Snapshot()
        stopping: TrialEnd | None = None
        begun, epochs = read_info(folder).created, read_info(folder).epochs
        ended = False
        while not ended:
            ended = process.poll() is not None if process else _has_ended(folder)
            news = tail.read()
            snapshot = fold(snapshot, news)
            if self._falls_behind(trial, news, epochs) and not stopping:
                stopping = "pruned"
                _ask(folder, STOP_NOW)
            if self.caught and not stopping:
                stopping = "stopped"
                _ask(folder, STOP)
            self._show(
                self._running(trial, folder, snapshot, snapshot.planned or epochs, begun, stopping)
            )
            if not ended:
                time.sleep(POLL_SECONDS)
        self._conclude(
            trial, folder, snapshot, stopping, begun, process.returncode if process else None
        )

    def _falls_behind(self, trial: optuna.Trial, news: list[AnyEvent], epochs: int) -> bool:
        """Report each new evaluation; whether the pruner gives the trial up after any but the last epoch."""
        behind = False
        known = (
            {t.number: t.intermediate_values for t in self._study.get_trials(deepcopy=False)}[
                trial.number
            ]
            if news
            else {}
        )
        for event in news:
            if isinstance(event, Evaluated) and event.validation and event.epoch not in known:
                trial.report(event.validation["hit@50"], event.epoch)
                behind = behind or (event.epoch < epochs and trial.should_prune())
        return behind

    def _conclude(
        self,
        trial: optuna.Trial,
        folder: Path,
        snapshot: Snapshot,
        stopping: TrialEnd | None,
        begun: float,
        code: int | None,
    ) -> None:
        """Record how a trial ended. Raises UsageError, DatasetError or RunError where its trainer would not begin."""
        try:
            status = read_status(folder)
        except RunError as error:  # deleted meanwhile
            status = Status(state="missing", pid=0, reason=str(error))
        seconds = max(0.0, snapshot.last - begun)
        state: TrialEnd
        refused = (
            _REFUSED.get(status.exit_code)
            if status.state == "failed" and snapshot.started is None
            else None
        )
        if status.state == "finished" and snapshot.best:
            state, reason = "done", status.reason
        elif stopping:
            state, reason = (
                stopping,
                "behind the median of the trials before it"
                if stopping == "pruned"
                else "the search ended",
            )
        elif refused:
            state, reason = "stopped", status.reason
        else:
            state, reason = (
                "failed",
                status.reason
                or f"its trainer ended with {code}; its last output is in trainer.log",
            )
        if not self._keep:
            _thin(folder)
        self._end(trial, self._ended(trial, state, reason, snapshot, seconds))
        if refused:
            shutil.rmtree(folder, ignore_errors=True)  # there is nothing in it
            raise refused(f"trial {trial.number}: {status.reason}")

    def _ended(
        self,
        trial: optuna.Trial,
        state: TrialEnd,
        reason: str,
        snapshot: Snapshot | None = None,
        seconds: float = 0.0,
    ) -> Record:
        best = snapshot.best if snapshot else None
        return Record(
            trial=trial.number,
            run=self._folder(trial).name,
            state=state,
            validation=best.validation["hit@50"] if best and best.validation else None,
            epoch=best.epoch if best else None,
            epochs=snapshot.epochs[-1].epoch if snapshot and snapshot.epochs else 0,
            seconds=round(seconds, 1),
            reason=reason,
            searched=decoded(trial.params, self._plan.space, self._plan.settings),
        )

    def _end(self, trial: optuna.Trial, record: Record) -> None:
        """Tell the study; settings of a trial that was stopped come again first."""
        write_record(trial, record)
        if record.state == "done":
            self._study.tell(trial, record.validation)
        else:
            self._study.tell(trial, state=_TOLD[record.state])
        if record.state == "stopped" and trial.params:
            self._study.enqueue_trial(trial.params)
        self.records.append(record)
        self._show(None)

    def _running(
        self,
        trial: optuna.Trial,
        folder: Path,
        snapshot: Snapshot,
        epochs: int,
        begun: float,
        stopping: TrialEnd | None,
    ) -> Running:
        best, newest = snapshot.best, snapshot.evaluations[-1] if snapshot.evaluations else None
        return Running(
            trial=trial.number,
            run=folder.name,
            epoch=snapshot.epochs[-1].epoch if snapshot.epochs else 0,
            epochs=epochs,
            validation=newest.validation["hit@50"] if newest and newest.validation else None,
            best=best.validation["hit@50"] if best and best.validation else None,
            best_epoch=best.epoch if best else None,
            seconds=time.time() - begun,
            stopping=stopping or "",
            searched=decoded(trial.params, self._plan.space, self._plan.settings),
        )

    def _show(self, running: Running | None) -> None:
        left = None if self._until is None else self._until - time.monotonic()
        self._watch(State(tuple(self.records), running, self._target, left))

    def _folder(self, trial: optuna.Trial) -> Path:
        return runs_dir(self._home) / run_name(self._study.study_name, trial.number)


def _has_ended(folder: Path) -> bool:
    try:
        return read_status(folder).state in FINAL_STATES
    except RunError:  # deleted
        return True


def _ask(folder: Path, what: str) -> None:
    with suppress(FileNotFoundError):  # a run that was deleted has nobody to ask
        send_request(folder, what)


def _thin(folder: Path) -> None:
    """Remove all checkpoints of a run that has ended but the best and the last."""
    try:
        keep = {find_checkpoint(folder, "best"), last_checkpoint(folder)}
    except RunError:  # nothing was evaluated
        return
    for path in (folder / "checkpoints").glob("[0-9]*.safetensors"):
        if path not in keep:
            path.unlink(missing_ok=True)
