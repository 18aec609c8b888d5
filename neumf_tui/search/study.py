"""The study's file under `<home>/tune`: Optuna's SQLite storage with our plan and records."""

import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import optuna

from neumf_tui.errors import RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.store import NAME_LENGTH, check_name, new_run_name
from neumf_tui.search.plan import Plan

_PLAN, _RECORD, _TARGET = "plan", "record", "target"
"""Names of the attributes of a study or trial in the file."""

TrialEnd = Literal["done", "pruned", "failed", "stopped"]


class TrialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a trial that has ended."""

    trial: int
    """Optuna's number, from 0."""
    run: str
    state: TrialEnd
    """`stopped`: the search ended during it; its settings are tried again in another trial."""
    validation: float | None
    """Highest validation Hit@50 of the run; None if it was never evaluated."""
    epoch: int | None
    """The epoch of that evaluation."""
    epochs: int
    """Whole epochs done."""
    seconds: float
    reason: str
    """Why the trial is not done."""
    searched: dict[str, Any]
    """Values of the settings that were searched."""


def study_file(home: Path, name: str) -> Path:
    return home / "tune" / f"{name}.db"


def preset_file(home: Path, name: str) -> Path:
    return home / "tune" / f"{name}.toml"


def run_name(study: str, trial: int) -> str:
    return f"{study}-{trial:04}"


def new_study_name(home: Path) -> str:
    """Return a name that no study and no run has."""
    while study_file(home, name := new_run_name(home, None)).exists():
        pass
    return name


def check_study_name(home: Path, name: str) -> None:
    """Raise UsageError for an impossible name, RunError if runs of a deleted study have it."""
    check_name(name, "study")
    first = run_name(name, 0)
    if len(first) > NAME_LENGTH:
        letters = NAME_LENGTH - 5
        raise UsageError(
            f"study name {name!r}: at most {letters} letters, because its runs are named {first!r}"
        )
    if not study_file(home, name).exists() and (runs_dir(home) / first).exists():
        raise RunError(
            f"run {first} belongs to an earlier study of this name; "
            "choose another --study, or delete its runs"
        )


@contextmanager
def open_study_file(home: Path, name: str) -> Iterator[optuna.Study]:
    """Open the study or create it, locked against a second search; raise RunError."""
    file = study_file(home, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"study {name} is being searched by another process; "
                "wait for it, or choose another --study"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module="optuna")
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
        except Exception as error:  # SQLAlchemy, Alembic and Optuna have no common error
            problem = str(error).splitlines()[0]
            raise RunError(
                f"{file}: cannot be read as a study ({problem}); choose another --study"
            ) from error
        try:
            yield study
        finally:
            storage.engine.dispose()


def read_plan(study: optuna.Study) -> Plan | None:
    """Return the plan, None in a new study; raise RunError if another version wrote it."""
    plain = study.user_attrs.get(_PLAN)
    if plain is None:
        return None
    try:
        return msgspec.convert(plain, Plan)
    except msgspec.ValidationError as error:
        raise RunError(
            f"study {study.study_name} was written by another version of this program ({error}); "
            "choose another --study"
        ) from error


def write_plan(study: optuna.Study, plan: Plan) -> None:
    study.set_user_attr(_PLAN, msgspec.to_builtins(plan))


def read_target(study: optuna.Study) -> int | None:
    """Return the planned number of trials; None: as many as the time allows."""
    target = study.user_attrs.get(_TARGET)
    return int(target) if target is not None else None


def write_target(study: optuna.Study, target: int | None) -> None:
    study.set_user_attr(_TARGET, target)


def write_record(trial: optuna.Trial, record: TrialRecord) -> None:
    trial.set_user_attr(_RECORD, msgspec.to_builtins(record))


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """Return the records of the trials that have ended, in order."""
    return [
        msgspec.convert(trial.user_attrs[_RECORD], TrialRecord)
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and _RECORD in trial.user_attrs
    ]
