"""The rank race: where the held-out films of pinned users stand, what moved since the evaluation before, and who moved most."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.reader import rank_epochs, read_ranks

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset

DEFAULT_PINS = 5
MOVERS = 3
Ranks = NDArray[np.float32]


@dataclass(frozen=True)
class Runner:
    """One user's held-out film."""

    user: str
    """The user's id."""
    title: str
    rank: float
    """NaN where nothing is held out or nothing is evaluated yet."""
    before: float
    """Rank at the evaluation before, NaN where there was none."""
    candidates: int

    @property
    def change(self) -> str:
        """▲ and places won, ▼ and places lost since the evaluation before."""
        won = self.before - self.rank
        if won != won:
            return ""
        return f"▲{won:,.0f}" if won > 0 else f"▼{-won:,.0f}" if won < 0 else "="


@dataclass(frozen=True)
class Race:
    """What the panels show; from the rank tape, so every viewer of a run sees the same."""

    epoch: int = 0
    runners: tuple[Runner, ...] = ()
    chosen: bool = False
    """Whether a person pinned these users; else they are a spread of five."""
    entered: int = 0
    left: int = 0
    risers: tuple[Runner, ...] = ()
    fallers: tuple[Runner, ...] = ()


def spread(ranks: Ranks, count: int = DEFAULT_PINS) -> list[int]:
    """User indices whose ranks are spread evenly from best to worst, on a log scale so that the top is seen well."""
    held = np.flatnonzero(~np.isnan(ranks))
    if not len(held):
        return []
    order = held[np.argsort(ranks[held], kind="stable")]
    wanted = np.geomspace(
        max(float(ranks[order[0]]), 1.0), max(float(ranks[order[-1]]), 1.0), count
    )
    places = np.clip(np.searchsorted(ranks[order], wanted), 0, len(order) - 1)
    return list(dict.fromkeys(int(order[place]) for place in places))


class RaceReader:
    """Reads the tape of one run; keeps the dataset's names and the newest ranks."""

    def __init__(self, folder: Path, info: RunInfo, home: Path) -> None:
        self._folder, self._info, self._home = folder, info, home
        self._dataset: Dataset | None = None
        self._spread: list[int] | None = None

    def read(self, pinned: tuple[str, ...]) -> Race:
        """The race after the newest evaluation; `pinned` are users' ids. Raises RunError, DatasetError."""
        from neumf_tui.data.registry import load_dataset

        if self._dataset is None:
            self._dataset = load_dataset(
                self._info.dataset.fingerprint,
                self._info.dataset.name,
                self._home,
                self._info.dataset.source,
            )
        data = self._dataset
        epochs = rank_epochs(self._folder)
        nothing: Ranks = np.full(data.num_users, np.nan, dtype=np.float32)
        now = read_ranks(self._folder, epochs[-1]) if epochs else nothing
        before = read_ranks(self._folder, epochs[-2]) if len(epochs) > 1 else nothing
        if self._spread is None and epochs:
            # By the first evaluation, so that the five stay the same while they move.
            self._spread = spread(read_ranks(self._folder, epochs[0]))
        users = (
            [data.user_ids.index(user) for user in pinned if user in data.user_ids]
            or self._spread
            or []
        )
        into, out = (now <= CUTOFF) & (before > CUTOFF), (before <= CUTOFF) & (now > CUTOFF)
        with np.errstate(invalid="ignore"):
            won = np.log(before) - np.log(now)  # 300 → 30 moves as far as 30 → 3
        order = np.argsort(np.nan_to_num(won), kind="stable")
        risers = [int(u) for u in order[::-1][:MOVERS] if won[u] > 0]
        fallers = [int(u) for u in order[:MOVERS] if won[u] < 0]

        def runner(user: int) -> Runner:
            item = int(data.split.heldout[user])
            year = data.catalogue.years[item] if item >= 0 else 0
            title = data.catalogue.titles[item] if item >= 0 else "nothing held out"
            candidates = data.num_items - int(data.offsets[user + 1] - data.offsets[user])
            name = f"{title} ({year})" if year else title
            return Runner(
                data.user_ids[user], name, float(now[user]), float(before[user]), candidates
            )

        return Race(
            epoch=epochs[-1] if epochs else 0,
            runners=tuple(runner(user) for user in users),
            chosen=bool(pinned),
            entered=int(into.sum()),
            left=int(out.sum()),
            risers=tuple(runner(user) for user in risers),
            fallers=tuple(runner(user) for user in fallers),
        )
