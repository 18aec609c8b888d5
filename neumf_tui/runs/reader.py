"""Read a run directory: follow its events, read its status, fold both into one snapshot."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import (
    FINAL_STATES,
    FORMAT,
    AnyEvent,
    Damaged,
    Epoch,
    RunInfo,
    Status,
    Written,
)
from neumf_tui.runs.rank_blocks import packed_epochs, packed_ranks, single_epochs
from neumf_tui.runs.snapshot import Snapshot, fold

START_LIMIT = 30.0
"""Seconds a trainer may take from its launch until it holds the lock."""
RUN_LOCK = "lock"
"""Held by the process that writes the run."""
AGENT_LOCK = "agent.lock"
"""Held from before a trainer starts until it ends, also while its processes are started again."""
EVENTS = "events.jsonl"
PIECE = 500
"""Number of events that are held at once."""
_LINE_LIMIT = 2**20
_GARBAGE_LIMIT = 64 * 2**20
"""Bytes of a line without an end after which no more of the file is read."""
_JSON_LIMIT = 4 * 2**20
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(Written)


class _Kind(msgspec.Struct):
    kind: str


_KINDS = {str(kind.__struct_config__.tag) for kind in Written.__args__}


class EventTail:
    """Follows `events.jsonl`; copes with an incomplete last line, truncation and replacement."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inode = -1
        self.restarted = False
        """Whether the last read started again at the beginning: discard what was read before."""
        self._start_again()

    def _start_again(self) -> None:
        self._offset = self._lines = 0
        self._time = 0.0
        self._long = 0  # bytes read of a line that is too long
        self._has_damage = False

    def read(self) -> list[AnyEvent]:
        """Return the events added since the last call; as in `pieces`."""
        return [event for piece in self.pieces() for event in piece]

    def pieces(self) -> Iterator[list[AnyEvent]]:
        """Yield the events added since the last call, at most PIECE at once.

        Events of an unknown kind are left out. So are damaged lines; for the first of them there
        is a `Damaged`. Raises RunError.
        """
        self.restarted = False
        found: list[AnyEvent] = []
        try:
            with files.open_to_read(self._folder, EVENTS) as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self.restarted = self._offset > 0
                    self._start_again()
                    self._inode = stat.st_ino
                file.seek(self._offset)
                # A part of a line without an end is what the trainer is writing now.
                while (line := file.readline(_LINE_LIMIT)).endswith(b"\n") or (
                    len(line) == _LINE_LIMIT and self._long < _GARBAGE_LIMIT
                ):
                    self._offset += len(line)
                    if event := self._decoded(line):
                        found.append(event)
                    if len(found) == PIECE:
                        yield found
                        found = []
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(error, self._folder / EVENTS) from error
        if found:
            yield found

    def _decoded(self, line: bytes) -> AnyEvent | None:
        """Return the event of a line; None for one that is left out."""
        ends = line.endswith(b"\n")
        goes_on = self._long > 0
        self._long = 0 if ends else self._long + len(line)
        if goes_on:
            return None
        self._lines += 1
        try:
            event = _decoder.decode(line)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            if self._has_damage or _is_of_unknown_kind(line):
                return None
            self._has_damage = True
            why = str(error) if ends else f"longer than {_LINE_LIMIT:,} bytes"
            text = f"{EVENTS}, line {self._lines} is damaged and left out ({why})"
            return Damaged(t=self._time, text=text)
        self._time = event.t
        return event


class SnapshotTail:
    """Folds the events of a run into its snapshot as they are written."""

    def __init__(self, folder: Path) -> None:
        self._tail = EventTail(folder)
        self._snapshot = Snapshot()

    def read(self) -> Snapshot:
        """Return the snapshot now, the same object if there are no new events; raises RunError."""
        for _ in self.pieces():
            pass
        return self._snapshot

    def pieces(self) -> Iterator[Snapshot]:
        """Yield the snapshot after each piece of new events."""
        pieces = self._tail.pieces()
        events = next(pieces, [])
        if self._tail.restarted:
            self._snapshot = Snapshot()
        while events:
            self._snapshot = fold(self._snapshot, events)
            yield self._snapshot
            events = next(pieces, [])


def _is_of_unknown_kind(line: bytes) -> bool:
    """Return whether a newer program has written the line."""
    with suppress(ValueError, RecursionError):
        return msgspec.json.decode(line, type=_Kind).kind not in _KINDS
    return False


