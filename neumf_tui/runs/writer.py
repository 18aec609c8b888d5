"""The trainer's side of a run directory."""

import os
import time
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import AnyEvent, RunInfo, Status
from neumf_tui.runs.files import replace_bytes, replace_with, take_lock

FOLDERS = ("ranks", "checkpoints", "requests")


def create_run(folder: Path, info: RunInfo) -> None:
    """Lay out a new run directory; raises RunError if the name is taken."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(
            f"{folder}: a run of this name exists; choose another --name, or --resume it"
        ) from error
    for name in FOLDERS:
        (folder / name).mkdir()
    write_status(folder, Status(state="starting", pid=0))
    write_info(folder, info)


def reopen_run(folder: Path) -> None:
    """Mark a run whose trainer has ended as about to be trained again."""
    for request in (folder / "requests").iterdir():
        request.unlink()  # meant for the trainer before
    before = msgspec.json.decode((folder / "status.json").read_bytes(), type=Status)
    write_status(
        folder, msgspec.structs.replace(before, state="starting", pid=0, reason="", exit_code=0)
    )


def write_info(folder: Path, info: RunInfo) -> None:
    replace_with(folder / "run.json", lambda path: _write(path, msgspec.json.encode(info)))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(msgspec.json.format(content, indent=2) + b"\n")


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
            raise RunError(
                f"{self.folder}: this run is being trained already; stop that trainer first"
            )
        self._events = os.open(
            self.folder / "events.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644
        )
        self._mend_tail()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._events)
        self._lock.close()

    def _mend_tail(self) -> None:
        """Cut off a last line that a killed trainer left without its end."""
        content = (self.folder / "events.jsonl").read_bytes()
        os.ftruncate(self._events, content.rfind(b"\n") + 1)

    def event(self, event: AnyEvent) -> None:
        """Append one event as one whole line in one write."""
        line = msgspec.json.encode(event) + b"\n"
        written = os.write(self._events, line)
        if written < len(line):  # the disk is full: take the torn piece back
            size = os.fstat(self._events).st_size
            os.ftruncate(self._events, size - written)
            raise OSError(28, "No space left on device", str(self.folder / "events.jsonl"))

    def status(self, status: Status) -> None:
        write_status(self.folder, status)

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        """Add to the rank tape: float32 (num_users,), NaN where nothing is held out; `validation` is the validation items'."""

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.save(file, ranks)

        (self.folder / tape).mkdir(exist_ok=True)
        replace_with(self.folder / tape / f"{epoch:05}.npy", write)


class MuteWriter(RunWriter):
    """That of a process beside the one which writes the run directory: it reads only."""

    def __enter__(self) -> "MuteWriter":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass

    def event(self, event: AnyEvent) -> None:
        pass

    def status(self, status: Status) -> None:
        pass

    def ranks(self, epoch: int, ranks: NDArray[np.float32], tape: str = "ranks") -> None:
        pass
