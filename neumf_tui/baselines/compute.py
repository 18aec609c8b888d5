"""Compute baselines on one dataset, with settings chosen on the validation items."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from neumf_tui.baselines import factor_models
from neumf_tui.baselines.histories import UserHistories
from neumf_tui.baselines.kept import FoldMetrics, KeptBaseline, keep, read_one
from neumf_tui.baselines.registry import Baseline
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.scorers.scorer import Scorer


@dataclass(frozen=True)
class BaselineOutcome:
    """The result of one baseline, or why there is none."""

    baseline: Baseline
    result: KeptBaseline | None  # None where it cannot be computed here
    computed: bool = False  # whether it was computed now, not read
    note: str = ""  # why it cannot be computed here, or why its kept result could not be used


class Fold:
    """The histories to learn from, and the evaluator of the items that come after them."""

    def __init__(self, dataset: Dataset, validation: bool) -> None:
        """Raises DatasetError where there is nothing to rank."""
        self.evaluator = Evaluator(dataset, validation=validation)
        items, offsets = self.evaluator.items, self.evaluator.offsets
        self.histories = UserHistories(items, offsets, dataset.num_items)

    def ranks(self, scorer: Scorer) -> NDArray[np.float32]:
        """Return the rank of each user's item, shape (num_users,), NaN where there is none.

        Raises NeumfTuiError where a score is not a number.
        """
        return self.evaluator.ranks(scorer)

    def metrics(self, ranks: NDArray[np.float32]) -> FoldMetrics:
        """Return the metrics over the users who have a rank."""
        return FoldMetrics(
            metrics=metrics_from_ranks(ranks, self.evaluator.candidates),
            interval=hit_interval(ranks),
            num_users=int((~np.isnan(ranks)).sum()),
        )


class Baselines:
    """Baselines on one dataset, each computed or read from what `home` keeps."""

    def __init__(self, dataset: Dataset, home: Path, report: Report, seed: int = 0) -> None:
        self.dataset, self.home, self._report, self.seed = dataset, home, report, seed

    @cached_property
    def _folds(self) -> tuple[Fold, Fold]:
        """To choose settings on the validation items, and to rank the held-out items."""
        return Fold(self.dataset, True), Fold(self.dataset, False)

    def outcomes(
        self, wanted: Sequence[Baseline], *, again: bool = False, strict: bool = False
    ) -> Iterator[BaselineOutcome]:
        """Compute or read one baseline after the other; `again` reads none.

        A baseline that cannot be computed here has its reason in its outcome; with `strict` it
        raises before any is computed: UsageError for a missing package, NeumfTuiError for too
        little memory. Raises DatasetError where there is nothing to rank.
        """
        kept = {one.name: (None, "") if again else self._kept(one) for one in wanted}
        problems = {one.name: self._problem(one) for one in wanted if kept[one.name][0] is None}
        for problem in problems.values():
            if problem and strict:
                raise problem
        for baseline in wanted:
            (found, damage), problem = kept[baseline.name], problems.get(baseline.name)
            if found or problem:
                yield BaselineOutcome(baseline, found, note=str(problem or ""))
                continue
            result, ranks = self._compute(baseline)
            keep(self.home, self.dataset.fingerprint, result, ranks)
            yield BaselineOutcome(baseline, result, computed=True, note=damage)

    def _kept(self, baseline: Baseline) -> tuple[KeptBaseline | None, str]:
        """Return a usable kept result, and a message about a damaged one.

        Usable is one of the same recipe and, where the package is installed, of the same version.
        """
        try:
            found = read_one(self.home, self.dataset.fingerprint, baseline.name)
        except RunError as error:
            return None, str(error)
        if found is None or found.recipe != baseline.recipe(self.seed):
            return None, ""
        versions = (None, found.package)
        if baseline.by_package and factor_models.installed_version() not in versions:
            return None, ""
        return found, ""

    def _problem(self, baseline: Baseline) -> NeumfTuiError | None:
        """Return why a baseline cannot be computed here."""
        if baseline.by_package and (why := factor_models.why_missing()):
            return UsageError(f"{baseline.name}: {why}")
        needed = baseline.pair_bytes * self.dataset.num_items**2
        free = psutil.virtual_memory().available
        if needed > free:
            return NeumfTuiError(
                f"{baseline.name}: {self.dataset.num_items:,} items need {needed / 2**30:.1f} GiB "
                f"of memory and {free / 2**30:.1f} GiB are free; "
                "leave it out with --only, or use a larger machine"
            )
        return None

    def _compute(self, baseline: Baseline) -> tuple[KeptBaseline, NDArray[np.float32]]:
        tuning, fold = self._folds
        fits = len(baseline.choices) + 1
        seed = {"seed": self.seed} if baseline.by_package else {}
        tried: list[FoldMetrics] = []
        for choice in baseline.choices:
            self._report(Progress(f"{baseline.name}: fits", len(tried), fits))
            scorer = baseline.fit(tuning.histories, **choice, **seed)
            tried.append(tuning.metrics(tuning.ranks(scorer)))
        # The first of equally good settings.
        best = max(range(len(tried)), key=lambda number: tried[number].metrics["hit@50"])
        settings = baseline.choices[best]
        self._report(Progress(f"{baseline.name}: fits", fits - 1, fits))
        started = time.perf_counter()
        ranks = fold.ranks(baseline.fit(fold.histories, **settings, **seed))
        seconds = time.perf_counter() - started
        result = KeptBaseline(
            name=baseline.name,
            title=baseline.title,
            settings=settings,
            tried=len(baseline.choices),
            heldout=fold.metrics(ranks),
            validation=tried[best],
            seconds=seconds,
            recipe=baseline.recipe(self.seed),
            package=(factor_models.installed_version() or "") if baseline.by_package else "",
            computed=time.time(),
        )
        return result, ranks
