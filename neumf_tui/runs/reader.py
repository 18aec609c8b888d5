"""Read a run directory: follow its events, read its status, fold both into one snapshot."""

import fcntl
import io
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import FINAL_STATES, FORMAT, AnyEvent, RunInfo, Status
from neumf_tui.runs.snapshot import Snapshot, fold

START_LIMIT = 30.0
"""Seconds a trainer may take from its launch until it holds the lock."""
AGENT_LOCK = "agent.lock"
"""Held by the torchrun of a run of several processes, which restarts them if one dies."""
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class EventTail:
    """Follows `events.jsonl`; copes with an incomplete last line, truncation and replacement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode = -1
        self.restarted = False
        """Whether the last read started again at the beginning: discard what was read before."""

    def read(self) -> list[AnyEvent]:
        """Return the events added since the last call; unknown and damaged ones are skipped."""
        self.restarted = False
        try:
            with self.path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self.restarted = self._offset > 0
                    self._offset, self._inode = 0, stat.st_ino
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        events = []
        for line in complete.splitlines():
            with suppress(msgspec.DecodeError):
                events.append(_decoder.decode(line))
        return events


def read_info(folder: Path) -> RunInfo:
    """Read `run.json`; raise RunError if it is missing, damaged or of a newer version."""
    path = folder / "run.json"
    try:
        info = msgspec.json.decode(path.read_bytes(), type=RunInfo)
    except FileNotFoundError as error:
        raise RunError(
            f"{folder}: not a run directory (no run.json); `neumf-tui runs` lists the runs"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(path, error) from error
    if info.format > FORMAT:
        raise RunError(
            f"{path}: format {info.format}, but this program reads only formats up to {FORMAT}; "
            "install a newer neumf-tui"
        )
    return info


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(f"{path}: cannot be read ({error}); the run is damaged, train it again")


def read_status(folder: Path) -> Status:
    """Read `status.json`; the state is `crashed` if the trainer disappeared without a final one.

    Raises RunError if the file is missing or damaged.
    """
    path = folder / "status.json"
    try:
        status = msgspec.json.decode(path.read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(path, error) from error
    started = status.pid != 0 or time.time() - status.t > START_LIMIT
    if status.state not in FINAL_STATES and started and not is_locked(folder):
        # Read again: the trainer may have ended between reading and testing the lock.
        status = msgspec.json.decode(path.read_bytes(), type=Status)
        if status.state not in FINAL_STATES:
            reason = (
                "the trainer disappeared without a final message; trainer.log has its last output; "
                "continue with `neumf-tui resume`"
            )
            return msgspec.structs.replace(status, state="crashed", reason=reason, exit_code=1)
    return status


def is_locked(folder: Path) -> bool:
    """Return whether a living trainer, or the torchrun that restarts it, holds the run."""
    return any(_is_held(folder / name) for name in ("lock", AGENT_LOCK))


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def read_snapshot(folder: Path) -> Snapshot:
    """Fold all events of the run so far."""
    return fold(Snapshot(), EventTail(folder / "events.jsonl").read())


def rank_epochs(folder: Path) -> list[int]:
    """Return the epochs on the rank tape, ascending."""
    return sorted(int(path.stem) for path in (folder / "ranks").glob("[0-9]*.npy"))


def read_ranks(folder: Path, epoch: int, tape: str = "ranks") -> NDArray[np.float32]:
    """Return the ranks of all users' held-out items after `epoch`, shape (num_users,).

    `tape`: `ranks`, or `validation` for the ranks of the validation items. Raises RunError.
    """
    path = folder / tape / f"{epoch:05}.npy"
    try:
        ranks = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); resume the run to rewrite it") from error
    return np.asarray(ranks, dtype=np.float32)
