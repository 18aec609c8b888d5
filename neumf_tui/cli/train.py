"""`train`: start or resume a run."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import msgspec
import typer

from neumf_tui.cli import complete
from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import (
    AcceptUnverified,
    ConfigFile,
    DataDir,
    DatasetName,
    Home,
    Json,
    LowBandwidth,
    Preset,
    home_of,
    run_folder,
)
from neumf_tui.cli.screen import open_screen
from neumf_tui.cli.settings_flags import settings_flags
from neumf_tui.data.options import DataOptions
from neumf_tui.errors import UsageError
from neumf_tui.runs.orders import Orders
from neumf_tui.settings import DEFAULT_PRESET, flag_of, make_settings
from neumf_tui.views.open_data import open_data

if TYPE_CHECKING:
    from subprocess import Popen

    from neumf_tui.training.distributed.processes import Worker

Name = Annotated[str | None, typer.Option(help="Name of the run. [default: drawn]")]
Resume = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="Continue a run from its last checkpoint; with --epochs up to that many epochs. "
        "--keep and --processes can change.",
        autocompletion=complete.runs,
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        min=1, help="Train on this many GPUs of this machine: --device cuda --processes N."
    ),
]
Pin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID",
        help="Show a user in the rank race; can be repeated.",
        autocompletion=complete.users,
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Train in the background; `attach` shows the run.")
]
OnFinish = Annotated[
    str,
    typer.Option(
        metavar="CMD",
        help="Shell command to run at the end, with NEUMF_TUI_RUN, _STATE, _HIT50, … set.",
    ),
]
OnAlarm = Annotated[
    str,
    typer.Option(
        metavar="CMD",
        help="Shell command to run at each alarm, with NEUMF_TUI_ALARM and _ALARM_TEXT set, too.",
    ),
]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="Open no screen; print one line per epoch and a summary."),
]
Start = Callable[[], "Popen[bytes]"]


@data_flags
@settings_flags
def train(
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    accept_unverified: AcceptUnverified = False,
    preset: Preset = None,
    config: ConfigFile = None,
    name: Name = None,
    resume: Resume = None,
    gpus: Gpus = None,
    pin: Pin = None,
    detach: Detach = False,
    on_finish: OnFinish = "",
    on_alarm: OnAlarm = "",
    plain: Plain = False,
    low_bandwidth: LowBandwidth = None,
    json: Json = False,
    home: Home = None,
    *,
    data_options: DataOptions,
    changes: dict[str, Any],
) -> None:
    """Train a model and watch it. Training continues when the screen or the connection closes."""
    from neumf_tui.cli.torchrun import follow
    from neumf_tui.training.distributed.processes import current_worker

    worker = current_worker()
    if worker and worker.rank:
        raise typer.Exit(follow(worker, home_of(home)))
    if detach and plain:
        raise UsageError(
            "--detach and --plain: choose one; `neumf-tui logs RUN -f` follows a detached run"
        )
    why_plain = "" if plain or json or detach or worker else _why_plain()
    if gpus is not None:
        _set_gpus(gpus, changes)
    where, pins = home_of(home), tuple(pin or ())
    new = NewRun(dataset, data_dir, data_options, accept_unverified, preset, config, name, pins)
    if resume is not None:
        _check_resume(new, changes, gpus)
    orders = Orders(on_finish=on_finish, on_alarm=on_alarm)
    if worker:
        if detach or orders != Orders() or "processes" in changes:
            raise UsageError(
                "--detach, --on-finish, --on-alarm, --gpus, --processes: torchrun starts the "
                "processes; leave these flags out"
            )
        raise typer.Exit(_train_with_torchrun(worker, new, changes, where, resume, json))
    folder, start = _prepare(new, resume, where, changes, orders)
    is_new = resume is None
    if detach:
        code = _train_detached(folder, start, json, is_new)
    elif plain or json or why_plain:
        code = _train_plainly(folder, start, json, why_plain, is_new)
    else:
        if start:
            start()
        code = open_screen(folder, "train", where, low_bandwidth, is_new=is_new)
    raise typer.Exit(code)


@dataclass(frozen=True)
class NewRun:
    """The options of `train` that only a new run can have."""

    dataset: str = "auto"
    data_dir: Path | None = None
    data_options: DataOptions = DataOptions()
    accept_unverified: bool = False
    preset: str | None = None
    config: Path | None = None
    name: str | None = None
    pin: tuple[str, ...] = ()

    @property
    def given(self) -> list[str]:
        """Names of the options that differ from their defaults."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        of_data = [key for one in self.data_options for key in msgspec.to_builtins(one)]
        return [name for name in names if name != "data_options"] + of_data

    def make(self, home: Path, changes: dict[str, Any], job: str = "") -> Path:
        """Create the run with these changes of its preset's settings, and return its folder."""
        from neumf_tui.runs.create_run import make_run
        from neumf_tui.runs.store import new_run_name
        from neumf_tui.runs.thresholds import read_thresholds

        settings = make_settings(self.preset or DEFAULT_PRESET, changes, self.config)
        preset = self.config.stem if self.config else self.preset or DEFAULT_PRESET
        name = new_run_name(home, self.name)
        alarms = read_thresholds()
        data = open_data(
            self.dataset, self.data_dir, home, self.data_options, self.accept_unverified
        )
        return make_run(home, data, name, preset, settings, self.pin, job, alarms)


