"""The evaluations of a run: ranks of all users, their metrics, and which epoch is best."""

import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation.metrics import Metrics
from neumf_tui.evaluation.records import EvaluationRecords
from neumf_tui.explore.watched import WatchedMeasures
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.events import Quality, quality_of
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.model_ranks import ModelRanks, scorer_of

T = TypeVar("T", bound=np.generic)


class Evaluations:
    """Ranks each process's own users; rank 0 gets all ranks, and every rank gets Hit@50."""

    def __init__(
        self,
        writer: RunWriter,
        dataset: Dataset,
        settings: Settings,
        device: torch.device,
        group: Group,
        own: range,
    ) -> None:
        """Prepare to rank `own`, this process's users; raises DatasetError."""
        self._settings, self._group = settings, group
        self._device = device
        self._counts = group.counts(len(own))
        threads = threads_of(settings, group.local_size)
        tapes = ("ranks", "validation") if settings.validation else ("ranks",)
        self.evaluators = {
            tape: ModelRanks(
                dataset, device, validation=tape == "validation", users=own, threads=threads
            )
            for tape in tapes
        }
        """By rank tape: `ranks` for the held-out items, `validation` for the validation items."""
        both = self.evaluators.items()
        candidates = {tape: self._all_users(one.candidates) for tape, one in both}
        self._watched = WatchedMeasures(dataset, read_info(writer.folder).alarms)
        self.records = EvaluationRecords(writer, candidates)
        """Written at rank 0 alone; which epoch is the best is known at every rank."""

    def popularity(self) -> dict[str, Metrics]:
        """Return the metrics of ranking by popularity, by tape."""
        return {
            tape: self.records.metrics(tape, self._all_users(evaluator.popularity_ranks()))
            for tape, evaluator in self.evaluators.items()
        }

    def evaluate(self, model: NeuMF, epoch: int, report: Callable[[float], None]) -> float:
        """Rank all users by the `model` after `epoch`, write the result, and return the seconds.

        `report` gets the share of this process's users done. Raises NeumfTuiError, OSError.
        """
        began, ranks = time.perf_counter(), {}
        for done, (tape, evaluator) in enumerate(self.evaluators.items()):

            def report_share(share: float, done: int = done) -> None:
                report((done + share) / len(self.evaluators))

            ranks[tape] = self._ranks_of(evaluator, model, report_share)
        quality, deciding = Quality(0.0, 0.0), self.records.deciding
        if not self._group.rank:  # before anything is written, which may fail: all wait for it
            quality = quality_of(self.records.metrics(deciding, ranks[deciding]))
        self.records.quality[epoch] = self._group.broadcast(quality, Quality)
        seconds = time.perf_counter() - began
        if not self._group.rank:
            cohorts = self._watched.cohorts(ranks["ranks"])
            self.records.write(epoch, ranks, seconds, cohorts, self._coverage(model))
        return seconds

    def _coverage(self, model: NeuMF) -> float | None:
        """Return the catalogue coverage over the users of this process, if an alarm needs it."""
        evaluator = self.evaluators["ranks"]
        if not self._watched.needs_coverage:
            return None
        on_cpu = deepcopy(model).cpu() if self._device.type != "cpu" else model
        scorer = scorer_of(on_cpu, evaluator.histories)
        return self._watched.coverage(scorer, evaluator.own.start)

    def stale(self) -> str:
        """Return why training must end early, empty if it must not.

        It ends when validation has not improved for as many evaluations as `early_stop` allows.
        """
        patience, best = self._settings.early_stop, self.records.best
        if not patience or best is None:
            return ""
        since = evaluations_since(self.records.quality, best, self._settings)
        if since < patience:
            return ""
        return f"early stop: validation Hit@50 was best at epoch {best}, {since} evaluations ago"

    def _ranks_of(
        self, evaluator: ModelRanks, model: NeuMF, report: Callable[[float], None]
    ) -> NDArray[np.float32]:
        """Return ranks of all users at rank 0, of this process's own elsewhere.

        Raises NeumfTuiError on every rank if on any.
        """
        own, problem = np.empty(0, np.float32), ""
        try:
            own = evaluator.by_model(model, report)
        except NeumfTuiError as error:
            problem = str(error)
        # No process may wait for the ranks of one that has none.
        problems = self._group.counts(bool(problem))
        if any(problems):
            raise NeumfTuiError(
                problem or f"process {problems.index(1)} could not evaluate; see trainer.log"
            )
        return self._all_users(own)

    def _all_users(self, own: NDArray[T]) -> NDArray[T]:
        """Return the values of all processes at rank 0; elsewhere `own` as it is."""
        whole = self._group.gather_rows(torch.from_numpy(own), self._counts)
        return own if whole is None else whole.numpy()


def evaluations_since(epochs: Iterable[int], best: int, settings: Settings) -> int:
    """Return how many of the evaluated `epochs` come after the best one.

    Those of pre-training do not count against the fused model.
    """
    return sum(epoch > max(best, settings.pretrain) for epoch in epochs)
