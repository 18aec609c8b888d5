"""Full ranking: the rank of every user's held-out item among all candidates, by counting, without a sort."""

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
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.model.neumf import NeuMF
from neumf_tui.native.library import NoKernels, load


def num_candidates(dataset: Dataset) -> NDArray[np.int64]:
    """Items outside each user's history, shape (num_users,)."""
    return dataset.num_items - np.diff(dataset.offsets)


class Evaluator:
    """Ranks each user's held-out item, or their validation item; holds on `device` what does not change between evaluations.

    For the validation item the history is what comes before it, so it is a candidate, and the held-out item, of which
    nobody knows then, is one as well.

    On the CPU the arrays are the dataset's own, memory-mapped ones included.
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
        """Of all users, or of those in `users` only: models then have these alone, row 0 being user `users.start`.

        `threads` of the CPU score at a time, 0: as many as it has cores; the ranks do not depend on it.
        Raises DatasetError where nobody in the dataset has such an item.
        """
        targets = dataset.validation if validation else np.asarray(dataset.split.heldout)
        if not (targets >= 0).any():
            if validation:
                raise DatasetError(
                    f"{dataset.label}: no user has three interactions to keep one for validation; add --no-validation"
                )
            raise DatasetError(
                f"{dataset.label}: no user has two interactions, so nothing can be held out"
            )
        self.dataset, self.validation, self.threads = dataset, validation, threads
        self.own = range(dataset.num_users) if users is None else users
        own = slice(self.own.start, self.own.stop)
        self._targets: NDArray[np.int64] = targets[own]
        offsets = dataset.offsets[self.own.start : self.own.stop + 1]
        self._rows = slice(int(offsets[0]), int(offsets[-1]))
        self._offsets = offsets - offsets[0]
        """Where each user's training pairs begin; with validation the last of them is the one to rank."""
        sizes = np.diff(self._offsets)
        if validation:
            sizes -= self._targets >= 0
        self.candidates: NDArray[np.int64] = dataset.num_items - sizes
        """Items outside each user's history, shape (users,)."""
        seen_by = dataset.seen_by
        if validation:
            seen_by = seen_by - np.bincount(targets[targets >= 0], minlength=dataset.num_items)
        self.seen_by: NDArray[np.int64] = seen_by
        """Shape (num_items,): users of the whole dataset with the item in that history."""
        self._items = _viewed(dataset.split.items[self._rows])
        if device.type != "cpu":  # 32 bits hold an item index, in half the memory
            self._items = self._items.int().to(device)
        self._target_items = torch.from_numpy(self._targets.clip(min=0))[:, None].to(device)
        self._ends = torch.from_numpy(self._offsets).to(device)
        """Where each user's training pairs end and the next one's begin, from 0 on."""
        self._starts = self._ends[:-1]
        self._sizes = torch.from_numpy(sizes).to(device)
        self._trained = torch.from_numpy(np.diff(self._offsets)).to(device)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (users + 1,): user u's history is offsets[u]:offsets[u + 1] of `items`."""
        return np.concatenate(([0], np.cumsum(self.dataset.num_items - self.candidates)))

    @property
    def items(self) -> NDArray[np.int64]:
        """Shape (pairs,): the items of the histories, which leave the race."""
        items = np.asarray(self.dataset.split.items[self._rows])
        return items[self.dataset.learned[self._rows]] if self.validation else items

    def ranks(
        self, model: NeuMF, report: Callable[[float], None] | None = None
    ) -> NDArray[np.float32]:
        """Rank of each user's item, shape (users,), NaN where there is none.

        `report` is told the share of users done, in the calling thread or another, one call at a time.
        Raises NeumfTuiError when a score is not a number, or where a device has not the memory for one user.
        """
        scorer = Scorer(model.settled(self._items, self._starts, self._sizes))
        count, lock, done = _Count(self), threading.Lock(), 0

        @torch.inference_mode()
        def rank(users: range) -> None:
            nonlocal done
            start = users.start
            while start < users.stop:
                stop = min(start + scorer.chunk_users, users.stop)
                try:
                    gmf, mlp = scorer.parts(start, stop)
                    count.add(start, gmf.add_(mlp))
                    start = stop
                except torch.OutOfMemoryError:
                    scorer.shrink()
            with lock:
                done += len(users)
                if report:
                    report(done / len(self.own))

        # An accelerator is kept busy by one thread, and one that computes in order.
        threads = (self.threads or usable_cores()) if scorer.device.type == "cpu" else 1
        each_stretch(rank, len(self.own), scorer.chunk_users, threads)
        return count.ranks()

    def popularity_ranks(self) -> NDArray[np.float32]:
        """The same for the model that scores every item by the number of users who have it in training."""
        split = self.dataset.split
        return popularity_ranks(
            self.seen_by, self._targets, self.candidates, split.items[self._rows], self._offsets
        )

    def ranks_by(
        self, scores_of: Callable[[int], Tensor], count: int, size: int
    ) -> NDArray[np.float32]:
        """The same for any model: `scores_of(number)` gives float32 scores (users, num_items) of the `number`-th `size` users,
        `count` times, and may be overwritten."""
        counted = _Count(self)
        for number in range(count):
            counted.add(number * size, scores_of(number))
        return counted.ranks()


