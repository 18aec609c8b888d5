"""Write a run directory: the trainer's side."""

import errno
import io
import os
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import AnyEvent, RunInfo, Status
from neumf_tui.runs.files import replace_bytes, take_lock
from neumf_tui.runs.reader import read_status


def create_run(folder: Path, info: RunInfo) -> None:
    """Create a run directory; raise RunError if the name is taken."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(
            f"{folder}: a run with this name exists; choose another --name, or resume it"
        ) from error
    for name in ("ranks", "checkpoints", "requests"):
        (folder / name).mkdir()
    write_status(folder, Status(state="starting", pid=0))
    write_info(folder, info)


def reopen_run(folder: Path) -> None:
    """Mark a run whose trainer has ended as about to be trained again."""
    for request in (folder / "requests").iterdir():
        request.unlink()  # it was meant for the earlier trainer
    before = read_status(folder)
    after = msgspec.structs.replace(before, state="starting", pid=0, reason="", exit_code=0)
    write_status(folder, after)


def write_info(folder: Path, info: RunInfo) -> None:
    content = msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"
    replace_bytes(folder / "run.json", content, to_disk=True)


def write_status(folder: Path, status: Status) -> None:
    stamped = msgspec.structs.replace(status, t=time.time())
    replace_bytes(folder / "status.json", msgspec.json.encode(stamped) + b"\n")


class RunWriter:
    """Holds the run's lock and appends to its files; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "RunWriter":
        self._lock = (self.folder / "lock").open("w")
        if not take_lock(self._lock):
            raise RunError(f"{self.folder}: another trainer is working on this run; stop it first")
        path = self.folder / "events.jsonl"
        self._events = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        # A killed trainer can leave an incomplete last line: cut it off.
        os.ftruncate(self._events, path.read_bytes().rfind(b"\n") + 1)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._events)
        self._lock.close()

    def event(self, event: AnyEvent) -> None:
        """Append one event as one line in one write; raise OSError if the disk is full."""
        line = msgspec.json.encode(event) + b"\n"
        written = os.write(self._events, line)
        if written < len(line):  # remove the incomplete line
            os.ftruncate(self._events, os.fstat(self._events).st_size - written)
            path = str(self.folder / "events.jsonl")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def status(self, status: Status) -> None:
        write_status(self.folder, status)

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        """Add `ranks` to the rank tape: float32 (num_users,), NaN where no item is held out.

        `tape`: `ranks`, or `validation` for the ranks of the validation items.
        """
        content = io.BytesIO()
        np.save(content, ranks)
        (self.folder / tape).mkdir(exist_ok=True)
        replace_bytes(self.folder / tape / f"{epoch:05}.npy", content.getvalue(), to_disk=True)


class MuteWriter(RunWriter):
    """The writer of a process that does not write the run directory: it does nothing."""

    def __enter__(self) -> "MuteWriter":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def event(self, event: AnyEvent) -> None:
        pass

    def status(self, status: Status) -> None:
        pass

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        pass
