"""What an epoch learns from: training pairs, in which order they come, and the negatives drawn for them."""

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
from neumf_tui.native.library import NoKernels, load
from neumf_tui.settings import Settings
from neumf_tui.training.device import threads_of
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.negatives import NegativeSampler, Seen, precision

T = TypeVar("T")

RECENCY_FLOOR = 0.1
"""Weight of the oldest pairs, beside 1 for the latest, where pairs are drawn by recency."""
STRETCH_NEGATIVES = 1 << 20
"""Negatives drawn at once, about: 50 MB while they are drawn, and as much for those that a thread draws ahead."""


FEWEST_SORTED = 1 << 20
"""Pairs of an epoch from which on a batch's are sorted by their users."""


def stream(seed: int, *parts: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The random stream of an epoch (0: the initial weights), or of a step in it, so that it can be done again."""
    state = np.random.SeedSequence([seed, *parts]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from: of the pairs of the whole step, those of this process's own users."""

    epoch: int
    step: int
    """In the epoch, from 0."""
    rows: Tensor
    """Training pairs, int64 (b,), as rows of `Pairs.users` and `Pairs.items`."""
    negatives: Tensor
    """int64 (n, b), or (n,) where all pairs share them; n is `negatives` × `hard_negatives`."""
    users: Tensor
    """int64 (b,)."""
    items: Tensor
    """The positives, int64 (b,)."""
    size: int
    """Pairs of the whole step, over all processes."""
    places: Tensor | None = None
    """Which of the step's pairs these are, int64 (b,); None: all."""

    def __len__(self) -> int:
        return len(self.rows)


class Pairs:
    """Training pairs of one process's users, on one device; users are counted from the first of them."""

    def __init__(
        self, dataset: Dataset, settings: Settings, device: torch.device, group: Group
    ) -> None:
        """Raises DatasetError where there is nothing to learn from."""
        self.settings, self.device, self.group = settings, device, group
        offsets, heldout = np.asarray(dataset.offsets), np.asarray(dataset.split.heldout)
        self.own = group.users(offsets)
        """This process's users."""
        keep: NDArray[np.bool_] | None = None
        counts = np.diff(offsets)
        if settings.validation:
            # Like the held-out item, the validation item can be drawn as a negative: nobody knows yet that it will come.
            keep, counts = dataset.learned, counts - (dataset.validation >= 0)
        excluded = counts + (heldout >= 0) if settings.exclude_heldout else counts
        if (stuck := excluded >= dataset.num_items).any():
            spread = np.repeat(stuck, np.diff(offsets))
            keep = ~spread if keep is None else keep & ~spread
        self.skipped = int(counts[stuck].sum())
        """Training pairs, over all processes, of users for whom no negative exists."""
        counts = np.where(stuck, 0, counts)
        ends = np.cumsum(counts)
        self.total = int(ends[-1])
        """Pairs over all processes."""
        if not self.total:
            raise DatasetError(
                f"{dataset.label}: every user has every item, so there are no negatives to learn from"
            )
        self.first_row = int(ends[self.own.start] - counts[self.own.start]) if self.own else 0
        self.last_row = int(ends[self.own.stop - 1]) if self.own else 0
        """Own rows among all."""

        users, mine = (
            slice(self.own.start, self.own.stop),
            slice(int(offsets[self.own.start]), int(offsets[self.own.stop])),
        )
        history = np.asarray(dataset.split.items[mine])
        # Rows of tables fit into 32 bits: half the memory of what is as long as the data.
        self.history_items = torch.from_numpy(history.astype(np.int32)).to(device)
        """Everything own users have in training, one user after another, oldest first."""
        self.history_starts = torch.from_numpy(offsets[users] - offsets[self.own.start]).to(device)
        self.items = self.history_items
        if keep is not None:
            self.items = torch.from_numpy(history[keep[mine]].astype(np.int32)).to(device)
        sizes = torch.from_numpy(counts[users]).to(device)
        self.starts = torch.cumsum(sizes, 0) - sizes
        self.users = torch.repeat_interleave(
            torch.arange(len(self.own), dtype=torch.int32, device=device), sizes
        )

        weights = None
        if settings.sampler == "popularity":
            everything = dataset.split.items if keep is None else dataset.split.items[keep]
            seen = torch.from_numpy(np.bincount(everything, minlength=dataset.num_items))
            weights = (seen + 1).double() ** settings.sampler_power
        not_drawn = self.users, self.items
        if settings.exclude_heldout:
            held = np.flatnonzero(heldout[users] >= 0)
            more = held, heldout[users][held]
            not_drawn = (
                torch.cat([self.users, torch.from_numpy(more[0].astype(np.int32)).to(device)]),
                torch.cat([self.items, torch.from_numpy(more[1].astype(np.int32)).to(device)]),
            )
        shape = len(self.own), dataset.num_items
        self.sampler = NegativeSampler(*not_drawn, *shape, weights)
        self.seen = Seen(*not_drawn, *shape) if settings.shared_negatives else None
        self.draw: Tensor | None = None
        if settings.recency:
            back = torch.from_numpy(np.repeat(ends, counts) - np.arange(self.total) - 1).to(device)
            weight = torch.exp(-back.to(precision(device)) / settings.recency) + RECENCY_FLOOR
            self.draw = torch.cumsum(weight, 0)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.total // self.settings.batch_size)

    def places_in_history(self, rows: Tensor) -> Tensor:
        """How many items the same user had before each pair of `rows`."""
        return rows - self.starts[self.users[rows]]

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Each step of an epoch (from 1), from step `first` on.

        Every process draws everybody's random numbers and uses its own, so that what is learned does not depend on how many
        processes there are.
        """
        generator = stream(self.settings.seed, epoch, device=self.device)
        size, count = (
            self.settings.batch_size,
            self.settings.negatives * self.settings.hard_negatives,
        )
        order = self._order(generator)
        shared = self.settings.shared_negatives
        stretch = max(1, STRETCH_NEGATIVES // (count if shared else count * size))

        def drawn(start: int) -> Iterator[Batch]:
            steps = range(start, min(start + stretch, self.steps))
            rows = order[start * size : steps.stop * size]
            shape = (len(steps), count) if shared else (count, len(rows))
            uniform = torch.rand(
                shape, generator=generator, device=self.device, dtype=precision(self.device)
            )
            return (
                self._stretch(epoch, steps, rows, uniform, first)
                if steps.stop > first
                else iter(())
            )

        starts = range(0, self.steps, stretch)
        # A GPU is given its work ahead of time anyway.
        idle = self.device.type == "cpu" and threads_of(self.settings, self.group.local_size) > 1
        for batches in (
            _one_ahead(drawn, starts) if idle and len(starts) > 1 else map(drawn, starts)
        ):
            yield from batches

    def _order(self, generator: torch.Generator) -> Tensor:
        if self.draw is None:
            # On a CPU the same permutation, drawn in half the memory: of 20 million pairs in three quarters of the time.
            narrow = self.device.type == "cpu" and self.total <= torch.iinfo(torch.int32).max
            kind = torch.int32 if narrow else torch.int64
            return self._by_users(
                torch.randperm(self.total, generator=generator, device=self.device, dtype=kind)
            )
        drawn = (
            torch.rand(self.total, generator=generator, device=self.device, dtype=self.draw.dtype)
            * self.draw[-1]
        )
        return torch.searchsorted(self.draw, drawn, right=True).clamp(max=self.total - 1)

    def _by_users(self, drawn: Tensor) -> Tensor:
        """An order by a permutation: where tables are larger than caches, the pairs of a batch one user after another. What is
        read and written for a pair then lies near what the pair before it needed, and a sum does not depend on the order."""
        size = self.settings.batch_size
        if self.device.type != "cpu" or self.total < FEWEST_SORTED:
            return drawn.long()
        if drawn.dtype == torch.int32:
            with contextlib.suppress(NoKernels):
                run = load().neumf_order
                order, room = (
                    torch.empty(self.total, dtype=torch.int64),
                    torch.empty(self.steps, dtype=torch.int64),
                )
                run(
                    self.total,
                    min(size, self.total),
                    drawn.data_ptr(),
                    room.data_ptr(),
                    order.data_ptr(),
                )
                return order
        return torch.argsort(drawn // size, stable=True)

    def _stretch(
        self, epoch: int, steps: range, rows: Tensor, uniform: Tensor, first: int
    ) -> Iterator[Batch]:
        """The steps of a stretch, from `first` on, drawn when this returns; `rows` of the pairs of all processes."""
        size, shared, total = self.settings.batch_size, self.settings.shared_negatives, len(rows)
        whole = own = [min(size, total - number * size) for number in range(len(steps))]
        chosen: Tensor | None = None
        if self.group.size > 1:
            chosen = ((rows >= self.first_row) & (rows < self.last_row)).nonzero()[:, 0]
            rows = rows[chosen] - self.first_row
            uniform = uniform if shared else uniform[:, chosen]
            # The one wait for the device in a stretch.
            own = torch.bincount(chosen // size, minlength=len(steps)).tolist()
        users = self.users.index_select(0, rows).long()
        items = self.items.index_select(0, rows).long()
        negatives = (
            self.sampler.draw_any(uniform)
            if shared
            else self.sampler.draw(users.expand_as(uniform), uniform, size)
        )
        batches = zip(
            steps,
            torch.split(rows, own),
            negatives.unbind() if shared else torch.split(negatives, own, 1),
            torch.split(users, own),
            torch.split(items, own),
            whole,
            [None] * len(steps) if chosen is None else torch.split(chosen % size, own),
            strict=True,
        )
        return (Batch(epoch, step, *parts) for step, *parts in batches if step >= first)


def _one_ahead(work: Callable[[int], T], numbers: Sequence[int]) -> Iterator[T]:
    """What `work` makes of each number in turn, while a thread makes the next: at ML-20M's size a fifth less time an epoch."""
    with ThreadPoolExecutor(1, "pairs") as pool:
        coming = [pool.submit(work, number) for number in numbers[:1]]
        for number in numbers[1:]:
            coming.append(pool.submit(work, number))
            yield coming.pop(0).result()
        yield from (last.result() for last in coming)
