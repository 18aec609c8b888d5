"""Write a run directory: the trainer's side."""

import errno
import io
import os
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import AnyEvent, RunInfo, Status, now
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
    files.replace(folder, "run.json", content)


def write_status(folder: Path, status: Status) -> None:
    stamped = msgspec.structs.replace(status, t=now())
    files.replace(folder, "status.json", msgspec.json.encode(stamped) + b"\n", to_disk=False)


class RunWriter:
    """Holds the run's lock and appends to its files; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "RunWriter":
        self._lock = files.open_lock(self.folder, "lock")
        if not files.take_lock(self._lock):
            raise RunError(f"{self.folder}: another trainer is working on this run; stop it first")
        self._events = files.open_to_append(self.folder, "events.jsonl")
        # A killed trainer can leave an incomplete last line: cut it off.
        self._events.truncate(self._events.read().rfind(b"\n") + 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()
        self._lock.close()

    def event(self, event: AnyEvent) -> None:
        """Append one event as one line in one write; raise OSError if the disk is full."""
        line = msgspec.json.encode(event) + b"\n"
        written = self._events.write(line)
        if written < len(line):  # remove the incomplete line
            self._events.truncate(self._events.seek(0, os.SEEK_END) - written)
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
        files.make_folder(self.folder, tape)
        files.replace(self.folder, f"{tape}/{epoch:05}.npy", content.getvalue())


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
