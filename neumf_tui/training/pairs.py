"""The training pairs of an epoch, their order, and the negatives drawn for them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError
from neumf_tui.native import kernels
from neumf_tui.native.library import NoKernels
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.negative_sampler import NegativeSampler, Seen, precision

T = TypeVar("T")

RECENCY_FLOOR = 0.1
"""Weight of the oldest pairs where pairs are drawn by recency; the latest ones have 1."""
STRETCH_NEGATIVES = 1 << 20
"""Approximate number of negatives drawn at once: 50 MB while they are drawn, and as much for those
that a thread draws ahead."""
FEWEST_SORTED = 1 << 20
"""From this many pairs in an epoch on, each batch is sorted by user."""


def stream(seed: int, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the random stream of an epoch (0: the initial weights), or of a step in an epoch.

    The same numbers give the same stream, so that any epoch or step can be repeated.
    """
    state = np.random.SeedSequence([seed, *parts]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Batch:
    """The training data of one step: the pairs of this process's own users."""

    epoch: int
    step: int
    """In the epoch, from 0."""
    rows: Tensor
    """Training pairs, int64 (b,), as rows of `Pairs.users` and `Pairs.items`."""
    negatives: Tensor
    """int64 (n, b), or (n,) where all pairs share them; n is `negatives` × `hard_negatives`."""
    users: Tensor
    items: Tensor
    """The positives; like `users` int64 (b,)."""
    size: int
    """Pairs of the whole step, over all processes."""
    places: Tensor | None = None
    """Which of the step's pairs these are, int64 (b,); None: all."""

    def __len__(self) -> int:
        return len(self.rows)


class Pairs:
    """Training pairs of one process's users, on one device; its first user has index 0."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        device: torch.device,
        group: Group,
        *,
        stretch_negatives: int = STRETCH_NEGATIVES,
        fewest_sorted: int = FEWEST_SORTED,
    ) -> None:
        """Raises DatasetError where no user has an item left to draw as a negative."""
        self.settings, self.device, self.group = settings, device, group
        self._stretch_negatives, self._fewest_sorted = stretch_negatives, fewest_sorted
        offsets = np.asarray(dataset.offsets)
        self.own = group.users(offsets)
        """This process's users."""
        keep, counts, self.skipped = _pairs_to_learn(dataset, settings)
        ends = np.cumsum(counts)
        self.total = int(ends[-1])
        """Pairs over all processes."""
        if not self.total:
            raise DatasetError(
                f"{dataset.label}: every user has every item, so there are no negatives to learn "
                "from; use a dataset with more items"
            )
        self.first_row = int(ends[self.own.start] - counts[self.own.start]) if self.own else 0
        self.last_row = int(ends[self.own.stop - 1]) if self.own else 0
        """Own rows among all."""

        users = slice(self.own.start, self.own.stop)
        rows = slice(int(offsets[self.own.start]), int(offsets[self.own.stop]))
        history = np.asarray(dataset.split.items[rows])
        self.history_items = self._int32(history)
        """Everything that own users have in training, user after user, oldest first."""
        self.history_starts = torch.from_numpy(offsets[users] - offsets[self.own.start]).to(device)
        self.items = self.history_items if keep is None else self._int32(history[keep[rows]])
        sizes = torch.from_numpy(counts[users]).to(device)
        self.starts = torch.cumsum(sizes, 0) - sizes
        own = torch.arange(len(self.own), dtype=torch.int32, device=device)
        self.users = torch.repeat_interleave(own, sizes)

        excluded = self.users, self.items
        if settings.exclude_heldout:
            heldout = np.asarray(dataset.split.heldout)[users]
            held = np.flatnonzero(heldout >= 0)
            more = self._int32(held), self._int32(heldout[held])
            excluded = torch.cat([self.users, more[0]]), torch.cat([self.items, more[1]])
        shape = len(self.own), dataset.num_items
        weights = _popularity_weights(dataset, settings, keep)
        self.sampler = NegativeSampler(*excluded, *shape, weights)
        self.seen = Seen(*excluded, *shape) if settings.shared_negatives else None
        self._recency = self._recency_ends(ends, counts) if settings.recency else None

    def _int32(self, values: NDArray[np.int64]) -> Tensor:
        """Return user or item indices on the device, in half the memory."""
        return torch.from_numpy(values.astype(np.int32)).to(self.device)

    def _recency_ends(self, ends: NDArray[np.int64], counts: NDArray[np.int64]) -> Tensor:
        """Return cumulative weights of all processes' pairs, which fall from the latest back."""
        back = np.repeat(ends, counts) - np.arange(self.total) - 1
        back_on_device = torch.from_numpy(back).to(self.device).to(precision(self.device))
        weight = torch.exp(-back_on_device / self.settings.recency) + RECENCY_FLOOR
        return torch.cumsum(weight, 0)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.total // self.settings.batch_size)

    def places_in_history(self, rows: Tensor) -> Tensor:
        """Return how many items the same user had before each pair of `rows`."""
        return rows - self.starts[self.users[rows]]

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield each step of an epoch (from 1), from step `first` on.

        Every process draws the random numbers of all pairs and uses its own, so that what is
        learned does not depend on the number of processes.
        """
        settings = self.settings
        generator = stream(settings.seed, epoch, device=self.device)
        size, count = settings.batch_size, settings.negatives * settings.hard_negatives
        order = self._order(generator)
        shared = settings.shared_negatives
        stretch = max(1, self._stretch_negatives // (count if shared else count * size))

        def draw(start: int) -> Iterator[Batch]:
            steps = range(start, min(start + stretch, self.steps))
            rows = order[start * size : steps.stop * size]
            shape = (len(steps), count) if shared else (count, len(rows))
            dtype = precision(self.device)
            uniform = torch.rand(shape, generator=generator, device=self.device, dtype=dtype)
            if steps.stop <= first:
                return iter(())
            return self._stretch(epoch, steps, rows, uniform, first)

        starts = range(0, self.steps, stretch)
        # A GPU gets its work ahead of time in any case.
        idle = self.device.type == "cpu" and threads_of(settings, self.group.local_size) > 1
        ahead = idle and len(starts) > 1
        for batches in _one_ahead(draw, starts) if ahead else map(draw, starts):
            yield from batches

    def _order(self, generator: torch.Generator) -> Tensor:
        """Draw the pairs of all processes in the order in which an epoch learns from them."""
        if self._recency is not None:
            dtype = self._recency.dtype
            uniform = torch.rand(self.total, generator=generator, device=self.device, dtype=dtype)
            drawn = torch.searchsorted(self._recency, uniform * self._recency[-1], right=True)
            return drawn.clamp(max=self.total - 1)
        # On a CPU int32 gives the same permutation in half the memory, for 20 million pairs in
        # three quarters of the time.
        narrow = self.device.type == "cpu" and self.total <= torch.iinfo(torch.int32).max
        kind = torch.int32 if narrow else torch.int64
        order = torch.randperm(self.total, generator=generator, device=self.device, dtype=kind)
        if self.device.type != "cpu" or self.total < self._fewest_sorted:
            return order.long()
        return self._sorted_batches(order)

    def _sorted_batches(self, permutation: Tensor) -> Tensor:
        """Return the same batches with the pairs of each in order of their users.

        Where tables exceed the caches, what is read and written for a pair is then near what the
        pair before it needed; a batch's sum does not depend on the order.
        """
        if permutation.dtype == torch.int32:
            with contextlib.suppress(NoKernels):
                order = kernels.order(permutation.numpy(), self.settings.batch_size)
                return torch.from_numpy(order)
        return torch.argsort(permutation // self.settings.batch_size, stable=True)

    def _stretch(
        self, epoch: int, steps: range, rows: Tensor, uniform: Tensor, first: int
    ) -> Iterator[Batch]:
        """Draw the negatives of `steps` at once, and return the steps from `first` on.

        rows: pairs of all processes.
        """
        size, shared, total = self.settings.batch_size, self.settings.shared_negatives, len(rows)
        whole = own = [min(size, total - number * size) for number in range(len(steps))]
        chosen: Tensor | None = None
        if self.group.size > 1:
            chosen = ((rows >= self.first_row) & (rows < self.last_row)).nonzero()[:, 0]
            rows = rows[chosen] - self.first_row
            uniform = uniform if shared else uniform[:, chosen]
            # The only place in a stretch that waits for the device.
            own = torch.bincount(chosen // size, minlength=len(steps)).tolist()
        users = self.users.index_select(0, rows).long()
        items = self.items.index_select(0, rows).long()
        if shared:
            negatives = self.sampler.draw_any(uniform).unbind()
        else:
            drawn = self.sampler.draw(users.expand_as(uniform), uniform, size)
            negatives = torch.split(drawn, own, 1)
        batches = zip(
            steps,
            torch.split(rows, own),
            negatives,
            torch.split(users, own),
            torch.split(items, own),
            whole,
            [None] * len(steps) if chosen is None else torch.split(chosen % size, own),
            strict=True,
        )
        return (Batch(epoch, step, *parts) for step, *parts in batches if step >= first)


def _pairs_to_learn(
    dataset: Dataset, settings: Settings
) -> tuple[NDArray[np.bool_] | None, NDArray[np.int64], int]:
    """Return which training pairs to learn from (None: all), how many of each user, and the rest.

    The rest are the pairs of users for whom no negative exists.
    """
    keep: NDArray[np.bool_] | None = None
    counts = sizes = np.diff(dataset.offsets)
    if settings.validation:
        # Like the held-out item, the validation item can be drawn as a negative: training must
        # not know that it comes later.
        keep, counts = dataset.learned, np.asarray(dataset.split.known)
    excluded = counts
    if settings.exclude_heldout:
        excluded = counts + (np.asarray(dataset.split.heldout) >= 0)
    stuck = excluded >= dataset.num_items
    if stuck.any():
        spread = np.repeat(stuck, sizes)
        keep = ~spread if keep is None else keep & ~spread
    return keep, np.where(stuck, 0, counts), int(counts[stuck].sum())


def _popularity_weights(
    dataset: Dataset, settings: Settings, keep: NDArray[np.bool_] | None
) -> Tensor | None:
    """Return weights of the items to draw negatives by, (num_items,); None: uniform."""
    if settings.sampler != "popularity":
        return None
    items = dataset.split.items if keep is None else dataset.split.items[keep]
    seen = torch.from_numpy(np.bincount(items, minlength=dataset.num_items))
    return (seen + 1).double() ** settings.sampler_power


def _one_ahead(work: Callable[[int], T], numbers: Sequence[int]) -> Iterator[T]:
    """Yield the result of `work` for each number in turn, while a thread computes the next.

    With data of ML-20M's size an epoch takes a fifth less time.
    """
    with ThreadPoolExecutor(1, "pairs") as pool:
        coming = [pool.submit(work, number) for number in numbers[:1]]
        for number in numbers[1:]:
            coming.append(pool.submit(work, number))
            yield coming.pop(0).result()
        yield from (last.result() for last in coming)
