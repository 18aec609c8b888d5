"""`rename`: give a run another name."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, RunName, run_folder


def rename(
    run: RunName,
    name: Annotated[str, typer.Argument(help="Its new name.")],
    home: Home = None,
) -> None:
    """Rename a run that is not training."""
    from neumf_tui.runs.control import rename_run
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    say(f"{folder.name} is now {rename_run(folder, name).name}")
