"""`doctor`: check this terminal and host."""

import typer

from neumf_tui.cli.options import Home, Json


def doctor(json: Json = False, home: Home = None) -> None:
    """Check what this terminal and host support, and print how to fix problems."""
    from neumf_tui.doctor.examine import examine
    from neumf_tui.doctor.report import checks_json, print_checks
    from neumf_tui.home import home_dir
    from neumf_tui.views.output import print_json

    checks = examine(home_dir(home))  # it checks the home itself
    print_json(checks_json(checks)) if json else print_checks(checks)
    raise typer.Exit(int(any(check.state == "problem" for check in checks)))
