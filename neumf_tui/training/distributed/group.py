"""Processes that train one model together: their users, sums over all, and messages of rank 0."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import UsageError
from neumf_tui.training.distributed.torchrun import Worker, WorkerMessage

if TYPE_CHECKING:  # some builds of torch have no distributed training
    from torch.distributed.distributed_c10d import ProcessGroup, Store

T = TypeVar("T")
_FAILURE, _ROUND = "failed", "neumf-tui/round"
TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others: longer than any evaluation or checkpoint takes. A
process that died is noticed at once, by its closed connection."""


class Group:
    """A single process, for which no method costs anything. `join_group` makes larger groups."""

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

    def broadcast(self, value: T) -> T:
        """Return rank 0's `value` on every rank."""
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


class DistributedGroup(Group):
    """One of several processes of torch.distributed.

    All methods except `all_users`, `users` and `failure` are collective: every rank calls them, in
    the same order.
    """

    def __init__(self, rank: int, size: int, local_size: int, store: "Store") -> None:
        self.rank, self.size, self.local_size = rank, size, local_size
        # A connection of its own: that of the group may be waiting for others.
        self._store: Store = store.clone()  # type: ignore[attr-defined]
        # gloo for all messages between processes on the host, which so never wait for a GPU.
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=TIMEOUT)
        self._gpus: ProcessGroup | None = None

    def all_reduce(self, tensor: Tensor) -> None:
        if tensor.is_cuda and self._gpus is None:
            self._gpus = dist.new_group(backend="nccl", timeout=TIMEOUT)
        dist.all_reduce(tensor, group=self._gpus if tensor.is_cuda else None)

    def broadcast(self, value: T) -> T:
        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        own = rows.detach().cpu().contiguous()
        if self.rank:
            if len(own):
                dist.send(own, dst=0)
            return None
        # Received into the result, so that rank 0 never holds the whole twice.
        whole = own.new_empty((sum(counts), *own.shape[1:]))
        parts = torch.split(whole, list(counts))
        parts[0].copy_(own)
        for rank, part in enumerate(parts):
            if rank and len(part):
                dist.recv(part, src=rank)
        return whole

    def report_failure(self, message: WorkerMessage) -> WorkerMessage:
        # RuntimeError: the store has ended with the agent that kept it, so nobody reads it.
        with suppress(RuntimeError):
            first = self._store.compare_set(_FAILURE, "", msgspec.json.encode(message).decode())
            return msgspec.json.decode(first, type=WorkerMessage)
        return message

    def failure(self) -> WorkerMessage | None:
        with suppress(RuntimeError):
            if self._store.check([_FAILURE]):
                return msgspec.json.decode(self._store.get(_FAILURE), type=WorkerMessage)
        return None

    def leave(self) -> None:
        dist.destroy_process_group()


def join_group(worker: Worker | None) -> Group:
    """Join the group that torchrun put this process into, and wait for the others.

    A process that is alone gets a group of its own.
    """
    if worker is None or worker.size == 1:
        return Group()
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    store = PrefixStore(agree_on_round(store, rank, size), store)
    return DistributedGroup(rank, size, worker.local_size, store)


def agree_on_round(store: "Store", rank: int, size: int) -> str:
    """Return a name for this start of the group, the same on every rank and new at every start.

    torchrun keeps one store for all starts, which still has the addresses of processes that died
    (torch 2.13); and nodes count the starts differently where one of them is new.
    """
    mine, until = secrets.token_hex(8), time.monotonic() + TIMEOUT.total_seconds()
    if rank == 0:
        store.set(_ROUND, mine)
        tokens = [store.get(f"{mine}/{other}").decode() for other in range(1, size)]
        store.set(f"{mine}/all", " ".join(tokens))
        return mine
    while time.monotonic() < until:
        name = store.get(_ROUND).decode()
        store.set(f"{name}/{rank}", mine)
        # In an earlier start, rank 0 has tokens of other processes, or will never get any.
        if store.check([f"{name}/all"]) and mine in store.get(f"{name}/all").decode().split():
            return name
        time.sleep(0.02)
    raise TimeoutError(f"process {rank} of {size}: no message of process 0 within {TIMEOUT}")
