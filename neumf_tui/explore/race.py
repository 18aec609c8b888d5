"""The rank race: ranks of the pinned users' held-out items after the newest evaluation.

Beside them the ranks after the evaluation before, and the users whose ranks changed most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.reader import read_ranks

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset

DEFAULT_PINS = 5
MOVERS = 3
Ranks = NDArray[np.float32]


@dataclass(frozen=True)
class Runner:
    """One user's held-out item."""

    user: str  # id of the user
    title: str
    rank: float  # NaN where nothing is held out or nothing is evaluated yet
    before: float  # rank after the evaluation before, NaN where there was none
    candidates: int


@dataclass(frozen=True)
class Race:
    """What the panels show; read from the rank tape, so every viewer of a run shows the same."""

    epoch: int = 0
    runners: tuple[Runner, ...] = ()
    chosen: bool = False
    """Whether the runners are users that a person pinned; else they are a default choice."""
    entered: int = 0  # users whose held-out item came into the top 50 since the evaluation before
    left: int = 0
    risers: tuple[Runner, ...] = ()
    fallers: tuple[Runner, ...] = ()


def default_pins(ranks: Ranks, count: int = DEFAULT_PINS) -> list[int]:
    """Return user indices whose ranks lie evenly between best and worst, on a log scale."""
    held = np.flatnonzero(~np.isnan(ranks))
    if not len(held):
        return []
    order = held[np.argsort(ranks[held], kind="stable")]
    best, worst = (max(float(ranks[user]), 1.0) for user in order[[0, -1]])
    wanted = np.geomspace(best, worst, count)
    places = np.clip(np.searchsorted(ranks[order], wanted), 0, len(order) - 1)
    return list(dict.fromkeys(int(order[place]) for place in places))


class RaceReader:
    """Reads the rank tape of one run; keeps the dataset and the default pins between reads."""

    def __init__(self, folder: Path, info: RunInfo, home: Path) -> None:
        self._folder, self._info, self._home = folder, info, home
        self._default: list[int] = []

    @cached_property
    def _dataset(self) -> "Dataset":
        from neumf_tui.explore.users import dataset_of

        return dataset_of(self._info, self._home, self._folder)

    def read(self, pinned: tuple[str, ...], epochs: Sequence[int]) -> Race:
        """Return the race after the newest evaluation; `pinned` are users' ids.

        `epochs` are the evaluated ones, at least the first and the two newest: to list the files
        of a long tape takes too long. Raises RunError, DatasetError.
        """
        data = self._dataset
        if epochs and not self._default:
            # By the first evaluation, so that the users stay the same while their ranks change.
            self._default = default_pins(read_ranks(self._folder, epochs[0]))
        unknown = np.full(data.num_users, np.nan, dtype=np.float32)
        tape = [read_ranks(self._folder, epoch) for epoch in epochs[-2:]]
        before, now = [unknown, unknown, *tape][-2:]
        users = [data.user_ids.index(user) for user in pinned if user in data.user_ids]
        won = np.log(before) - np.log(now)  # 300 → 30 counts as much as 30 → 3
        order = np.argsort(np.nan_to_num(won), kind="stable")

        def runner(user: int) -> Runner:
            item = int(data.split.heldout[user])
            title = data.catalogue.item_title(item) if item >= 0 else "nothing held out"
            candidates = data.num_items - len(data.history(user))
            ranks = float(now[user]), float(before[user])
            return Runner(data.user_ids[user], title, *ranks, candidates)

        return Race(
            epoch=epochs[-1] if epochs else 0,
            runners=tuple(runner(user) for user in users or self._default),
            chosen=bool(pinned),
            entered=int(((now <= CUTOFF) & (before > CUTOFF)).sum()),
            left=int(((before <= CUTOFF) & (now > CUTOFF)).sum()),
            risers=tuple(runner(int(user)) for user in order[::-1][:MOVERS] if won[user] > 0),
            fallers=tuple(runner(int(user)) for user in order[:MOVERS] if won[user] < 0),
        )
