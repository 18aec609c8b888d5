"""The study's file under `<home>/tune`: Optuna's SQLite storage with our plan and records."""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec
import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from neumf_tui import files
from neumf_tui.errors import RunError, UsageError
from neumf_tui.home import runs_dir
from neumf_tui.runs.store import NAME_LENGTH, check_name, new_run_name
from neumf_tui.search.plan import Plan
from neumf_tui.search.space import check_params, check_space
from neumf_tui.settings import check

_PLAN, _RECORD, _TARGET = "plan", "record", "target"
"""Names of the attributes of a study or trial in the file."""

_FOLDER = "tune"
_SQLITE_ENDINGS = ("-journal", "-wal", "-shm")
"""Endings of the files that SQLite makes beside its own."""

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
    return home / _FOLDER / f"{name}.db"


def preset_file(home: Path, name: str) -> Path:
    return home / _FOLDER / f"{name}.toml"


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
    """Open the study or create it, locked against a second search; raise RunError.

    The file can come from anybody: it is checked and read as a whole before it is used.
    """
    file = study_file(home, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.open_lock(home, f"{_FOLDER}/{name}.lock") as lock:
        if not files.take_lock(lock):
            raise RunError(
                f"study {name} is being searched by another process; "
                "wait for it, or choose another --study"
            )
        for ending in ("", *_SQLITE_ENDINGS):
            with suppress(FileNotFoundError):
                files.checked_path(home, f"{_FOLDER}/{file.name}{ending}")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module="optuna")
        try:
            _check_database(file)
            # The file is opened by `creator`: a path can have letters that no address can have.
            storage = optuna.storages.RDBStorage(
                "sqlite:///study", engine_kwargs={"creator": lambda: _connect(file)}
            )
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )
            _check_content(study)
        except Exception as error:  # SQLAlchemy, Alembic and Optuna have no common error
            raise RunError(
                f"{file}: cannot be read as a study ({_first_line(error)}); choose another --study"
            ) from error
        try:
            yield study
        except (SQLAlchemyError, StorageInternalError) as error:
            raise RunError(
                f"{file}: cannot be read or written ({_first_line(error)}); "
                "fix that and continue the study"
            ) from error
        finally:
            storage.engine.dispose()


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check_database(file: Path) -> None:
    """Raise ValueError if the database is damaged or has more than tables and indexes.

    Views and triggers are programs, which can run for ever.
    """
    with closing(_connect(file)) as connection:
        odd = connection.execute(
            "SELECT name FROM sqlite_schema "
            "WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
        ).fetchone()
        if odd:
            raise ValueError(f"{odd[0]!r} is not a table of a study")
        (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise ValueError(state)


def _check_content(study: optuna.Study) -> None:
    """Raise an error if anything in the study is not what a search has written."""
    plan, trials = read_plan(study), study.get_trials(deepcopy=False)
    target = read_target(study)
    if target is not None and target < 1:
        raise ValueError(f"{target} trials are planned")
    if plan is None:
        return
    check_space(plan.space, plan.settings)
    for trial in trials:
        check_params(trial.distributions, plan.space)
    for record in read_records(study):
        if record.searched.keys() - plan.space.keys():
            raise ValueError(f"trial {record.trial} has settings that are not in the space")
        if record.state == "done":
            check(msgspec.to_builtins(plan.settings) | record.searched)


def _first_line(error: BaseException) -> str:
    """Return the first line of the error that caused it: Optuna's own text does not say why."""
    while isinstance(error, StorageInternalError) and error.__cause__:
        error = error.__cause__
    error = getattr(error, "orig", None) or error
    return next(iter(str(error).splitlines()), type(error).__name__)


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
    return msgspec.convert(study.user_attrs.get(_TARGET), int | None)


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
