"""Processes that train one model together: their users, sums over all, and messages of rank 0."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import UsageError
from neumf_tui.training.distributed.processes import Worker, WorkerMessage

if TYPE_CHECKING:  # some builds of torch have no distributed training
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")
_FAILURE = "failed"
TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others: longer than any evaluation or checkpoint takes. A
process that died is noticed at once, by its closed connection."""


class Group:
    """A single process, for which no method costs anything; ring.py and torchrun.py have larger."""

    rank: int = 0
    size: int = 1
    local_size: int = 1
    """Number of processes on this machine."""

    def all_users(self, offsets: NDArray[np.int64]) -> list[range]:
        """Return the users of every rank: contiguous ranges, at least one user each.

        The ranges have about equal sums of training pairs and users. offsets: (num_users + 1,),
        where each user's pairs begin. Raises UsageError for more processes than users.
        """
        count = len(offsets) - 1
        if self.size > count:
            raise UsageError(
                f"--processes {self.size}: there are only {count} users, so use at most {count}"
            )
        work = offsets - offsets[0] + np.arange(count + 1)
        shares = [int(work[-1]) * rank // self.size for rank in range(self.size + 1)]
        cuts = np.searchsorted(work, shares)
        # A user is never divided, however many pairs they have; their neighbours still get one
        # user each.
        for rank in range(1, self.size):
            cuts[rank] = np.clip(cuts[rank], cuts[rank - 1] + 1, count - (self.size - rank))
        return [range(int(start), int(stop)) for start, stop in pairwise(cuts)]

    def users(self, offsets: NDArray[np.int64]) -> range:
        """Return this rank's users, one of `all_users`."""
        return self.all_users(offsets)[self.rank]

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace `tensor`, of the same shape on every rank, by the sum over all ranks."""

    def broadcast(self, value: T, form: type[T]) -> T:
        """Return rank 0's `value`, of the type `form`, on every rank."""
        return value

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        """Return the rows of all ranks in order, on the CPU at rank 0; None elsewhere.

        rows: (counts[rank], ...), of the same dtype and trailing shape on every rank.
        """
        return rows.detach().cpu()

    def counts(self, number: int) -> list[int]:
        """Return the `number` of every rank."""
        numbers = torch.zeros(self.size, dtype=torch.int64)
        numbers[self.rank] = number
        self.all_reduce(numbers)
        return [int(number) for number in numbers]

    def report_failure(self, message: WorkerMessage) -> WorkerMessage:
        """Tell the others why this process ends, and return the group's first such message."""
        return message

    def failure(self) -> WorkerMessage | None:
        """Return the first message of `report_failure`, if any; not collective, for any thread."""
        return None

    def leave(self) -> None:
        """Leave the group, when everything is done."""


class StoreGroup(Group):
    """One of several processes, which leave messages about failures in a store.

    All methods except `all_users`, `users` and `failure` are collective: every rank calls them, in
    the same order. Nothing that comes from another process is unpickled.
    """

    def __init__(self, worker: Worker, store: "Store") -> None:
        self.rank, self.size, self.local_size = worker.rank, worker.size, worker.local_size
        self.store: Store = store
        # A connection of its own: that of the group may be waiting for others.
        self._messages: Store = store.clone()  # type: ignore[attr-defined]

    def broadcast(self, value: T, form: type[T]) -> T:
        content = b"" if self.rank else msgspec.msgpack.encode(value)
        return msgspec.msgpack.decode(self.broadcast_bytes(content), type=form)

    def broadcast_bytes(self, content: bytes) -> bytes:
        """Return rank 0's `content` on every rank."""
        raise NotImplementedError

    def report_failure(self, message: WorkerMessage) -> WorkerMessage:
        # RuntimeError: the store has ended with its keeper, so nobody reads it.
        with suppress(RuntimeError):
            first = self._messages.compare_set(_FAILURE, "", msgspec.json.encode(message).decode())
            return msgspec.json.decode(first, type=WorkerMessage)
        return message

    def failure(self) -> WorkerMessage | None:
        with suppress(RuntimeError):
            if self._messages.check([_FAILURE]):
                return msgspec.json.decode(self._messages.get(_FAILURE), type=WorkerMessage)
        return None
