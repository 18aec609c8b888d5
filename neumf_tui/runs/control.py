"""Send a request to a trainer and wait until it is done; resume, rename and delete runs."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from neumf_tui import files
from neumf_tui.errors import RunError, UsageError
from neumf_tui.runs import events, requests
from neumf_tui.runs.access import check_may_change
from neumf_tui.runs.contents import remove_run
from neumf_tui.runs.events import FINAL_STATES, Status
from neumf_tui.runs.launch import hold, launch_trainer
from neumf_tui.runs.reader import EventTail, is_locked, read_info, read_snapshot, read_status
from neumf_tui.runs.requests import send_request
from neumf_tui.runs.store import check_name
from neumf_tui.runs.thresholds import read_thresholds
from neumf_tui.runs.trainer_process import kill_trainer
from neumf_tui.runs.writer import reopen_run, write_info
from neumf_tui.settings import check
from neumf_tui.text import clean

ANSWER_SECONDS = 60.0
"""Time a trainer has to answer: it may be importing PyTorch, or evaluating."""
KILL_SECONDS = 10.0
"""Time after which `stop --now` kills a trainer that does not answer."""
POLL_SECONDS = 0.05
_COMPLETED_BY: dict[str, type[events.AnyEvent]] = {
    requests.PAUSE: events.Paused,
    requests.RESUME: events.Resumed,
    requests.CHECKPOINT: events.Checkpointed,
}
"""The event that follows when such a request is done, not only taken."""


def ask(folder: Path, what: str, argument: str = "", limit: float = ANSWER_SECONDS) -> Status:
    """Send a request to a running trainer, wait until it is done, and return the run's status.

    Raises RunError if there is no trainer, if it refuses, or if it does not answer in `limit`
    seconds.
    """
    check_may_change(folder)
    status = read_status(folder)
    if status.state in FINAL_STATES:
        raise RunError(f"{folder.name} is {status.state}{_next_command(folder, status)}")
    is_paused = status.state == "paused"
    if (what == requests.PAUSE and is_paused) or (what == requests.RESUME and not is_paused):
        return status
    tail = EventTail(folder)
    tail.read()
    send_request(folder, what, argument)
    stopping, taken = what in (requests.STOP, requests.STOP_NOW), False
    completed_by = _COMPLETED_BY.get(what, events.Requested)
    until = time.monotonic() + limit
    while time.monotonic() < until:
        now = read_status(folder)
        for event in tail.read():
            if isinstance(event, events.Warned) and event.text.startswith(f"request {what}:"):
                raise RunError(f"{folder.name}: {event.text}")
            if isinstance(event, events.Requested):
                taken = taken or (event.what, event.argument) == (what, argument)
            if taken and not stopping and isinstance(event, completed_by):
                return read_status(folder)
        if now.state in FINAL_STATES:
            if stopping:
                wait_while_locked(folder)
                return now
            raise RunError(f"{folder.name} ended before it took the request: it is {now.state}")
        time.sleep(POLL_SECONDS)
    raise RunError(
        f"{folder.name}: no answer in {limit:.0f} s; the request stays in {folder / 'requests'} "
        "until the trainer takes it; `neumf-tui stop --now` ends a trainer that hangs"
    )


def stop_now(folder: Path, limit: float = KILL_SECONDS) -> Status:
    """Stop a trainer without a checkpoint, kill it after `limit` seconds; return the status.

    Raises RunError if there is no trainer, or if it hangs and cannot be killed from here.
    """
    check_may_change(folder)
    status = read_status(folder)
    try:
        return ask(folder, requests.STOP_NOW, limit=limit)
    except RunError:
        now = read_status(folder)
        if status.state in FINAL_STATES or not now.pid or not is_locked(folder):
            raise
    kill_trainer(folder, now)
    if not wait_while_locked(folder):
        raise RunError(
            f"{folder.name}: process {now.pid} was killed but does not end; it may wait for a disk"
        )
    return read_status(folder)


def _next_command(folder: Path, status: Status) -> str:
    if not read_info(folder).is_trained:
        return ", and what has made it does not run any more"
    hint = f"`neumf-tui resume {folder.name}` continues from its last checkpoint"
    if status.state == "finished":
        hint = f"`neumf-tui extend EPOCHS {folder.name}` trains it further"
    return f": it has no trainer; {hint}"


def make_ready(
    folder: Path, epochs: int | None, changes: Mapping[str, Any] | None = None
) -> BinaryIO:
    """Prepare a run without a trainer to be trained further, to `epochs` in total if given.

    Returns the lock of the run, for `launch_trainer`. `changes` are settings that say where it
    trains: `processes` and `device`. Raises RunError or UsageError if it is being trained, has no
    epochs left, or a setting is wrong.
    """
    check_may_change(folder)
    lock = hold(folder)
    try:
        _make_ready(folder, epochs, changes)
    except BaseException:
        lock.close()
        raise
    return lock


def _make_ready(folder: Path, epochs: int | None, changes: Mapping[str, Any] | None) -> None:
    info, status = read_info(folder), read_status(folder)
    if not info.is_trained:
        raise RunError(
            f"{folder.name}: this run is {info.kind}, so there is no training to go on with; "
            "train another run with `neumf-tui train`"
        )
    planned = read_snapshot(folder).planned or info.epochs
    if epochs is not None and epochs <= status.epoch:
        raise UsageError(
            f"--epochs {epochs}: {folder.name} has already done {status.epoch} epochs; give more"
        )
    # One that did not reach its end after the last epoch has its final status to write.
    if status.epoch >= planned and epochs is None and status.state in ("finished", "stopped"):
        raise RunError(
            f"{folder}: all {planned} epochs are done; "
            "add more with --epochs N or `neumf-tui extend N`"
        )
    now = msgspec.structs.replace(info, alarms=read_thresholds())
    if changes:
        settings = msgspec.to_builtins(check(info.settings | dict(changes)))
        now = msgspec.structs.replace(now, settings=settings)
    if now != info:
        write_info(folder, now)
    reopen_run(folder)
    if epochs is not None:
        send_request(folder, requests.EXTEND, str(epochs))


def train_on(folder: Path, home: Path, epochs: int | None = None) -> None:
    """Train a run further in the background; `epochs` and errors as in `make_ready`."""
    launch_trainer(folder, home, make_ready(folder, epochs))


def wait_while_locked(folder: Path) -> bool:
    """Wait until a trainer that ends has left the run; return whether it has in KILL_SECONDS."""
    until = time.monotonic() + KILL_SECONDS
    while is_locked(folder):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_until(folder: Path, holds: Callable[[Status], bool]) -> Status:
    """Wait until `holds(status)`, at most ANSWER_SECONDS; return the last status."""
    until = time.monotonic() + ANSWER_SECONDS
    while not holds(status := read_status(folder)) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return status


def rename_run(folder: Path, name: str) -> Path:
    """Rename a run without a trainer and return its new folder.

    Raises RunError, UsageError or OSError; then the run is as it was.
    """
    target = folder.with_name(check_name(name))
    check_changeable(folder, "rename")
    if target.exists():
        raise RunError(f"{target}: a run with this name exists; choose another")
    info = read_info(folder)
    folder.rename(target)
    try:
        write_info(target, msgspec.structs.replace(info, name=name))
    except OSError:
        target.rename(folder)
        raise
    return target


def delete_run(folder: Path) -> str:
    """Delete a run without a trainer, and say what was done; raise RunError or OSError.

    Only what a run consists of is removed. Files of other kinds stay, and so does their folder.
    """
    check_changeable(folder, "delete")
    if "run.json" not in files.entries(folder):
        raise RunError(f"{folder}: not a run directory; nothing was deleted")
    if others := remove_run(folder):
        some = clean(", ".join(others[:5])) + (", …" if len(others) > 5 else "")
        return f"{folder.name} is deleted; {folder} stays, since it holds other files: {some}"
    return f"{folder.name} is deleted"


def check_changeable(folder: Path, verb: str) -> None:
    """Raise RunError if a run cannot be renamed or deleted, as `verb` says."""
    if folder.is_symlink():
        raise RunError(
            f"{folder}: this is a link to {folder.readlink()}; {verb} the run there, "
            "or remove the link with `rm`"
        )
    check_may_change(folder)
    if is_locked(folder):
        raise RunError(
            f"{folder.name} is being trained; stop it before you {verb} it: "
            f"`neumf-tui stop {folder.name}`"
        )
