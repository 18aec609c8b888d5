"""`runs`: list the runs."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, LowBandwidth, home_of, sheet_forms
from neumf_tui.cli.screen import open_screen


@sheet_forms
def runs(
    plain: Annotated[bool, typer.Option("--plain", help="Print a table; open no screen.")] = False,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
    *,
    form: str,
) -> None:
    """List all runs, the latest first, on a live screen or, without a terminal, as a table."""
    from neumf_tui.home import runs_dir
    from neumf_tui.runs.live_runs import RunList
    from neumf_tui.terminal import why_no_screen
    from neumf_tui.views.output import print_json, print_sheet, say
    from neumf_tui.views.runs import print_runs, runs_sheet

    where = home_of(home)
    if not (form != "table" or plain or why_no_screen()):
        raise typer.Exit(open_screen(None, "runs", where, low_bandwidth))
    found = [row.facts for row in RunList(where).read()]
    for facts in found:
        if facts["state"] == "damaged":
            say(f"warning: {facts['run']}: {facts['reason']}")
    if form == "json":
        print_json(found)
    elif found or form.startswith("csv"):
        print_sheet(runs_sheet(found), form, lambda sheet: print_runs(sheet.rows))
    else:
        say(f"no runs in {runs_dir(where)}; start one with `neumf-tui train`")
