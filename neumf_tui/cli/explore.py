"""`explore`: open the screen that shows what a model recommends, and why."""

from typing import Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import naming_latest
from neumf_tui.cli.options import Epoch, Home, LowBandwidth, Run, home_of, run_folder
from neumf_tui.cli.screen import need_screen, open_screen
from neumf_tui.errors import RunError


def explore(
    run: Run = None,
    user: Annotated[
        str | None, typer.Option(help="Start with this user.", autocompletion=complete.users)
    ] = None,
    epoch: Epoch = None,
    low_bandwidth: LowBandwidth = None,
    home: Home = None,
) -> None:
    """Choose a user and see their ranked items, why, and where the held-out item ranks."""
    from neumf_tui.runs.checkpoint import find_epoch

    try:
        folder = run_folder(home, run)
    except RunError as error:
        if run is None or user is not None:
            raise
        raise RunError(f"{error}; for a user: `neumf-tui explore --user {run}`") from error
    find_epoch(folder, epoch)
    if user is not None:
        from neumf_tui.explore.users import load_users

        # An unknown user is reported before the screen opens.
        with naming_latest(home, run):
            load_users(folder, home_of(home)).dataset.user_index(user)
    need_screen("neumf-tui rank USER")
    raise typer.Exit(open_screen(folder, "explore", home_of(home), low_bandwidth, user, epoch))
