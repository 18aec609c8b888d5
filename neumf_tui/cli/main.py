"""The command line: parse, call one function, print."""

import os
import sys
from typing import Annotated

import typer

from neumf_tui import __version__
from neumf_tui.cli import (
    baselines,
    check_leak,
    compare,
    control,
    export,
    failures,
    film,
    look,
    person,
    recommend,
    setup,
    train,
    tune,
)
from neumf_tui.errors import NeumfTuiError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a neural recommender (NeuMF), watch it learn, and see what it does to one person.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 dataset missing or unreadable, 4 run missing or unreadable.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"neumf-tui {__version__}")
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
    (look.attach, "attach quiet-otter-07"),
    (look.explore, "explore quiet-otter-07"),
    (look.runs, "runs --json"),
    (control.status, "status quiet-otter-07 --json"),
    (control.pause, "pause quiet-otter-07"),
    (control.resume, "resume quiet-otter-07"),
    (control.checkpoint, "checkpoint quiet-otter-07"),
    (control.stop, "stop quiet-otter-07"),
    (control.extend, "extend 20 quiet-otter-07"),
    (control.pin, "pin 196 --run quiet-otter-07"),
    (control.logs, "logs quiet-otter-07 -f"),
    (control.rename, "rename quiet-otter-07 baseline"),
    (control.delete, "delete quiet-otter-07"),
    (person.rank, "rank 196 --top 20"),
    (person.why, "why 196 Alien"),
    (person.journey, "journey 196"),
    (person.near_miss, "near-miss 196"),
    (film.similar, "similar Alien"),
    (film.film, "film Alien"),
    (recommend.recommend, 'recommend --likes "Alien; Blade Runner; Brazil" --save anna'),
    (recommend.guests, "guests"),
    (compare.compare, "compare quiet-otter-07@2 quiet-otter-07@10 --user 196"),
    (failures.failures, "failures quiet-otter-07 --cohorts"),
    (export.export, "export quiet-otter-07 --what top-k --format parquet"),
    (look.evaluate, "evaluate quiet-otter-07 --json"),
    (tune.tune, "tune --trials 30 --study films"),
    (baselines.baselines, "baselines --dataset ml-100k"),
    (check_leak.check_leak, "check-leak --preset d2l"),
    (look.datasets, "datasets"),
    (setup.doctor, "doctor --json"),
    (setup.config, "config"),
):
    app.command(epilog=f"Example: neumf-tui {_example}")(_command)


def main() -> None:
    """Run the command line; errors become one message on stderr and the documented exit code."""
    try:
        app()
    except NeumfTuiError as error:
        from neumf_tui.views.output import say

        say(f"neumf-tui: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of stdout is gone (`| head`); nothing more is wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
