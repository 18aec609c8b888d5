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
from neumf_tui.baselines.kept import FoldMetrics, KeptBaseline, keep, read_kept_ranks, read_one
from neumf_tui.baselines.kept_runs import Fit, find_kept_run, keep_run
from neumf_tui.baselines.registry import Baseline, Choice
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.runs.events import quality_of
from neumf_tui.scorers.scorer import Scorer


@dataclass(frozen=True)
class BaselineOutcome:
    """The result of one baseline, or why there is none."""

    baseline: Baseline
    result: KeptBaseline | None  # None where it cannot be computed here
    computed: bool = False  # whether it was computed now, not read
    note: str = ""  # why it cannot be computed here, or why its kept result could not be used
    run: Path | None = None  # the run that keeps it, where one was asked for


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
        self,
        wanted: Sequence[Baseline],
        *,
        again: bool = False,
        strict: bool = False,
        as_runs: bool = False,
    ) -> Iterator[BaselineOutcome]:
        """Compute or read one baseline after the other; `again` reads none.

        With `as_runs` each is kept as a run, too; one that is a run already stays as it is. A
        baseline that cannot be computed here has its reason in its outcome; with `strict` it
        raises before any is computed: UsageError for a missing package, NeumfTuiError for too
        little memory. Raises DatasetError where there is nothing to rank.
        """
        kept = {one.name: (None, "") if again else self._kept(one) for one in wanted}
        runs = {one.name: self._run_of(one) if as_runs and not again else None for one in wanted}
        is_there = {
            one.name: kept[one.name][0] is not None and not (as_runs and runs[one.name] is None)
            for one in wanted
        }
        problems = {one.name: self._problem(one) for one in wanted if not is_there[one.name]}
        for problem in problems.values():
            if problem and strict:
                raise problem
        for baseline in wanted:
            (found, damage), problem = kept[baseline.name], problems.get(baseline.name)
            if is_there[baseline.name] or problem:
                run = runs[baseline.name]
                yield BaselineOutcome(baseline, found, note=str(problem or ""), run=run)
                continue
            result, fit = (found, self._fit(baseline, found.settings)) if found else (None, None)
            if result is None or fit is None:
                result, fit = self._compute(baseline)
                keep(self.home, self.dataset.fingerprint, result, fit.ranks)
            run = self._keep_run(baseline, result, fit) if as_runs else None
            yield BaselineOutcome(baseline, result, computed=found is None, note=damage, run=run)

    def _run_of(self, baseline: Baseline) -> Path | None:
        """Return the run that keeps a baseline with the ranks that are kept; None without one."""
        try:
            fingerprint, users = self.dataset.fingerprint, self.dataset.num_users
            ranks = read_kept_ranks(self.home, fingerprint, baseline.name, users)
        except RunError:
            return None
        return find_kept_run(self.home, fingerprint, baseline.name, ranks)

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

    def _compute(self, baseline: Baseline) -> tuple[KeptBaseline, Fit]:
        """Fit with each choice of settings, then with the best one to all training pairs."""
        tuning, fold = self._folds
        fits = len(baseline.choices) + 1
        ranks: list[NDArray[np.float32]] = []
        for choice in baseline.choices:
            self._report(Progress(f"{baseline.name}: fits", len(ranks), fits))
            scorer = baseline.fit(tuning.histories, **choice, **self._seed(baseline))
            ranks.append(tuning.ranks(scorer))
        tried = [tuning.metrics(each) for each in ranks]
        # The first of equally good settings.
        best = max(range(len(tried)), key=lambda number: quality_of(tried[number].metrics))
        settings = baseline.choices[best]
        self._report(Progress(f"{baseline.name}: fits", fits - 1, fits))
        started = time.perf_counter()
        scorer = baseline.fit(fold.histories, **settings, **self._seed(baseline))
        fit = Fit(scorer, fold.ranks(scorer), ranks[best])
        seconds = time.perf_counter() - started
        result = KeptBaseline(
            name=baseline.name,
            title=baseline.title,
            settings=settings,
            tried=len(baseline.choices),
            heldout=fold.metrics(fit.ranks),
            validation=tried[best],
            seconds=seconds,
            recipe=baseline.recipe(self.seed),
            package=(factor_models.installed_version() or "") if baseline.by_package else "",
            computed=time.time(),
        )
        return result, fit

    def _fit(self, baseline: Baseline, settings: Choice) -> Fit:
        """Fit with the settings of a kept result."""
        scorers: list[Scorer] = []
        for fold in self._folds:
            self._report(Progress(f"{baseline.name}: fits", len(scorers), 2))
            scorers.append(baseline.fit(fold.histories, **settings, **self._seed(baseline)))
        tuning, fold = self._folds
        return Fit(scorers[1], fold.ranks(scorers[1]), tuning.ranks(scorers[0]))

    def _seed(self, baseline: Baseline) -> Choice:
        return {"seed": self.seed} if baseline.by_package else {}

    def _keep_run(self, baseline: Baseline, result: KeptBaseline, fit: Fit) -> Path:
        tuning, fold = self._folds
        evaluators = {"ranks": fold.evaluator, "validation": tuning.evaluator}
        settings = result.settings | self._seed(baseline)
        return keep_run(self.home, self.dataset, result, settings, fit, evaluators)
