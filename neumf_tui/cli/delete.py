"""`delete`: remove a run."""

import sys
from typing import Annotated

import typer

from neumf_tui.cli.options import Home, RunName, run_folder
from neumf_tui.errors import UsageError


def delete(
    run: RunName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    home: Home = None,
) -> None:
    """Delete a run that is not training and its checkpoints, after asking for confirmation."""
    from neumf_tui.runs.control import delete_run
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if not yes and not is_locked(folder):  # delete_run refuses a run that is training
        if not sys.stdin.isatty():
            raise UsageError(f"delete {folder.name}: no terminal to confirm in; add --yes")
        if not typer.confirm(f"Delete {folder} with all its checkpoints?", err=True):
            raise typer.Exit(1)
    say(delete_run(folder))