class _Count:
    """How many candidates stand above and below each user's item. Nothing waits for the device until `ranks`."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.of = evaluator
        self.lead, self.top = (
            torch.zeros(len(evaluator.own), device=evaluator._target_items.device) for _ in range(2)
        )
        self._compiled: Callable[..., None] | None = None
        if self.lead.device.type == "cpu":
            with contextlib.suppress(NoKernels):
                self._compiled = load().neumf_lead

    @torch.inference_mode()
    def add(self, start: int, scores: Tensor) -> None:
        """`scores` (users, num_items) of the users from row `start` on; they are overwritten."""
        of, stop = self.of, start + len(scores)
        if self._compiled:
            lead, targets, starts = (
                self.lead[start:stop],
                of._target_items[start:stop],
                of._ends[start:stop],
            )
            scores = scores.contiguous()
            self._compiled(
                *scores.shape,
                *(tensor.data_ptr() for tensor in (scores, targets, starts, of._items, lead)),
            )
            return
        target = scores.gather(1, of._target_items[start:stop])
        # Not a number if any score is not.
        torch.amax(scores, 1, out=self.top[start:stop])
        # 1 where an item stands above, −1 below, 0 if equal, infinite ones included; and 0 for what leaves the race.
        ahead = scores.sub_(target).sign_()
        pairs = slice(int(of._offsets[start]), int(of._offsets[stop]))
        rows = torch.arange(0, scores.numel(), scores.shape[1], device=scores.device)
        seen = (
            rows.repeat_interleave(of._trained[start:stop], output_size=pairs.stop - pairs.start)
            + of._items[pairs]
        )
        ahead.view(-1).index_fill_(0, seen, 0)
        torch.sum(ahead, 1, out=self.lead[start:stop])

    def ranks(self) -> NDArray[np.float32]:
        """rank = 1 + above + (equal − 1)/2, where above + equal + below = candidates."""
        lead, top = torch.stack([self.lead, self.top]).cpu().numpy()
        there = self.of._targets >= 0
        if np.isnan(lead[there]).any() or np.isnan(top[there]).any():
            raise NeumfTuiError(
                "a score is not a number: the model has diverged; try a smaller --learning-rate"
            )
        return np.where(
            there, (self.of.candidates + 1 + lead.astype(np.float64)) / 2, np.nan
        ).astype(np.float32)


def _viewed(array: NDArray[np.int64]) -> Tensor:
    """The array itself as a tensor, which nobody may write to: it may be a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
