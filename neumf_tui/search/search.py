"""The search: one trial after another, each a run of its own, followed by its events."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import FrameType

import msgspec
import optuna
from optuna.trial import TrialState

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, NeumfTuiError, RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.create_run import make_run
from neumf_tui.runs.events import FINAL_STATES, AnyEvent, Evaluated, RunInfo, Status
from neumf_tui.runs.failed_start import remove_failed_start
from neumf_tui.runs.launch import launch_trainer
from neumf_tui.runs.reader import EventTail, read_info, read_status
from neumf_tui.runs.requests import STOP, STOP_NOW, send_request
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.search.plan import Plan
from neumf_tui.search.space import decoded, suggest
from neumf_tui.search.state import RunningTrial, SearchState, count_for_target
from neumf_tui.search.study import TrialEnd, TrialRecord, read_records, run_name, write_record

POLL_SECONDS = 0.1
PRUNE_AFTER = 5
"""Trials that have to be done before one is pruned."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED = FINAL_STATES | {"missing"}
_START_ERRORS: dict[int, type[NeumfTuiError]] = {2: UsageError, 3: DatasetError, 4: RunError}
"""Exit codes of a trainer that could not start: the next trial would fail in the same way."""


@dataclass
class _Trial:
    """A trial and what is known of its run."""

    trial: optuna.Trial
    folder: Path
    info: RunInfo | None = None
    """None before the run exists."""
    snapshot: Snapshot = field(default_factory=Snapshot)
    stopping: TrialEnd | None = None
    """The way in which it will end, once it was asked to stop."""

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.snapshot.epochs[-1].epoch if self.snapshot.epochs else 0


