"""Leave out interactions with low ratings, and users and items with few interactions."""

import numpy as np

from neumf_tui.data.options import SplitOptions
from neumf_tui.data.split import Interactions
from neumf_tui.errors import UsageError


def above_rating(rows: Interactions, lowest: float | None) -> Interactions:
    """Return the interactions whose rating is at least `lowest`; None: all of them.

    Raises UsageError if there are no ratings.
    """
    if lowest is None:
        return rows
    if rows.ratings is None:
        raise UsageError(
            f"--min-rating {lowest:g}: the interactions have no ratings; leave the flag out, or "
            "name their column with --columns …,rating=NAME"
        )
    keep = rows.ratings >= lowest  # False for a missing rating
    return rows if keep.all() else rows.select(keep)


def with_enough(rows: Interactions, options: SplitOptions) -> Interactions:
    """Return the interactions of users and items that have enough of them.

    Whoever is left out makes others rarer, so this is repeated until nobody is (the k-core).
    """
    while True:
        keep = np.ones(len(rows.users), dtype=bool)
        for numbers, least in (
            (rows.users, options.min_user_count),
            (rows.items, options.min_item_count),
        ):
            if least > 1 and len(numbers):
                keep &= np.bincount(numbers)[numbers] >= least
        if keep.all():
            return rows
        rows = rows.select(keep)
