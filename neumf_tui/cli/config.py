"""`config`: check and print the config file."""

from neumf_tui.cli.options import Json


def config(json: Json = False) -> None:
    """Check the config file and print all its settings in the form of a config file."""
    from neumf_tui.home import config_path
    from neumf_tui.tui.app import known_keys, load_config
    from neumf_tui.tui.config import config_object, config_text
    from neumf_tui.views.output import print_json, print_line, say

    found, known = load_config(), known_keys()
    path = config_path()
    if json:
        print_json(config_object(found, known, path))
        return
    say(f"{path}: {'valid' if path.exists() else 'not there; these are the defaults'}")
    for line in config_text(found, known).splitlines():
        print_line(line)
