"""The evaluations of somebody's own loop: their scores or ranks, ranked by our rule."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.api.arrays import make_ranks, make_vectors
from neumf_tui.api.scores import FunctionScorer
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import Metrics
from neumf_tui.evaluation.records import EvaluationRecords
from neumf_tui.explore.watched import WatchedMeasures
from neumf_tui.runs.checkpoint import Tensors
from neumf_tui.runs.thresholds import Thresholds
from neumf_tui.runs.writer import RunWriter
from neumf_tui.scorers.scorer import Scorer
from neumf_tui.scorers.vectors import VectorScorer

Ranks = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ranker:
    """What a loop has given for one evaluation."""

    ranks: Callable[[str, Evaluator, Callable[[float], None]], Ranks]
    """Returns the ranks of a rank tape; reports the share of users done."""
    scorer: Scorer | None = None
    """None where the loop has ranked by itself."""


class Evaluations:
    """Ranks the held-out items, and with `validation` the validation items, of all users."""

    def __init__(
        self, writer: RunWriter, dataset: Dataset, validation: bool, thresholds: Thresholds
    ) -> None:
        """Raises DatasetError for `validation` where no user has a validation item."""
        self._dataset = dataset
        self._evaluators: dict[str, Evaluator] = {}
        self._problem = ""
        # One thread: a person's function may not be safe to call from several, and products of
        # vectors have the threads of NumPy.
        try:
            self._evaluators["ranks"] = Evaluator(dataset, threads=1)
        except DatasetError as error:
            self._problem = str(error)
        if validation:
            self._evaluators["validation"] = Evaluator(dataset, validation=True, threads=1)
        both = self._evaluators.items()
        self._records = EvaluationRecords(writer, {tape: one.candidates for tape, one in both})
        self._watched = WatchedMeasures(dataset, thresholds)
        self.seconds = 0.0
        """Seconds spent ranking."""

    def popularity(self) -> dict[str, Metrics]:
        """Return the metrics of ranking by popularity, by rank tape."""
        return {
            tape: self._records.metrics(tape, evaluator.popularity_ranks())
            for tape, evaluator in self._evaluators.items()
        }

    def ranker(self, given: Mapping[str, Any], validation_ranks: Any = None) -> Ranker:
        """Return what ranks by the one of `scores`, `vectors` and `ranks` that is given.

        Raises UsageError for none or several, or where it does not fit the dataset.
        """
        if self._problem:
            raise DatasetError(self._problem)
        named = [name for name, value in given.items() if value is not None]
        if len(named) != 1:
            found = " and ".join(named) or "none"
            raise UsageError(f"expected one of {', '.join(given)}; found {found}")
        if named != ["ranks"]:
            if validation_ranks is not None:
                raise UsageError("validation_ranks: expected only together with ranks")
            return _by_scores(self._scorer(given))
        return self._by_ranks(given["ranks"], validation_ranks)

    def rank(
        self, ranker: Ranker, report: Callable[[float], None]
    ) -> tuple[dict[str, Ranks], float]:
        """Return ranks by rank tape, and the seconds that took."""
        began, ranks, count = time.perf_counter(), {}, len(self._evaluators)
        for done, (tape, evaluator) in enumerate(self._evaluators.items()):

            def report_share(share: float, done: int = done) -> None:
                report((done + share) / count)

            ranks[tape] = ranker.ranks(tape, evaluator, report_share)
        seconds = time.perf_counter() - began
        self.seconds += seconds
        return ranks, seconds

    def write(
        self, epoch: int, ranks: Mapping[str, Ranks], seconds: float, scorer: Scorer | None = None
    ) -> Metrics:
        """Write the ranks after `epoch`, by `scorer` if there is one, and return their metrics."""
        coverage = (
            self._watched.coverage(scorer) if scorer and self._watched.needs_coverage else None
        )
        cohorts = self._watched.cohorts(ranks["ranks"])
        event = self._records.write(epoch, ranks, seconds, cohorts, coverage)
        of_validation = (event.validation or {}).items()
        return event.metrics | {f"validation_{name}": value for name, value in of_validation}

    def keep(self, epoch: int, tensors: Tensors, shape: Mapping[str, Any]) -> Path:
        """Write a checkpoint of an evaluated epoch, and return its file."""
        return self._records.keep(epoch, tensors, shape, self._dataset.fingerprint)

    def _scorer(self, given: Mapping[str, Any]) -> Scorer:
        if given.get("scores") is not None:
            return FunctionScorer(given["scores"], self._dataset)
        found = make_vectors(given["vectors"], self._dataset)
        biases = found.get("user_bias"), found.get("item_bias")
        return VectorScorer(found["users"], found["items"], *biases)

    def _by_ranks(self, ranks: Any, validation_ranks: Any) -> Ranker:
        values = {"ranks": ranks, "validation": validation_ranks}
        names = {"ranks": "ranks", "validation": "validation_ranks"}
        if (validation_ranks is not None) != ("validation" in self._evaluators):
            has = "with" if "validation" in self._evaluators else "without"
            wanted = "expected" if has == "with" else "not expected"
            raise UsageError(f"validation_ranks: {wanted} in a run {has} validation")
        checked = {
            tape: make_ranks(values[tape], self._dataset, evaluator.targets, names[tape])
            for tape, evaluator in self._evaluators.items()
        }
        return Ranker(lambda tape, evaluator, report: checked[tape])


def _by_scores(scorer: Scorer) -> Ranker:
    return Ranker(lambda tape, evaluator, report: evaluator.ranks(scorer, report), scorer)
