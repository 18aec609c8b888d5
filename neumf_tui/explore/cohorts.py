"""Cohorts of users: Hit@50 and AUC, with intervals, by history, popularity, genre and era.

Genres are those of datasets that have them; eras are those of films.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import Interval, mean_interval, wilson_interval
from neumf_tui.explore.failures import Failures
from neumf_tui.runs.events import CUTOFF

SMALL = 30  # a cohort of fewer users is marked: its metrics are uncertain
FEWEST = 10  # with fewer there is no interval of AUC: the bootstrap makes it far too narrow


@dataclass(frozen=True, eq=False)
class Cohort:
    """Users who have something in common, and how well they are served."""

    kind: str  # all, history, popularity (of the held-out item), genre or era (both of that item)
    name: str
    members: NDArray[np.int64]  # user indices; only users that have a rank
    hit: float  # Hit@50
    hit_interval: Interval
    auc: float
    auc_interval: Interval | None  # of the mean over users; None for fewer than FEWEST users
    popularity_hit: float  # Hit@50 of the same users if items are ranked by how many users saw them

    @property
    def small(self) -> bool:
        return len(self.members) < SMALL


def make_cohorts(failures: Failures, cancelled: Callable[[], bool] = lambda: False) -> list[Cohort]:
    """Return all users first, then the cohorts by kind.

    Quartiles are ascending, genres by name, eras from the oldest. A held-out item counts in each of
    its genres. Raises RunError where nobody has a rank.
    """
    if not len(failures.evaluated):
        name, noun = failures.users.info.name, failures.dataset.noun
        raise RunError(f"{name}: no user has a held-out {noun.singular}, so there are no cohorts")
    groups = takewhile(
        lambda _: not cancelled(), cohort_members(failures.dataset, failures.evaluated)
    )
    return [_cohort(failures, *group) for group in groups]


def cohort_members(
    dataset: Dataset, users: NDArray[np.int64]
) -> list[tuple[str, str, NDArray[np.int64]]]:
    """Return kind, name and members of each cohort of `users`, who have a held-out item."""
    catalogue = dataset.catalogue
    noun = catalogue.noun
    items = np.asarray(dataset.split.heldout)[users]
    groups = [("all", "all users", users)]
    for kind, values, form in (
        ("history", np.diff(dataset.offsets)[users], f"{{}} {noun.plural}"),
        ("popularity", dataset.seen_by[items], "seen by {}"),
    ):
        edges, group = quartile_groups(values)
        for number, (low, high) in enumerate(edges):
            between = f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"
            groups.append((kind, form.format(between), users[group == number]))
    if catalogue.has_genres:
        of_genre: dict[str, NDArray[np.bool_]] = {}
        for item, genres in enumerate(catalogue.genres):
            for genre in genres or ["no genre given"]:
                of_genre.setdefault(genre, np.zeros(len(catalogue.genres), dtype=bool))[item] = True
        groups += [("genre", genre, users[of_genre[genre][items]]) for genre in sorted(of_genre)]
    if catalogue.has_eras:
        decades = np.array([(year or 0) // 10 * 10 for year in catalogue.years])[items]
        for decade in sorted(set(decades.tolist()), key=lambda d: (not d, d)):
            name = f"{decade}s" if decade else "year not known"
            groups.append(("era", name, users[decades == decade]))
    return [group for group in groups if len(group[2])]


def _cohort(failures: Failures, kind: str, name: str, members: NDArray[np.int64]) -> Cohort:
    hit = float(np.mean(failures.ranks[members] <= CUTOFF))
    aucs = failures.aucs[members]
    return Cohort(
        kind=kind,
        name=name,
        members=members,
        hit=hit,
        hit_interval=wilson_interval(hit, len(members)),
        auc=float(aucs.mean()),
        auc_interval=mean_interval(aucs) if len(members) >= FEWEST else None,
        popularity_hit=float(np.mean(failures.popularity_ranks[members] <= CUTOFF)),
    )


def quartile_groups(values: ArrayLike) -> tuple[list[tuple[float, float]], NDArray[np.int64]]:
    """Return lowest and highest value of each quarter, ascending, and each value's group (n,).

    Equal values are always in the same group; where many coincide there are fewer groups, but never
    an empty one. NaN has the group -1. The edges are values that occur (quantiles of Hyndman & Fan
    1996, type 1).
    """
    values = np.asarray(values, dtype=np.float64)
    known = values[~np.isnan(values)]
    groups = np.full(len(values), -1, dtype=np.int64)
    if not len(known):
        return [], groups
    edges = np.unique(np.quantile(known, (0.25, 0.5, 0.75, 1), method="inverted_cdf"))
    groups[~np.isnan(values)] = np.searchsorted(edges, known, side="left")
    parts = [values[groups == group] for group in range(len(edges))]
    return [(float(part.min()), float(part.max())) for part in parts], groups
