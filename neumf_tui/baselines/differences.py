"""Differences in Hit@50 between a model and the kept baselines on the same users."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.kept import KeptBaseline, read_kept, read_kept_ranks
from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import Interval, hit_difference_interval
from neumf_tui.runs.events import CUTOFF

Difference = tuple[float, Interval]
"""The model's Hit@50 less the baseline's, and its paired 95 % interval."""


def differences_from_kept(
    home: Path, fingerprint: str, ranks: NDArray[np.float32]
) -> tuple[list[tuple[KeptBaseline, Difference | None]], list[str]]:
    """Return kept results, best first, each with a model's Hit@50 less its own and the interval.

    ranks: the model's, (num_users,), NaN where nothing is held out. None where a baseline's ranks
    cannot be read. Also returns a message for each unreadable file.
    """
    results, problems = read_kept(home, fingerprint)
    held = ~np.isnan(ranks)
    hits = ranks[held] <= CUTOFF
    found: list[tuple[KeptBaseline, Difference | None]] = []
    for result in results:
        try:
            theirs = read_kept_ranks(home, fingerprint, result.name, len(ranks))[held] <= CUTOFF
        except RunError as error:
            problems.append(str(error))
            found.append((result, None))
            continue
        won, lost = int((hits & ~theirs).sum()), int((~hits & theirs).sum())
        interval = hit_difference_interval(won, lost, len(hits) - won - lost)
        found.append((result, ((won - lost) / len(hits), interval)))
    return found, problems
