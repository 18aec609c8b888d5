"""The command line: all commands with their examples, and the handling of errors."""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from neumf_tui import __version__
from neumf_tui.cli.streams import open_streams
from neumf_tui.crash import message_of
from neumf_tui.errors import NeumfTuiError
from neumf_tui.views.output import print_line, say

EXAMPLES = {
    "train": ("train", "--dataset ml-100k --epochs 20 --name long-one"),
    "attach": ("attach", "quiet-otter-07"),
    "explore": ("explore", "quiet-otter-07"),
    "runs": ("runs", "--json"),
    "status": ("status", "quiet-otter-07 --json"),
    "pause": ("control", "quiet-otter-07"),
    "resume": ("control", "quiet-otter-07"),
    "checkpoint": ("control", "quiet-otter-07"),
    "stop": ("control", "quiet-otter-07"),
    "extend": ("control", "20 quiet-otter-07"),
    "pin": ("control", "196 --run quiet-otter-07"),
    "logs": ("logs", "quiet-otter-07 -f"),
    "rename": ("rename", "quiet-otter-07 baseline"),
    "delete": ("delete", "quiet-otter-07"),
    "prune": ("prune", "quiet-otter-07 --keep 20"),
    "rank": ("rank", "196 --top 20"),
    "why": ("why", "196 Alien"),
    "journey": ("journey", "196"),
    "near-miss": ("near_miss", "196"),
    "similar": ("similar", "Alien"),
    "item": ("film", "Alien"),
    "film": ("film", "Alien"),
    "recommend": ("recommend", '--likes "Alien; Blade Runner; Brazil" --save anna'),
    "guests": ("guests", ""),
    "compare": ("compare", "quiet-otter-07@2 quiet-otter-07@10 --user 196"),
    "failures": ("failures", "quiet-otter-07 --cohorts"),
    "export": ("export", "quiet-otter-07 --what top-k --format parquet"),
    "evaluate": ("evaluate", "quiet-otter-07 --json"),
    "tune": ("tune", "--trials 30 --study wide"),
    "baselines": ("baselines", "--dataset ml-100k"),
    "adopt": ("adopt", "neumf.pt --dataset ml-100k --expect hit@50=0.361"),
    "check-leak": ("check_leak", "--preset d2l"),
    "check-order": ("check_order", "quiet-otter-07 --rounds 5"),
    "datasets": ("datasets", "~/shop.csv --split time"),
    "doctor": ("doctor", "--json"),
    "config": ("config", ""),
}
"""The module of each command, and the arguments of an example."""


class _Commands(Mapping[str, Any]):
    """Makes a command when it is asked for: importing all of them takes longer than most take."""

    def __getitem__(self, name: str) -> Any:
        module, arguments = EXAMPLES[name]
        function = getattr(import_module(f"neumf_tui.cli.{module}"), name.replace("-", "_"))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        example = f"neumf-tui {name} {arguments}".rstrip()
        alone.command(name, epilog=f"Example: {example}")(function)
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(EXAMPLES)

    def __len__(self) -> int:
        return len(EXAMPLES)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": _Commands()})


app = typer.Typer(
    cls=_Group,
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
