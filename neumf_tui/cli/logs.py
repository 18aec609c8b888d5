"""`logs`: print the log of a run."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, run_folder


def logs(
    run: Run = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue until the run ends.")
    ] = False,
    home: Home = None,
) -> None:
    """Print the events of a run and the output of its trainer."""
    from neumf_tui.views.log import follow_log
    from neumf_tui.views.output import print_line

    for line in follow_log(run_folder(home, run), follow):
        print_line(line, flush=follow)
