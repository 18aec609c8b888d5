"""Commands that tell a trainer what to do: pause, resume, checkpoint, stop, extend, pin."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, RunOption, home_of, run_folder


def _asked(folder: Path, what: str, argument: str = "") -> None:
    from neumf_tui.runs.control import ask
    from neumf_tui.views.output import say

    now = ask(folder, what, argument)
    say(f"{folder.name} is {now.state} at epoch {now.epoch}, step {now.step} of {now.steps}")


def pause(run: Run = None, home: Home = None) -> None:
    """Have a trainer wait after the step under way; it keeps its memory, and its GPU's."""
    from neumf_tui.runs.requests import PAUSE

    _asked(run_folder(home, run), PAUSE)


def resume(run: Run = None, home: Home = None) -> None:
    """Let a paused trainer go on; train a stopped, failed or crashed run on from its last checkpoint, in the background."""
    from neumf_tui.runs.control import train_on, wait_until
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.runs.requests import RESUME
    from neumf_tui.runs.start import check_data
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if is_locked(folder):
        _asked(folder, RESUME)
    else:
        check_data(folder, home_of(home))
        train_on(folder)
        now = wait_until(folder, lambda status: status.state != "starting")
        say(f"{folder.name} is {now.state}; neumf-tui attach {folder.name} shows it")


def checkpoint(run: Run = None, home: Home = None) -> None:
    """Have a trainer save where it stands."""
    from neumf_tui.runs.reader import read_snapshot
    from neumf_tui.runs.requests import CHECKPOINT

    folder = run_folder(home, run)
    _asked(folder, CHECKPOINT)
    if saved := read_snapshot(folder).checkpoint:
        print(folder / "checkpoints" / saved.file)


def stop(
    run: Run = None,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Without a checkpoint; a trainer that hangs is killed after 10 s."
        ),
    ] = False,
    home: Home = None,
) -> None:
    """Stop a trainer after the step under way, with a checkpoint."""
    from neumf_tui.runs.control import ask, stop_now
    from neumf_tui.runs.requests import STOP
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    left = stop_now(folder) if now else ask(folder, STOP)
    say(
        f"{folder.name} is {left.state} at epoch {left.epoch}; neumf-tui resume {folder.name} goes on"
    )


def extend(
    epochs: Annotated[int, typer.Argument(help="Epochs in all.", min=1)],
    run: Run = None,
    home: Home = None,
) -> None:
    """Train a run to so many epochs: a living trainer is told, an ended run is trained on in the background."""
    from neumf_tui.runs.control import train_on
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.runs.requests import EXTEND
    from neumf_tui.runs.start import check_data
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if is_locked(folder):
        _asked(folder, EXTEND, str(epochs))
    else:
        check_data(folder, home_of(home))
        train_on(folder, epochs)
        say(
            f"{folder.name} trains on in the background, to epoch {epochs}; neumf-tui attach {folder.name} shows it"
        )


def pin(
    users: Annotated[
        list[str], typer.Argument(metavar="USER...", help="Ids of users, as in the dataset.")
    ],
    run: RunOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Unpin them.")] = False,
    home: Home = None,
) -> None:
    """Follow users in the rank race of a run under way."""
    from neumf_tui.data.registry import load_dataset
    from neumf_tui.runs.control import ask
    from neumf_tui.runs.reader import read_info, read_snapshot
    from neumf_tui.runs.requests import PIN, UNPIN
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    info = read_info(folder)
    data = load_dataset(
        info.dataset.fingerprint, info.dataset.name, home_of(home), info.dataset.source
    )
    for user in users:
        data.user_index(user)
    for user in users:
        ask(folder, UNPIN if remove else PIN, user)
    pinned = read_snapshot(folder).pinned or ()
    say(f"{folder.name} pinned: {', '.join(pinned) or 'nobody'}")
