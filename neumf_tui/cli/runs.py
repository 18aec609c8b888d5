"""`runs`: list the runs."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Json, LowBandwidth, home_of
from neumf_tui.cli.screen import open_screen
from neumf_tui.errors import RunError


def runs(
    json: Json = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print a table; open no screen.")] = False,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
) -> None:
    """List all runs, the latest first, on a live screen or, without a terminal, as a table."""
    from neumf_tui.home import runs_dir
    from neumf_tui.runs.store import run_folders
    from neumf_tui.runs.summary import status_object
    from neumf_tui.terminal import why_no_screen
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.runs import print_runs

    where = home_of(home)
    if not (json or plain or why_no_screen()):
        raise typer.Exit(open_screen(None, "runs", where, low_bandwidth))
    found = []
    for folder in run_folders(where):
        try:
            found.append(status_object(folder))
        except RunError as error:
            say(f"warning: {error}")
    if json:
        print_json(found)
    elif found:
        print_runs(found)
    else:
        say(f"no runs in {runs_dir(where)}; start one with `neumf-tui train`")
