"""What a copy of a run consists of, and what every place that takes one can do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import Count, Time


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a run has been copied."""

    run: str
    created: Time
    """With the name it tells whether the run is the same."""
    events: Count = 0
    """Number of events copied."""
    t: Time = 0.0
    """Time of the last one."""


@dataclass(frozen=True)
class Point:
    """A value of a curve; NaN where training has diverged."""

    name: str
    step: int
    value: float
    t: float  # Unix seconds


@dataclass(frozen=True, eq=False)
class RankHistogram:
    """How the ranks of all held-out items are spread: `counts` between `edges`, one more."""

    step: int
    t: float
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    ranks: NDArray[np.float64]
    """Those that are counted."""

    @property
    def named_shares(self) -> dict[str, float]:
        """Return the share of users in each bin by its first and last rank."""
        ends = np.floor(self.edges).astype(int).tolist()
        total = max(1, int(self.counts.sum()))
        names = [f"{low + 1}-{high}" for low, high in pairwise(ends)]
        return dict(zip(names, (self.counts / total).tolist(), strict=True))


@dataclass(frozen=True)
class Batch:
    """What is copied at once, in the order of the events."""

    points: list[Point] = field(default_factory=list)
    histograms: list[RankHistogram] = field(default_factory=list)

    def add(
        self, name: str, steps: Sequence[int], values: Sequence[float | None], t: float
    ) -> None:
        """Add points of a curve; None stands for a value that was not finite."""
        for step, value in zip(steps, values, strict=True):
            self.points.append(Point(name, step, math.nan if value is None else value, t))


class Sink(Protocol):
    """A place that takes copies of runs."""

    keeps_void_points: bool
    """Whether points stay that a run has gone back behind when it was resumed."""

    def position(self) -> Position | None:
        """Return how much of the run is here already; None for nothing."""

    def go_back(self, step: int, t: float) -> None:
        """Let the points after `step` be void: a resumed trainer repeats them."""

    def write(self, batch: Batch, position: Position) -> None:
        """Copy a batch, and remember that everything up to `position` is here."""

    def close(self, state: str) -> None:
        """End the copy; `state` is the final one of the run, empty if it has not ended."""


class Place:
    """A folder that remembers how much of a run has been copied, for one copier at a time."""

    FILE, LOCK = "neumf-tui.json", "neumf-tui.lock"

    def __init__(self, folder: Path) -> None:
        """Raises RunError if another process copies into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock: BinaryIO = files.open_lock(folder, self.LOCK)
        if not files.take_lock(self._lock):
            self._lock.close()
            raise RunError(f"{folder}: another `neumf-tui mirror` writes here; end that one first")

    def read(self) -> Position | None:
        """Return what is remembered; raises OSError for a damaged file."""
        try:
            return files.read_json(self.folder, self.FILE, Position)
        except FileNotFoundError:
            return None

    def write(self, position: Position) -> None:
        files.replace(self.folder, self.FILE, msgspec.json.encode(position) + b"\n")

    def close(self) -> None:
        self._lock.close()
