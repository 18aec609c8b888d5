"""The evaluations of a run: ranks of all users, their metrics, and which epoch is best."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import Metrics, metrics_from_ranks
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs import events
from neumf_tui.runs.reader import rank_epochs, read_ranks
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.model_ranks import ModelRanks

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
        self._writer, self._settings, self._group = writer, settings, group
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
        self._candidates = {tape: self._all_users(one.candidates) for tape, one in both}
        self._deciding = tapes[-1]
        self.hits: dict[int, float] = {}
        """Hit@50 of each evaluated epoch on the deciding tape, by which `best` is chosen."""
        self._ranks: NDArray[np.float32] | None = None
        """Ranks of the previous evaluation."""

    def read_tape(self, until: int) -> None:
        """Read what earlier trainers of this run evaluated, up to epoch `until`."""
        folder = self._writer.folder
        for epoch in rank_epochs(folder):
            if epoch > until:
                continue
            with suppress(RunError):  # damaged: this epoch cannot be the best
                self.hits[epoch] = _hit_rate(read_ranks(folder, epoch, self._deciding))
        if self.hits:
            with suppress(RunError):
                self._ranks = read_ranks(folder, max(self.hits))

    def popularity(self) -> dict[str, Metrics]:
        """Return the metrics of ranking by popularity, by tape."""
        return {
            tape: self._metrics(tape, self._all_users(evaluator.popularity_ranks()))
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
        self.hits[epoch] = self._group.broadcast(_hit_rate(ranks[self._deciding]), float)
        if self._group.rank:
            return time.perf_counter() - began
        metrics = {tape: self._metrics(tape, found) for tape, found in ranks.items()}
        seconds = time.perf_counter() - began
        now, before, entered, left = ranks["ranks"], self._ranks, 0, 0
        if before is not None:
            hit, hit_before = now <= events.CUTOFF, before <= events.CUTOFF
            entered, left = int((hit & ~hit_before).sum()), int((hit_before & ~hit).sum())
        self._ranks = now
        for tape in reversed(ranks):  # `ranks` last: it tells readers that the epoch is complete
            self._writer.ranks(epoch, ranks[tape], tape)
        self._writer.event(
            events.Evaluated(
                epoch=epoch,
                metrics=metrics["ranks"],
                validation=metrics.get("validation"),
                interval=hit_interval(now),
                seconds=seconds,
                entered=entered,
                left=left,
            )
        )
        return seconds

    @property
    def best(self) -> int | None:
        """The epoch with the highest Hit@50, the earliest if several have it."""
        return self.best_of(self.hits)

    def best_of(self, epochs: Iterable[int]) -> int | None:
        """Return the best of those of `epochs` that were evaluated."""
        evaluated = (epoch for epoch in epochs if epoch in self.hits)
        return max(evaluated, key=lambda epoch: (self.hits[epoch], -epoch), default=None)

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

    def _metrics(self, tape: str, ranks: NDArray[np.float32]) -> Metrics:
        return metrics_from_ranks(ranks, self._candidates[tape])

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


def _hit_rate(ranks: NDArray[np.float32]) -> float:
    """Return the share of all users with a hit: enough to compare epochs of one run."""
    return float(np.mean(ranks <= events.CUTOFF))
