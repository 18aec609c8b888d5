"""`runs`: list the runs."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Json, LowBandwidth, home_of
from neumf_tui.cli.screen import open_screen


def runs(
    json: Json = False,
    plain: Annotated[bool, typer.Option("--plain", help="No screen: a table on stdout.")] = False,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
) -> None:
    """All runs, the latest first: a live screen in a terminal, else a table."""
    from neumf_tui.runs.summary import print_runs
    from neumf_tui.terminal import why_no_screen

    if json or plain or why_no_screen():
        print_runs(home_of(home), json)
    else:
        raise typer.Exit(open_screen(None, "runs", home_of(home), low_bandwidth))
