"""`status`: print the state of a run."""

import sys

from neumf_tui.cli.options import Home, Json, Run, run_folder


def status(run: Run = None, json: Json = False, home: Home = None) -> None:
    """Show a run's state, epoch, metrics and folder, and useful commands for it."""
    from neumf_tui.runs.summary import status_object
    from neumf_tui.views.output import columns_of, print_json, print_line
    from neumf_tui.views.runs import card_lines

    facts = status_object(run_folder(home, run))
    if json:
        print_json(facts)
        return
    for line in card_lines(facts, columns_of(sys.stdout)):
        print_line(line)
