"""Who is being failed: every user's rank beside what popularity alone would give, and cohorts of users. No model, no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.metrics import wilson_interval
from neumf_tui.evaluation.popularity import popularity_ranks as counted_popularity_ranks
from neumf_tui.evaluation.spread import Bin, spread
from neumf_tui.evaluation.statistics import Interval, mean_difference_interval, quartile_groups
from neumf_tui.explore.users import Users
from neumf_tui.runs.checkpoint import find_checkpoint, usual_checkpoint
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.text import rank_text
from neumf_tui.views.sheet import Sheet

ORDERS = ("rank", "gain", "history", "popularity", "age", "dataset")
"""Worst rank first; least gain over popularity; shortest history; held-out film seen by fewest; oldest; as in the dataset."""
SMALL = 30
"""A cohort of fewer users is marked: its figures say little."""
FEWEST = 10
"""A cohort of fewer has no interval of AUC: drawn anew from so few, it would be far too narrow."""
BOOTSTRAP = 10_000
"""For more users than these the bootstrap is not drawn: its interval is the normal one to the third digit of its width."""
USER_COLUMNS = (
    "user", "rank", "popularity_rank", "gain", "num_candidates", "history_size", "item_id", "title", "year", "seen_by", "age",
)  # fmt: skip
COHORT_COLUMNS = (
    "kind", "cohort", "num_users", "hit@50", "hit@50_low", "hit@50_high", "auc", "auc_low", "auc_high", "popularity_hit@50",
    "note",
)  # fmt: skip


def popularity_ranks(dataset: Dataset) -> NDArray[np.float32]:
    """`Users.popularity_rank` of all users at once, shape (num_users,), NaN where nothing is held out."""
    split, offsets = dataset.split, dataset.offsets
    candidates = dataset.num_items - np.diff(offsets)
    return counted_popularity_ranks(
        dataset.seen_by, np.asarray(split.heldout), candidates, split.items, offsets
    )


def tape_epoch(users: Users, folder: Path, which: str | None) -> int:
    """The evaluated epoch that `which` names: a number, `best` or `last`; None: as of `usual_checkpoint`. Raises RunError."""
    if not users.epochs:
        raise RunError(f"{folder}: no evaluation yet; wait for the first one")
    which = usual_checkpoint(folder) if which is None else which
    if which == "last":
        return users.epochs[-1]
    number = find_checkpoint(folder, which).stem if which == "best" else which
    if number.isdecimal() and int(number) in users.epochs:
        return int(number)
    raise RunError(
        f"{folder.name}: no ranks after epoch {which}; there are {users.epochs[0]} to {users.epochs[-1]}, `best` and `last`"
    )


@dataclass(frozen=True, eq=False)
class Failures:
    """Every user after one evaluation; arrays have shape (num_users,) and NaN where nothing is held out."""

    users: Users
    epoch: int
    ranks: NDArray[np.float32]
    popularity_ranks: NDArray[np.float32]
    gains: NDArray[np.float32]
    """Popularity's rank less the model's: below 0, popularity alone would have served the user better."""
    candidates: NDArray[np.int64]
    """Items outside the history."""
    seen_by: NDArray[np.float64]
    """How many users have the held-out film in their history."""
    ages: NDArray[np.float64]
    """Years from the held-out film's release to the last year of the interactions; NaN too where the year is not known."""

    @property
    def dataset(self) -> Dataset:
        return self.users.dataset

    @cached_property
    def evaluated(self) -> NDArray[np.int64]:
        """Indices of the users that have a rank."""
        return np.flatnonzero(~np.isnan(self.ranks))

    @cached_property
    def aucs(self) -> NDArray[np.float64]:
        """1 − (rank − 1)/(candidates − 1)."""
        values: NDArray[np.float64] = 1 - (self.ranks.astype(np.float64) - 1) / np.maximum(
            self.candidates - 1, 1
        )
        return values

    def order(self, by: str) -> NDArray[np.int64]:
        """All user indices by one of ORDERS, equal ones in dataset order; those without a rank last."""
        if by == "dataset":
            return np.arange(len(self.ranks))
        keys: dict[str, NDArray[Any]] = {
            "rank": -self.ranks,
            "gain": self.gains,
            "history": self.users.history_sizes,
            "popularity": self.seen_by,
            "age": -self.ages,
        }
        return np.argsort(np.where(np.isnan(self.ranks), np.nan, keys[by]), kind="stable")

    def matching(self, query: str) -> NDArray[np.bool_]:
        """Users whose id begins with `query` or whose held-out title has it, whatever the case; shape (num_users,)."""
        query = query.strip().casefold()
        if not query:
            return np.ones(len(self.ranks), dtype=bool)
        films = np.array(
            [query in title.casefold() for title in self.dataset.catalogue.titles], dtype=bool
        )
        heldout = np.asarray(self.dataset.split.heldout)
        ids = np.array(
            [user_id.casefold().startswith(query) for user_id in self.dataset.user_ids], dtype=bool
        )
        found: NDArray[np.bool_] = ids | ((heldout >= 0) & films[heldout])
        return found

    def spread(self) -> list[Bin]:
        """How many users have which ranks."""
        return spread(self.ranks, int(self.candidates.max()))


