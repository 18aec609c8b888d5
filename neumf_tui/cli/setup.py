"""Commands about this machine and this person's taste."""

import typer

from neumf_tui.cli.options import Home, Json, home_of


def doctor(json: Json = False, home: Home = None) -> None:
    """What this terminal and host can do, and the lines that would mend what they cannot."""
    from neumf_tui.doctor.checks import checks_json, examine, print_checks
    from neumf_tui.views.output import print_json

    checks = examine(home_of(home))
    print_json(checks_json(checks)) if json else print_checks(checks)
    raise typer.Exit(int(any(check.state == "problem" for check in checks)))


def config(json: Json = False) -> None:
    """Check the config file and print what holds, as a config file: stdout can become one."""
    from neumf_tui.home import config_path
    from neumf_tui.tui.config import config_object, config_text, read_config
    from neumf_tui.views.output import print_json, say

    found = read_config()
    path = config_path()
    if json:
        print_json(config_object(found, path))
        return
    say(f"{path}: {'in order' if path.exists() else 'not there, so these are the defaults'}")
    print(config_text(found))
