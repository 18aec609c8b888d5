"""`delete`: remove a run."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, run_folder
from neumf_tui.errors import UsageError


def delete(
    run: Annotated[str, typer.Argument(help="Name, unique prefix or path of a run.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Remove a run without a trainer, its checkpoints too. Asks first."""
    import sys

    from neumf_tui.runs.control import delete_run
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if not yes and not is_locked(folder):  # one in training is refused below, without a question
        if not sys.stdin.isatty():
            raise UsageError(
                f"delete {folder.name}: there is nobody to ask; --yes does it without a question"
            )
        if not typer.confirm(f"Delete {folder} with all its checkpoints?", err=True):
            raise typer.Exit(1)
    delete_run(folder)
    say(f"{folder.name} is deleted")
