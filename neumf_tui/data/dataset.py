"""A dataset in memory: training pairs, held-out items, and the names of users and items."""

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.facts import ReadFacts, SplitFacts
from neumf_tui.data.nouns import Noun
from neumf_tui.data.options import DataOptions
from neumf_tui.data.split import Split, stretches
from neumf_tui.errors import RunError, UnknownNameError
from neumf_tui.text import dataset_label

if TYPE_CHECKING:
    from neumf_tui.data.title_search import TitleSearch


@dataclass(frozen=True)
class Dataset:
    """Training pairs, held-out items and names.

    The arrays of `split` may be memory-mapped: treat them as read-only.
    """

    name: str
    simulated: bool
    source: str
    """Where the interactions came from, for people."""
    notices: tuple[str, ...]
    """What a person should know about this data, e.g. how many duplicates were dropped."""
    fingerprint: str
    user_ids: Sequence[str]
    """In a prepared dataset each id is decoded when it is accessed."""
    catalogue: Catalogue
    split: Split
    facts: SplitFacts = SplitFacts()
    read_facts: ReadFacts = ReadFacts()
    options: DataOptions = DataOptions()
    """How the files were read and split, so that the same can be done again."""

    @property
    def label(self) -> str:
        return dataset_label(self.name, self.simulated)

    @property
    def noun(self) -> Noun:
        """What an item is called."""
        return self.catalogue.noun

    @property
    def has_ages(self) -> bool:
        """Whether it is known how many years old items are when somebody has them."""
        return self.catalogue.has_years and self.facts.has_times

    @property
    def num_users(self) -> int:
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        return len(self.catalogue.item_ids)

    @property
    def num_train(self) -> int:
        return len(self.split.users)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (num_users + 1,): user u's training pairs are rows offsets[u]:offsets[u + 1]."""
        return self.split.offsets

    @cached_property
    def validation(self) -> NDArray[np.int64]:
        """Shape (num_users,): the item after each user's known pairs, -1 for a user without.

        Epochs and settings are chosen by the rank of these items.
        """
        found = np.full(self.num_users, -1, dtype=np.int64)
        known = self.split.known
        users = np.flatnonzero((known > 0) & (known < np.diff(self.offsets)))
        found[users] = self.split.items[self.offsets[users] + known[users]]
        return found

    @cached_property
    def learned(self) -> NDArray[np.bool_]:
        """Shape (pairs,): the training pairs that come before validation."""
        keep = np.ones(self.num_train, dtype=bool)
        known = self.split.known
        keep[stretches(self.offsets[:-1] + known, np.diff(self.offsets) - known)] = False
        return keep

    @cached_property
    def seen_by(self) -> NDArray[np.int64]:
        """Shape (num_items,): number of users with the item in their history."""
        return np.bincount(self.split.items, minlength=self.num_items).astype(np.int64)

    @cached_property
    def learned_by(self) -> NDArray[np.int64]:
        """Shape (num_items,): number of users with the item in their history before validation."""
        others = self.split.items[~self.learned]
        return self.seen_by - np.bincount(others, minlength=self.num_items)

    @property
    def num_candidates(self) -> tuple[int, int] | None:
        """The smallest and largest number of candidates over users with a held-out item."""
        held = np.asarray(self.split.heldout) >= 0
        counts = (self.num_items - np.diff(self.offsets))[held]
        return (int(counts.min()), int(counts.max())) if len(counts) else None

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Item index by item id."""
        return {item_id: row for row, item_id in enumerate(self.catalogue.item_ids)}

    @cached_property
    def title_search(self) -> "TitleSearch":
        """The search index of the titles: takes about a second for 87,000, so ask in a thread."""
        from neumf_tui.data.title_search import TitleSearch

        return TitleSearch(self.catalogue, self.seen_by, self.label)

    def user_index(self, user_id: str) -> int:
        """Return the user's index; raise RunError for an unknown id, naming the nearest ids."""
        try:
            return self.user_ids.index(user_id)
        except ValueError:
            missing = f"no user {user_id!r} in {self.label}"
            parts = re.split(r"[,;\s]+", user_id.strip(",; "))
            if len(parts) > 1 and all(part in self.user_ids for part in parts):
                what = f"it is {len(parts)} ids; give one at a time, such as {parts[0]}"
                raise RunError(f"{missing}: {what}") from None
            near = ", ".join(_nearest_ids(user_id, self.user_ids))
            message = f"{missing}; nearest ids: {near}"
            raise UnknownNameError(message, user_id, is_user=True) from None

    def history(self, user: int) -> NDArray[np.int64]:
        """Return the item indices in the training pairs of user index `user`, oldest first."""
        return np.asarray(self.split.items[self.offsets[user] : self.offsets[user + 1]])

    def with_notice(self, notice: str) -> "Dataset":
        """Return the dataset with `notice` before the other notices."""
        return replace(self, notices=(notice, *self.notices))


def _nearest_ids(wanted: str, ids: Sequence[str]) -> list[str]:
    """Return the five ids nearest to `wanted`: by value if all are numbers, else by spelling."""
    if _is_number(wanted) and all(map(_is_number, ids)):
        near = int(wanted)
        numbers = ((abs(int(one) - near), int(one), one) for one in ids)
        return [user_id for _, _, user_id in heapq.nsmallest(5, numbers)]
    from rapidfuzz import fuzz, process

    found = process.extract(wanted, list(ids), scorer=fuzz.ratio, limit=5)
    return [user_id for user_id, _, _ in found]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 20
