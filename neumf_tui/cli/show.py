"""Open a screen, with what the terminal and the person's config say of it."""

from pathlib import Path

from neumf_tui.errors import UsageError


def show(
    folder: Path | None,
    screen: str,
    home: Path,
    low_bandwidth: bool | None,
    user_id: str | None = None,
    epoch: str | None = None,
) -> int:
    """Run the app until the person leaves; the exit code. `folder` is None for the list of runs.

    `user_id` and `epoch` are what the explore screen begins with.
    """
    from neumf_tui.tui.app import NeumfApp
    from neumf_tui.tui.config import read_config

    return NeumfApp(folder, home, screen, read_config(), low_bandwidth, user_id, epoch).run_to_end()


def need_screen(twin: str) -> None:
    """Raise UsageError where there can be no screen, naming the command that prints the same."""
    from neumf_tui.terminal import why_no_screen

    if why := why_no_screen():
        raise UsageError(f"this needs a terminal, and {why}; `{twin}` prints the same")
