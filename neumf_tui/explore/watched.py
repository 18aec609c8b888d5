"""What an evaluation measures for alarms alone: hits by cohort, and the catalogue coverage."""

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.all_scores import chunk_numbers, chunk_users, leave_out_histories
from neumf_tui.explore.cohorts import SMALL, cohort_members
from neumf_tui.explore.coverage import in_top
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.thresholds import Thresholds
from neumf_tui.scorers.scorer import Scorer

MOST_PAIRS = 1 << 24
"""User-item pairs that are scored for the coverage after each evaluation: a tenth of a second."""


class WatchedMeasures:
    """Measures what thresholds ask for; nothing where these alarms are off."""

    def __init__(self, dataset: Dataset, thresholds: Thresholds) -> None:
        self._dataset = dataset
        self.needs_coverage = thresholds.coverage_drop > 0
        self._cohorts: dict[str, NDArray[np.int64]] = {}
        if thresholds.cohort_drop:
            held = np.flatnonzero(np.asarray(dataset.split.heldout) >= 0)
            self._cohorts = {
                name: members
                for kind, name, members in cohort_members(dataset, held)
                if kind != "all" and len(members) >= SMALL
            }

    def cohorts(self, ranks: NDArray[np.float32]) -> dict[str, tuple[int, int]]:
        """Return users with a hit, and all users, of each cohort; ranks: (num_users,)."""
        hit = ranks <= CUTOFF
        return {name: (int(hit[found].sum()), len(found)) for name, found in self._cohorts.items()}

    def coverage(self, scorer: Scorer, first: int = 0) -> float:
        """Return the share of items in the top 50 of any user.

        It is that of a sample of the scorer's users, of whom `first` is the first one's number in
        the dataset. The sample is the same after every evaluation.
        """
        found = np.zeros(self._dataset.num_items, dtype=bool)
        for number in chunk_numbers(scorer, MOST_PAIRS, seed=0):
            users = chunk_users(scorer, number)
            scores = scorer.scores(users).copy()  # a loop's own table can be returned as it is
            leave_out_histories(scores, self._dataset, first + users.start, -np.inf)
            found |= in_top(scores).any(0)
        return float(found.mean())
