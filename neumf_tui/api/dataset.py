"""Datasets for a person's own code: the split as arrays and as frames of pandas."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import SplitName, make_options
from neumf_tui.home import check_encoding, expanded, home_dir
from neumf_tui.views.open_data import open_data

if TYPE_CHECKING:
    import pandas as pd

Place = str | Path


class SplitArrays(NamedTuple):
    """The split; users and items are row numbers, in the order of `user_ids` and `item_ids`.

    Treat the arrays as read-only: they can be the files themselves.
    """

    users: NDArray[np.int64]
    """Shape (pairs,), as the next three: the training pairs, by user and then by time (in a drawn
    order where the times are not known, or the split is random)."""
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    """Unix seconds; all 0 where they are not known."""
    learned: NDArray[np.bool_]
    """Which pairs come before validation: those that a run with `validation=True` trains on. They
    are the first ones of each user."""
    offsets: NDArray[np.int64]
    """Shape (num_users + 1,): user u has the pairs offsets[u] to offsets[u + 1]."""
    heldout: NDArray[np.int64]
    """Shape (num_users,): the item to be ranked, not among the pairs; -1 if there is none."""
    validation: NDArray[np.int64]
    """Shape (num_users,): the item of the first pair that is not learned from, to choose epochs by;
    -1 for a user without such a pair, or without one before it. With the split by time there can be
    more pairs after it, which belong to the history of the held-out item alone."""


@dataclass(frozen=True, eq=False)
class LoadedDataset:
    """A dataset of which one interaction of each user is held out, as its split says."""

    dataset: Dataset

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def num_users(self) -> int:
        return self.dataset.num_users

    @property
    def num_items(self) -> int:
        return self.dataset.num_items

    @cached_property
    def user_ids(self) -> list[str]:
        return list(self.dataset.user_ids)

    @property
    def item_ids(self) -> list[str]:
        return self.dataset.catalogue.item_ids

    @cached_property
    def arrays(self) -> SplitArrays:
        data, split = self.dataset, self.dataset.split
        pairs = split.users, split.items, split.times
        return SplitArrays(*pairs, data.learned, data.offsets, split.heldout, data.validation)

    @cached_property
    def histories(self) -> "pd.DataFrame":
        """One row for each training pair: user, item, time, and whether it is kept for validation.

        Those are the pairs that are not in `arrays.learned`.
        """
        import pandas as pd

        arrays = self.arrays
        frame = self._pairs(arrays.users, arrays.items)
        frame["time"] = pd.to_datetime(np.asarray(arrays.times), unit="s")
        frame["validation"] = ~arrays.learned
        return frame

    @cached_property
    def heldout(self) -> "pd.DataFrame":
        """One row for each user with a held-out item."""
        return self._targets(self.arrays.heldout)

    @cached_property
    def validation(self) -> "pd.DataFrame":
        """One row for each user with a validation item."""
        return self._targets(self.arrays.validation)

    @cached_property
    def items(self) -> "pd.DataFrame":
        """One row for each item: id, title, year, genres, and how many have it in their history."""
        import pandas as pd

        catalogue = self.dataset.catalogue
        columns = {
            "item_id": catalogue.item_ids,
            "title": catalogue.titles,
            "year": pd.array(catalogue.years, dtype="Int64"),
            "genres": catalogue.genres,
            "seen_by": self.dataset.seen_by,
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(self.num_items, name="item"))

    def _targets(self, targets: NDArray[np.int64]) -> "pd.DataFrame":
        users = np.flatnonzero(targets >= 0)
        return self._pairs(users, targets[users])

    def _pairs(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> "pd.DataFrame":
        """Return row numbers and ids; ids as categories, which take a few bytes a row."""
        import pandas as pd

        ids = {
            "user_id": pd.Categorical.from_codes(np.asarray(users), pd.Index(self.user_ids)),
            "item_id": pd.Categorical.from_codes(np.asarray(items), pd.Index(self.item_ids)),
        }
        return pd.DataFrame({"user": np.array(users), "item": np.array(items), **ids})

    def __repr__(self) -> str:
        data = self.dataset
        sizes = f"{self.num_users:,} users, {self.num_items:,} items, {data.num_train:,} pairs"
        return f"<dataset {data.label}: {sizes}>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(notice)}</li>" for notice in self.dataset.notices)
        return f"<p>{escape(repr(self)[1:-1])}</p><ul>{notes}</ul>"


def load_dataset(
    dataset: Place = "auto",
    *,
    columns: str | None = None,
    time_format: str | None = None,
    items: Place | None = None,
    noun: str | None = None,
    max_bad: int | None = None,
    split: SplitName | None = None,
    cut: str | float | date | None = None,
    min_rating: float | None = None,
    min_user_count: int | None = None,
    min_item_count: int | None = None,
    home: Place | None = None,
) -> LoadedDataset:
    """Open a dataset, which is prepared once and kept in the home; notes go to stderr.

    `dataset`: a name as for `neumf-tui train --dataset`, or the path of a folder or a file as for
    `--data-dir`. How files are read: `columns` as in `user=NAME,item=NAME`, `time_format` as
    strptime has it, `items` the file that describes items, `noun` what an item is called, `max_bad`
    rows that may be left out because they cannot be read. How the interactions are split: `split`,
    `cut` (a date, or the share before it), and filters that come first. Each is as the flag of the
    same name; None leaves it to the data. Raises NeumfTuiError if there is no such dataset, if it
    cannot be read, or if an option does not fit it.
    """
    options = make_options(
        columns=columns,
        time_format=time_format,
        items=items,
        noun=noun,
        max_bad=max_bad,
        split=split,
        cut=None if cut is None else str(cut),
        min_rating=min_rating,
        min_user_count=min_user_count,
        min_item_count=min_item_count,
    )
    name, path = _name_or_path(dataset)
    return LoadedDataset(open_data(name, path, home_of(home), options))


def home_of(home: Place | None) -> Path:
    """Return the home that is named, or the usual one; raises UsageError."""
    where = home_dir(None if home is None else Path(home))
    check_encoding(where)
    return where


def _name_or_path(dataset: Place) -> tuple[str, Path | None]:
    """Return the name of a dataset; or `auto`, and the folder or file that has it."""
    if isinstance(dataset, Path) or "/" in dataset or expanded(Path(dataset)).is_file():
        return "auto", expanded(Path(dataset)).absolute()
    return dataset, None


def opened(dataset: "LoadedDataset | Dataset | Place", home: Path) -> Dataset:
    """Return a dataset that may be open already; raises NeumfTuiError."""
    if isinstance(dataset, Dataset):
        return dataset
    if isinstance(dataset, LoadedDataset):
        return dataset.dataset
    return load_dataset(dataset, home=home).dataset
