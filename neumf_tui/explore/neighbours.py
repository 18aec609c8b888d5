"""Items or users near each other, by the model's own measure in each of its spaces."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.guests import Who
from neumf_tui.explore.ranker import Ranker
from neumf_tui.scorers.scorer import Similar


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of one space, nearest first."""

    near: Similar
    both: NDArray[np.int64]
    """Items: users who have both in their history. Users: items that are in both histories."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Item or user indices."""
        return self.near.rows


def seen_with(dataset: Dataset, item: int) -> NDArray[np.int64]:
    """Return how many users have both `item` and each item in their history, shape (num_items,)."""
    split = dataset.split
    saw = np.zeros(dataset.num_users, dtype=bool)
    saw[split.users[split.items == item]] = True
    return np.bincount(split.items[saw[split.users]], minlength=dataset.num_items)


def similar_items(ranker: Ranker, item: int, count: int) -> Mapping[str, Neighbours]:
    """Return the items nearest to `item`, by name of the space; raises CannotError."""
    together = seen_with(ranker.dataset, item)
    found = ranker.scorer.similar_items(item, count)
    return {space: Neighbours(near, together[near.rows]) for space, near in found.items()}


def similar_users(ranker: Ranker, who: Who, count: int) -> Mapping[str, Neighbours]:
    """Return the users nearest to a person, by name of the space.

    Raises CannotError, RunError for a guest with items that are not in this catalogue.
    """
    data, person = ranker.dataset, ranker.person(who)
    own = np.zeros(data.num_items, dtype=bool)
    own[person.history] = True
    found = {}
    for space, near in ranker.scorer.similar_users(person.profile, count).items():
        both = [own[data.history(row)].sum() for row in near.rows.tolist()]
        found[space] = Neighbours(near, np.array(both, dtype=np.int64))
    return found
