"""The list that somebody gets before they have picked an item."""

import numpy as np

from neumf_tui.explore.foldin import mean_vectors
from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import Person, Ranker, UserRanking

UNSAVED = "new"  # name of a guest who has none yet


def average_ranking(ranker: Ranker) -> UserRanking:
    """Rank every item for the mean of all users' embeddings; the person is a guest without items.

    Fold-in starts there, and stays nearer to it the less a history says. Raises RunError where a
    score is not a number.
    """
    mean = mean_vectors(ranker.model)
    nothing = np.empty(0, dtype=np.int64)
    who, label = Guest("", ()), "the average user"
    return ranker.rank_person(Person(who, label, nothing, -1, mean.gmf[0], mean.mlp[0]))
