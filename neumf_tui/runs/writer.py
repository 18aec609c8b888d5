"""Write a run directory: the trainer's side."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.alarms import AlarmWatch
from neumf_tui.runs.contents import check_run, complete_run
from neumf_tui.runs.events import AnyEvent, RunInfo, Status, now
from neumf_tui.runs.rank_blocks import block_name, pack
from neumf_tui.runs.reader import EVENTS, RUN_LOCK, read_info, read_snapshot, read_status
from neumf_tui.runs.requests import take_requests
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.trainer_process import HOST, identity


def create_run(folder: Path, info: RunInfo) -> None:
    """Create a run directory for a trainer, whole or not at all; raises as `new_run`."""
    with new_run(folder, info) as scratch:
        write_status(scratch, Status(state="starting", pid=0))


@contextmanager
def new_run(folder: Path, info: RunInfo) -> Iterator[Path]:
    """Let the caller fill a run directory that appears, whole, at `folder`.

    Raises RunError if the name is taken, OSError if the run cannot be written or locked there.
    """
    files.remove_scratch(folder.parent)
    with files.new_folder(folder) as scratch:
        made = scratch.stat()
        complete_run(scratch)
        with files.open_lock(scratch, RUN_LOCK) as lock:
            files.take_lock(lock)
        yield scratch
        write_info(scratch, info)
    if not os.path.samestat(made, folder.stat()):
        raise RunError(
            f"{folder}: a run with this name exists; choose another --name, or resume it"
        )


def reopen_run(folder: Path) -> None:
    """Mark a run whose trainer has ended as about to be trained again."""
    check_run(folder)
    take_requests(folder)  # they were meant for the earlier trainer
    before = read_status(folder)
    after = msgspec.structs.replace(before, state="starting", pid=0, reason="", exit_code=0)
    write_status(folder, after)


def write_info(folder: Path, info: RunInfo) -> None:
    content = msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"
    files.replace(folder, "run.json", content)


def write_status(folder: Path, status: Status) -> None:
    stamped = msgspec.structs.replace(status, t=now())
    content = msgspec.json.encode(stamped) + b"\n"
    try:
        files.replace(folder, "status.json", content, to_disk=False)
    except OSError as error:  # mostly a full disk: people have to learn of it all the same
        try:
            files.overwrite(folder, "status.json", content)
        except OSError:
            raise error from None


def append_beside(folder: Path, event: AnyEvent) -> bool:
    """Append an event to a run that another process writes; return whether that could be done.

    It cannot while the last line is not whole. Raises OSError.
    """
    line = msgspec.json.encode(event) + b"\n"
    with files.open_to_append(folder, EVENTS) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                return False
        return file.write(line) == len(line)


class RunWriter:
    """Holds the run's lock and appends to its files; a context manager.

    Its methods raise OSError, e.g. if the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._block_of: dict[str, str] = {}
        """The block of the newest epoch of each rank tape."""
        self._alarms: AlarmWatch | None = None

    def __enter__(self) -> "RunWriter":
        self._lock = files.open_lock(self.folder, RUN_LOCK)
        if not files.take_lock(self._lock):
            self._lock.close()
            raise RunError(f"{self.folder}: another trainer is working on this run; stop it first")
        self._opened: BinaryIO | None = None
        self._process = 0, ""
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened:
            self._opened.close()
        self._lock.close()

    @property
    def _events(self) -> BinaryIO:
        if self._opened is None:
            check_run(self.folder)
            complete_run(self.folder)
            self._opened = files.open_to_append(self.folder, EVENTS)
            # A killed trainer can leave an incomplete last line: cut it off.
            self._opened.truncate(self._opened.read().rfind(b"\n") + 1)
        return self._opened

    def watch(self) -> Snapshot:
        """Return the snapshot so far; from now on, add the alarms that follow from the events."""
        before = read_snapshot(self.folder)
        self._alarms = AlarmWatch(read_info(self.folder).alarms, before)
        return before

    def event(self, event: AnyEvent) -> None:
        """Append an event, and the alarms that begin or end by it."""
        self._append(event)
        for alarm in self._alarms.after(event) if self._alarms else ():
            self._append(alarm)

    def watch_disk(self, size: int) -> None:
        """Add an alarm if the disk has no room for many more files of `size` bytes."""
        for alarm in self._alarms.after_writing(self.folder, size) if self._alarms else ():
            self._append(alarm)

    def _append(self, event: AnyEvent) -> None:
        """Append one event as one line in one write."""
        line = msgspec.json.encode(event) + b"\n"
        with files.named(self.folder / EVENTS):
            written = self._events.write(line)
            if written < len(line):  # remove the incomplete line
                self._events.truncate(self._events.seek(0, os.SEEK_END) - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def status(self, status: Status) -> None:
        """Replace the status; add what tells the process from others."""
        pid, process = self._process
        if status.pid != pid:
            pid, process = self._process = status.pid, identity(status.pid)
        write_status(self.folder, msgspec.structs.replace(status, host=HOST, process=process))

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        """Add `ranks` to the rank tape: float32 (num_users,), NaN where no item is held out.

        `tape`: `ranks`, or `validation` for the ranks of the validation items.
        """
        files.make_folder(self.folder, tape)
        name = f"{tape}/{epoch:05}.npy"
        files.replace(self.folder, name, lambda file: files.write_array(file, ranks))
        if self._block_of.get(tape) != (block := block_name(epoch)):
            pack(self.folder, tape, epoch, len(ranks))
            self._block_of[tape] = block


class MuteWriter(RunWriter):
    """The writer of a process that does not write the run directory: it does nothing."""

    def __enter__(self) -> "MuteWriter":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def watch(self) -> Snapshot:
        return read_snapshot(self.folder)

    def event(self, event: AnyEvent) -> None:
        pass

    def status(self, status: Status) -> None:
        pass

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        pass
