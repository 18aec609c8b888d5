"""Full ranking: ranks of held-out items among all candidates, by counting, without sorting."""

import contextlib
import threading
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.cores import usable_cores
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, NeumfTuiError
from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.evaluation.popularity import popularity_ranks
from neumf_tui.evaluation.ranks import DIVERGED, ranks_from_lead
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels


class Evaluator:
    """Ranks each user's held-out item, or their validation item.

    For the validation item the history is what comes before it, so it is a candidate, and so is
    the held-out item, which comes later.

    What does not change between evaluations stays on `device`. On the CPU the arrays are the
    dataset's own, memory-mapped ones included.
    """

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        validation: bool = False,
        users: range | None = None,
        threads: int = 0,
    ) -> None:
        """Prepare to rank all users, or only `users`: models then have these users alone.

        `threads` of the CPU score at a time, 0: one a core; the ranks do not depend on it.
        Raises DatasetError where no user of the dataset has such an item.
        """
        targets = dataset.validation if validation else np.asarray(dataset.split.heldout)
        if not (targets >= 0).any():
            lacking = "no user has two interactions, so nothing can be held out"
            if validation:
                lacking = (
                    "no user has three interactions, so none has a validation item; "
                    "add --no-validation"
                )
            raise DatasetError(f"{dataset.label}: {lacking}")
        self.dataset, self.validation, self.threads = dataset, validation, threads
        self.own = range(dataset.num_users) if users is None else users
        self._targets: NDArray[np.int64] = targets[self.own.start : self.own.stop]
        offsets = dataset.offsets[self.own.start : self.own.stop + 1]
        self._rows = slice(int(offsets[0]), int(offsets[-1]))
        self._offsets = offsets - offsets[0]
        """Where each user's training pairs begin; with validation the last one is the target."""
        sizes = np.diff(self._offsets)
        if validation:
            sizes -= self._targets >= 0
        self.candidates: NDArray[np.int64] = dataset.num_items - sizes
        """Items outside each user's history, shape (users,)."""
        seen_by = dataset.seen_by
        if validation:
            seen_by = seen_by - np.bincount(targets[targets >= 0], minlength=dataset.num_items)
        self.seen_by: NDArray[np.int64] = seen_by
        """Users of the whole dataset with the item in that history, shape (num_items,)."""
        self._items = _read_only(dataset.split.items[self._rows])
        if device.type != "cpu":  # 32 bits hold an item index, in half the memory
            self._items = self._items.int().to(device)
        self._target_items = torch.from_numpy(self._targets.clip(min=0)).to(device)
        self._ends = torch.from_numpy(self._offsets).to(device)
        self._sizes = torch.from_numpy(sizes).to(device)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (users + 1,): user u's history is offsets[u]:offsets[u + 1] of `items`."""
        return np.concatenate(([0], np.cumsum(self.dataset.num_items - self.candidates)))

    @property
    def items(self) -> NDArray[np.int64]:
        """Shape (pairs,): the items of the histories, which are not candidates."""
        items = np.asarray(self.dataset.split.items[self._rows])
        return items[self.dataset.learned[self._rows]] if self.validation else items

    def ranks(
        self, model: NeuMF, report: Callable[[float], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the rank of each user's item, shape (users,), NaN where there is none.

        `report` gets the share of users done, one call at a time, from any thread. Raises
        NeumfTuiError when a score is not a number, or a device has too little memory for one user.
        """
        starts = self._ends[:-1]
        scorer = Scorer(model.with_history_folded_in(self._items, starts, self._sizes))
        counts, lock, done = _RankCounts(self), threading.Lock(), 0

        @torch.inference_mode()
        def rank(users: range) -> None:
            nonlocal done
            start = users.start
            while start < users.stop:
                stop = min(start + scorer.chunk_users, users.stop)
                try:
                    gmf, mlp = scorer.parts(start, stop)
                    counts.add(start, gmf.add_(mlp))
                    start = stop
                except torch.OutOfMemoryError:
                    scorer.shrink()
            with lock:
                done += len(users)
                if report:
                    report(done / len(self.own))

        # One thread keeps an accelerator busy, and the accelerator computes in order.
        threads = (self.threads or usable_cores()) if scorer.device.type == "cpu" else 1
        each_stretch(rank, len(self.own), scorer.chunk_users, threads)
        return counts.ranks()

    def popularity_ranks(self) -> NDArray[np.float32]:
        """Return ranks of the model that scores an item by how many users trained on it."""
        split = self.dataset.split
        return popularity_ranks(
            self.seen_by, self._targets, self.candidates, split.items[self._rows], self._offsets
        )

    def ranks_by(self, scores: Callable[[int, int], Tensor], size: int) -> NDArray[np.float32]:
        """Return ranks by any model's scores, of `size` users at a time.

        scores(start, stop): float32 (stop − start, num_items), which may be overwritten.
        """
        counts, users = _RankCounts(self), len(self.own)
        for start in range(0, users, size):
            counts.add(start, scores(start, min(start + size, users)))
        return counts.ranks()


class _RankCounts:
    """Candidates above and below each user's item; nothing waits for the device until `ranks`."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.of = evaluator
        device = evaluator._target_items.device
        self.lead, self.top = (torch.zeros(len(evaluator.own), device=device) for _ in range(2))
        """Candidates above less candidates below; and the highest score, NaN if any score is."""
        self._kernel: kernels.RankCounts | None = None
        if device.type == "cpu":
            with contextlib.suppress(NoKernels):
                self._kernel = kernels.RankCounts(
                    evaluator._target_items.numpy(),
                    evaluator._offsets,
                    evaluator._items.numpy(),
                    self.lead.numpy(),
                )

    @torch.inference_mode()
    def add(self, start: int, scores: Tensor) -> None:
        """Count by `scores` (users, num_items) of users from `start` on, and overwrite them."""
        of, stop = self.of, start + len(scores)
        if self._kernel:
            self._kernel.count(start, scores.contiguous().numpy())
            return
        target = scores.gather(1, of._target_items[start:stop, None])
        torch.amax(scores, 1, out=self.top[start:stop])
        # 1 where an item is above, −1 below, 0 if equal, infinite ones included; and 0 for what
        # is not a candidate.
        ahead = scores.sub_(target).sign_()
        pairs = slice(int(of._offsets[start]), int(of._offsets[stop]))
        rows = torch.arange(0, scores.numel(), scores.shape[1], device=scores.device)
        sizes, total = of._ends[start : stop + 1].diff(), pairs.stop - pairs.start
        seen = rows.repeat_interleave(sizes, output_size=total) + of._items[pairs]
        ahead.view(-1).index_fill_(0, seen, 0)
        torch.sum(ahead, 1, out=self.lead[start:stop])

    def ranks(self) -> NDArray[np.float32]:
        """Return ranks by the rule of `evaluation.ranks`; raises NeumfTuiError for a NaN."""
        lead, top = torch.stack([self.lead, self.top]).cpu().numpy()
        ranked = self.of._targets >= 0
        if np.isnan(lead[ranked]).any() or np.isnan(top[ranked]).any():
            raise NeumfTuiError(f"a score {DIVERGED}")
        ranks = ranks_from_lead(lead.astype(np.float64), self.of.candidates)
        return np.where(ranked, ranks, np.float32(np.nan))


def _read_only(array: NDArray[np.int64]) -> Tensor:
    """Return the array itself as a tensor that must not be written to: it may be a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
