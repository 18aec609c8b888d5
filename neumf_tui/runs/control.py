"""Ask a trainer for something and see that it was done; start a run's trainer again; rename and delete runs."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.errors import RunError, UsageError
from neumf_tui.runs import requests
from neumf_tui.runs.events import (
    FINAL_STATES,
    AnyEvent,
    Checkpointed,
    Paused,
    Requested,
    Resumed,
    Status,
    Warned,
)
from neumf_tui.runs.launch import launch_trainer
from neumf_tui.runs.reader import EventTail, is_locked, read_info, read_snapshot, read_status
from neumf_tui.runs.requests import send_request
from neumf_tui.runs.store import check_name
from neumf_tui.runs.writer import reopen_run, write_info
from neumf_tui.settings import check

ANSWER_SECONDS = 60.0
"""Time that a trainer has to answer: it may be loading PyTorch, or in the middle of an evaluation."""
KILL_SECONDS = 10.0
"""After this, `stop --now` ends a trainer that does not answer."""
POLL_SECONDS = 0.05
DEEDS: dict[str, type[AnyEvent]] = {
    requests.PAUSE: Paused,
    requests.RESUME: Resumed,
    requests.CHECKPOINT: Checkpointed,
}
"""What follows once such a request is not only taken but done."""


def ask(folder: Path, what: str, argument: str = "", limit: float = ANSWER_SECONDS) -> Status:
    """Send a request to a living trainer and wait until it has been obeyed; how the run then stands.

    Raises RunError where there is no trainer, where it refuses, and where it does not answer in `limit` seconds.
    """
    status = read_status(folder)
    if status.state in FINAL_STATES:
        raise RunError(
            f"{folder.name} is {status.state}: there is no trainer to ask; {remedy(folder, status)}"
        )
    if (what == requests.PAUSE) == (status.state == "paused") and what in (
        requests.PAUSE,
        requests.RESUME,
    ):
        return status  # it is so already
    tail = EventTail(folder / "events.jsonl")
    tail.read()
    send_request(folder, what, argument)
    stopping, taken = what in (requests.STOP, requests.STOP_NOW), False
    until = time.monotonic() + limit
    while time.monotonic() < until:
        ended = read_status(folder).state in FINAL_STATES
        for event in tail.read():
            if isinstance(event, Warned) and event.text.startswith(f"request {what}:"):
                raise RunError(f"{folder.name}: {event.text}")
            taken = taken or (
                isinstance(event, Requested) and (event.what, event.argument) == (what, argument)
            )
            if taken and not stopping and isinstance(event, DEEDS.get(what, Requested)):
                return read_status(folder)
        if ended:
            if stopping:
                return read_status(folder)
            raise RunError(
                f"{folder.name} ended before it took the request: it is {read_status(folder).state}"
            )
        time.sleep(POLL_SECONDS)
    raise RunError(
        f"{folder.name}: no answer in {limit:.0f} s; the request stays in {folder / 'requests'} and is obeyed "
        "when the trainer looks; `neumf-tui stop --now` ends one that hangs"
    )


def stop_now(folder: Path) -> Status:
    """Stop a trainer without a checkpoint, and kill one that does not answer; how the run then stands. Raises RunError."""
    status = read_status(folder)
    try:
        return ask(folder, requests.STOP_NOW, limit=KILL_SECONDS)
    except RunError:
        info, now = read_info(folder), read_status(folder)
        if status.state in FINAL_STATES or not now.pid or not is_locked(folder):
            raise
        if info.host != os.uname().nodename:
            raise RunError(
                f"{folder.name} hangs, and its trainer is process {now.pid} on {info.host}: kill it there"
            ) from None
    _kill(now.pid)
    while is_locked(folder):
        time.sleep(POLL_SECONDS)
    return read_status(folder)


def _kill(pid: int) -> None:
    """Kill a trainer and, first, torchrun if that is what it is: it would start again the processes that are killed next."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        trainer = psutil.Process(pid)
        for process in (trainer, *trainer.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def remedy(folder: Path, status: Status) -> str:
    """What can be done with a run that has ended."""
    if status.state == "finished":
        return f"`neumf-tui extend EPOCHS {folder.name}` trains on"
    return f"`neumf-tui resume {folder.name}` goes on from its last checkpoint"


def make_ready(
    folder: Path, epochs: int | None = None, changes: Mapping[str, Any] | None = None
) -> None:
    """Prepare a run without a trainer to be trained on, to `epochs` in all if given, with `changes` of the settings that say
    where it trains: `processes` and `device`. Raises RunError, UsageError."""
    info, status = read_info(folder), read_status(folder)
    if is_locked(folder):
        raise RunError(
            f"{folder}: this run is being trained right now; `neumf-tui attach {folder.name}` shows it"
        )
    planned = read_snapshot(folder).planned or info.epochs
    if epochs is not None and epochs <= status.epoch:
        raise UsageError(
            f"--epochs {epochs}: {folder.name} has done {status.epoch} epochs already; give more"
        )
    if status.epoch >= planned and epochs is None:
        raise RunError(
            f"{folder}: all {planned} epochs are done; --epochs N, or `neumf-tui extend N`, adds more"
        )
    if changes:
        write_info(
            folder,
            msgspec.structs.replace(
                info, settings=msgspec.to_builtins(check(info.settings | dict(changes)))
            ),
        )
    reopen_run(folder)
    if epochs is not None:
        send_request(folder, requests.EXTEND, str(epochs))


def train_on(folder: Path, epochs: int | None = None) -> None:
    """Start the trainer of a run that has none, in the background; as `make_ready`."""
    make_ready(folder, epochs)
    launch_trainer(folder)


def wait_until(
    folder: Path, holds: Callable[[Status], bool], limit: float = ANSWER_SECONDS
) -> Status:
    """Wait until the run's status is such, or for `limit` seconds; the last status seen."""
    until = time.monotonic() + limit
    while not holds(status := read_status(folder)) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return status


def rename_run(folder: Path, name: str) -> Path:
    """Give a run without a trainer another name; its new folder. Raises RunError, UsageError."""
    target = folder.with_name(check_name(name))
    _no_trainer(folder, "rename")
    if target.exists():
        raise RunError(f"{target}: a run of this name exists; choose another")
    info = read_info(folder)
    folder.rename(target)
    write_info(target, msgspec.structs.replace(info, name=name))
    return target


def delete_run(folder: Path) -> None:
    """Remove a run without a trainer and all that belongs to it. Raises RunError, OSError."""
    _no_trainer(folder, "delete")
    if not (folder / "run.json").exists():
        raise RunError(f"{folder}: not a run directory; nothing is deleted")
    shutil.rmtree(folder)


def _no_trainer(folder: Path, verb: str) -> None:
    if is_locked(folder):
        raise RunError(
            f"{folder.name} is being trained; stop it first to {verb} it: `neumf-tui stop {folder.name}`"
        )
