"""Two models side by side for one person: both lists, what moved, and the parts of the score.

The models are two checkpoints of one run or of two runs of the same dataset, called A and B.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.compare_users import check_same_dataset
from neumf_tui.explore.guests import Who
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.reader import read_info
from neumf_tui.scorers.scorer import SCORE


def load_other(a: Ranker, folder: Path, which: str | None) -> Ranker:
    """Open the model to compare with `a`, with the same dataset; raises UsageError, RunError."""
    check_same_dataset(a.info, read_info(folder))
    return Ranker(folder, a.home, which, a.dataset)


@dataclass(frozen=True)
class PartChange:
    """Where the score, or a part of it, puts the held-out item in A and in B."""

    rank_a: float
    rank_b: float
    standardised_a: float | None
    """The part less its mean over this person's candidates, in standard deviations of their scores
    in A. BPR leaves the scale of a model's scores free, so only such values can be compared between
    models. None where all scores are the same."""
    standardised_b: float | None
    length_a: int | None = None
    """Items of A's list, where it does not have this one: then the rank says nothing more."""
    length_b: int | None = None

    @property
    def change(self) -> float | None:
        if self.standardised_a is None or self.standardised_b is None:
            return None
        return self.standardised_b - self.standardised_a


@dataclass(frozen=True)
class HeldoutChange:
    """The held-out item in A and in B."""

    item: int
    score: PartChange
    parts: Mapping[str, PartChange]
    """Changes of the parts, if both models have the same ones; they sum to that of the score."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonComparison:
    """One person's candidates as A and as B order them."""

    label_a: str  # run and epoch, `quiet-otter-07@3`
    label_b: str
    a: UserRanking
    b: UserRanking
    count: int  # length of the top of a list; at most the items that have a score in both
    row_in_b: NDArray[np.int64]  # (candidates,): the row in B's list of each item of A's
    row_in_a: NDArray[np.int64]
    heldout: HeldoutChange | None

    @property
    def in_both(self) -> int:
        """Number of items that stand in both tops."""
        return int((self.row_in_b[: self.count] < self.count).sum())

    @property
    def overlap(self) -> float:
        """The same as a share of a top, 0 to 1."""
        return self.in_both / self.count

    def entered(self) -> list[int]:
        """Return rows of B's top that are not in A's top, the greatest climb first."""
        return self._moved(self.row_in_a)

    def left(self) -> list[int]:
        """Return rows of A's top that are not in B's top, the greatest fall first."""
        return self._moved(self.row_in_b)

    def _moved(self, row_in_other: NDArray[np.int64]) -> list[int]:
        rows = np.flatnonzero(row_in_other[: self.count] >= self.count)
        return [int(row) for row in rows[np.argsort(rows - row_in_other[rows], kind="stable")]]

    def ranks_of_a(self, row: int) -> tuple[float, float]:
        """Return rank in A and in B of the item at `row` of A's list."""
        return float(self.a.ranks[row]), float(self.b.ranks[self.row_in_b[row]])

    def ranks_of_b(self, row: int) -> tuple[float, float]:
        """Return rank in A and in B of the item at `row` of B's list."""
        return float(self.a.ranks[self.row_in_a[row]]), float(self.b.ranks[row])


def compare_person(a: Ranker, b: Ranker, who: Who, count: int = CUTOFF) -> PersonComparison:
    """Rank a person with both models; raises UsageError for different datasets, RunError."""
    check_same_dataset(a.info, b.info)
    one, other = a.rank(who), b.rank(who)
    rows = np.empty((2, a.dataset.num_items), dtype=np.int64)
    rows[0, one.items] = rows[1, other.items] = np.arange(len(one.items))
    return PersonComparison(
        label_a=a.label,
        label_b=b.label,
        a=one,
        b=other,
        count=max(1, min(count, one.known, other.known)),
        row_in_b=rows[1, one.items],
        row_in_a=rows[0, other.items],
        heldout=_heldout(one, other),
    )


def _heldout(a: UserRanking, b: UserRanking) -> HeldoutChange | None:
    if a.heldout < 0:
        return None
    values_a, values_b = _standardised(a), _standardised(b)
    names = [SCORE, *(a.parts if a.parts.keys() == b.parts.keys() else ())]
    changes = {
        name: PartChange(
            a.heldout_ranks[name],
            b.heldout_ranks[name],
            values_a.get(name),
            values_b.get(name),
            None if a.heldout < a.known else a.known,
            None if b.heldout < b.known else b.known,
        )
        for name in names
    }
    return HeldoutChange(int(a.items[a.heldout]), changes.pop(SCORE), changes)


def _standardised(ranking: UserRanking) -> dict[str, float]:
    """Return score and parts of the held-out item, in standard deviations of the scores.

    Empty where all scores are the same, or the item has none.
    """
    known = ranking.scores[: ranking.known]
    spread = float(known.std(dtype=np.float64)) if len(known) else 0.0
    if not spread > 0 or not np.isfinite(ranking.scores[ranking.heldout]):
        return {}
    return {name: value / spread for name, value in ranking.centred(ranking.heldout).items()}
