"""The command line: all commands with their examples, and the handling of errors."""

import sys
from typing import Annotated

import typer

from neumf_tui import __version__
from neumf_tui.cli import (
    adopt,
    attach,
    baselines,
    check_leak,
    compare,
    config,
    control,
    datasets,
    delete,
    doctor,
    evaluate,
    explore,
    export,
    failures,
    film,
    guests,
    journey,
    logs,
    near_miss,
    prune,
    rank,
    recommend,
    rename,
    runs,
    similar,
    status,
    train,
    tune,
    why,
)
from neumf_tui.cli.streams import open_streams
from neumf_tui.crash import message_of
from neumf_tui.errors import NeumfTuiError
from neumf_tui.views.output import print_line, say

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a neural recommender (NeuMF), watch it learn, and see what it recommends, and why.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 dataset missing or unreadable, "
    "4 run missing or unreadable.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"neumf-tui {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for _command, _example in (
    (train.train, "train --dataset ml-100k --epochs 20 --name long-one"),
    (attach.attach, "attach quiet-otter-07"),
    (explore.explore, "explore quiet-otter-07"),
    (runs.runs, "runs --json"),
    (status.status, "status quiet-otter-07 --json"),
    (control.pause, "pause quiet-otter-07"),
    (control.resume, "resume quiet-otter-07"),
    (control.checkpoint, "checkpoint quiet-otter-07"),
    (control.stop, "stop quiet-otter-07"),
    (control.extend, "extend 20 quiet-otter-07"),
    (control.pin, "pin 196 --run quiet-otter-07"),
    (logs.logs, "logs quiet-otter-07 -f"),
    (rename.rename, "rename quiet-otter-07 baseline"),
    (delete.delete, "delete quiet-otter-07"),
    (prune.prune, "prune quiet-otter-07 --keep 20"),
    (rank.rank, "rank 196 --top 20"),
    (why.why, "why 196 Alien"),
    (journey.journey, "journey 196"),
    (near_miss.near_miss, "near-miss 196"),
    (similar.similar, "similar Alien"),
    (film.film, "film Alien"),
    (recommend.recommend, 'recommend --likes "Alien; Blade Runner; Brazil" --save anna'),
    (guests.guests, "guests"),
    (compare.compare, "compare quiet-otter-07@2 quiet-otter-07@10 --user 196"),
    (failures.failures, "failures quiet-otter-07 --cohorts"),
    (export.export, "export quiet-otter-07 --what top-k --format parquet"),
    (evaluate.evaluate, "evaluate quiet-otter-07 --json"),
    (tune.tune, "tune --trials 30 --study films"),
    (baselines.baselines, "baselines --dataset ml-100k"),
    (adopt.adopt, "adopt neumf.pt --dataset ml-100k --expect hit@50=0.361"),
    (check_leak.check_leak, "check-leak --preset d2l"),
    (datasets.datasets, "datasets"),
    (doctor.doctor, "doctor --json"),
    (config.config, "config"),
):
    app.command(epilog=f"Example: neumf-tui {_example}")(_command)


def main() -> None:
    """Run the command line; errors become one message on stderr and the documented exit code."""
    open_streams()
    code: str | int | None = 1
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # nobody reads stdout any more (`| head`)
    except Exception as error:  # noqa: BLE001 - this is where all errors end
        say(f"neumf-tui: {message_of(error)}")
        code = error.exit_code if isinstance(error, NeumfTuiError) else 1
    sys.exit(code)


def _run() -> str | int | None:
    """Run the command and return its exit code."""
    try:
        app()
    except SystemExit as end:
        return end.code
    return 0
