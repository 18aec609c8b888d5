"""Fit baselines, choose their settings on the validation items, rank the held-out ones, and keep the result."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.baselines import factor_models
from neumf_tui.baselines.histories import Histories
from neumf_tui.baselines.item_models import Scores
from neumf_tui.baselines.kept import Figures, KeptBaseline, keep, read_one
from neumf_tui.baselines.registry import Baseline
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.evaluation.metrics import hit_interval, metrics_from_ranks

_CHUNK_SCORES = 1 << 20
"""Scores held at once: 8 MiB."""


@dataclass(frozen=True)
class Outcome:
    """What became of one baseline."""

    baseline: Baseline
    result: KeptBaseline | None
    """None where it cannot be had here."""
    computed: bool = False
    """Whether it was computed now, not read."""
    note: str = ""
    """Why it cannot be had here, or why what was kept of it could not be used."""


class Fold:
    """The histories to learn from, and the evaluator of what comes after them."""

    def __init__(self, dataset: Dataset, validation: bool) -> None:
        """Raises DatasetError where there is nothing to rank."""
        self.evaluator = Evaluator(dataset, torch.device("cpu"), validation=validation)
        self.histories = Histories.of(self.evaluator)

    def ranks(self, scores: Scores) -> NDArray[np.float32]:
        """Rank of each user's item, shape (num_users,), NaN where there is none; raises NeumfTuiError."""
        users, items = self.histories.num_users, self.histories.num_items
        size = max(1, _CHUNK_SCORES // items)

        def chunk(number: int) -> Tensor:
            return torch.from_numpy(
                scores(number * size, min((number + 1) * size, users)).astype(np.float32)
            )

        return self.evaluator.ranks_by(chunk, -(-users // size), size)

    def figures(self, ranks: NDArray[np.float32]) -> Figures:
        return Figures(
            metrics=metrics_from_ranks(ranks, self.evaluator.candidates),
            interval=hit_interval(ranks),
            num_users=int((~np.isnan(ranks)).sum()),
        )


class Baselines:
    """Baselines on one dataset, each computed or read from what `home` keeps."""

    def __init__(self, dataset: Dataset, home: Path, report: Report, seed: int = 0) -> None:
        self.dataset, self.home, self._report, self.seed = dataset, home, report, seed

    @cached_property
    def _validation(self) -> Fold:
        return Fold(self.dataset, True)

    @cached_property
    def _heldout(self) -> Fold:
        return Fold(self.dataset, False)

    def outcomes(
        self, wanted: Sequence[Baseline], *, again: bool = False, strict: bool = False
    ) -> Iterator[Outcome]:
        """One after the other. What cannot be had here is told in its outcome; with `strict` it raises before anything is done.

        Raises UsageError for a package that is missing, NeumfTuiError for too little memory, both only with `strict`, and
        DatasetError where there is nothing to rank.
        """
        kept = {baseline.name: (None, "") if again else self._kept(baseline) for baseline in wanted}
        problems = {
            baseline.name: self._problem(baseline)
            for baseline in wanted
            if kept[baseline.name][0] is None
        }
        for problem in problems.values():
            if problem and strict:
                raise problem
        for baseline in wanted:
            (found, damage), problem = kept[baseline.name], problems.get(baseline.name)
            if found or problem:
                yield Outcome(baseline, found, note=str(problem or ""))
                continue
            result, ranks = self._compute(baseline)
            keep(self.home, self.dataset.fingerprint, result, ranks)
            yield Outcome(baseline, result, computed=True, note=damage)

    def _kept(self, baseline: Baseline) -> tuple[KeptBaseline | None, str]:
        """What is kept of the same recipe and, where the package is here, by the same version of it; and what is damaged."""
        try:
            found = read_one(self.home, self.dataset.fingerprint, baseline.name)
        except RunError as error:
            return None, str(error)
        if found is None or found.recipe != baseline.recipe(self.seed):
            return None, ""
        other = baseline.by_package and factor_models.installed_version() not in (
            None,
            found.package,
        )
        return (None if other else found), ""

    def _problem(self, baseline: Baseline) -> NeumfTuiError | None:
        """Why it cannot be computed here."""
        if baseline.by_package and (why := factor_models.why_missing()):
            return UsageError(f"{baseline.name}: {why}")
        needed, free = (
            baseline.pair_bytes * self.dataset.num_items**2,
            psutil.virtual_memory().available,
        )
        if needed > free:
            return NeumfTuiError(
                f"{baseline.name}: {self.dataset.num_items:,} items need {needed / 2**30:.1f} GiB of memory and "
                f"{free / 2**30:.1f} GiB are free; leave it out with --only, or use a larger machine"
            )
        return None

    def _compute(self, baseline: Baseline) -> tuple[KeptBaseline, NDArray[np.float32]]:
        tuning, fold = self._validation, self._heldout
        best: Figures | None = None
        settings = baseline.choices[0]
        fits = len(baseline.choices) + 1
        seed = {"seed": self.seed} if baseline.by_package else {}
        for number, choice in enumerate(baseline.choices):
            self._report(Progress(f"{baseline.name}: fits", number, fits))
            figures = tuning.figures(tuning.ranks(baseline.fit(tuning.histories, **choice, **seed)))
            if best is None or figures.metrics["hit@50"] > best.metrics["hit@50"]:
                best, settings = figures, choice
        assert best is not None  # no baseline is without a choice
        self._report(Progress(f"{baseline.name}: fits", fits - 1, fits))
        begun = time.perf_counter()
        ranks = fold.ranks(baseline.fit(fold.histories, **settings, **seed))
        seconds = time.perf_counter() - begun
        result = KeptBaseline(
            name=baseline.name,
            title=baseline.title,
            settings=settings,
            tried=len(baseline.choices),
            heldout=fold.figures(ranks),
            validation=best,
            seconds=seconds,
            recipe=baseline.recipe(self.seed),
            package=(factor_models.installed_version() or "") if baseline.by_package else "",
            computed=time.time(),
        )
        return result, ranks