def read_info(folder: Path) -> RunInfo:
    """Read `run.json`; raise RunError if it is missing, damaged or of a newer version."""
    try:
        info = files.read_json(folder, "run.json", RunInfo, _JSON_LIMIT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(
            f"{folder}: not a run directory (no run.json); `neumf-tui runs` lists the runs"
        ) from error
    except OSError as error:
        raise _unreadable(error, folder / "run.json") from error
    if info.format > FORMAT:
        raise RunError(
            f"{folder / 'run.json'}: format {info.format}, but this program reads only formats up "
            f"to {FORMAT}; install a newer neumf-tui"
        )
    return info


def _unreadable(error: OSError, path: Path) -> RunError:
    what = f"{error.filename or path}: cannot be read ({error.strerror or error})"
    if isinstance(error, PermissionError):
        return RunError(f"{what}; ask its owner for the right to read it")
    return RunError(f"{what}; the run is damaged: restore this file, or delete the run")


def read_status(folder: Path) -> Status:
    """Read `status.json`; the state is `crashed` if the trainer disappeared without a final one.

    A power cut can leave the file empty or lose it, so a damaged one counts as that of a crashed
    run. Raises RunError if the file cannot be read for another reason.
    """
    try:
        status = _stored_status(folder)
        started = status.pid != 0 or time.time() - status.t > START_LIMIT
        if status.state not in FINAL_STATES and started and not is_locked(folder):
            # Read again: the trainer may have ended between reading and testing the lock.
            status = _stored_status(folder)
            if status.state not in FINAL_STATES:
                return _crashed(folder, status)
        return status
    except (files.UnusableFileError, FileNotFoundError) as error:
        if not folder.is_dir():
            raise RunError(f"{folder}: this run is not there any more") from error
        evaluated: list[int] = []
        with suppress(OSError):
            if is_locked(folder):
                return Status(state="running", pid=0)
            evaluated = rank_epochs(folder)
        before = Status(state="crashed", pid=0, epoch=max(evaluated, default=0))
        return _crashed(folder, before, f"status.json cannot be read ({error.strerror})")
    except OSError as error:
        raise _unreadable(error, folder / "status.json") from error


def _stored_status(folder: Path) -> Status:
    return files.read_json(folder, "status.json", Status, _JSON_LIMIT)


def _crashed(folder: Path, status: Status, what: str = "") -> Status:
    is_trained = True
    with suppress(RunError):
        is_trained = read_info(folder).is_trained
    whose = "the trainer" if is_trained else "its process"
    reason = what or f"{whose} disappeared without a final message"
    if is_trained:
        reason += "; trainer.log has its last output; continue with `neumf-tui resume`"
    return msgspec.structs.replace(status, state="crashed", reason=reason, exit_code=1)


def is_locked(folder: Path) -> bool:
    """Return whether a trainer holds the run, or whoever starts it."""
    return any(_is_held(folder, name) for name in (RUN_LOCK, AGENT_LOCK))


def _is_held(folder: Path, lock: str) -> bool:
    try:
        with files.open_to_read(folder, lock) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except (FileNotFoundError, NotADirectoryError, files.UnusableFileError):
        return False  # a trainer locks a regular file or does not start
    except BlockingIOError:
        return True


def read_snapshot(folder: Path) -> Snapshot:
    """Fold all events of the run so far; raises RunError."""
    return SnapshotTail(folder).read()


def read_losses(folder: Path) -> dict[int, float]:
    """Return the mean training loss of each epoch; raises RunError."""
    pieces = EventTail(folder).pieces()
    return {e.epoch: e.loss for piece in pieces for e in piece if isinstance(e, Epoch)}


def rank_epochs(folder: Path, tape: str = "ranks") -> list[int]:
    """Return the epochs on the rank tape, ascending."""
    return sorted({*single_epochs(folder, tape), *packed_epochs(folder, tape)})


def read_ranks(folder: Path, epoch: int, tape: str = "ranks") -> NDArray[np.float32]:
    """Return the ranks of all users' held-out items after `epoch`, shape (num_users,).

    `tape`: `ranks`, or `validation` for the ranks of the validation items. Raises RunError.
    """
    name = f"{tape}/{epoch:05}.npy"
    hint = "resume the run to rewrite it"
    try:
        ranks: NDArray[Any] = _tape_row(folder, tape, epoch)
    except OSError as error:
        why = error.strerror or error
        raise RunError(f"{folder / name}: cannot be read ({why}); {hint}") from error
    if ranks.dtype != np.float32 or ranks.ndim != 1 or not (np.isnan(ranks) | (ranks >= 1)).all():
        what = f"{ranks.dtype} of shape {ranks.shape}"
        raise RunError(f"{folder / name}: expected float32 ranks from 1, found {what}; {hint}")
    return ranks


def _tape_row(folder: Path, tape: str, epoch: int) -> NDArray[np.generic]:
    try:
        return files.read_array(folder, f"{tape}/{epoch:05}.npy")
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            return packed_ranks(folder, tape, epoch)
        raise
