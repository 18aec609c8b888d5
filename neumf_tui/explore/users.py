"""All users of a run, from the dataset and the rank tape alone: no model, no torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.ranks import list_length, rank_among
from neumf_tui.home import home_of_run
from neumf_tui.runs.checkpoint import checkpoint_epochs, tensor_shape
from neumf_tui.runs.curve import spread
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks

TAPE_BYTES = 2**28
"""Memory for the ranks of all users after each epoch."""


@dataclass(frozen=True, eq=False)
class Users:
    """Every user of a run; arrays have one entry for each user index."""

    info: RunInfo
    dataset: Dataset
    history_sizes: NDArray[np.int64]
    epochs: list[int]  # evaluated epochs, ascending
    tape: NDArray[np.float32]  # (epochs, num_users): ranks of held-out items, NaN where none
    list_size: int | None = None
    """Items in the longest list, where only users' best items are known; else None."""

    @property
    def ranks(self) -> NDArray[np.float32]:
        """Ranks after the newest evaluation."""
        newest: NDArray[np.float32] = self.tape[-1]
        return newest

    def ranks_at(self, epoch: int) -> NDArray[np.float32]:
        """Return the ranks after `epoch`; all NaN where it was not evaluated."""
        if epoch in self.epochs:
            ranks: NDArray[np.float32] = self.tape[self.epochs.index(epoch)]
            return ranks
        return np.full(self.dataset.num_users, np.nan, dtype=np.float32)

    def beyond(self, user: int, rank: float) -> int | None:
        """Return the length of the user's list, if `rank` is that of an item beyond it."""
        candidates = self.dataset.num_items - int(self.history_sizes[user])
        return list_length(rank, candidates, self.list_size)

    def heldout_title(self, user: int) -> str:
        """Return title and year of the held-out item, empty where there is none."""
        item = int(self.dataset.split.heldout[user])
        return self.dataset.catalogue.item_title(item) if item >= 0 else ""

    def popularity_rank(self, user: int) -> float:
        """Return the rank of the held-out item if candidates are ordered by how many saw them."""
        seen = self.dataset.seen_by.astype(np.float32)
        seen[self.dataset.history(user)] = np.nan
        return float(rank_among(seen, seen[self.dataset.split.heldout[user]]))


def dataset_of(info: RunInfo, home: Path, folder: Path) -> Dataset:
    """Load the dataset that the run in `folder` was trained on; raises DatasetError.

    It is looked for in `home`, and in the home in which the run lies.
    """
    about, source = info.dataset, info.source_in(home)
    return load_dataset(
        about.fingerprint, about.name, home, source, about.options, home_of_run(folder)
    )


def tape_epochs(folder: Path, info: RunInfo) -> list[int]:
    """Return the evaluated epochs whose ranks `load_users` reads: all that fit in TAPE_BYTES.

    Otherwise every 2nd, 4th, ..., and those with a checkpoint.
    """
    epochs = rank_epochs(folder)
    stay = spread(epochs, max(2, TAPE_BYTES // (4 * max(1, info.dataset.num_users))))
    if len(stay) == len(epochs):
        return epochs
    return sorted({*stay, *epochs[-1:], *set(checkpoint_epochs(folder)).intersection(epochs)})


def load_users(folder: Path, home: Path) -> Users:
    """Read all users; raises RunError or DatasetError where a file cannot be read."""
    info = read_info(folder)
    dataset, epochs = dataset_of(info, home, folder), tape_epochs(folder, info)
    tape = np.full((max(len(epochs), 1), dataset.num_users), np.nan, dtype=np.float32)
    for row, epoch in enumerate(epochs):
        ranks = read_ranks(folder, epoch)
        if ranks.shape != (dataset.num_users,):
            raise RunError(
                f"{folder / 'ranks' / f'{epoch:05}.npy'}: {ranks.shape} ranks, "
                f"expected {dataset.num_users:,}; --resume the run to write it again"
            )
        tape[row] = ranks
    sizes = np.diff(dataset.offsets)
    return Users(info, dataset, sizes, epochs, tape, read_list_size(folder, info))


def read_list_size(folder: Path, info: RunInfo) -> int | None:
    """Return how many items the longest list has, where only users' best ones are known."""
    if info.model != "top_k":
        return None
    return (tensor_shape(folder, "items") or (0,))[-1]
