"""What a list of users shows, from the dataset and the rank tape alone: no model, no torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.registry import load_dataset
from neumf_tui.errors import RunError
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks


@dataclass(frozen=True, eq=False)
class Users:
    """Every user of a run; arrays have one entry a user index."""

    info: RunInfo
    dataset: Dataset
    history_sizes: NDArray[np.int64]
    epochs: list[int]
    """Evaluated epochs, ascending."""
    tape: NDArray[np.float32]
    """Shape (epochs, num_users): ranks of held-out items, NaN where none."""

    @property
    def ranks(self) -> NDArray[np.float32]:
        """Ranks after the newest evaluation."""
        newest: NDArray[np.float32] = self.tape[-1]
        return newest

    def ranks_at(self, epoch: int) -> NDArray[np.float32]:
        """Ranks after `epoch`; all NaN where it was not evaluated."""
        if epoch in self.epochs:
            ranks: NDArray[np.float32] = self.tape[self.epochs.index(epoch)]
            return ranks
        return np.full(self.dataset.num_users, np.nan, dtype=np.float32)

    def heldout_title(self, user: int) -> str:
        item = int(self.dataset.split.heldout[user])
        return self.dataset.catalogue.item_title(item) if item >= 0 else ""

    def popularity_rank(self, user: int) -> float:
        """Rank of the user's held-out item if candidates are ordered by how many users saw them."""
        seen = self.dataset.seen_by.astype(np.float32)
        target = seen[self.dataset.split.heldout[user]]
        seen[self.dataset.history(user)] = np.nan
        return float(1 + (seen > target).sum() + ((seen == target).sum() - 1) / 2)


def load_users(folder: Path, home: Path) -> Users:
    """Raises RunError or DatasetError where the run, its ranks or its dataset cannot be read."""
    info = read_info(folder)
    dataset = load_dataset(info.dataset.fingerprint, info.dataset.name, home, info.dataset.source)
    epochs = rank_epochs(folder)
    tape = np.full((max(len(epochs), 1), dataset.num_users), np.nan, dtype=np.float32)
    for row, epoch in enumerate(epochs):
        ranks = read_ranks(folder, epoch)
        if ranks.shape != (dataset.num_users,):
            raise RunError(
                f"{folder / 'ranks' / f'{epoch:05}.npy'}: {ranks.shape} ranks, expected {dataset.num_users:,}; "
                "--resume the run to write it again"
            )
        tape[row] = ranks
    return Users(info, dataset, np.diff(dataset.offsets), epochs, tape)
