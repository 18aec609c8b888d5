"""All runs as the runs screen needs them: read again and again, each file only where it grew."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.events import FINAL_STATES, RunInfo, Status
from neumf_tui.runs.filter import matches
from neumf_tui.runs.reader import EventTail, read_info, read_status
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.runs.store import run_folders
from neumf_tui.runs.summary import run_facts


@dataclass(frozen=True, eq=False)
class RunRow:
    """One run; without `info` it is damaged, and `problem` says how."""

    folder: Path
    info: RunInfo | None
    status: Status
    snapshot: Snapshot
    facts: dict[str, Any]
    problem: str = ""

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def ended(self) -> bool:
        """Whether no trainer works on this run."""
        return self.info is None or self.status.state in FINAL_STATES

    @property
    def age(self) -> str:
        return age_text(time.time() - self.info.created) if self.info else ""

    def kept_by(self, query: str) -> bool:
        if self.info is None:
            return query in self.folder.name
        return matches(query, self.facts, self.info.settings)


def age_text(seconds: float) -> str:
    """Coarse on purpose: a figure that changes every second is sent every second."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


class RunList:
    """Keeps what has been read, so that a look at a hundred runs that have ended costs a hundred stat calls."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._rows: dict[Path, RunRow] = {}
        self._tails: dict[Path, EventTail] = {}

    def read(self) -> list[RunRow]:
        """All runs, the latest first; damaged ones too."""
        rows = [self._read(folder) for folder in run_folders(self._home)]
        self._rows = {row.folder: row for row in rows}
        self._tails = {folder: tail for folder, tail in self._tails.items() if folder in self._rows}
        return rows

    def _read(self, folder: Path) -> RunRow:
        before = self._rows.get(folder)
        try:
            info = (
                before.info
                if before and before.info and before.info.name == folder.name
                else read_info(folder)
            )
            status = read_status(folder)
            tail = self._tails.setdefault(folder, EventTail(folder / "events.jsonl"))
            events = tail.read()
            snapshot = Snapshot() if before is None or tail.restarted else before.snapshot
            if events:
                snapshot = fold(snapshot, events)
            elif before and before.status == status and not before.problem:
                return (
                    before
                    if status.state in FINAL_STATES
                    else replace(before, facts=run_facts(folder, info, status, snapshot))
                )
            return RunRow(folder, info, status, snapshot, run_facts(folder, info, status, snapshot))
        except (NeumfTuiError, OSError) as error:
            self._tails.pop(folder, None)
            return RunRow(
                folder,
                None,
                Status(state="damaged", pid=0),
                Snapshot(),
                {"run": folder.name},
                str(error),
            )
