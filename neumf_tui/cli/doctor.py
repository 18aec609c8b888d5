"""`doctor`: check this terminal and host."""

import typer

from neumf_tui.cli.options import Home, Json, home_of


def doctor(json: Json = False, home: Home = None) -> None:
    """What this terminal and host can do, and the lines that would mend what they cannot."""
    from neumf_tui.doctor.checks import checks_json, examine, print_checks
    from neumf_tui.views.output import print_json

    checks = examine(home_of(home))
    print_json(checks_json(checks)) if json else print_checks(checks)
    raise typer.Exit(int(any(check.state == "problem" for check in checks)))