def failures_at(users: Users, epoch: int) -> Failures:
    """Raises RunError where there are no ranks after `epoch`."""
    if epoch not in users.epochs:
        there = ", ".join(map(str, users.epochs[-5:])) or "none"
        raise RunError(
            f"{users.info.name}: no ranks after epoch {epoch}; the last epochs with ranks: {there}"
        )
    dataset = users.dataset
    heldout = np.asarray(dataset.split.heldout)
    held = heldout >= 0
    ranks = users.tape[users.epochs.index(epoch)]
    popularity = popularity_ranks(dataset)
    last = datetime.fromtimestamp(int(dataset.split.times.max(initial=0)), UTC).year
    years = np.array([year if year else np.nan for year in dataset.catalogue.years])
    return Failures(
        users,
        epoch,
        ranks,
        popularity,
        popularity - ranks,
        dataset.num_items - users.history_sizes,
        np.where(held, dataset.seen_by[heldout], np.nan),
        np.where(held, last - years[heldout], np.nan),
    )


@dataclass(frozen=True, eq=False)
class Cohort:
    """Users who have something in common, and how well they are served."""

    kind: str
    """all, history, popularity (of the held-out film), genre or era (both of that film)."""
    name: str
    members: NDArray[np.int64]
    """User indices; only users that have a rank."""
    hit: float
    """Hit@50."""
    hit_interval: Interval
    """95 %, Wilson."""
    auc: float
    auc_interval: Interval | None
    """95 %, of the mean over users; None for fewer than FEWEST users."""
    popularity_hit: float
    """Hit@50 of the same users if films are ranked by how many saw them."""

    @property
    def small(self) -> bool:
        return len(self.members) < SMALL


def make_cohorts(failures: Failures, cancelled: Callable[[], bool] = lambda: False) -> list[Cohort]:
    """All users first, then each kind's cohorts: quartiles ascending, genres by name, eras from the oldest.

    A held-out film counts in each of its genres. Raises RunError for a run without any rank.
    """
    if not len(failures.evaluated):
        raise RunError(
            f"{failures.users.info.name}: no user has a held-out film, so there are no cohorts"
        )
    found = []
    for kind, name, members in _groups(failures):
        if cancelled():
            break
        found.append(_cohort(failures, kind, name, members))
    return found


