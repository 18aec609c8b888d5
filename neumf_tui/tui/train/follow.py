"""Readers for the train screen: of the run, and of its trainer's machine; each in a thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.baselines.kept import KeptBaseline, KeptReader, strongest
from neumf_tui.errors import NeumfTuiError
from neumf_tui.explore.race import Race, RaceReader
from neumf_tui.host import HostReader, HostReading
from neumf_tui.runs.events import RunInfo, Status
from neumf_tui.runs.reader import SnapshotTail, read_status
from neumf_tui.runs.snapshot import Snapshot

BASELINES = 3
"""Kept baselines drawn in the charts, beside popularity: with more the names have no room."""
HOST_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class RunReading:
    """The state of a run. A part that has not changed is the same object as before."""

    status: Status
    snapshot: Snapshot
    baselines: list[KeptBaseline]
    race: Race | None
    """None until a second reading: the first one of a large dataset takes seconds."""
    race_problem: str


class RunFollower:
    """Reads a run from one thread; each reading is complete, so that any of them may be dropped.

    `pinned` returns the users whose ranks are followed.
    """

    def __init__(
        self, folder: Path, info: RunInfo, home: Path, pinned: Callable[[Snapshot], tuple[str, ...]]
    ) -> None:
        self._folder, self._pinned = folder, pinned
        self._tail = SnapshotTail(folder)
        self._kept = KeptReader(home, info.dataset.fingerprint)
        self._snapshot = Snapshot()
        self._baselines: list[KeptBaseline] = []
        self._races = RaceReader(folder, info, home)
        self._race: Race | None = None
        self._race_problem = ""
        self._race_of: tuple[int, tuple[str, ...]] = (-1, ())
        self._has_read = False

    def read(self) -> RunReading:
        """Read what is new. Raises RunError or OSError where the run cannot be read."""
        if (kept := self._kept.read()) is not None:
            self._baselines = strongest(kept, BASELINES)
        status = read_status(self._folder)  # before the events: a final state then has them all
        self._snapshot = self._tail.read()
        if self._has_read:
            self._read_race()
        self._has_read = True
        return RunReading(status, self._snapshot, self._baselines, self._race, self._race_problem)

    def _read_race(self) -> None:
        """Read the ranks where there is a new evaluation or another choice of users."""
        epochs = [evaluation.epoch for evaluation in self._snapshot.evaluations]
        wanted = epochs[-1] if epochs else 0, self._pinned(self._snapshot)
        if wanted != self._race_of:
            self._race_of = wanted
            try:
                self._race, self._race_problem = self._races.read(wanted[1], epochs), ""
            except (NeumfTuiError, OSError) as error:
                self._race, self._race_problem = Race(), str(error)


class HostFollower:
    """Reads the machine of a run's trainer from one thread, at most once in HOST_SECONDS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader: HostReader | None = None
        self._pid = 0
        self._asked_at = 0.0

    def due(self, ended: bool) -> bool:
        """Return whether to read now, and expect that: of an ended run, only the first time."""
        now = time.monotonic()
        # Polls come a little late or early.
        if now - self._asked_at < HOST_SECONDS - 0.2 or (ended and self._asked_at):
            return False
        self._asked_at = now
        return True

    def read(self, pid: int, gpu: str) -> HostReading:
        """Read the machine of trainer `pid`, and the GPU with this UUID if there is one."""
        if self._reader is None or pid != self._pid:
            self.close()
            self._reader, self._pid = HostReader(pid, self._folder, gpu), pid
        return self._reader.read()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
