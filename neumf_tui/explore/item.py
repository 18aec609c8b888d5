"""How one film fares: the rank it has for every user who has not seen it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.evaluation.evaluator import num_candidates
from neumf_tui.evaluation.spread import Bin, spread
from neumf_tui.explore.all_scores import candidate_scores, chunk_numbers
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.views.person import film_keys
from neumf_tui.views.sheet import Sheet

MOST_PAIRS = 100_000_000
"""User–item pairs scored for one film, four seconds on one core; where there are more, a sample of the users is asked."""
COLUMNS = ("place", "user", "rank", "num_candidates", "history_size", "heldout")


@dataclass(frozen=True, eq=False)
class Reach:
    """The ranks of one item."""

    item: int
    asked: NDArray[np.bool_]
    """Shape (num_users,): whose rank was wanted; all users, or a random sample of them."""
    ranks: NDArray[np.float32]
    """Shape (num_users,): 1 + scored higher + ties / 2 among the user's candidates; NaN where the item is in the history, and
    for users who were not asked."""
    best: NDArray[np.int64]
    """Indices of the users who have a rank, best rank first, equal ones by index."""
    last: int
    """The greatest rank there can be for any user."""

    @property
    def sampled(self) -> bool:
        return not bool(self.asked.all())

    @property
    def known(self) -> NDArray[np.float32]:
        """The ranks that there are, ascending."""
        return self.ranks[self.best]

    @property
    def median(self) -> float | None:
        """None where no user was left who could be asked."""
        return float(np.median(self.known)) if len(self.best) else None

    def within(self, cutoff: int) -> int:
        """For how many users it is among the best `cutoff`."""
        return int((self.known <= cutoff).sum())

    def spread(self) -> list[Bin]:
        return spread(self.known, self.last)


@torch.inference_mode()
def reach(
    ranker: Ranker,
    item: int,
    cancelled: Callable[[], bool] = lambda: False,
    most_pairs: int | None = MOST_PAIRS,
    seed: int = 0,
) -> Reach:
    """Rank `item` for every user, or for a random sample of as many as `most_pairs` allows (None: any number).

    Where `cancelled`, the result has those asked until then. Raises RunError where a score is not a number.
    """
    data = ranker.dataset
    asked = np.zeros(data.num_users, dtype=bool)
    ranks = np.full(data.num_users, np.nan, dtype=np.float32)
    for number in chunk_numbers(ranker.scorer, most_pairs, seed):
        if cancelled():
            break
        # NaN is neither higher than nor equal to anything.
        start, scores = candidate_scores(ranker, number, torch.nan)
        target = scores[:, item, None]
        rank = 1 + (scores > target).sum(1).float() + ((scores == target).sum(1) - 1).float() / 2
        rank[target[:, 0].isnan()] = torch.nan
        ranks[start : start + len(scores)] = rank.numpy()
        asked[start : start + len(scores)] = True
    there = np.flatnonzero(~np.isnan(ranks))
    best = there[np.argsort(ranks[there], kind="stable")]
    return Reach(item, asked, ranks, best, int(num_candidates(data).max()))


def film_sheet(ranker: Ranker, found: Reach, count: int | None = None) -> Sheet:
    """What `film` prints: how the film fares, and the `count` users for whom it ranks highest (all of them for None).

    `num_asked` users were asked, `num_ranked` of them had not seen it; `top10`, `top50`, `median_rank` and `spread` are of these.
    """
    data = ranker.dataset
    item, heldout = found.item, np.asarray(data.split.heldout)
    candidates, median = num_candidates(data), found.median
    about = {
        "run": ranker.info.name,
        "dataset": data.label,
        "epoch": ranker.epoch,
        "protocol": protocol_of(ranker.info),
        **film_keys(data, item),
        "genres": data.catalogue.genres[item],
        "num_users": data.num_users,
        "seen_by": int(data.seen_by[item]),
        "heldout_for": int((heldout == item).sum()),
        "num_asked": int(found.asked.sum()),
        "sampled": found.sampled,
        "num_ranked": len(found.best),
        "top10": found.within(10),
        f"top{CUTOFF}": found.within(CUTOFF),
        "median_rank": median,
        "spread": [{"first": b.first, "last": b.last, "users": b.count} for b in found.spread()],
    }
    rows = [
        {
            "place": place,
            "user": data.user_ids[user],
            "rank": float(found.ranks[user]),
            "num_candidates": int(candidates[user]),
            "history_size": data.num_items - int(candidates[user]),
            "heldout": bool(heldout[user] == item),
        }
        for place, user in enumerate(found.best[:count].tolist(), start=1)
    ]
    return Sheet(
        f"item-{data.catalogue.item_ids[item]}-users",
        about,
        "users",
        rows,
        COLUMNS,
        ("dataset", "item_id"),
    )
