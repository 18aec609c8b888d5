"""Options and arguments that several commands share."""

import errno
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui.cli import complete
from neumf_tui.errors import UsageError

Command = Callable[..., None]


def confirm(command: str, folder: Path, question: str) -> None:
    """Ask on the terminal, and end the command with exit code 1 unless the answer is yes.

    Raises UsageError without a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{command} {folder.name}: no terminal to confirm in; add --yes")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


_RUN_HELP = "Name, unique prefix or folder of a run. [default: the latest run]"
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder of runs and datasets. [default: NEUMF_TUI_HOME, or the user data folder]",
    ),
]
Run = Annotated[str | None, typer.Argument(help=_RUN_HELP, autocompletion=complete.runs)]
RunOption = Annotated[
    str | None, typer.Option("--run", help=_RUN_HELP, autocompletion=complete.runs)
]
RunName = Annotated[
    str,
    typer.Argument(help="Name, unique prefix or folder of a run.", autocompletion=complete.runs),
]
Epoch = Annotated[
    str | None,
    typer.Option(
        "--epoch",
        metavar="N|best|last",
        help="Use the model after this epoch. [default: best by validation once the run has ended, "
        "else the newest]",
    ),
]
User = Annotated[
    str, typer.Argument(help="A user's id, as in the dataset.", autocompletion=complete.users)
]
GuestOption = Annotated[
    str | None,
    typer.Option(
        "--guest",
        help="A saved guest instead of a user of the dataset.",
        autocompletion=complete.guests,
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")]
CsvSafe = Annotated[
    bool,
    typer.Option(
        "--csv-safe", help="As --csv, with ' before texts that a spreadsheet would run as formulas."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file with that name.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object or list.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print tables in Markdown, rounded, with the protocol.")
]
Latex = Annotated[
    bool,
    typer.Option("--latex", help="Print tables in LaTeX, rounded, with the protocol as a comment."),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="In the table, print raw scores; otherwise their means are subtracted."
    ),
]
Top = Annotated[int, typer.Option(min=1, metavar="K", help="Number of rows.")]
TopItems = Annotated[str, typer.Option("--top", metavar="K", help="Number of items, or 'all'.")]
LowBandwidth = Annotated[
    bool | None,
    typer.Option(
        "--low-bandwidth/--no-low-bandwidth",
        help="One refresh per second, no mouse, 16 colours. [default: as in config.toml; automatic "
        "on a slow link]",
    ),
]
DatasetName = Annotated[
    str,
    typer.Option(
        help="auto, demo, a MovieLens release such as ml-100k, or the name of a dataset's folder; "
        "auto takes the data in --data-dir, or else ml-100k.",
        autocompletion=complete.datasets,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of a MovieLens release, its parent, or a file: .inter, .csv, .tsv, .parquet."
    ),
]
AcceptUnverified = Annotated[
    bool,
    typer.Option("--accept-unverified", help="Fetch a MovieLens release whose hash is not known."),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Named settings: tuned, fast, paper or d2l. [default: tuned]",
        autocompletion=complete.presets,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of settings that override the preset's."),
]


def rows_of(top: str, what: str = "items") -> int | None:
    """Return the number that `--top` gives, None for 'all'; raises UsageError for other texts."""
    if top == "all":
        return None
    if not (top.isdecimal() and len(top) < 10 and int(top) > 0):
        raise UsageError(f"--top {top}: expected a number of {what} from 1, or 'all'")
    return int(top)


def check_rows(rows: int | None, num_items: int) -> None:
    """Raise UsageError if more items are wanted than the catalogue has."""
    if rows is not None and rows > num_items:
        raise UsageError(
            f"--top {rows}: the catalogue has {num_items:,} items; give fewer, or 'all'"
        )


def form_of(
    json: Json = False,
    csv: Csv = False,
    csv_safe: CsvSafe = False,
    markdown: Markdown = False,
    latex: Latex = False,
) -> str:
    """Return the form of a sheet that the options ask for, else `table`; UsageError for several."""
    forms = {
        "json": json,
        "csv": csv and not csv_safe,
        "csv-safe": csv_safe,
        "markdown": markdown,
        "latex": latex,
    }
    wanted = [form for form, is_wanted in forms.items() if is_wanted]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(f'--{form}' for form in wanted)}: choose one")
    return wanted[0] if wanted else "table"


def sheet_forms(command: Command) -> Command:
    """Give `command` the options of `form_of`; its argument `form` gets what that returns."""
    return add_options(command, "form", form_of, keyword_only(form_of))


def keyword_only(make: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of `make` for `add_options`."""
    parameters = inspect.signature(make).parameters.values()
    return [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]


def home_of(option: Path | None) -> Path:
    """Return the home; raises UsageError or NotADirectoryError if it cannot be one."""
    from neumf_tui.home import check_encoding, home_dir

    home = home_dir(option)
    check_encoding(home)
    if home.exists() and not home.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(home))
    return home


def writable_home_of(option: Path | None) -> Path:
    """Return the home as `home_of`; raises UsageError too if this account may only read it."""
    from neumf_tui.files import may_write

    home = home_of(option)
    if not may_write(home):
        raise UsageError(
            f"{home}: results are kept in the home, and this account may not write into this one; "
            "name a home of your own with --home"
        )
    return home


def run_folder(option: Path | None, run: str | None) -> Path:
    """Return the folder of the named run in the home that `option` gives; raises RunError."""
    from neumf_tui.runs.store import find_run

    return find_run(home_of(option), run)


def add_options(
    command: Command, argument: str, make: Callable[..., Any], options: Iterable[inspect.Parameter]
) -> Command:
    """Give `command` more options; its argument `argument` gets `make` of their values."""
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != argument]
    added = list(options)

    def wrapped(**values: Any) -> None:
        made = make(**{option.name: values.pop(option.name) for option in added})
        command(**values, **{argument: made})

    # Typer reads the signature and the annotations.
    wrapped.__signature__ = signature.replace(parameters=own + added)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in own + added}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped
