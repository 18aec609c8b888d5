"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.errors import UsageError


def run_names(incomplete: str) -> list[str]:
    """For completion in the shell."""
    from neumf_tui.home import home_dir
    from neumf_tui.runs.store import run_folders

    return [folder.name for folder in run_folders(home_dir()) if folder.name.startswith(incomplete)]


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        help="Folder of runs and datasets. [default: NEUMF_TUI_HOME, or the user data folder]",
    ),
]
Run = Annotated[
    str | None,
    typer.Argument(
        help="Name, unique prefix or path of a run; the latest if left out.",
        autocompletion=run_names,
    ),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="Name, unique prefix or path of a run; the latest if left out.",
        autocompletion=run_names,
    ),
]
Epoch = Annotated[
    str | None,
    typer.Option(
        "--epoch",
        metavar="N|best|last",
        help="The model as it stood after this epoch. [default: best by validation, once the run has ended; else the newest]",
    ),
]
User = Annotated[str, typer.Argument(help="A user's id, as in the dataset.")]
Top = Annotated[int, typer.Option(min=1, metavar="K", help="Rows to show.")]
GuestOption = Annotated[
    str | None, typer.Option("--guest", help="A guest instead of a user of the dataset.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Comma-separated values on stdout.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object (or list) on stdout.")]
LowBandwidth = Annotated[
    bool | None,
    typer.Option(
        "--low-bandwidth/--no-low-bandwidth",
        help="One refresh a second, no mouse, 16 colours. [default: config.toml; on by itself when the link is slow]",
    ),
]


Raw = Annotated[
    bool,
    typer.Option("--raw", help="In the table: scores as the model has them, not less their means."),
]
TopFilms = Annotated[str, typer.Option("--top", metavar="K", help="Films to show, or 'all'.")]


def rows_of(top: str, what: str = "films") -> int | None:
    """What `--top` says, None for 'all'; raises UsageError for what is neither that nor a whole number from 1."""
    if top != "all" and not (top.isdecimal() and int(top) > 0):
        raise UsageError(f"--top {top}: expected a whole number of {what} from 1, or 'all'")
    return None if top == "all" else int(top)


def check_rows(rows: int | None, num_items: int) -> None:
    """Raises UsageError for more films than the catalogue has."""
    if rows is not None and rows > num_items:
        raise UsageError(
            f"--top {rows}: the catalogue has {num_items:,} items; give fewer, or 'all'"
        )


def form_of(json: bool, csv: bool) -> str:
    """`json`, `csv` or `table`; raises UsageError for two at once."""
    if json and csv:
        raise UsageError("--json and --csv: choose one")
    return "json" if json else "csv" if csv else "table"


def home_of(option: Path | None) -> Path:
    from neumf_tui.home import home_dir

    return home_dir(option)


def run_folder(option: Path | None, run: str | None) -> Path:
    """The folder of the run that was named; raises RunError."""
    from neumf_tui.runs.store import find_run

    return find_run(home_of(option), run)
