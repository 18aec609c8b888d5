"""Write evaluations and models of a run, and tell which of its epochs is the best."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import Metrics, metrics_from_ranks
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import (
    Checkpoint,
    Tensors,
    TrainingProgress,
    checkpoint_epochs,
    checkpoint_name,
    save_checkpoint,
    set_pointer,
)
from neumf_tui.runs.reader import rank_epochs, read_ranks
from neumf_tui.runs.writer import RunWriter


class EvaluationRecords:
    """Writes ranks and metrics of each evaluation of one run, for all users.

    A rank tape is `ranks` for the held-out items, or `validation` for the validation items.
    """

    def __init__(self, writer: RunWriter, candidates: Mapping[str, NDArray[np.int64]]) -> None:
        """`candidates`: items outside each user's history, (num_users,), by rank tape."""
        self._writer, self._candidates = writer, candidates
        self.deciding = "validation" if "validation" in candidates else "ranks"
        """The tape that decides which epoch is the best."""
        self.quality: dict[int, events.Quality] = {}
        """Quality of each evaluated epoch on the deciding tape."""
        self._ranks: NDArray[np.float32] | None = None
        """Ranks of the previous evaluation."""

    def read_tape(self, until: int) -> None:
        """Read what was written earlier, up to epoch `until`."""
        folder = self._writer.folder
        for epoch in rank_epochs(folder):
            if epoch > until:
                continue
            with suppress(RunError):  # damaged: this epoch cannot be the best
                ranks = read_ranks(folder, epoch, self.deciding)
                self.quality[epoch] = events.quality_of(self.metrics(self.deciding, ranks))
        if self.quality:
            with suppress(RunError):
                self._ranks = read_ranks(folder, max(self.quality))

    def metrics(self, tape: str, ranks: NDArray[np.float32]) -> Metrics:
        return metrics_from_ranks(ranks, self._candidates[tape])

    def write(
        self,
        epoch: int,
        ranks: Mapping[str, NDArray[np.float32]],
        seconds: float,
        cohorts: Mapping[str, tuple[int, int]] | None = None,
        coverage: float | None = None,
    ) -> events.Evaluated:
        """Write the ranks of all users after `epoch` by tape, and return the event with metrics.

        `cohorts` and `coverage` are fields of the event. Raises OSError.
        """
        now, before, entered, left = ranks["ranks"], self._ranks, 0, 0
        if before is not None:
            hit, hit_before = now <= events.CUTOFF, before <= events.CUTOFF
            entered, left = int((hit & ~hit_before).sum()), int((hit_before & ~hit).sum())
        self._ranks = now
        metrics = {tape: self.metrics(tape, found) for tape, found in ranks.items()}
        self.quality[epoch] = events.quality_of(metrics[self.deciding])
        # `ranks` last: it tells readers that the epoch is complete.
        for tape in sorted(ranks, key=lambda tape: tape == "ranks"):
            self._writer.ranks(epoch, ranks[tape], tape)
        event = events.Evaluated(
            epoch=epoch,
            metrics=metrics["ranks"],
            validation=metrics.get("validation"),
            interval=hit_interval(now),
            seconds=seconds,
            entered=entered,
            left=left,
            cohorts=dict(cohorts or {}),
            coverage=coverage,
        )
        self._writer.event(event)
        return event

    def keep(
        self, epoch: int, tensors: Tensors, shape: Mapping[str, Any], fingerprint: str
    ) -> Path:
        """Write a checkpoint of an evaluated epoch, let `best` name the best one, return the file.

        `shape` and `fingerprint` are fields of Checkpoint. Raises OSError.
        """
        folder, progress = self._writer.folder, TrainingProgress(epoch=epoch)
        about = Checkpoint(fingerprint=fingerprint, progress=progress, shape=dict(shape))
        path = save_checkpoint(folder, tensors, about)
        if (best := self.best_of(checkpoint_epochs(folder))) is not None:
            set_pointer(folder, "best", checkpoint_name(best))
        self._writer.event(events.Checkpointed(epoch=epoch, step=0, file=path.name))
        return path

    @property
    def best(self) -> int | None:
        """The epoch of the highest quality, the earliest if several have it."""
        return self.best_of(self.quality)

    def best_of(self, epochs: Iterable[int]) -> int | None:
        """Return the best of those of `epochs` that were evaluated."""
        evaluated = (epoch for epoch in epochs if epoch in self.quality)
        return max(evaluated, key=lambda epoch: (self.quality[epoch], -epoch), default=None)