def _groups(failures: Failures) -> list[tuple[str, str, NDArray[np.int64]]]:
    users, catalogue = failures.evaluated, failures.dataset.catalogue
    films = np.asarray(failures.dataset.split.heldout)[users]
    groups = [("all", "all users", users)]
    for kind, values, form in (
        ("history", failures.users.history_sizes[users], "{} films"),
        ("popularity", failures.seen_by[users], "seen by {}"),
    ):
        edges, group = quartile_groups(values)
        for number, (low, high) in enumerate(edges):
            between = f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"
            groups.append((kind, form.format(between), users[group == number]))
    of_genre: dict[str, NDArray[np.bool_]] = {}
    for item, genres in enumerate(catalogue.genres):
        for genre in genres or ["no genre given"]:
            of_genre.setdefault(genre, np.zeros(len(catalogue.genres), dtype=bool))[item] = True
    groups += [("genre", genre, users[of_genre[genre][films]]) for genre in sorted(of_genre)]
    decades = np.array([year // 10 * 10 if year else 0 for year in catalogue.years])[films]
    for decade in sorted(set(decades.tolist()), key=lambda d: (not d, d)):
        groups.append(
            ("era", f"{decade}s" if decade else "year not known", users[decades == decade])
        )
    return [group for group in groups if len(group[2])]


def _cohort(failures: Failures, kind: str, name: str, members: NDArray[np.int64]) -> Cohort:
    hit = float(np.mean(failures.ranks[members] <= CUTOFF))
    aucs = failures.aucs[members]
    return Cohort(
        kind,
        name,
        members,
        hit,
        wilson_interval(hit, len(members)),
        float(aucs.mean()),
        mean_interval(aucs) if len(members) >= FEWEST else None,
        float(np.mean(failures.popularity_ranks[members] <= CUTOFF)),
    )


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """95 % interval of a mean over users: the percentile bootstrap, and for over BOOTSTRAP users mean ± 1.96 s/√n."""
    if len(values) <= BOOTSTRAP:
        return mean_difference_interval(values, resamples=2_000)
    mean, half = (
        float(values.mean()),
        1.959963984540054 * float(values.std(ddof=1)) / len(values) ** 0.5,
    )
    return mean - half, mean + half


def summary(failures: Failures) -> dict[str, Any]:
    """What holds for all users: run, dataset, epoch, and the figures of the model and of popularity alone."""
    users = failures.evaluated
    about: dict[str, Any] = {
        "run": failures.users.info.name,
        "dataset": failures.dataset.label,
        "epoch": failures.epoch,
        "protocol": protocol_of(failures.users.info),
        "num_users": len(users),
    }
    if not len(users):
        return about
    hit = float(np.mean(failures.ranks[users] <= CUTOFF))
    return about | {
        "hit@50": hit,
        "hit@50_ci": list(wilson_interval(hit, len(users))),
        "popularity_hit@50": float(np.mean(failures.popularity_ranks[users] <= CUTOFF)),
        "median_rank": float(np.median(failures.ranks[users])),
        "num_below_popularity": int((failures.gains[users] < 0).sum()),
    }


def summary_text(failures: Failures) -> str:
    """How many are served how well, in a line."""
    s = summary(failures)
    if not s["num_users"]:
        return "no user has a held-out film, so there are no ranks"
    low, high = s["hit@50_ci"]
    return (
        f"{s['num_users']:,} users · Hit@{CUTOFF} {s['hit@50']:.3f} ({low:.3f}–{high:.3f}), popularity "
        f"{s['popularity_hit@50']:.3f} · median rank {rank_text(s['median_rank'])} · "
        f"{s['num_below_popularity']:,} better off with popularity"
    )


def failures_sheet(
    failures: Failures, order: NDArray[np.int64], by: str, cohort: Cohort | None = None
) -> Sheet:
    """One row for each user index of `order`; None where nothing is held out, or where a film's year is not known."""
    catalogue = failures.dataset.catalogue
    rows = []
    # Lists first: taking single figures out of arrays would take most of the time of a long sheet.
    for user, item, candidates, size, rank, popular, gain, seen, age in zip(
        order.tolist(),
        np.asarray(failures.dataset.split.heldout)[order].tolist(),
        failures.candidates[order].tolist(),
        failures.users.history_sizes[order].tolist(),
        _told(failures.ranks[order]),
        _told(failures.popularity_ranks[order]),
        _told(failures.gains[order]),
        _told(failures.seen_by[order]),
        _told(failures.ages[order]),
        strict=True,
    ):
        held = item >= 0
        rows.append(
            {
                "user": failures.dataset.user_ids[user],
                "rank": rank,
                "popularity_rank": popular,
                "gain": gain,
                "num_candidates": candidates,
                "history_size": size,
                "item_id": catalogue.item_ids[item] if held else None,
                "title": catalogue.titles[item] if held else None,
                "year": catalogue.years[item] if held else None,
                "seen_by": None if seen is None else int(seen),
                "age": None if age is None else int(age),
            }
        )
    about = summary(failures) | {
        "by": by,
        "cohort": f"{cohort.kind}: {cohort.name}" if cohort else None,
    }
    return Sheet(f"{failures.users.info.name}-failures", about, "users", rows, USER_COLUMNS)


def _told(values: NDArray[Any]) -> list[float | None]:
    """None for NaN."""
    return [None if value != value else value for value in values.tolist()]


def cohorts_sheet(failures: Failures, cohorts: Sequence[Cohort]) -> Sheet:
    """One row a cohort."""
    rows = [
        {
            "kind": c.kind,
            "cohort": c.name,
            "num_users": len(c.members),
            "hit@50": c.hit,
            "hit@50_low": c.hit_interval[0],
            "hit@50_high": c.hit_interval[1],
            "auc": c.auc,
            "auc_low": c.auc_interval[0] if c.auc_interval else None,
            "auc_high": c.auc_interval[1] if c.auc_interval else None,
            "popularity_hit@50": c.popularity_hit,
            "note": "few users" if c.small else "",
        }
        for c in cohorts
    ]
    return Sheet(
        f"{failures.users.info.name}-cohorts", summary(failures), "cohorts", rows, COHORT_COLUMNS
    )