class Search:
    """Runs trials of a study."""

    def __init__(
        self,
        home: Path,
        study: optuna.Study,
        plan: Plan,
        data: Dataset,
        watch: Callable[[SearchState], None],
        say: Callable[[str], None],
        *,
        keep: int = 0,
    ) -> None:
        """`watch` gets the state at the start, ten times a second, and after each trial.

        `say` gets lines for a person. `keep` is the setting of this name for all trials.
        """
        self._home, self._study, self._plan, self._data = home, study, plan, data
        self._watch, self._say, self._keep = watch, say, keep
        # Not in the first third of the epochs: with a schedule, slow learners are behind there.
        warmup = max(1, plan.settings.epochs // 3)
        median = optuna.pruners.MedianPruner(n_startup_trials=PRUNE_AFTER, n_warmup_steps=warmup)
        study.pruner = median if plan.prune else optuna.pruners.NopPruner()
        self.records = read_records(study)
        self.caught: list[int] = []
        """Signals that have ended the search."""
        self._target: int | None = None
        self._until: float | None = None

    def run(self, target: int | None, minutes: float | None) -> None:
        """Run trials until `target` of them are done, pruned or failed, or `minutes` are over.

        At least one. SIGINT, SIGTERM and SIGHUP stop the current trial, with a checkpoint, and end
        the search. Raises UsageError, DatasetError or RunError if a trainer cannot start.
        """
        self._target = target
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        with self._signals():
            self._show(None)
            self._finish_interrupted()
            while not self.caught and (target is None or count_for_target(self.records) < target):
                self._run_trial()
                if self._until is not None and time.monotonic() >= self._until:
                    break

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, _frame: FrameType | None) -> None:
            if self.caught:  # the second time: leave now, the trainer stops by itself
                raise SystemExit(128 + number)
            self.caught.append(number)

        # Signals that are ignored stay ignored: `nohup` relies on it.
        handled = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _finish_interrupted(self) -> None:
        """Follow or end the trials that ran when the previous search disappeared.

        Their trainers continue without it.
        """
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            current = self._trial(optuna.trial.Trial(self._study, frozen._trial_id))
            state = _status(current.folder).state
            if state == "finished" or state not in _ENDED:
                self._say(
                    f"trial {frozen.number} was running when the search ended; its run "
                    f"{current.folder.name} is {state}: continuing with it"
                )
                self._follow(current)
            else:
                reason = f"the search ended while it ran; its run is {state}"
                self._end(current, "stopped", reason)

    def _run_trial(self) -> None:
        """Run one trial, from drawing its settings to its end."""
        plan, trials = self._plan, len(self._study.get_trials(deepcopy=False))
        # A new seed for each trial: a continued search would repeat its first draws.
        self._study.sampler = optuna.samplers.TPESampler(seed=(plan.settings.seed + trials) % 2**32)
        current = self._trial(self._study.ask())
        try:
            settings = suggest(current.trial, plan.space, plan.settings)
        except UsageError as error:
            self._end(current, "failed", str(error))
            return
        settings = msgspec.structs.replace(settings, keep=self._keep)
        try:
            make_run(self._home, self._data, current.folder.name, plan.preset, settings)
        except NeumfTuiError as error:
            self._end(current, "stopped", str(error))
            raise
        self._follow(current, launch_trainer(current.folder, self._home))

    def _follow(self, current: _Trial, process: "Popen[bytes] | None" = None) -> None:
        """Report the validation metrics until the trainer ends; stop it if it falls behind."""
        folder = current.folder
        tail, info = EventTail(folder), read_info(folder)
        current.info = info
        ended = False
        while not ended:
            ended = process.poll() is not None if process else _status(folder).state in _ENDED
            news = tail.read()
            current.snapshot = fold(current.snapshot, news)
            if self._falls_behind(current.trial, news, info.epochs) and not current.stopping:
                current.stopping = "pruned"
                _ask(folder, STOP_NOW)
            if self.caught and not current.stopping:
                current.stopping = "stopped"
                _ask(folder, STOP)
            self._show(self._running(current, info))
            if not ended:
                time.sleep(POLL_SECONDS)
        self._conclude(current, process.returncode if process else None)

    def _falls_behind(self, trial: optuna.Trial, news: list[AnyEvent], epochs: int) -> bool:
        """Report each new evaluation; return whether the trial should be pruned.

        The last epoch is never a reason: the trial ends anyway.
        """
        evaluations = [event for event in news if isinstance(event, Evaluated)]
        if not evaluations:
            return False
        trials = self._study.get_trials(deepcopy=False)
        reported = next(t for t in trials if t.number == trial.number).intermediate_values
        known = set(reported)
        behind = False
        for event in evaluations:
            if event.validation and event.epoch not in known:
                trial.report(event.validation["hit@50"], event.epoch)
                behind = behind or (event.epoch < epochs and trial.should_prune())
        return behind

    def _conclude(self, current: _Trial, code: int | None) -> None:
        """Record how a trial ended; raise the error of a trainer that could not start."""
        folder, snapshot = current.folder, current.snapshot
        status = _status(folder)
        start_error = failed = None
        if status.state in ("failed", "crashed") and not current.stopping:
            failed = remove_failed_start(folder)
            start_error = _START_ERRORS.get(failed.exit_code) if failed else None
        state: TrialEnd
        if status.state == "finished" and snapshot.best:
            state, reason = "done", status.reason
        elif current.stopping == "pruned":
            state, reason = "pruned", "behind the median of the trials before it"
        elif current.stopping:
            state, reason = current.stopping, "the search ended"
        elif start_error:
            state, reason = "stopped", status.reason
        else:
            state, reason = "failed", failed.reason if failed else status.reason
            reason = reason or f"its trainer ended with {code}; trainer.log has its last output"
        self._end(current, state, reason)
        if start_error:
            raise start_error(f"trial {current.trial.number}: {status.reason}")

    def _end(self, current: _Trial, state: TrialEnd, reason: str) -> None:
        """Record the end of a trial; settings of a stopped one are tried again first."""
        trial, snapshot = current.trial, current.snapshot
        best = snapshot.best
        record = TrialRecord(
            trial=trial.number,
            run=current.folder.name,
            state=state,
            validation=_validation(best),
            epoch=best.epoch if best else None,
            epochs=current.epoch,
            seconds=round(snapshot.clock.trained, 1),
            reason=reason,
            searched=self._searched(trial),
        )
        write_record(trial, record)
        if state == "done":
            self._study.tell(trial, record.validation)
        else:
            pruned = state == "pruned"
            self._study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        if state == "stopped" and trial.params:
            self._study.enqueue_trial(trial.params)
        self.records.append(record)
        self._show(None)

    def _running(self, current: _Trial, info: RunInfo) -> RunningTrial:
        snapshot = current.snapshot
        best, newest = snapshot.best, snapshot.evaluations[-1] if snapshot.evaluations else None
        return RunningTrial(
            trial=current.trial.number,
            epoch=current.epoch,
            epochs=snapshot.planned or info.epochs,
            validation=_validation(newest),
            best=_validation(best),
            best_epoch=best.epoch if best else None,
            seconds=snapshot.clock.trained,
            stopping=current.stopping or "",
            searched=self._searched(current.trial),
        )

    def _searched(self, trial: optuna.Trial) -> dict[str, object]:
        return decoded(trial.params, self._plan.space, self._plan.settings)

    def _show(self, running: RunningTrial | None) -> None:
        left = None if self._until is None else self._until - time.monotonic()
        self._watch(SearchState(tuple(self.records), running, self._target, left))

    def _trial(self, trial: optuna.Trial) -> _Trial:
        name = run_name(self._study.study_name, trial.number)
        return _Trial(trial, runs_dir(self._home) / name)


def _validation(evaluation: Evaluated | None) -> float | None:
    """Return the validation Hit@50."""
    return evaluation.validation["hit@50"] if evaluation and evaluation.validation else None


def _status(folder: Path) -> Status:
    """Return the status of a trial's run; the state is `missing` if it was deleted."""
    try:
        return read_status(folder)
    except RunError as error:
        return Status(state="missing", pid=0, reason=str(error))


def _ask(folder: Path, what: str) -> None:
    with suppress(FileNotFoundError):  # the run was deleted
        send_request(folder, what)
