"""Two models side by side for all users, from the rank tapes alone: hits won and lost, and whether chance would do as much."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.statistics import (
    hit_difference_interval,
    mcnemar,
    mean_difference_interval,
)
from neumf_tui.explore.compare import about_models, check_same_dataset, signed
from neumf_tui.runs.checkpoint import find_checkpoint, usual_checkpoint
from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.protocol import is_optimistic, protocol_of
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks
from neumf_tui.views.sheet import Sheet

ALL_COLUMNS = ("user", "heldout", "rank_a", "rank_b", "hit_a", "hit_b", "auc_difference")
SORTS = ("biggest win", "biggest loss", "changed side", "dataset order")
LEVEL = 0.05
"""Below this p, and outside 95 % intervals, a difference is called one."""


@dataclass(frozen=True, eq=False)
class Taped:
    """One model as the rank tape knows it."""

    info: RunInfo
    epoch: int
    ranks: NDArray[np.float32]
    """Shape (num_users,): ranks of held-out items, NaN where none."""

    @property
    def label(self) -> str:
        return f"{self.info.name}@{self.epoch}"


def read_taped(folder: Path, which: str | None) -> Taped:
    """Ranks after epoch `which`, a number, `best` or `last`; None: as of `usual_checkpoint`. Raises RunError without them."""
    info, epochs = read_info(folder), rank_epochs(folder)
    which = usual_checkpoint(folder) if which is None else which
    if which == "best":
        which = find_checkpoint(folder, which).stem
    if which == "last":
        which = str(epochs[-1]) if epochs else "1"
    if not which.isdecimal() or int(which) not in epochs:
        there = (
            f"there are ranks of {epochs[0]} to {epochs[-1]}"
            if epochs
            else "none was evaluated yet"
        )
        raise RunError(f"run {info.name}: epoch {which} was not evaluated; {there}")
    return Taped(info, int(which), read_ranks(folder, int(which)))


@dataclass(frozen=True, eq=False)
class AllComparison:
    """Arrays have one entry for each user who is ranked in both models, shape (n,)."""

    a: Taped
    b: Taped
    users: NDArray[np.int64]
    """User indices, ascending."""
    rank_a: NDArray[np.float64]
    rank_b: NDArray[np.float64]
    auc_a: NDArray[np.float64]
    auc_b: NDArray[np.float64]
    left_out: int
    """Users without a rank in A or in B."""
    p: float
    """McNemar's exact test of hits won against hits lost."""
    hit_interval: tuple[float, float]
    """95 %, paired bootstrap over users, of Hit@50 in B less that in A."""
    auc_interval: tuple[float, float]

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


def compare_all(dataset: Dataset, a: Taped, b: Taped) -> AllComparison:
    """Pair the ranks of both models user by user.

    Hit@50 = rank ≤ 50, AUC = 1 − (rank − 1)/(candidates − 1). Raises UsageError for models of different datasets, RunError
    where nobody is ranked in both.
    """
    check_same_dataset(a.info, b.info)
    for tape in (a, b):
        if tape.ranks.shape != (dataset.num_users,):
            raise RunError(
                f"{tape.label}: {tape.ranks.shape} ranks, expected {dataset.num_users:,}; --resume the run to mend it"
            )
    users = np.flatnonzero(~np.isnan(a.ranks) & ~np.isnan(b.ranks))
    if not len(users):
        raise RunError(
            f"{a.label} and {b.label}: no user is ranked in both; nothing can be compared"
        )
    rank_a, rank_b = a.ranks[users].astype(np.float64), b.ranks[users].astype(np.float64)
    others = np.maximum(dataset.num_items - np.diff(dataset.offsets)[users] - 1, 1)
    auc_a, auc_b = 1 - (rank_a - 1) / others, 1 - (rank_b - 1) / others
    hit_a, hit_b = rank_a <= CUTOFF, rank_b <= CUTOFF
    won, lost = int((hit_b & ~hit_a).sum()), int((hit_a & ~hit_b).sum())
    return AllComparison(
        a, b, users, rank_a, rank_b, auc_a, auc_b,
        left_out=dataset.num_users - len(users),
        p=mcnemar(won, lost),
        hit_interval=hit_difference_interval(won, lost, len(users) - won - lost),
        auc_interval=mean_difference_interval(auc_b - auc_a),
    )  # fmt: skip


def ordered(comparison: AllComparison, sort: str) -> NDArray[np.int64]:
    """Rows of a comparison in the order `sort`, one of SORTS; wins and losses by the ratio of the ranks."""
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