def _why_plain() -> str:
    """Return why no screen can be opened; otherwise check the config file before a run exists."""
    from neumf_tui.terminal import why_no_screen

    why = why_no_screen()
    if not why:
        from neumf_tui.tui.app import load_config

        load_config()
    return why


def _set_gpus(gpus: int, changes: dict[str, Any]) -> None:
    for name, value in (("device", "cuda"), ("processes", gpus)):
        if changes.setdefault(name, value) != value:
            raise UsageError(
                f"--gpus {gpus} means --device cuda --processes {gpus}; "
                f"leave out --{name} {changes[name]}"
            )


def _check_resume(new: NewRun, changes: dict[str, Any], gpus: int | None) -> None:
    """Raise UsageError for flags that cannot change an existing run."""
    allowed = {"epochs", "processes", "keep"} | ({"device"} if gpus else set())
    if given := [name for name in changes if name not in allowed] + new.given:
        raise UsageError(
            f"{', '.join(map(flag_of, given))}: a resumed run keeps its own settings; "
            "leave these flags out, or start a new run"
        )


def _train_with_torchrun(
    worker: "Worker",
    new: NewRun,
    changes: dict[str, Any],
    home: Path,
    resume: str | None,
    json: bool,
) -> int:
    from neumf_tui.cli.torchrun import choose_run, lead

    changes["processes"] = worker.size

    def make(job: str) -> Path:
        return new.make(home, changes, job)

    folder, ended = choose_run(worker, home, new.name, resume, changes.get("epochs"), make)
    return lead(worker, folder, home, ended, json, is_new=resume is None)


def _prepare(
    new: NewRun, resume: str | None, home: Path, changes: dict[str, Any], orders: Orders
) -> tuple[Path, Start | None]:
    """Return a run that is ready for its trainer, and what starts it; None: it is training."""
    if resume is None:
        folder = new.make(home, changes)
        return folder, _starter(folder, home, None, orders)
    folder = run_folder(home, resume)
    lock = _reopen(folder, home, changes, orders)
    return folder, _starter(folder, home, lock, orders) if lock else None


def _reopen(folder: Path, home: Path, changes: dict[str, Any], orders: Orders) -> BinaryIO | None:
    """Prepare an existing run for another trainer and return its lock.

    A run that is training is extended instead; then there is no lock.
    """
    from neumf_tui.runs.access import check_may_change
    from neumf_tui.runs.control import ask, make_ready
    from neumf_tui.runs.create_run import check_data
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.runs.requests import EXTEND
    from neumf_tui.views.output import say

    check_may_change(folder)
    epochs = changes.get("epochs")
    others = {name: value for name, value in changes.items() if name != "epochs"}
    if epochs is None or not is_locked(folder):
        check_data(folder, home)
        return make_ready(folder, epochs, others)
    wanted = [name for name, value in msgspec.to_builtins(orders).items() if value]
    if given := [*wanted, *others]:
        flags = ", ".join(map(flag_of, given))
        raise UsageError(
            f"{flags}: {folder.name} is training, and its trainer cannot change that; "
            "leave these flags out"
        )
    ask(folder, EXTEND, str(epochs))
    say(f"{folder.name} is training; it now continues to epoch {epochs}")
    return None


def _starter(folder: Path, home: Path, lock: BinaryIO | None, orders: Orders) -> Start:
    """Return a function that starts the trainer of a run; without a lock the run is new.

    A new run whose trainer cannot be started is removed.
    """

    def start() -> "Popen[bytes]":
        from neumf_tui.runs.contents import remove_run
        from neumf_tui.runs.launch import launch_trainer

        try:
            return launch_trainer(folder, home, lock, orders)
        except BaseException:
            if lock is None:
                remove_run(folder)
            raise

    return start


def _train_detached(folder: Path, start: Start | None, json: bool, is_new: bool) -> int:
    """Start the trainer, and return the exit code when it trains, or could not start."""
    from neumf_tui.cli.plain import say_failed_start
    from neumf_tui.runs.failed_start import await_start
    from neumf_tui.runs.summary import status_object
    from neumf_tui.views.output import print_json, say

    process = start() if start else None
    say(f"run {folder.name} in {folder}")
    if is_new and (failed := await_start(folder, process)):
        return say_failed_start(failed)
    say(f"training in the background; watch it with neumf-tui attach {folder.name}")
    if json:
        print_json(status_object(folder))
    return 0


def _train_plainly(
    folder: Path, start: Start | None, json: bool, why_plain: str, is_new: bool
) -> int:
    """Train without a screen and print the summary; return the exit code."""
    from neumf_tui.cli.plain import train_plainly
    from neumf_tui.runs.summary import train_summary
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.runs import print_summary

    if why_plain:
        say(f"{why_plain}: continuing as with --plain")
    say(f"run {folder.name} in {folder}")
    if start is None:
        say(f"follow it with neumf-tui logs {folder.name} -f")
        return 0
    code = train_plainly(folder, start, is_new)
    if not (folder / "run.json").exists():  # the trainer could not start
        return code
    summary = train_summary(folder)
    if summary["metrics"] is not None or code == 0:
        print_json(summary) if json else print_summary(summary)
    return code
