"""All runs of a home folder, read repeatedly: of each file only what is new."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.events import FINAL_STATES, RunInfo, Status
from neumf_tui.runs.filter import matches
from neumf_tui.runs.reader import EVENTS, SnapshotTail, read_info, read_status
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.store import run_folders
from neumf_tui.runs.summary import damaged_facts, run_facts


@dataclass(frozen=True, eq=False)
class RunRow:
    """One run; a damaged one has no `info`, and `problem` says what is wrong."""

    folder: Path
    info: RunInfo | None
    status: Status
    snapshot: Snapshot
    facts: dict[str, Any]
    problem: str = ""

    @property
    def state(self) -> str:
        return str(self.facts["state"])

    @property
    def ended(self) -> bool:
        """Whether no trainer works on this run."""
        return self.info is None or self.status.state in FINAL_STATES

    @property
    def is_whole_and_ended(self) -> bool:
        return self.info is not None and self.ended

    @property
    def is_trained(self) -> bool:
        """Whether our trainer made the run, so that it can go on with it."""
        return self.info is not None and self.info.is_trained

    @property
    def age(self) -> str:
        return _age_text(time.time() - self.info.created) if self.info else ""

    def kept_by(self, query: str) -> bool:
        """Return whether the filter `query` keeps the run."""
        if self.info is None:
            return query in self.folder.name
        return matches(query, self.facts, self.info.settings)


Signature = tuple[tuple[int, int, int], ...]


def _signature(folder: Path) -> Signature:
    """Return what changes when a trainer writes to a run, which costs less than reading it."""
    found, path = [], str(folder)
    for name in ("run.json", "status.json", EVENTS):
        try:
            stat = os.lstat(f"{path}/{name}")  # a Path takes four times as long
            found.append((stat.st_ino, stat.st_ctime_ns, stat.st_size))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def _age_text(seconds: float) -> str:
    """Return a rounded age: one that changes every second would be redrawn every second."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


@dataclass(frozen=True)
class _Known:
    """What was read of a run, and the state of its files before that."""

    row: RunRow
    signature: Signature
    tail: SnapshotTail | None = None
    """Reads on where it stopped; None for an ended run, which needs no memory for it."""


class RunList:
    """Keeps what was read, so that an ended run costs three stat calls."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[Path, _Known] = {}

    def read(self) -> list[RunRow]:
        """Return all runs, the latest first, also damaged ones.

        The snapshots of ended runs have neither log nor epochs.
        """
        folders = run_folders(self._home)
        self._known = {folder: self._read(folder, self._known.get(folder)) for folder in folders}
        return [known.row for known in self._known.values()]

    def _read(self, folder: Path, known: _Known | None) -> _Known:
        signature = _signature(folder)
        if known and known.row.is_whole_and_ended and signature == known.signature:
            return known
        before, tail = (known.row, known.tail) if known else (None, None)
        try:
            return self._read_again(folder, before, signature, tail or SnapshotTail(folder))
        except (NeumfTuiError, OSError) as error:
            status, facts = Status(state="damaged", pid=0), damaged_facts(folder, str(error))
            row = RunRow(folder, None, status, Snapshot(), facts, str(error))
            return _Known(row, signature)

    def _read_again(
        self, folder: Path, before: RunRow | None, signature: Signature, tail: SnapshotTail
    ) -> _Known:
        info = before.info if before else None
        if info is None or info.name != folder.name:  # not read yet, or renamed
            info = read_info(folder)
        status, snapshot = read_status(folder), tail.read()
        facts = run_facts(folder, info, status, snapshot)
        if status.state in FINAL_STATES:
            row = RunRow(folder, info, status, replace(snapshot, log=(), epochs=()), facts)
            return _Known(row, signature)
        if before and before.status == status and before.snapshot is snapshot:
            return _Known(replace(before, facts=facts), signature, tail)
        return _Known(RunRow(folder, info, status, snapshot, facts), signature, tail)
