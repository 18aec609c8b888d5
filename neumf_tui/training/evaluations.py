"""The evaluations of a run: ranks of all users, their metrics, and which epoch is best."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import Metrics, metrics_from_ranks
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs import events
from neumf_tui.runs.reader import rank_epochs, read_ranks
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group

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
        self._writer = writer
        self._settings = settings
        self._group = group
        self._counts = group.counts(len(own))
        users = own if group.size > 1 else None
        threads = threads_of(settings, group.local_size)
        self.evaluator = Evaluator(dataset, device, users=users, threads=threads)
        self.validator: Evaluator | None = None
        if settings.validation:
            self.validator = Evaluator(
                dataset, device, validation=True, users=users, threads=threads
            )
        self._candidates = {
            e: self._all_users(e.candidates) for e in (self.evaluator, self.validator) if e
        }
        self.hits: dict[int, float] = {}
        """Hit@50 of each evaluated epoch, by which `best` is chosen; of the validation items where
        there are any."""
        self._ranks: NDArray[np.float32] | None = None
        """Ranks of the previous evaluation."""

    def read_tape(self, until: int) -> None:
        """Read what earlier trainers of this run evaluated, up to epoch `until`."""
        folder = self._writer.folder
        for epoch in rank_epochs(folder):
            if epoch <= until:
                self._ranks = read_ranks(folder, epoch)
                self.hits[epoch] = _hit_rate(
                    read_ranks(folder, epoch, "validation") if self.validator else self._ranks
                )

    def popularity(self) -> tuple[Metrics, Metrics | None]:
        """Return the metrics of ranking by popularity.

        Those of the held-out items, and of the validation items; None where there are none.
        """
        both = [
            metrics_from_ranks(self._all_users(evaluator.popularity_ranks()), candidates)
            for evaluator, candidates in self._candidates.items()
        ]
        return both[0], both[1] if self.validator else None

    def evaluate(self, model: NeuMF, epoch: int, report: Callable[[float], None]) -> float:
        """Rank all users by the `model` after `epoch`, write the result, and return the seconds.

        `report` gets the share of this process's users done. Raises NeumfTuiError, OSError.
        """
        began = time.perf_counter()
        passes = 2 if self.validator else 1
        ranks = self._ranks_of(self.evaluator, model, lambda share: report(share / passes))
        deciding = ranks
        if self.validator:
            deciding = self._ranks_of(
                self.validator, model, lambda share: report((1 + share) / passes)
            )
        self.hits[epoch] = self._group.broadcast(_hit_rate(deciding))
        if self._group.rank:
            return time.perf_counter() - began
        metrics = metrics_from_ranks(ranks, self._candidates[self.evaluator])
        validation = (
            metrics_from_ranks(deciding, self._candidates[self.validator])
            if self.validator
            else None
        )
        seconds = time.perf_counter() - began
        entered = left = 0
        if self._ranks is not None:
            before, after = self._ranks <= events.CUTOFF, ranks <= events.CUTOFF
            entered, left = int((after & ~before).sum()), int((before & ~after).sum())
        if self.validator:
            self._writer.ranks(epoch, deciding, "validation")
        self._writer.ranks(epoch, ranks)
        self._ranks = ranks
        self._writer.event(
            events.Evaluated(
                epoch=epoch,
                metrics=metrics,
                validation=validation,
                interval=hit_interval(ranks),
                seconds=seconds,
                entered=entered,
                left=left,
            )
        )
        return seconds

    @property
    def best(self) -> int | None:
        """The epoch with the highest Hit@50, the earliest if several have it."""
        return max(self.hits, key=lambda epoch: (self.hits[epoch], -epoch), default=None)

    def stale(self) -> str:
        """Return why training must end early, empty if it must not.

        It ends when validation has not improved for as many evaluations as `early_stop` allows.
        """
        patience, best = self._settings.early_stop, self.best
        if not patience or best is None:
            return ""
        # Evaluations of pre-training do not count against the fused model.
        since = sum(epoch > max(best, self._settings.pretrain) for epoch in self.hits)
        if since < patience:
            return ""
        return f"early stop: validation Hit@50 was best at epoch {best}, {since} evaluations ago"

    def _ranks_of(
        self, evaluator: Evaluator, model: NeuMF, report: Callable[[float], None]
    ) -> NDArray[np.float32]:
        """Return ranks of all users at rank 0, of this process's own elsewhere.

        Raises NeumfTuiError on every rank if on any.
        """
        own, problem = np.empty(0, np.float32), ""
        try:
            own = evaluator.ranks(model, report)
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
        if self._group.size == 1:
            return own
        whole = self._group.gather_rows(torch.from_numpy(own), self._counts)
        return own if whole is None else whole.numpy()


def _hit_rate(ranks: NDArray[np.float32]) -> float:
    """Return the share of all users with a hit: enough to compare epochs of one run."""
    return float(np.mean(ranks <= events.CUTOFF))
