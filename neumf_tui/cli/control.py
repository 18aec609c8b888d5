"""Commands that tell a trainer what to do, and that keep house among runs."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Json, Run, RunOption, home_of, run_folder
from neumf_tui.errors import UsageError


def status(run: Run = None, json: Json = False, home: Home = None) -> None:
    """How a run stands: state, epoch, metrics, where it lies, what can be done next."""
    from neumf_tui.runs.summary import card_lines, status_object
    from neumf_tui.text import clean
    from neumf_tui.views.output import print_json

    facts = status_object(run_folder(home, run))
    print_json(facts) if json else print("\n".join(clean(line) for line in card_lines(facts)))


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


def logs(
    run: Run = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
    home: Home = None,
) -> None:
    """What happened in a run, and what its trainer printed."""
    from neumf_tui.views.log import follow_log

    for line in follow_log(run_folder(home, run), follow):
        print(line, flush=follow)


def rename(
    run: Annotated[str, typer.Argument(help="Name, unique prefix or path of a run.")],
    name: Annotated[str, typer.Argument(help="Its new name.")],
    home: Home = None,
) -> None:
    """Give a run without a trainer another name."""
    from neumf_tui.runs.control import rename_run
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    say(f"{folder.name} is now {rename_run(folder, name).name}")


def delete(
    run: Annotated[str, typer.Argument(help="Name, unique prefix or path of a run.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = None,
) -> None:
    """Remove a run without a trainer, its checkpoints too. Asks first."""
    import sys

    from neumf_tui.runs.control import delete_run
    from neumf_tui.runs.reader import is_locked
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    if not yes and not is_locked(folder):  # one in training is refused below, without a question
        if not sys.stdin.isatty():
            raise UsageError(
                f"delete {folder.name}: there is nobody to ask; --yes does it without a question"
            )
        if not typer.confirm(f"Delete {folder} with all its checkpoints?", err=True):
            raise typer.Exit(1)
    delete_run(folder)
    say(f"{folder.name} is deleted")
