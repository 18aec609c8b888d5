"""Full ranking: ranks of held-out items among all candidates, by counting, without sorting."""

import contextlib
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neumf_tui.cores import usable_cores
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, NeumfTuiError
from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.evaluation.popularity import popularity_ranks
from neumf_tui.evaluation.ranks import ranks_from_lead
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels
from neumf_tui.scorers.scorer import DIVERGED, FloatArray, Histories, Scorer

_NOTHING_HELD_OUT = {
    "time": "nobody has interactions on both sides of the cut, so nothing is held out; give "
    "another --cut",
    "given": "nobody is in both the training files and the test files, so nothing is held out; "
    "use --split latest or random",
} | dict.fromkeys(
    ("latest", "random"), "no user has two interactions, so nothing can be held out"
)  # fmt: skip
"""Why nobody has a held-out item, by split."""
_NO_VALIDATION = {
    "time": "nobody has interactions between the cuts and before them, so there are no validation "
    "items; add --no-validation, or give another --cut",
    "given": "nobody has two interactions in the training files, or one there and one in the "
    "validation files, so there are no validation items; add --no-validation",
} | dict.fromkeys(
    ("latest", "random"),
    "no user has three interactions, so none has a validation item; add --no-validation",
)  # fmt: skip


class Evaluator:
    """Ranks each user's held-out item, or their validation item.

    For the validation item the history is what comes before it, so it is a candidate, and so is
    the held-out item, which comes later.

    The arrays are the dataset's own, memory-mapped ones included.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        validation: bool = False,
        users: range | None = None,
        threads: int = 0,
    ) -> None:
        """Prepare to rank all users, or only `users`: scorers then have these users alone.

        `threads` of the CPU score at a time, 0: one a core; the ranks do not depend on it.
        Raises DatasetError where no user of the dataset has such an item.
        """
        targets = dataset.validation if validation else np.asarray(dataset.split.heldout)
        if not (targets >= 0).any():
            lacking = (_NO_VALIDATION if validation else _NOTHING_HELD_OUT)[dataset.facts.split]
            raise DatasetError(f"{dataset.label}: {lacking}")
        self.dataset, self.validation, self.threads = dataset, validation, threads
        self.own = range(dataset.num_users) if users is None else users
        self.targets: NDArray[np.int64] = targets[self.own.start : self.own.stop]
        """Shape (users,): the item that is ranked, -1 where there is none."""
        offsets = dataset.offsets[self.own.start : self.own.stop + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        self.train_items = np.asarray(dataset.split.items[rows])
        sizes = spans = np.diff(offsets)
        if validation:
            sizes = dataset.split.known[self.own.start : self.own.stop]
            spans = sizes + (self.targets >= 0)
            if spans.sum() < len(self.train_items):  # pairs after the validation items
                place = np.arange(rows.start, rows.stop) - np.repeat(offsets[:-1], np.diff(offsets))
                self.train_items = self.train_items[place < np.repeat(spans, np.diff(offsets))]
        self.starts: NDArray[np.int64] = np.concatenate(([0], np.cumsum(spans)))
        """Shape (users + 1,): where each user's history begins in `train_items`; with validation
        the target follows it there."""
        self.histories = Histories(self.train_items, self.starts[:-1], sizes)
        """What models may know of these users."""
        self.candidates: NDArray[np.int64] = dataset.num_items - sizes
        """Items outside each user's history, shape (users,)."""
        self.seen_by: NDArray[np.int64] = dataset.learned_by if validation else dataset.seen_by
        """Users of the whole dataset with the item in that history, shape (num_items,)."""

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (users + 1,): user u's history is offsets[u]:offsets[u + 1] of `items`."""
        return np.concatenate(([0], np.cumsum(self.dataset.num_items - self.candidates)))

    @property
    def items(self) -> NDArray[np.int64]:
        """Shape (pairs,): the items of the histories, which are not candidates."""
        if not self.validation:
            return self.train_items
        targets = self.starts[1:][self.targets >= 0] - 1
        return np.delete(self.train_items, targets)

    def ranks(
        self, scorer: Scorer, report: Callable[[float], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the rank of each user's item, shape (users,), NaN where there is none.

        `report` gets the share of users done, one call at a time, from any thread. Raises
        NeumfTuiError when a score is not a number.
        """
        counts, lock, done = RankCounts(self), threading.Lock(), 0

        def rank(users: range) -> None:
            nonlocal done
            counts.add(users.start, scorer.scores(users))
            with lock:
                done += len(users)
                if report:
                    report(done / len(self.own))

        threads = self.threads or usable_cores()
        each_stretch(rank, len(self.own), scorer.chunk_users, threads)
        return self.ranks_of(counts.lead)

    def ranks_of(self, lead: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ranks by the rule of `evaluation.ranks`.

        lead: (users,), candidates above the target less candidates below it, NaN if a score is.
        Raises NeumfTuiError for a NaN.
        """
        ranked = self.targets >= 0
        if np.isnan(lead[ranked]).any():
            raise NeumfTuiError(f"a score {DIVERGED}")
        ranks = ranks_from_lead(lead.astype(np.float64), self.candidates)
        return np.where(ranked, ranks, np.float32(np.nan))

    def popularity_ranks(self) -> NDArray[np.float32]:
        """Return ranks of the model that scores an item by how many users trained on it."""
        return popularity_ranks(
            self.seen_by, self.targets, self.candidates, self.train_items, self.starts
        )


class RankCounts:
    """Counts candidates above and below each user's item, by the kernel if there is one."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._targets = evaluator.targets.clip(min=0)
        self._starts, self._items = evaluator.starts, evaluator.train_items
        self.lead = np.zeros(len(self._targets), np.float32)
        """Candidates above less candidates below; NaN if a score is."""
        self._kernel: kernels.RankCounts | None = None
        with contextlib.suppress(NoKernels):
            self._kernel = kernels.RankCounts(self._targets, self._starts, self._items, self.lead)

    def add(self, start: int, scores: FloatArray) -> None:
        """Count by `scores` (users, num_items) of the users from `start` on."""
        if self._kernel:
            self._kernel.count(start, scores)
            return
        for user, row in enumerate(scores, start):
            seen = row[self._items[self._starts[user] : self._starts[user + 1]]]
            target = row[self._targets[user]]
            ahead = int((row > target).sum()) - int((row < target).sum())
            ahead -= int((seen > target).sum()) - int((seen < target).sum())
            self.lead[user] = np.nan if np.isnan(row).any() else ahead
