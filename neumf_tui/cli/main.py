"""The command line: all commands with their examples, and the handling of errors."""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from neumf_tui import __version__
from neumf_tui.cli.streams import open_streams
from neumf_tui.crash import message_of
from neumf_tui.errors import NeumfTuiError
from neumf_tui.text import clean
from neumf_tui.views.output import print_line, say

GROUPS = {
    "Start": {
        "train": ("train", "--dataset ml-100k --epochs 20 --name long-one"),
        "attach": ("attach", "quiet-otter-07"),
        "explore": ("explore", "quiet-otter-07"),
        "datasets": ("datasets", "~/shop.csv --split time"),
        "adopt": ("adopt", "neumf.pt --dataset ml-100k --expect hit@50=0.361"),
        "tune": ("tune", "--trials 30 --study wide"),
    },
    "One person": {
        "rank": ("rank", "196 --top 20"),
        "why": ("why", "196 Alien"),
        "journey": ("journey", "196"),
        "near-miss": ("near_miss", "196"),
        "similar": ("similar", "Alien"),
        "item": ("film", "Alien"),
        "film": ("film", "Alien"),
        "recommend": ("recommend", '--likes "Alien; Blade Runner; Brazil" --save anna'),
        "guests": ("guests", ""),
    },
    "Quality": {
        "evaluate": ("evaluate", "quiet-otter-07 --json"),
        "baselines": ("baselines", "--dataset ml-100k"),
        "compare": ("compare", "quiet-otter-07@2 quiet-otter-07@10 --user 196"),
        "failures": ("failures", "quiet-otter-07 --cohorts"),
        "export": ("export", "quiet-otter-07 --what top-k --format parquet"),
        "plot": ("plot", "quiet-otter-07 --what cohorts --out cohorts.pdf"),
        "report": ("report", "quiet-otter-07 --out report.html"),
        "check-leak": ("check_leak", "--preset d2l"),
        "check-order": ("check_order", "quiet-otter-07 --rounds 5"),
    },
    "Runs": {
        "runs": ("runs", "--json"),
        "status": ("status", "quiet-otter-07 --json"),
        "logs": ("logs", "quiet-otter-07 -f"),
        "pause": ("control", "quiet-otter-07"),
        "resume": ("control", "quiet-otter-07"),
        "checkpoint": ("control", "quiet-otter-07"),
        "stop": ("control", "quiet-otter-07"),
        "extend": ("control", "20 quiet-otter-07"),
        "pin": ("control", "196 --run quiet-otter-07"),
        "rename": ("rename", "quiet-otter-07 baseline"),
        "delete": ("delete", "quiet-otter-07"),
        "prune": ("prune", "quiet-otter-07 --keep 20"),
        "mirror": ("mirror", "quiet-otter-07 --to tensorboard:boards"),
    },
    "This machine": {
        "doctor": ("doctor", "--json"),
        "config": ("config", ""),
    },
}
"""The commands by the groups of the help: the module of each, and the arguments of an example."""
EXAMPLES = {name: command for group in GROUPS.values() for name, command in group.items()}
_VALUES = {"int": "N", "float": "X", "str": "TEXT", "path": "PATH"}
"""How the help calls the values of options."""
_KINDS = re.compile(rf"<({'|'.join(_VALUES)})( range)?>")
WIDEST_HELP = 160
"""Columns of the help in a terminal that has more."""


class _Commands(Mapping[str, Any]):
    """Makes a command when it is asked for: importing all of them takes longer than most take."""

    def __getitem__(self, name: str) -> Any:
        module, arguments = EXAMPLES[name]
        function = getattr(import_module(f"neumf_tui.cli.{module}"), name.replace("-", "_"))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        example = f"neumf-tui {name} {arguments}".rstrip()
        alone.command(name, cls=_Command, epilog=f"Example: {example}")(function)
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(EXAMPLES)

    def __len__(self) -> int:
        return len(EXAMPLES)


class _Command(TyperCommand):
    """A command whose help lists its options by their panels."""

    allow_extra_args = True  # `parse_args` refuses them, with more words

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from neumf_tui.cli.guesses import meant_by, run_as_argument

        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        last = [one for one in self.params if one.param_type_name == "argument"][-1:]
        if any(one.name == "run" and not one.required for one in last):
            args = run_as_argument(args)
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if error.param is not None and not error.message:  # it is missing
                error.message = getattr(error.param, "help", "") or ""
            raise
        if rest:
            what = " ".join(map(clean, rest))
            hint = meant_by(str(self.name), ctx.params, rest)
            ctx.fail(f"Got unexpected extra arguments: {what}; {hint}")
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            usual = "Arguments" if param.param_type_name == "argument" else "Options"
            if record is not None:
                panel = getattr(param, "rich_help_panel", None) or usual
                name, text = record
                panels.setdefault(panel, []).append((_KINDS.sub(_value_of_kind, name), text))
        # `--help`, which comes last, is not of the last panel.
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


def _value_of_kind(kind: re.Match[str]) -> str:
    return _VALUES[kind[1]]


class _Group(TyperGroup):
    """All commands; their list in the help is that of GROUPS, in whole sentences."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": _Commands()})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the list of runs for a command that is missing, where a screen can be opened."""
        from neumf_tui.terminal import why_no_screen

        if not (args or ctx.resilient_parsing or why_no_screen()):
            args = ["runs"]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, then the options, which fewer people need."""
        width = max(map(len, EXAMPLES))
        for title, group in GROUPS.items():
            sentences = {name: (self.commands[name].help or "").split("\n\n")[0] for name in group}
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (f"{name:{width}}", " ".join(text.split()))
                        for name, text in sentences.items()
                    ]
                )
        super().format_options(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write nothing: `format_options` has listed them."""


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST_HELP},
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
