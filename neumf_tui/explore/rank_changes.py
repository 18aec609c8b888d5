"""How the ranks of items change from one list of a person to the next."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.runs.events import CUTOFF

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import UserRanking


def places_gained(
    ranking: "UserRanking", before: "UserRanking", num_items: int
) -> NDArray[np.float32]:
    """Return by how many places each item of `ranking` is higher than in the list `before`.

    Ranks are counted among the items of both lists, so that picking an item, which takes it out of
    the list, raises no other. Shape (candidates,); NaN for an item that `before` does not have.
    """
    from neumf_tui.evaluation.ranks import ranks_without

    listed = np.zeros((2, num_items), dtype=bool)
    listed[0, before.items] = listed[1, ranking.items] = True
    one_list_only = listed[0] != listed[1]
    ranks_before = np.full(num_items, np.nan, dtype=np.float32)
    ranks_before[before.items] = ranks_without(before.ranks, one_list_only[before.items])
    ranks_now = ranks_without(ranking.ranks, one_list_only[ranking.items])
    gained: NDArray[np.float32] = ranks_before[ranking.items] - ranks_now
    return gained


def count_entered(ranking: "UserRanking", before: "UserRanking") -> int:
    """Return how many items of the top 50 were not in the top 50 of the list `before`."""
    top, top_before = (each.items[each.ranks <= CUTOFF] for each in (ranking, before))
    return int((~np.isin(top, top_before)).sum())
