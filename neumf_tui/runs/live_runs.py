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


class RunList:
    """Keeps what was read, so that an ended run costs three stat calls."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._rows: dict[Path, RunRow] = {}
        self._tails: dict[Path, SnapshotTail] = {}
        self._signatures: dict[Path, Signature] = {}

    def read(self) -> list[RunRow]:
        """Return all runs, the latest first, also damaged ones."""
        rows = [self._read(folder) for folder in run_folders(self._home)]
        self._rows = {row.folder: row for row in rows}
        self._tails = {folder: tail for folder, tail in self._tails.items() if folder in self._rows}
        self._signatures = {
            folder: found for folder, found in self._signatures.items() if folder in self._rows
        }
        return rows

    def _read(self, folder: Path) -> RunRow:
        before, signature = self._rows.get(folder), _signature(folder)
        if before and before.is_whole_and_ended and signature == self._signatures.get(folder):
            return before
        self._signatures[folder] = signature
        try:
            info = before.info if before else None
            if info is None or info.name != folder.name:  # not read yet, or renamed
                info = read_info(folder)
            status = read_status(folder)
            snapshot = self._tails.setdefault(folder, SnapshotTail(folder)).read()
            facts = run_facts(folder, info, status, snapshot)
            if before and before.status == status and before.snapshot is snapshot:
                return before if status.state in FINAL_STATES else replace(before, facts=facts)
            return RunRow(folder, info, status, snapshot, facts)
        except (NeumfTuiError, OSError) as error:
            self._tails.pop(folder, None)
            status, facts = Status(state="damaged", pid=0), damaged_facts(folder, str(error))
            return RunRow(folder, None, status, Snapshot(), facts, str(error))
