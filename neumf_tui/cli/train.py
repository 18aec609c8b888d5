"""`train`: start or resume a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.flags import settings_flags
from neumf_tui.cli.options import Home, Json, LowBandwidth, home_of, run_folder, run_names
from neumf_tui.cli.screen import open_screen
from neumf_tui.errors import UsageError


@settings_flags
def train(
    dataset: Annotated[
        str,
        typer.Option(
            help="auto, ml-100k, demo, or the name of a dataset's folder; auto takes what --data-dir holds, else ml-100k."
        ),
    ] = "auto",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of any MovieLens release, or its parent; or a file: .inter, .csv, .tsv, .parquet."
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=NAME,…",
            help="Columns of your own table: user=NAME,item=NAME,time=NAME[,rating=NAME].",
        ),
    ] = None,
    accept_unverified: Annotated[
        bool,
        typer.Option(
            "--accept-unverified", help="Fetch a release of MovieLens whose hash is not known."
        ),
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(help="Named settings: tuned, fast, paper or d2l.  [default: tuned]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of settings, over the preset's.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run. [default: drawn]")] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run from its last checkpoint; with --epochs, to so many.",
            autocompletion=run_names,
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1, help="Train on so many GPUs of this machine: --device cuda --processes N."
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A user to follow in the rank race; repeatable."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start the training and return; `attach` shows it.")
    ] = False,
    on_finish: Annotated[
        str,
        typer.Option(
            metavar="CMD",
            help="Shell command to run at the end, with NEUMF_TUI_RUN, _STATE, _HIT50, … set.",
        ),
    ] = "",
    plain: Annotated[
        bool,
        typer.Option("--plain", help="No screen: one line an epoch on stderr, summary on stdout."),
    ] = False,
    low_bandwidth: LowBandwidth = None,
    json: Json = False,
    home: Home = None,
    *,
    changes: dict[str, Any],
) -> None:
    """Train a model and watch it. The training goes on when the screen or the connection ends."""
    from neumf_tui.cli.plain import train_plainly
    from neumf_tui.cli.torchrun import choose_run, follow, lead
    from neumf_tui.runs.launch import launch_trainer
    from neumf_tui.runs.start import make_run
    from neumf_tui.runs.store import new_run_name
    from neumf_tui.runs.summary import status_object, train_summary
    from neumf_tui.settings import DEFAULT_PRESET, flag_of, make_settings
    from neumf_tui.terminal import why_no_screen
    from neumf_tui.training.distributed.torchrun import member
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.runs import print_summary

    part = member()
    if part and part.rank:
        raise typer.Exit(follow(part))
    if gpus is not None:
        _take_gpus(gpus, changes)

    if detach and plain:
        raise UsageError(
            "--detach and --plain: choose one; `neumf-tui logs RUN -f` follows a detached run in plain lines"
        )
    attached = not (plain or json or detach or part)
    why_plain = why_no_screen() if attached else ""
    if attached and not why_plain:
        from neumf_tui.tui.app import load_config

        load_config()  # a mistake in it is told before a run is made
    named = config.stem if config else preset or DEFAULT_PRESET

    def make(job: str = "") -> Path:
        settings = make_settings(preset or DEFAULT_PRESET, changes, config)
        where = home_of(home)
        run_name = new_run_name(where, name)
        data = open_data(dataset, data_dir, where, columns, accept_unverified)
        return make_run(where, data, run_name, named, settings, tuple(pin or ()), job)

    kept = {"epochs", "processes"} | ({"device"} if gpus else set())
    if resume is not None:
        others = {
            "name": name,
            "dataset": dataset != "auto",
            "data_dir": data_dir,
            "columns": columns,
            "accept_unverified": accept_unverified,
            "preset": preset,
            "config": config,
            "pin": pin,
        }
        given = [key for key in changes if key not in kept] + [
            key for key, value in others.items() if value
        ]
        if given:
            flags = ", ".join(map(flag_of, given))
            raise UsageError(
                f"{flags}: a resumed run keeps its own settings; leave them out, or start a new run"
            )
    if part is not None:
        if detach or on_finish or "processes" in changes:
            raise UsageError(
                "--detach, --on-finish, --gpus, --processes: torchrun starts and keeps the processes; leave them out"
            )
        changes["processes"] = part.size
        folder, ended = choose_run(part, home, name, resume, changes.get("epochs"), make)
        raise typer.Exit(lead(part, folder, ended, json))
    living = False
    if resume is None:
        folder = make()
    else:
        folder, living = _resumed(run_folder(home, resume), home, changes, on_finish)

    if detach:
        if not living:
            launch_trainer(folder, on_finish)
        say(f"run {folder.name} in {folder}")
        say(f"training in the background; neumf-tui attach {folder.name} shows it")
        if json:
            print_json(status_object(folder))
        raise typer.Exit
    if plain or json or why_plain:
        if why_plain:
            say(f"{why_plain}: going on as with --plain")
        say(f"run {folder.name} in {folder}")
        if living:
            say(
                f"it is in training and goes on to epoch {changes['epochs']}; neumf-tui logs {folder.name} -f follows it"
            )
            raise typer.Exit
        code = train_plainly(folder, on_finish)
        summary = train_summary(folder)
        if summary["metrics"] is not None or code == 0:
            print_json(summary) if json else print_summary(summary)
    else:
        if not living:
            launch_trainer(folder, on_finish)
        code = open_screen(folder, "train", home_of(home), low_bandwidth)
    if resume is None:
        _drop_stillborn(folder)
    raise typer.Exit(code)


def _take_gpus(gpus: int, changes: dict[str, Any]) -> None:
    for name, value in (("device", "cuda"), ("processes", gpus)):
        if changes.setdefault(name, value) != value:
            raise UsageError(
                f"--gpus {gpus} means --device cuda --processes {gpus}; leave --{name} {changes[name]} out"
            )


def _resumed(
    folder: Path, home: Path | None, changes: dict[str, Any], on_finish: str
) -> tuple[Path, bool]:
    """`folder` made ready for another trainer, or, if it has one, asked to train longer; and whether it has one."""
    from neumf_tui.runs.control import ask, make_ready
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.runs.requests import EXTEND
    from neumf_tui.runs.start import check_data

    epochs, others = (
        changes.get("epochs"),
        {name: value for name, value in changes.items() if name != "epochs"},
    )
    if epochs is not None and is_locked(folder):
        if on_finish or others:
            what = "--on-finish" if on_finish else "--processes, --gpus"
            raise UsageError(
                f"{what}: {folder.name} is in training, its trainer cannot change that any more; leave it out"
            )
        ask(folder, EXTEND, str(epochs))
        return folder, True
    check_data(folder, home_of(home))
    make_ready(folder, epochs, others)
    return folder, False


def _drop_stillborn(folder: Path) -> None:
    """Remove a run that was refused before its first step: there is nothing in it."""
    import shutil

    from neumf_tui.runs.reader import read_snapshot, read_status

    status = read_status(folder)
    refused = status.exit_code in (2, 3, 4)  # anything else has a trainer.log worth reading
    if status.state == "failed" and refused and read_snapshot(folder).started is None:
        shutil.rmtree(folder, ignore_errors=True)
