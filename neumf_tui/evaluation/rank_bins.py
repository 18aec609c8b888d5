"""How ranks are spread: counts in bins that widen with the rank."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = (10, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class RankBin:
    """Ranks from `first` to `last`, both included."""

    first: int
    last: int
    count: int


def bin_ranks(ranks: NDArray[np.float32], last: int) -> list[RankBin]:
    """Count the ranks in 1–10, 11–50, 51–100, 101–200, 201–500, 501–1,000 and so on up to `last`.

    ranks: any shape, NaN is left out. last: the greatest rank possible.
    """
    ends: list[int] = []
    scale = 1
    while not ends or ends[-1] < last:
        ends += [step * scale for step in _STEPS if not ends or step * scale > ends[-1]]
        scale *= 10
    ends = [*[end for end in ends if end < last], last]
    # A rank between two whole ones, from ties, belongs to the greater: 50.5 is not a hit.
    counts, _ = np.histogram(np.ceil(ranks[~np.isnan(ranks)]), [0.5, *(end + 0.5 for end in ends)])
    firsts = [1, *(end + 1 for end in ends)]
    return [RankBin(*found) for found in zip(firsts, ends, counts.tolist(), strict=False)]