def verdict(comparison: AllComparison) -> str:
    """What can be told from these users: in hits where test and interval agree, in AUC by the interval."""
    c = comparison
    if (c.rank_a == c.rank_b).all():
        return "The two rank every held-out film the same."
    better = {1: "B is better", -1: "A is better"}
    chance = f"no difference beyond chance can be told from these {len(c.users):,} users"
    hits, auc = _way(c.hit_interval), _way(c.auc_interval)
    if (c.p < LEVEL) != (hits != 0):
        in_hits = "it is too close to call: test and interval disagree"
    else:
        in_hits = better.get(hits, chance)
        if hits == auc:
            return (
                f"{in_hits}, in Hit@{CUTOFF} and in AUC."
                if hits
                else f"{chance[0].upper()}{chance[1:]}."
            )
    return f"In Hit@{CUTOFF} {in_hits}; in AUC {better.get(auc, chance)}."


def _way(interval: tuple[float, float]) -> int:
    """1 above zero, −1 below it, 0 where zero lies in the interval."""
    low, high = interval
    return 0 if low <= 0 <= high else 1 if low > 0 else -1


def all_words(comparison: AllComparison) -> list[str]:
    """The comparison in plain words, without the verdict."""
    c = comparison
    if c.won or c.lost:
        counts = (
            f"B puts {_films(c.won)} into the top {CUTOFF} that A does not, and loses {c.lost:,}."
        )
    else:
        counts = f"Both put the same {_films(int(c.hit_a.sum()))} into the top {CUTOFF}."
    low, high = c.hit_interval
    lines = [
        counts,
        f"Hit@{CUTOFF} {c.hit_a.mean():.4f} → {c.hit_b.mean():.4f}, by {signed(c.hit_difference, 3)} "
        f"(95 % {signed(low, 3)} to {signed(high, 3)}); {chance_text(c.p)} (McNemar).",
        f"AUC {c.auc_a.mean():.4f} → {c.auc_b.mean():.4f}, by {signed(c.auc_difference, 4)} "
        f"(95 % {signed(c.auc_interval[0], 4)} to {signed(c.auc_interval[1], 4)}).",
    ]
    leaks = [
        name for name, model in (("A", c.a), ("B", c.b)) if is_optimistic(protocol_of(model.info))
    ]
    if len(leaks) == 1:
        lines.append(
            f"Hit@50 of {leaks[0]} is optimistic: its held-out items were never drawn as negatives."
        )
    if c.left_out:
        lines.append(
            f"{c.left_out:,} {'user is' if c.left_out == 1 else 'users are'} left out: without a rank in A or in B."
        )
    return lines


CAVEAT = (
    "Said of these two models and of users like these: another seed trains another model, and nothing here corrects for "
    "looking at many pairs."
)


def _films(count: int) -> str:
    return "1 user's film" if count == 1 else f"{count:,} users' films"


def chance_text(p: float) -> str:
    """p as people say it."""
    if p >= 1:
        return "chance alone would do at least this in every case"
    if p >= 0.1:
        return f"chance alone would do this in {100 * p:.0f} of 100 cases"
    if p < 1e-9:
        return "chance alone would do this in fewer than 1 of 1,000,000,000 cases"
    return f"chance alone would do this in 1 of {float(f'{1 / p:.2g}'):,.0f} cases"


def compare_all_sheet(
    dataset: Dataset, comparison: AllComparison, rows: NDArray[np.int64] | None = None
) -> Sheet:
    """One row a user who is ranked in both; `rows` of the comparison in their order, or all in the dataset's."""
    c = comparison
    about = about_models(c.a.label, c.b.label, c.a.info, c.b.info) | {
        "num_users": len(c.users),
        "left_out": c.left_out,
        "won": c.won,
        "lost": c.lost,
        "hit@50_a": float(c.hit_a.mean()),
        "hit@50_b": float(c.hit_b.mean()),
        "hit@50_difference": c.hit_difference,
        "hit@50_difference_ci": list(c.hit_interval),
        "mcnemar_p": c.p,
        "auc_a": float(c.auc_a.mean()),
        "auc_b": float(c.auc_b.mean()),
        "auc_difference": c.auc_difference,
        "auc_difference_ci": list(c.auc_interval),
        "verdict": verdict(c),
        "words": all_words(c),
    }
    shown = range(len(c.users)) if rows is None else rows.tolist()
    table = [
        {
            "user": dataset.user_ids[int(c.users[row])],
            "heldout": dataset.catalogue.item_title(int(dataset.split.heldout[c.users[row]])),
            "rank_a": float(c.rank_a[row]),
            "rank_b": float(c.rank_b[row]),
            "hit_a": bool(c.hit_a[row]),
            "hit_b": bool(c.hit_b[row]),
            "auc_difference": float(c.auc_b[row] - c.auc_a[row]),
        }
        for row in shown
    ]
    return Sheet(
        f"compare-{c.a.label}-{c.b.label}",
        about,
        "users",
        table,
        ALL_COLUMNS,
        ("dataset", "a", "b"),
    )
