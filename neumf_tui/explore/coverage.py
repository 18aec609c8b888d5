"""The catalogue's side: which films anybody is recommended at all, by the model and by popularity alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.statistics import gini
from neumf_tui.explore.all_scores import candidate_scores, chunk_numbers
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.views.sheet import Sheet

MAX_PAIRS = 300_000_000
"""User-item pairs scored at most; beyond, a random sample of users is."""
COLUMNS = ("item_id", "title", "year", "genres", "seen_by")


@dataclass(frozen=True, eq=False)
class Lists:
    """How often each item stands in the top 50 of those users whose lists were made."""

    counts: NDArray[np.int64]
    """Shape (num_items,)."""
    seen_by: NDArray[np.int64]
    """Shape (num_items,): users with the item in their history."""

    @property
    def coverage(self) -> float:
        """Share of items in somebody's top 50."""
        return float(np.mean(self.counts > 0))

    @property
    def gini(self) -> float:
        """Gini index of the counts over all items: 0 each as often, near 1 a few films for everybody."""
        return gini(self.counts)

    @property
    def mean_seen_by(self) -> float:
        """Mean popularity of the recommended, over all places of all lists."""
        return float(self.counts @ self.seen_by / max(1, self.counts.sum()))

    @property
    def never(self) -> NDArray[np.int64]:
        """Item indices in nobody's top 50, those that most have seen first, equal ones in item order."""
        items = np.flatnonzero(self.counts == 0)
        return items[np.argsort(-self.seen_by[items], kind="stable")]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Both kinds of lists, over the same users."""

    label: str
    """Run and epoch."""
    about: dict[str, Any]
    """run, dataset, epoch."""
    dataset: Dataset
    users: int
    """Whose lists were made."""
    seed: int | None
    """Of the sample of users; None where all were taken."""
    model: Lists
    popularity: Lists

    @property
    def whose(self) -> str:
        """The users in words: a sample is always said."""
        everyone = self.dataset.num_users
        if self.seed is None:
            return f"over all {everyone:,} users"
        some = f"over {self.users:,} of {everyone:,} users, seed {self.seed}"
        return f"{some}: all of them together would be recommended more films"


@torch.inference_mode()
def make_catalogue(
    ranker: Ranker,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, of: None,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
) -> Catalogue | None:
    """Make every user's top 50 once, or those of a sample where that would take more than `max_pairs` scores.

    A sample is of whole chunks of the scorer, which are of one user, or of a few who are neighbours in the dataset. `progress`
    gets the chunks done and their number. None if `cancelled`. Raises RunError where a score is not a number.
    """
    dataset = ranker.dataset
    numbers = chunk_numbers(ranker.scorer, max_pairs, seed)
    whole = len(numbers) == ranker.scorer.num_chunks()
    counts = torch.zeros(dataset.num_items, dtype=torch.int64)
    chosen = np.zeros(dataset.num_users, dtype=bool)
    for done, number in enumerate(numbers):
        if cancelled():
            return None
        progress(done, len(numbers))
        start, scores = candidate_scores(ranker, number, -torch.inf)
        counts += in_top(scores).sum(0)
        chosen[start : start + len(scores)] = True
    return Catalogue(
        ranker.label,
        {
            "run": ranker.info.name,
            "dataset": dataset.label,
            "epoch": ranker.epoch,
            "protocol": protocol_of(ranker.info),
        },
        dataset,
        int(chosen.sum()),
        None if whole else seed,
        Lists(counts.numpy(), dataset.seen_by),
        Lists(popularity_counts(dataset, chosen), dataset.seen_by),
    )


def in_top(scores: torch.Tensor, size: int = CUTOFF) -> torch.Tensor:
    """Which items stand in each row's first `size`, shape as `scores` (users, num_items); −∞ is no candidate.

    Of items that are equal at the end of the list, the first in item order stand in it, as in `Ranker.rank`.
    """
    last = scores.topk(min(size, scores.shape[1])).values[:, -1:]
    inside = (scores >= last) & (scores > -torch.inf)
    crowded = inside.sum(1) > size
    if bool(crowded.any()):
        rows, ends = scores[crowded], last[crowded]
        above, level = rows > ends, rows == ends
        inside[crowded] = above | (level & (level.cumsum(1) <= size - above.sum(1, keepdim=True)))
    return inside


def popularity_counts(
    dataset: Dataset, chosen: NDArray[np.bool_], size: int = CUTOFF
) -> NDArray[np.int64]:
    """How often each item, shape (num_items,), stands in the first `size` of users' lists if their candidates are ordered by how
    many users saw them, equal ones in item order. chosen: whose lists count, shape (num_users,).

    All have one order of items, less their history: a user's list is the first `size` + n places of it less the n of them
    in the history. With the history's places ascending p_0 < p_1 < …, p_j is one of them if p_j − j < `size`.
    """
    num_items = dataset.num_items
    order = np.argsort(-dataset.seen_by, kind="stable")
    place = np.empty(num_items, dtype=np.int64)
    place[order] = np.arange(num_items)
    users = np.asarray(dataset.split.users)
    wanted = chosen[users]
    users, places = users[wanted], place[np.asarray(dataset.split.items)[wanted]]
    by_place = np.lexsort((places, users))
    users, places = users[by_place], places[by_place]
    sizes = np.bincount(users, minlength=dataset.num_users)
    number = np.arange(len(users)) - (np.cumsum(sizes) - sizes)[users]
    skipped = places - number < size
    lengths = np.minimum(
        size + np.bincount(users[skipped], minlength=dataset.num_users), num_items
    )[chosen]
    # A place is reached by every user whose list is longer; less those who have seen what stands there.
    reached = chosen.sum() - np.cumsum(np.bincount(lengths, minlength=num_items + 1))[:num_items]
    counts = np.empty(num_items, dtype=np.int64)
    counts[order] = reached - np.bincount(places[skipped], minlength=num_items)
    return counts


def figures(lists: Lists) -> dict[str, float | int]:
    """The figures of one kind of lists, by name."""
    return {
        f"coverage@{CUTOFF}": lists.coverage,
        "gini": lists.gini,
        "mean_seen_by": lists.mean_seen_by,
        "num_never": len(lists.never),
    }


def catalogue_sheet(catalogue: Catalogue, top: int | None = None) -> Sheet:
    """The figures, and one row for each film that the model puts into nobody's top 50, or for the `top` most seen of them."""
    names = catalogue.dataset.catalogue
    rows = [
        {
            "item_id": names.item_ids[item],
            "title": names.titles[item],
            "year": names.years[item],
            "genres": names.genres[item],
            "seen_by": int(catalogue.dataset.seen_by[item]),
        }
        for item in catalogue.model.never[:top].tolist()
    ]
    about = catalogue.about | {
        "num_users": catalogue.users,
        "of_users": catalogue.dataset.num_users,
        "sample_seed": catalogue.seed,
        "num_items": catalogue.dataset.num_items,
        "model": figures(catalogue.model),
        "popularity": figures(catalogue.popularity),
    }
    return Sheet(f"{catalogue.about['run']}-never-recommended", about, "never", rows, COLUMNS)
