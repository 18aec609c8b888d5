"""Commands that control a trainer: pause, resume, checkpoint, stop, extend, pin."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import naming_latest
from neumf_tui.cli.options import Home, Run, RunOption, home_of, run_folder


def _run_to_change(home: Path | None, run: str | None) -> Path:
    """Return the folder of a run that this account may change; raises RunError."""
    from neumf_tui.runs.access import check_may_change

    folder = run_folder(home, run)
    check_may_change(folder)
    return folder


def _request(folder: Path, what: str, argument: str = "") -> None:
    """Send a request to a run's trainer, wait until it is done, and report the run's state."""
    from neumf_tui.runs.control import ask
    from neumf_tui.views.output import say

    now = ask(folder, what, argument)
    of_all = f" of {now.steps}" if now.steps else ""
    say(f"{folder.name} is {now.state} at epoch {now.epoch}, step {now.step}{of_all}")


def pause(run: Run = None, home: Home = None) -> None:
    """Pause training after the current step; the trainer keeps its memory and its GPU's."""
    from neumf_tui.runs.requests import PAUSE

    _request(_run_to_change(home, run), PAUSE)


def _started(folder: Path, home: Path | None, request: str, epochs: int | None = None) -> bool:
    """Start a trainer in the background, or send `request` to the one that is at work.

    Returns whether a trainer was started.
    """
    from neumf_tui.runs.control import train_on
    from neumf_tui.runs.create_run import check_data
    from neumf_tui.runs.reader import is_locked

    if is_locked(folder):
        _request(folder, request, "" if epochs is None else str(epochs))
        return False
    check_data(folder, home_of(home))
    train_on(folder, home_of(home), epochs)
    return True


def resume(run: Run = None, home: Home = None) -> None:
    """Resume a paused run; continue an ended one from its last checkpoint, in the background."""
    from neumf_tui.runs.control import wait_until
    from neumf_tui.runs.requests import RESUME
    from neumf_tui.views.output import say

    folder = _run_to_change(home, run)
    if _started(folder, home, RESUME):
        now = wait_until(folder, lambda status: status.state != "starting")
        say(f"{folder.name} is {now.state}; watch it with neumf-tui attach {folder.name}")


def checkpoint(run: Run = None, home: Home = None) -> None:
    """Save a checkpoint now and print its path."""
    from neumf_tui.runs.reader import read_snapshot
    from neumf_tui.runs.requests import CHECKPOINT
    from neumf_tui.views.output import print_line

    folder = _run_to_change(home, run)
    _request(folder, CHECKPOINT)
    if saved := read_snapshot(folder).checkpoint:
        print_line(str(folder / "checkpoints" / saved.file))


def stop(
    run: Run = None,
    now: Annotated[
        bool,
        typer.Option("--now", help="Save no checkpoint; kill a trainer that hangs after 10 s."),
    ] = False,
    home: Home = None,
) -> None:
    """Stop training after the current step and save a checkpoint."""
    from neumf_tui.runs.control import ask, stop_now
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.requests import STOP
    from neumf_tui.views.output import say

    folder = _run_to_change(home, run)
    status = stop_now(folder) if now else ask(folder, STOP)
    is_trained = read_info(folder).is_trained
    hint = f"; continue it with neumf-tui resume {folder.name}" if is_trained else ""
    say(f"{folder.name} is {status.state} at epoch {status.epoch}{hint}")


def extend(
    epochs: Annotated[int, typer.Argument(help="Total number of epochs.", min=1, max=2**31 - 1)],
    run: Run = None,
    home: Home = None,
) -> None:
    """Train a run up to a larger number of epochs; an ended run continues in the background."""
    from neumf_tui.runs.requests import EXTEND
    from neumf_tui.views.output import say

    folder = _run_to_change(home, run)
    if _started(folder, home, EXTEND, epochs):
        say(
            f"{folder.name} trains in the background up to epoch {epochs}; "
            f"watch it with neumf-tui attach {folder.name}"
        )


def pin(
    users: Annotated[
        list[str],
        typer.Argument(
            metavar="USER...",
            help="Ids of users, as in the dataset.",
            autocompletion=complete.users,
        ),
    ],
    run: RunOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Unpin the users.")] = False,
    home: Home = None,
) -> None:
    """Show users in the rank race of a run that is training."""
    from neumf_tui.explore.users import dataset_of
    from neumf_tui.runs.control import ask
    from neumf_tui.runs.reader import read_info, read_snapshot
    from neumf_tui.runs.requests import PIN, UNPIN
    from neumf_tui.views.output import say

    folder = _run_to_change(home, run)
    data = dataset_of(read_info(folder), home_of(home), folder)
    with naming_latest(home, run):
        for user in users:
            data.user_index(user)  # all are checked before the first is pinned
    for user in users:
        ask(folder, UNPIN if remove else PIN, user)
    pinned = read_snapshot(folder).pinned or ()
    say(f"pinned in {folder.name}: {', '.join(pinned) or 'nobody'}")
