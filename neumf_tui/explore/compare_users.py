"""Two models side by side for all users, from the rank tapes alone: hits won and lost."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError, UsageError
from neumf_tui.evaluation import intervals
from neumf_tui.evaluation.metrics import aucs_from_ranks
from neumf_tui.evaluation.ranks import list_length, num_candidates
from neumf_tui.evaluation.significance import mcnemar
from neumf_tui.explore.users import read_list_size
from neumf_tui.runs.checkpoint import find_rank_epoch
from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.protocol import protocol_of, split_name
from neumf_tui.runs.reader import read_info, read_ranks

SORTS = ("biggest win", "biggest loss", "changed side", "dataset order")


def check_same_dataset(a: RunInfo, b: RunInfo) -> None:
    """Raise UsageError where the runs have different data, so different users, items or splits."""
    one, other = a.dataset, b.dataset
    if one.fingerprint == other.fingerprint:
        return
    split_a, split_b = (split_name(protocol_of(info)) for info in (a, b))
    places = [(ref.name, ref.source, ref.options.reading) for ref in (one, other)]
    if split_a == split_b or places[0] != places[1]:
        raise UsageError(
            f"run {a.name} was trained on {one.label} ({one.fingerprint[:12]}) and run {b.name} on "
            f"{other.label} ({other.fingerprint[:12]}); "
            "compare two runs of one dataset, or two epochs of one run"
        )
    again = (
        f"; `neumf-tui evaluate {a.name} --protocols` shows one run's settings under several splits"
        if a.is_trained
        else ""
    )
    raise UsageError(
        f"run {a.name} has the split {split_a}, run {b.name} the split {split_b} (of "
        f"{one.label}, the same data otherwise): other items are held out, so ranks and metrics "
        f"cannot be compared; train both with the same --split, --cut and filters{again}"
    )


@dataclass(frozen=True, eq=False)
class TapeRanks:
    """The ranks of one model, from the rank tape."""

    info: RunInfo
    epoch: int
    ranks: NDArray[np.float32]  # (num_users,): ranks of held-out items, NaN where none
    list_size: int | None = None
    """As in `Users`."""

    @property
    def label(self) -> str:
        return f"{self.info.name}@{self.epoch}"


def read_tape_ranks(folder: Path, which: str | None) -> TapeRanks:
    """Read the ranks after epoch `which`, as in `find_rank_epoch`; raises RunError."""
    epoch = find_rank_epoch(folder, which)
    info = read_info(folder)
    return TapeRanks(info, epoch, read_ranks(folder, epoch), read_list_size(folder, info))


@dataclass(frozen=True, eq=False, kw_only=True)
class AllComparison:
    """Arrays have one entry for each user who is ranked in both models, shape (n,)."""

    a: TapeRanks
    b: TapeRanks
    users: NDArray[np.int64]  # user indices, ascending
    rank_a: NDArray[np.float64]
    rank_b: NDArray[np.float64]
    auc_a: NDArray[np.float64]
    auc_b: NDArray[np.float64]
    candidates: NDArray[np.int64]
    left_out: int  # users without a rank in A or in B
    p: float  # McNemar's exact test of hits won against hits lost
    hit_interval: intervals.Interval
    """95 %, paired bootstrap over users, of Hit@50 in B less that in A."""
    auc_interval: intervals.Interval

    @property
    def hit_a(self) -> NDArray[np.bool_]:
        return self.rank_a <= CUTOFF

    @property
    def hit_b(self) -> NDArray[np.bool_]:
        return self.rank_b <= CUTOFF

    @property
    def side(self) -> NDArray[np.int8]:
        """1 where B won the hit, −1 where it lost it, else 0."""
        return self.hit_b.astype(np.int8) - self.hit_a.astype(np.int8)

    def beyond(self, row: int) -> tuple[int | None, int | None]:
        """Return the lengths of the lists of A and of B that lack this user's held-out item."""
        of_a, of_b = (
            list_length(float(ranks[row]), int(self.candidates[row]), tape.list_size)
            for tape, ranks in ((self.a, self.rank_a), (self.b, self.rank_b))
        )
        return of_a, of_b

    @property
    def won(self) -> int:
        return int((self.side > 0).sum())

    @property
    def lost(self) -> int:
        return int((self.side < 0).sum())

    @property
    def hit_difference(self) -> float:
        return (self.won - self.lost) / len(self.users)

    @property
    def auc_difference(self) -> float:
        return float((self.auc_b - self.auc_a).mean())


def compare_all(dataset: Dataset, a: TapeRanks, b: TapeRanks) -> AllComparison:
    """Pair the ranks of both models user by user.

    Raises UsageError for models of different datasets, RunError where nobody is ranked in both.
    """
    check_same_dataset(a.info, b.info)
    for tape in (a, b):
        if tape.ranks.shape != (dataset.num_users,):
            raise RunError(
                f"{tape.label}: {tape.ranks.shape} ranks, expected {dataset.num_users:,}; "
                "--resume the run to write them again"
            )
    users = np.flatnonzero(~np.isnan(a.ranks) & ~np.isnan(b.ranks))
    if not len(users):
        raise RunError(f"{a.label} and {b.label}: no user is ranked in both; choose other models")
    rank_a, rank_b = (tape.ranks[users].astype(np.float64) for tape in (a, b))
    candidates = num_candidates(dataset)[users]
    auc_a, auc_b = (aucs_from_ranks(ranks, candidates) for ranks in (rank_a, rank_b))
    hit_a, hit_b = rank_a <= CUTOFF, rank_b <= CUTOFF
    won, lost = int((hit_b & ~hit_a).sum()), int((hit_a & ~hit_b).sum())
    return AllComparison(
        a=a,
        b=b,
        users=users,
        rank_a=rank_a,
        rank_b=rank_b,
        auc_a=auc_a,
        auc_b=auc_b,
        candidates=candidates,
        left_out=dataset.num_users - len(users),
        p=mcnemar(won, lost),
        hit_interval=intervals.hit_difference_interval(won, lost, len(users) - won - lost),
        auc_interval=intervals.mean_difference_interval(auc_b - auc_a),
    )


def ordered(comparison: AllComparison, sort: str) -> NDArray[np.int64]:
    """Return rows in the order `sort`, one of SORTS; wins and losses by the ratio of the ranks."""
    gain = np.log(comparison.rank_a / comparison.rank_b)
    match sort:
        case "biggest win":
            return np.argsort(-gain, kind="stable")
        case "biggest loss":
            return np.argsort(gain, kind="stable")
        case "changed side":
            side = comparison.side
            return np.lexsort((-np.abs(gain), np.select([side > 0, side < 0], [0, 1], 2)))
        case _:
            return np.arange(len(comparison.users))
